"""A surge that is broken off anywhere is carried on: finished or taken back, once, with nobody left outside."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import steps
from tests.chaos.served import WANTED, behind_the_service, served, tried
from tests.chaos.steps import free_the_lease, in_journal, ledger
from tests.cluster.conftest import StartDaemon
from tests.cluster.test_breaker import resume
from tests.cluster.test_guards import OVER
from tests.cluster.test_surge import leaving_the_pool, orphans, policy, settled
from tests.rig import workloads
from tests.rig.cluster import Cluster, is_ready
from tests.rig.daemon import Daemon, allow_surge
from tests.rig.proxy import Cut, Late, Proxy, Request

Json = dict[str, Any]
Matcher = Callable[[Request], object]
LATE = 95
"""Seconds for which a request may be on its way: its time-out, the API server's own, and the lease of the rig."""


@pytest.fixture(autouse=True)
def _rights(cluster: Cluster, home: str) -> None:
    allow_surge(cluster, home)


def is_taking_out(request: Request) -> bool:
    """The PATCH that takes the pod out of its ReplicaSet."""
    return request.method == "PATCH" and b'"remediator-surge"' in request.body


def is_undoing(request: Request) -> bool:
    """The write that says that it is taken back."""
    if not request.is_("PUT", "/configmaps/remediator-journal"):
        return False
    return any(record["undoing"] for record in ledger(request.body)["in_flight"].values())


def is_offer(request: Request) -> bool:
    """The mark on the new pod that did not work."""
    return request.method == "PATCH" and b"pod-deletion-cost" in request.body


def is_putting_back(request: Request) -> bool:
    """The PATCH that gives the pod back to its ReplicaSet."""
    return request.method == "PATCH" and b'"remediator.dev/surge":null' in request.body


FINISHING: dict[str, tuple[Matcher, bool]] = {
    "after the intent was written": (steps.intended, True),
    "before the pod is taken out": (is_taking_out, False),
    "after the pod was taken out": (is_taking_out, True),
    "before the pod is evicted": (steps.taken, False),
    "after the pod was evicted": (steps.taken, True),
    "before the record is settled": (steps.settled, False),
}
BEFORE_IT_IS_EVICTED = "before the pod is evicted"
AFTER_IT_IS_EVICTED = {"after the pod was evicted", "before the record is settled"}
TAKING_BACK: dict[str, tuple[Matcher, bool]] = {
    "before it is written that it is taken back": (is_undoing, False),
    "after it was written that it is taken back": (is_undoing, True),
    "after the new pod was marked": (is_offer, True),
    "before the pod is put back": (is_putting_back, False),
    "after the pod was put back": (is_putting_back, True),
}


def killed_at(
    start: StartDaemon,
    policies: Json,
    api: Proxy,
    kubeconfig: Path,
    step: tuple[Matcher, bool],
    *,
    meanwhile: Callable[[], object] = lambda: None,
) -> Daemon:
    """A daemon that was killed at that step of its first surge; ``meanwhile`` is what lets it come so far."""
    started: list[Daemon] = []

    def kill() -> None:
        started[0].kill()

    came = api.once(step[0], Cut(forwarded=step[1], first=kill))
    daemon = start(policies, kubeconfig=kubeconfig)
    started.append(daemon)
    meanwhile()
    assert came.wait(180), f"the step was never reached:\n{daemon.tail()}"
    daemon.wait()
    return daemon


def one_over(cluster: Cluster, namespace: str) -> Json:
    """One pod of the workload, which is over from now on."""
    pod = cluster.pods(namespace)[0]
    cluster.api.annotate("pods", namespace, pod["metadata"]["name"], workloads.behaviour(memory=OVER))
    return pod


@pytest.mark.parametrize("step", FINISHING)
def test_after_a_kill_a_surge_is_finished_and_one_pod_is_gone(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path, step: str
) -> None:
    """The measured pod goes, and not before the new one is Ready, however long that takes: nobody is ever missing."""
    successor = served(cluster, namespace, budget="100%")
    is_ready_by_then = step in {BEFORE_IT_IS_EVICTED, *AFTER_IT_IS_EVICTED}
    with behind_the_service(cluster, namespace):
        over = one_over(cluster, namespace)
        daemon = killed_at(
            start_daemon,
            policy(namespace, readyTimeout="10m"),
            api,
            kubeconfig,
            FINISHING[step],
            meanwhile=successor.turn_ready if is_ready_by_then else lambda: None,
        )
        if step == BEFORE_IT_IS_EVICTED:
            # What the one before has seen does not hold any more.
            successor.turn_unready()
        free_the_lease(cluster, home)
        daemon.start()
        if step not in AFTER_IT_IS_EVICTED:
            successor.holds_up(daemon)
            assert tried(cluster, namespace) == []
            successor.turn_ready()
        stored: Json = daemon.until(
            lambda: now if (now := in_journal(cluster, home))["settled"] and not now["in_flight"] else None,
            what="the record is settled",
            timeout=180,
        )
        cluster.ready_pods(namespace, WANTED)
    assert [record["outcome"] for record in stored["settled"]] == ["replaced"]
    assert len(stored["acts"]) == 1
    (taken,) = cluster.taken(namespace)
    assert taken.uid == over["metadata"]["uid"]
    assert orphans(cluster, namespace) == []


@pytest.mark.parametrize("step", TAKING_BACK)
def test_after_a_kill_a_surge_is_taken_back_and_no_pod_is_gone(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path, step: str
) -> None:
    """No node for the new pod, and a kill on the way back: all pods of before are there, and the breaker is open."""
    leaving_the_pool(cluster, namespace, "web", replicas=2)
    before = {pod["metadata"]["uid"] for pod in cluster.pods(namespace)}
    one_over(cluster, namespace)
    daemon = killed_at(start_daemon, policy(namespace, readyTimeout="5s"), api, kubeconfig, TAKING_BACK[step])
    free_the_lease(cluster, home)
    daemon.start()
    line = settled(daemon, "Deployment/web")
    assert (line["outcome"], line["breaker_opened"]) == ("rolled-back", True)
    assert {pod["metadata"]["uid"] for pod in cluster.ready_pods(namespace, 2)} == before
    assert cluster.taken(namespace) == []


def test_a_late_request_of_an_older_leader_is_refused(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """Frozen in the network while another leads: the pod was stamped, so it gets 409; one pod is gone in all."""
    cluster.api.create(workloads.deployment("web", namespace, replicas=2))
    cluster.ready_pods(namespace, 2)
    over = one_over(cluster, namespace)
    late = Late(threading.Event())
    came = api.once(is_taking_out, late)
    daemon = start_daemon(policy(namespace), kubeconfig=kubeconfig)
    assert came.wait(180), daemon.tail()
    daemon.kill()
    free_the_lease(cluster, home)
    # Not over any more, so the next leader has no reason to take it; it waits for the lease of the one before only.
    name = over["metadata"]["name"]
    cluster.api.annotate("pods", namespace, name, workloads.behaviour(memory="20Mi"))
    measured = (
        f'container_memory_working_set_bytes{{namespace="{namespace}",pod="{name}",container="app"}} < 100 * 2^20'
    )
    cluster.wait(lambda: cluster.query(measured), 120, "it is measured as not over any more")
    daemon.start()
    line = settled(daemon, "Deployment/web", timeout=240)
    assert line["outcome"] == "called-off"
    (inherited, *_) = daemon.wait_for("remediation inherited")
    waited = datetime.fromisoformat(line["time"]) - datetime.fromisoformat(inherited["time"])
    assert waited.total_seconds() < LATE, "that long it would have to wait for the request itself"
    late.release.set()
    assert late.passed.wait(120)
    cluster.wait(lambda: patches(cluster, namespace, code=409), 60, "the late request has been refused")
    assert orphans(cluster, namespace) == []
    assert cluster.taken(namespace) == []


def patches(cluster: Cluster, namespace: str, *, code: int) -> list[Any]:
    """The PATCHes of pods that were answered so."""
    return [
        event
        for event in cluster.audit()
        if (event.namespace, event.resource, event.verb, event.code) == (namespace, "pods", "patch", code)
    ]


def test_a_pod_that_is_out_without_a_journal_is_looked_after(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """The journal is deleted while a pod is out: the pod's own note is enough to finish, and nobody is ever missing."""
    successor = served(cluster, namespace, budget="100%")
    with behind_the_service(cluster, namespace):
        over = one_over(cluster, namespace)
        step = FINISHING["after the pod was taken out"]
        daemon = killed_at(start_daemon, policy(namespace, readyTimeout="10m"), api, kubeconfig, step)
        cluster.api.delete("configmaps", home, "remediator-journal")
        free_the_lease(cluster, home)
        daemon.start()
        daemon.wait_for("held by the journal")
        assert [pod["metadata"]["uid"] for pod in orphans(cluster, namespace)] == [over["metadata"]["uid"]]
        assert resume(cluster, home, "--journal").returncode == 0
        daemon.wait_for("pod out of its ReplicaSet", uid=over["metadata"]["uid"])
        successor.holds_up(daemon)
        assert tried(cluster, namespace) == []
        successor.turn_ready()
        assert settled(daemon, "Deployment/web")["outcome"] == "replaced"
        cluster.ready_pods(namespace, WANTED)
    assert orphans(cluster, namespace) == []
    (taken,) = cluster.taken(namespace)
    assert taken.uid == over["metadata"]["uid"]


def test_when_the_daemon_is_gone_for_good_a_pod_that_is_out_goes_with_its_workload(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """Killed and uninstalled while a pod is out, then the Deployment is deleted: no pod is left."""
    cluster.api.create(workloads.deployment("web", namespace))
    cluster.ready_pods(namespace, 1)
    one_over(cluster, namespace)
    killed_at(start_daemon, policy(namespace), api, kubeconfig, FINISHING["after the pod was taken out"])
    cluster.wait(lambda: len(cluster.pods(namespace)) == 2, 120, "the old pod and its replacement")
    cluster.api.delete("apps/v1/deployments", namespace, "web")
    cluster.wait(lambda: not cluster.pods(namespace), 120, "no pod is left", seen=lambda: cluster.pods(namespace))


def test_a_pod_that_is_put_back_costs_no_bystander_its_life(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """The new pod turns Ready in the last moment, with all peers on one node; the old one is un-Ready and restarted."""
    one_node = {"nodeSelector": {"kubernetes.io/hostname": "node-0"}}
    for name in ("web", "sick"):
        # So much longer than the daemon waits that no pause of a process makes the new pod the faster one.
        slow = workloads.behaviour(ready_delay="20")
        cluster.api.create(workloads.deployment(name, namespace, replicas=3, annotations=slow, spec=one_node))
    before = {pod["metadata"]["uid"]: pod for pod in cluster.ready_pods(namespace, 6, deadline=180)}
    over = {pod["metadata"]["labels"]["app"]: pod["metadata"]["name"] for pod in before.values()}
    late = Late(threading.Event())
    came = api.once(lambda request: is_putting_back(request) and over["web"] in request.path, late)
    for name in over.values():
        cluster.api.annotate("pods", namespace, name, workloads.behaviour(memory=OVER))
    daemon = start_daemon(policy(namespace, readyTimeout="5s"), kubeconfig=kubeconfig)
    daemon.wait_for("remediation taken out", count=2)
    cluster.api.annotate("pods", namespace, over["sick"], workloads.behaviour(never_ready="true", restart="1"))
    assert settled(daemon, "Deployment/sick")["outcome"] == "rolled-back"
    assert came.wait(120), daemon.tail()
    cluster.wait(
        lambda: [pod for pod in cluster.pods(namespace, labels="app=web") if _is_new_and_ready(pod, before)],
        120,
        "the new pod is Ready after all",
    )
    late.release.set()
    assert late.passed.wait(120)
    cluster.wait(
        lambda: {pod["metadata"]["uid"] for pod in cluster.pods(namespace)} == {*before}, 120, "the old ones stay"
    )
    assert settled(daemon, "Deployment/web")["outcome"] == "rolled-back"
    assert orphans(cluster, namespace) == []


def _is_new_and_ready(pod: Json, before: Json) -> bool:
    return pod["metadata"]["uid"] not in before and is_ready(pod)
