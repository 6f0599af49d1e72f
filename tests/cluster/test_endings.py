"""How a remediation ends where the workload changes meanwhile: named, without an open breaker, one pod taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.proxy import Fault, Proxy, Request

Json = dict[str, Any]
SLOW = workloads.behaviour(ready_delay="12")


def scale_down(cluster: Cluster, namespace: str) -> None:
    """One replica less is wanted."""
    cluster.api.scale("apps/v1/deployments", namespace, "web", 2)


def roll_out(cluster: Cluster, namespace: str) -> None:
    """Another template."""
    template = {"spec": {"template": {"metadata": {"labels": {"release": "2"}}}}}
    cluster.api.patch("apps/v1/deployments", namespace, "web", template)


def delete_owner(cluster: Cluster, namespace: str) -> None:
    """The whole workload goes."""
    cluster.api.delete("apps/v1/deployments", namespace, "web")


@pytest.mark.parametrize(
    ("meanwhile", "outcome"), [(scale_down, "scaled-down"), (roll_out, "rolled-out"), (delete_owner, "owner-gone")]
)
def test_a_workload_that_changes_meanwhile_ends_the_wait_by_name(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, meanwhile: Callable[[Cluster, str], None], outcome: str
) -> None:
    """Scaled down, rolled out, deleted: each has its outcome, and no breaker is opened for it."""
    cluster.api.create(workloads.deployment("web", namespace, replicas=3, memory=OVER, annotations=SLOW))
    cluster.ready_pods(namespace, 3, deadline=60)
    daemon = start_daemon(policy_file(namespace, cooldown="10m", readyTimeout="60s"))
    daemon.wait_for("remediation taken")
    meanwhile(cluster, namespace)
    (settled,) = daemon.wait_for("remediation settled")
    assert settled["outcome"] == outcome
    assert settled["breaker_opened"] is False
    assert len(cluster.taken(namespace)) == 1


def test_a_pod_that_somebody_else_takes_between_intent_and_act_is_superseded(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """Deleted by an operator right before: nothing is sent, and the budget is given back."""
    cluster.api.create(workloads.deployment("web", namespace, replicas=2, memory=OVER))
    cluster.ready_pods(namespace, 2)
    deleted: list[str] = []

    def delete_it(request: Request) -> Fault | None:
        if deleted or request.method != "GET" or "/pods/" not in request.path:
            return None
        if intended := daemon.events("remediation intended"):
            deleted.append(intended[0]["pod"])
            cluster.api.delete("pods", namespace, deleted[0])
        return None

    daemon = start_daemon(policy_file(namespace, cooldown="10m"), kubeconfig=kubeconfig)
    api.fault = delete_it
    (settled,) = daemon.wait_for("remediation settled")
    assert deleted == [settled["pod"]]
    assert settled["outcome"] == "superseded"
    assert not [request for request in api.requests if request.path.endswith("/eviction")]
    daemon.until(lambda: daemon.metric("remediator_budget_remaining") == 20, what="the budget is given back")


def test_ready_is_not_available_before_min_ready_seconds(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """A workload that wants its pods Ready for five seconds is waited for that long."""
    manifest = workloads.deployment("web", namespace, replicas=2, memory=OVER)
    manifest["spec"]["minReadySeconds"] = 5
    cluster.api.create(manifest)
    cluster.ready_pods(namespace, 2)
    daemon = start_daemon(policy_file(namespace, cooldown="10m"))
    (settled,) = daemon.wait_for("remediation settled")
    assert settled["outcome"] == "replaced"
    assert settled["seconds_to_available"] >= 5


def test_a_pod_that_does_not_go_is_stuck_and_its_workload_left_alone(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """A finalizer holds the evicted pod: named after its grace period and a minute, nothing is forced."""
    manifest = workloads.deployment("web", namespace, replicas=2, memory=OVER)
    manifest["spec"]["template"]["metadata"]["finalizers"] = ["example.com/held"]
    manifest["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 1
    cluster.api.create(manifest)
    cluster.ready_pods(namespace, 2)
    daemon = start_daemon(policy_file(namespace, cooldown="1s"))
    try:
        (settled,) = daemon.wait_for("remediation settled", timeout=120)
        assert settled["outcome"] == "stuck-terminating"
        assert "example.com/held" in settled["detail"]
        seen = len(daemon.events("evaluation"))
        daemon.wait_for("evaluation", count=seen + 5)
        assert len(cluster.taken(namespace)) == 1
    finally:
        cluster.api.delete("apps/v1/deployments", namespace, "web")
        for pod in cluster.api.list("pods", namespace):
            cluster.api.patch("pods", namespace, pod["metadata"]["name"], {"metadata": {"finalizers": None}})
