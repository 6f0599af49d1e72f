"""How a remediation ends where the workload changes meanwhile: named, without an open breaker, one pod taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cluster.conftest import STEADY, STEADY_FOR, StartDaemon, policy_file
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.proxy import Fault, Proxy, Request

Json = dict[str, Any]
STUCK = workloads.behaviour(never_ready="true")


def test_a_workload_that_changes_meanwhile_ends_the_wait_by_name(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """Scaled down, rolled out, deleted, node no longer selected: each by its name, without a breaker, one pod taken."""
    api, pool = cluster.api, {f"pool.example/{namespace}": "in"}
    # No new pod turns Ready, so that each wait lasts until its workload changes.
    for name in ("shrinking", "rolling", "leaving"):
        api.create(workloads.deployment(f"{name}-web", namespace, replicas=3, memory=OVER, annotations=STUCK))
        api.create(workloads.statefulset(f"{name}-db", namespace, replicas=2, parallel=True, annotations=STUCK))
    api.patch("nodes", None, "node-0", {"metadata": {"labels": pool}})
    api.create(workloads.daemonset("agent", namespace, memory=OVER, annotations=STUCK, spec={"nodeSelector": pool}))
    cluster.wait(lambda: len(cluster.pods(namespace)) == 16, 90, "the pods are made")
    for pod in cluster.pods(namespace):
        api.annotate("pods", namespace, pod["metadata"]["name"], dict.fromkeys(STUCK))
    cluster.ready_pods(namespace, 16, deadline=90)
    for name in ("shrinking", "rolling", "leaving"):
        # The last ordinal is the one that is no longer wanted of one pod less.
        api.annotate("pods", namespace, f"{name}-db-1", workloads.behaviour(memory=OVER))
    wide = {"maxConcurrent": 20, "budget": {"actions": 100, "per": "1h"}}
    policy = policy_file(namespace, safety=wide, for_=STEADY_FOR, cooldown="10m", readyTimeout="10m")
    daemon = start_daemon(policy, sample_interval=STEADY)
    daemon.wait_for("remediation taken", count=7)

    template = {"spec": {"template": {"metadata": {"labels": {"release": "2"}}}}}
    for kind, suffix in (("deployments", "web"), ("statefulsets", "db")):
        api.patch(f"apps/v1/{kind}", namespace, f"rolling-{suffix}", template)
        api.delete(f"apps/v1/{kind}", namespace, f"leaving-{suffix}")
        api.scale(f"apps/v1/{kind}", namespace, f"shrinking-{suffix}", 2 if suffix == "web" else 1)
    api.patch("nodes", None, "node-0", {"metadata": {"labels": dict.fromkeys(pool)}})

    settled = daemon.wait_for("remediation settled", count=7, timeout=90)
    assert {line["workload"].partition("/")[2]: line["outcome"] for line in settled} == {
        "shrinking-web": "scaled-down",
        "shrinking-db": "scaled-down",
        "rolling-web": "rolled-out",
        "rolling-db": "rolled-out",
        "leaving-web": "owner-gone",
        "leaving-db": "owner-gone",
        "agent": "scaled-down",
    }
    assert not any(line["breaker_opened"] for line in settled)
    assert len(cluster.taken(namespace)) == 7


def test_a_replacement_that_fails_is_told_in_kubernetes_own_words(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """No quota for a new pod, no node for it, a probe that never passes: the breaker opens, and they say why."""
    api, pool = cluster.api, {f"pool.example/{namespace}": "in"}
    for node in api.list("nodes"):
        api.patch("nodes", None, node["metadata"]["name"], {"metadata": {"labels": pool}})
    unready = workloads.container()
    unready["readinessProbe"] = {"httpGet": {"port": 8080}}
    never = workloads.behaviour(never_ready="true", memory=OVER)
    api.create(workloads.deployment("placeless", namespace, memory=OVER, spec={"nodeSelector": pool}))
    api.create(workloads.deployment("unready", namespace, containers=[unready], annotations=never))
    full = cluster.namespace("full")
    api.create(workloads.deployment("unmade", full, memory=OVER))
    api.create(workloads.statefulset("unmade-db", full, memory=OVER))
    cluster.wait(lambda: len(cluster.pods(namespace)) == 2, 60, "the pods are made")
    (slow,) = [pod["metadata"]["name"] for pod in cluster.pods(namespace, labels="app=unready")]
    api.annotate("pods", namespace, slow, {f"{workloads.PREFIX}never-ready": None})
    cluster.ready_pods(namespace, 2)
    cluster.ready_pods(full, 2)
    for node in api.list("nodes"):
        api.patch("nodes", None, node["metadata"]["name"], {"metadata": {"labels": dict.fromkeys(pool)}})
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"namespace": full, "name": "full"}}
    api.create({**quota, "spec": {"hard": {"pods": "0"}}})
    cluster.wait(lambda: api.get("resourcequotas", full, "full").get("status", {}).get("hard"), 60, "it is in force")
    wide = {"maxConcurrent": 20, "budget": {"actions": 100, "per": "1h"}}
    policy = policy_file(f"{namespace}|{full}", safety=wide, for_=STEADY_FOR, cooldown="10m", readyTimeout="15s")
    daemon = start_daemon(policy, sample_interval=STEADY)
    settled = daemon.wait_for("remediation settled", count=4, timeout=90)
    details = {line["workload"].partition("/")[2]: line["detail"] for line in settled}
    assert {line["outcome"] for line in settled} == {"not-ready"}
    assert "Unschedulable: 0/" in details["placeless"]
    assert "its readiness probe has not passed" in details["unready"]
    assert "FailedCreate" in details["unmade"]
    assert "FailedCreate" in details["unmade-db"]
    assert all(line["breaker_opened"] for line in settled)
    assert len(cluster.taken(namespace)) == len(cluster.taken(full)) == 2
    api.delete("namespaces", None, full)


def test_a_pod_that_somebody_else_takes_between_intent_and_act_is_superseded(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """Deleted by an operator right before: nothing is sent, and the budget is given back."""
    cluster.api.create(workloads.deployment("web", namespace, replicas=2, memory=OVER))
    cluster.ready_pods(namespace, 2)
    deleted: list[str] = []

    def delete_it(request: Request) -> Fault | None:
        if deleted or request.method != "GET" or not request.path.partition("?")[0].endswith("/pods"):
            return None
        if intended := daemon.events("remediation intended"):
            deleted.append(intended[0]["pod"])
            cluster.api.delete("pods", namespace, deleted[0])
        return None

    policy = policy_file(namespace, for_=STEADY_FOR, cooldown="10m")
    daemon = start_daemon(policy, kubeconfig=kubeconfig, sample_interval=STEADY)
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
    daemon = start_daemon(policy_file(namespace, for_=STEADY_FOR, cooldown="10m"), sample_interval=STEADY)
    (settled,) = daemon.wait_for("remediation settled")
    assert settled["outcome"] == "replaced"
    assert settled["seconds_to_available"] >= 5


def test_a_pod_that_does_not_go_is_stuck_and_its_workload_left_alone(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """A finalizer or a kubelet that is lost holds it: named after its grace period and a minute, nothing is forced."""
    held, lost = (workloads.deployment(name, namespace, replicas=2, memory=OVER) for name in ("held", "lost"))
    held["spec"]["template"]["metadata"]["finalizers"] = ["example.com/held"]
    lost["spec"]["template"]["metadata"]["annotations"] |= workloads.behaviour(delete_delay="never")
    for manifest in (held, lost):
        manifest["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 1
        cluster.api.create(manifest)
    cluster.ready_pods(namespace, 4)
    daemon = start_daemon(policy_file(namespace, for_=STEADY_FOR, cooldown="1s"), sample_interval=STEADY)
    try:
        settled = {line["workload"]: line for line in daemon.wait_for("remediation settled", count=2, timeout=180)}
        assert {line["outcome"] for line in settled.values()} == {"stuck-terminating"}
        assert "finalizers example.com/held" in settled["Deployment/held"]["detail"]
        assert f"node {settled['Deployment/lost']['node']}" in settled["Deployment/lost"]["detail"]
        seen = len(daemon.events("evaluation"))
        daemon.wait_for("evaluation", count=seen + 5)
        assert len(cluster.taken(namespace)) == 2
    finally:
        for name in ("held", "lost"):
            cluster.api.delete("apps/v1/deployments", namespace, name)
        for pod in cluster.api.list("pods", namespace):
            cluster.api.patch("pods", namespace, pod["metadata"]["name"], {"metadata": {"finalizers": None}})
            if pod["metadata"]["name"].startswith("lost-"):
                cluster.api.delete("pods", namespace, pod["metadata"]["name"], grace=0)
