"""What happens in the field, where no other file shows it: docs/field-cases.md has the whole list.

One daemon sees a workload for each case of acting; what has to do with measuring has a Prometheus of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import STEADY, STEADY_FOR, StartDaemon, policy_file
from tests.cluster.measured import over_for
from tests.cluster.test_answers import WIDE
from tests.cluster.test_guards import OVER, left_alone
from tests.cluster.test_signals import policies
from tests.rig import workloads
from tests.rig.cluster import Cluster, is_ready
from tests.rig.daemon import Daemon, create_account
from tests.rig.prometheus import another
from tests.rig.workloads import behaviour

# One worker sets the stage, once for all of them.
pytestmark = pytest.mark.xdist_group("field cases")

Json = dict[str, Any]
TERMINATES = 14
"""Seconds that the pods of workloads called ``patient`` take to end; their policy's readyTimeout is shorter."""


@pytest.fixture(scope="module")
def stage(cluster: Cluster) -> Iterator[str]:
    """A namespace with a workload for each case."""
    name = cluster.namespace("field")
    pool = {f"pool.example/{name}": "in"}
    cluster.api.patch("nodes", None, "node-0", {"metadata": {"labels": pool}})
    patient = behaviour(delete_delay=TERMINATES, memory=OVER)
    mark = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
    try:
        for manifest in (
            workloads.statefulset("patient-set", name, annotations=patient),
            workloads.daemonset("patient-agent", name, annotations=patient, spec={"nodeSelector": pool}),
            workloads.deployment("wide", name, replicas=4, annotations=behaviour(ready_delay=6)),
            workloads.deployment("nightly", name, memory=OVER),
            workloads.deployment("marked", name, memory=OVER, annotations=mark),
        ):
            cluster.api.create(manifest)
        cluster.ready_pods(name, 8, deadline=60)
        for pod in cluster.pods(name, labels="app=wide"):
            cluster.api.annotate("pods", name, pod["metadata"]["name"], behaviour(memory=OVER))
        over_for(cluster, name, 8, seconds=12)
        yield name
    finally:
        cluster.api.patch("nodes", None, "node-0", {"metadata": {"labels": dict.fromkeys(pool)}})
        cluster.api.delete("namespaces", None, name)


@pytest.fixture(scope="module")
def full(cluster: Cluster) -> Iterator[str]:
    """A namespace whose quota leaves no room for one pod more, and pods that take a while to end."""
    name = cluster.namespace("full")
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"namespace": name, "name": "full"}}
    cluster.api.create({**quota, "spec": {"hard": {"pods": "2"}}})
    slow = behaviour(delete_delay=6, memory=OVER)
    cluster.api.create(workloads.deployment("web", name, replicas=2, annotations=slow))
    cluster.ready_pods(name, 2)
    yield name
    cluster.api.delete("namespaces", None, name)


@pytest.fixture(scope="module")
def daemon(cluster: Cluster, stage: str, full: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with a policy for each case, that takes no notice of other tools' marks."""
    home = cluster.namespace("home")
    create_account(cluster, home)
    file = policies(
        stage,
        patient={"readyTimeout": "12s"},
        wide={"maxUnavailable": 2, "cooldown": "0s", "readyTimeout": "60s"},
        nightly={"maxPerWorkload": {"actions": 2, "per": "1h"}, "cooldown": "1s"},
        marked={},
        full={"match": {"namespaces": [full]}, "readyTimeout": "60s"},
        broken={"readyTimeout": "25s", "cooldown": "1s"},
    )
    file["safety"] = {**WIDE, "foreignMarks": False}
    for policy in file["policies"]:
        policy["for"] = STEADY_FOR
    with ExitStack() as ends:
        ends.callback(cluster.api.delete, "namespaces", None, home)
        yield ends.enter_context(
            Daemon(
                policy=file,
                kubeconfig=cluster.kubeconfig_for(home, "remediator"),
                prometheus_url=cluster.prometheus_url,
                namespace=home,
                folder=tmp_path_factory.mktemp("field"),
                sample_interval=STEADY,
            )
        )


@pytest.mark.parametrize("ref", ["StatefulSet/patient-set", "DaemonSet/patient-agent"])
def test_the_time_to_be_ready_counts_from_the_end_of_the_old_pod(daemon: Daemon, ref: str) -> None:
    """The successor has to wait for it, and it takes longer to end than ``readyTimeout`` is: that is no failure."""
    (settled,) = daemon.wait_for("remediation settled", workload=ref)
    assert (settled["outcome"], settled["breaker_opened"]) == ("replaced", False)
    assert settled["seconds_to_available"] > TERMINATES


def test_as_many_are_in_flight_as_may_be_missing(daemon: Daemon) -> None:
    """Four replicas in lockstep and ``maxUnavailable: 2``: two at a time, and never three."""
    ref = "Deployment/wide"
    daemon.wait_for("remediation settled", count=4, timeout=90, workload=ref)
    now, most = 0, 0
    for line in daemon.events(workload=ref):
        now += {"remediation intended": 1, "remediation settled": -1}.get(line["event"], 0)
        most = max(most, now)
    assert most == 2
    assert {line["outcome"] for line in daemon.events("remediation settled", workload=ref)} == {"replaced"}


def test_a_successor_that_is_over_at_once_is_not_taken_all_night(cluster: Cluster, stage: str, daemon: Daemon) -> None:
    """``maxPerWorkload`` within its window, and no more; the rest is left to people, with the time of the next."""
    line = left_alone(daemon, "nightly-", "per-workload-limit", timeout=90)
    assert "maxPerWorkload allows 2; the next is allowed at" in line["detail"]
    seen = len(daemon.events("evaluation", policy="nightly"))
    daemon.wait_for("evaluation", count=seen + 5, policy="nightly")
    assert len([event for event in cluster.taken(stage) if event.name.startswith("nightly-")]) == 2


def test_a_full_quota_that_counts_the_terminating_pod_is_no_failure(
    cluster: Cluster, full: str, daemon: Daemon
) -> None:
    """No pod can be made before the old one is gone, and then one is: replaced, and no breaker."""
    (settled,) = daemon.wait_for("remediation settled", timeout=90, workload="Deployment/web")
    assert (settled["outcome"], settled["breaker_opened"]) == ("replaced", False)
    assert [event.uid for event in cluster.taken(full)] == [settled["uid"]]

    def refused() -> list[Json]:
        return [event for event in cluster.api.list("events", full) if "exceeded quota" in event["message"]]

    cluster.wait(refused, 60, "the ReplicaSet has tried while the old pod was there")


def test_marks_for_other_tools_can_be_switched_off(daemon: Daemon) -> None:
    """With ``foreignMarks: false`` a pod that the autoscaler must not evict is taken by us all the same."""
    (settled,) = daemon.wait_for("remediation settled", workload="Deployment/marked")
    assert settled["outcome"] == "replaced"


def waits(reason: str, message: str) -> Json:
    """What a kubelet says of a container that it can't start."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {"name": "app", "image": workloads.IMAGE, "imageID": "", "restartCount": 0, "ready": False, "state": state}


GATE = "lb.example/attached"
NEVER_STARTS, NEVER_READY = behaviour(never_start="true"), behaviour(never_ready="true")
BROKEN: dict[str, tuple[dict[str, str], Json, str]] = {
    # Workload: behaviour of new pods, what their kubelet says of the container, and what the record quotes.
    "broken-image": (
        NEVER_STARTS,
        waits("ImagePullBackOff", 'Back-off pulling image "app:1.0"'),
        'ImagePullBackOff: Back-off pulling image "app:1.0"',
    ),
    "broken-start": (
        NEVER_STARTS,
        waits("CrashLoopBackOff", "back-off 10s restarting failed container"),
        "CrashLoopBackOff: back-off 10s restarting failed container",
    ),
    "broken-gate": (NEVER_READY, {"ready": True}, f"the readiness gate {GATE} is not open"),
}


def break_successor(cluster: Cluster, namespace: str, app: str) -> bool:
    """Say of the pod that is not Ready what a kubelet would; whether there is one yet."""
    pods = [pod for pod in cluster.pods(namespace, labels=f"app={app}") if not is_ready(pod)]
    if not pods or (app == "broken-gate" and not pods[0]["status"].get("containerStatuses")):
        return False
    (known,) = pods[0]["status"].get("containerStatuses") or ({},)
    status = {"containerStatuses": [known | BROKEN[app][1]]}
    cluster.api.patch("pods", namespace, pods[0]["metadata"]["name"], {"status": status}, subresource="status")
    return True


def test_a_successor_that_does_not_come_up_costs_one_pod(cluster: Cluster, stage: str, daemon: Daemon) -> None:
    """Its image is gone, it crashes, its gate stays shut: the kubelet's words are told, and the breaker holds."""
    for app, (broken, _, _) in BROKEN.items():
        gates = {"readinessGates": [{"conditionType": GATE}]} if app == "broken-gate" else {}
        cluster.api.create(workloads.deployment(app, stage, replicas=2, annotations=broken, spec=gates))
        cluster.wait(lambda app=app: len(cluster.pods(stage, labels=f"app={app}")) == 2, 60, "they are made")  # type: ignore[misc]
        for pod in cluster.pods(stage, labels=f"app={app}"):
            cluster.api.annotate("pods", stage, pod["metadata"]["name"], dict.fromkeys(broken))
    # Over only once all are Ready: none is to be taken before, and all successors have to break at about the same time.
    for app in BROKEN:
        cluster.ready_pods(stage, 2, labels=f"app={app}", deadline=60)
    for pod in cluster.pods(stage, labels=f"app in ({','.join(BROKEN)})"):
        cluster.api.annotate("pods", stage, pod["metadata"]["name"], behaviour(memory=OVER))
    whole = set(BROKEN)

    def all_broken() -> bool:
        whole.difference_update([app for app in whole if break_successor(cluster, stage, app)])
        return not whole

    cluster.wait(all_broken, 90, "a pod of each has a successor", seen=lambda: whole)
    for app, (_, _, words) in BROKEN.items():
        (settled,) = daemon.wait_for("remediation settled", workload=f"Deployment/{app}")
        assert (settled["outcome"], settled["breaker_opened"]) == ("not-ready", True)
        assert words in settled["detail"]
        left_alone(daemon, app, "breaker-open")
    seen = len(daemon.events("evaluation", policy="broken"))
    daemon.wait_for("evaluation", count=seen + 3, policy="broken")
    gone = [event.name.rsplit("-", 2)[0] for event in cluster.taken(stage) if event.name.startswith("broken-")]
    assert sorted(gone) == sorted(BROKEN)


def without_names(content: Json) -> Json:
    """The kubelet of node-1 tells nothing of pods any more, as after a change of where it has its numbers from."""
    jobs = {job["job_name"]: dict(job) for job in content["scrape_configs"]}
    gone = [
        {"source_labels": ["node"], "regex": "node-1", "target_label": label, "replacement": ""}
        for label in ("namespace", "pod", "container")
    ]
    jobs["kubelet"]["metric_relabel_configs"] = [*jobs["kubelet"]["metric_relabel_configs"], *gone]
    return {**content, "scrape_configs": list(jobs.values())}


def test_pods_that_are_not_measured_any_more_are_seen_in_a_gauge(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """Labels vanish on one of two nodes: half of the running pods are measured, and of those one is taken."""
    for node in ("node-0", "node-1"):
        cluster.api.create(workloads.deployment(node, namespace, memory=OVER, spec={"nodeName": node}))
    cluster.ready_pods(namespace, 2)
    with another(Path(cluster.description.folder), without_names) as url:
        daemon = start_daemon(policy_file(namespace, cooldown="10m"), prometheus_url=url)
        (settled,) = daemon.wait_for("remediation settled")
        daemon.until(
            lambda: daemon.metric("remediator_measured_pods_ratio", policy="leaky") == 0.5, what="half is measured"
        )
        assert daemon.events("evaluation", outcome="error") == []
    assert settled["node"] == "node-0"
    assert [event.uid for event in cluster.taken(namespace)] == [settled["uid"]]
