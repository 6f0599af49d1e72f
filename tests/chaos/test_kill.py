"""SIGKILL between any two requests of the transaction: the next leader carries on, and takes no second pod."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER, left_alone
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon
from tests.rig.proxy import Cut, Proxy, Request

Json = dict[str, Any]
Matcher = Callable[[Request], bool]
JOURNAL = "/configmaps/remediator-journal"


def ledger(body: bytes | str) -> Json:
    """The ledger in a ConfigMap's JSON."""
    return dict(json.loads(json.loads(body)["data"]["journal.json"])["ledger"])


def in_journal(cluster: Cluster, home: str) -> Json:
    """The ledger as it is in the cluster."""
    return ledger(json.dumps(cluster.api.get("configmaps", home, "remediator-journal")))


def is_intent(request: Request) -> bool:
    """The write that makes a record in flight."""
    return request.is_("PUT", JOURNAL) and bool(ledger(request.body)["in_flight"])


def is_settlement(request: Request) -> bool:
    """The write that settles it."""
    return request.is_("PUT", JOURNAL) and bool(ledger(request.body)["settled"])


def is_eviction(request: Request) -> bool:
    """The request that takes the pod."""
    return request.is_("POST", "/eviction")


def is_watch(request: Request) -> bool:
    """The watch for the replacement."""
    return request.method == "GET" and "watch=1" in request.path


class AfterIntent:
    """The first read of the second look."""

    def __init__(self) -> None:
        self._intended = False

    def __call__(self, request: Request) -> bool:
        """Whether it is a read after the intent was written."""
        self._intended = self._intended or is_intent(request)
        return self._intended and request.is_("GET", "/pods")


STEPS: dict[str, tuple[Callable[[], Matcher], bool]] = {
    "before the intent is written": (lambda: is_intent, False),
    "after the intent was written": (lambda: is_intent, True),
    "before the second look": (AfterIntent, False),
    "before the eviction is sent": (lambda: is_eviction, False),
    "after the eviction was carried out": (lambda: is_eviction, True),
    "before the watch": (lambda: is_watch, False),
    "before the record is settled": (lambda: is_settlement, False),
    "after the record was settled": (lambda: is_settlement, True),
}


def killed_at(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path, step: str
) -> Daemon:
    """A daemon that was killed at that step of its first remediation; two pods are over."""
    cluster.api.create(workloads.deployment("web", namespace, replicas=2, memory=OVER))
    cluster.ready_pods(namespace, 2)
    matcher, forwarded = STEPS[step]
    # The process is ended by the proxy: the request has arrived, or was carried out, and no answer is seen.
    started: list[Daemon] = []

    def kill() -> None:
        started[0].kill()

    came = api.once(matcher(), Cut(forwarded=forwarded, first=kill))
    daemon = start_daemon(policy_file(namespace, cooldown="10m"), kubeconfig=kubeconfig)
    started.append(daemon)
    assert came.wait(60), f"the step was never reached:\n{daemon.tail()}"
    daemon.wait()
    return daemon


@pytest.mark.parametrize("step", STEPS)
def test_after_a_kill_one_pod_is_taken_and_its_record_settled(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path, step: str
) -> None:
    """Whatever was going on: one pod in all, one record, settled as replaced, and the cooldown still holds."""
    daemon = killed_at(cluster, namespace, start_daemon, api, kubeconfig, step)
    daemon.start()
    stored: Json = daemon.until(
        lambda: now if (now := in_journal(cluster, home))["settled"] and not now["in_flight"] else None,
        what="the record is settled",
        timeout=90,
    )
    settled_at = len(daemon.events("left alone"))
    daemon.until(
        lambda: any(line["reasons"] == ["cooldown"] for line in daemon.events("left alone")[settled_at:]),
        what="the other pod is left alone for the cooldown",
    )
    assert [record["outcome"] for record in stored["settled"]] == ["replaced"]
    assert len(stored["acts"]) == 1
    (taken,) = cluster.taken(namespace)
    assert (taken.request or {})["deleteOptions"]["preconditions"]["uid"] == stored["settled"][0]["breach"]["uid"]
    cluster.ready_pods(namespace, 2)


def test_an_inherited_intent_is_not_dropped_on_a_guards_word(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """Not over any more when the next leader looks: the workload stays in flight while an old request may come."""
    daemon = killed_at(cluster, namespace, start_daemon, api, kubeconfig, "before the eviction is sent")
    for pod in cluster.pods(namespace):
        cluster.api.annotate("pods", namespace, pod["metadata"]["name"], workloads.behaviour(memory="20Mi"))
    daemon.start()
    daemon.wait_for("remediation inherited", timeout=60)
    (waiting, *_) = daemon.wait_for("remediation waiting")
    assert "a late request may still arrive" in waiting["words"]
    assert daemon.metric("remediator_remediations_in_flight") == 1
    (settled,) = daemon.wait_for("remediation settled", timeout=130)
    assert settled["outcome"] == "called-off"
    assert settled["seconds_in_all"] > 60
    assert cluster.taken(namespace) == []


def test_a_daemon_that_is_told_to_stop_leaves_its_wait_to_the_next(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """SIGTERM while a replacement is awaited: exit 0 within seconds, the lease is free, the next one settles it."""
    slow = workloads.behaviour(ready_delay="8")
    cluster.api.create(workloads.deployment("web", namespace, replicas=2, memory=OVER, annotations=slow))
    cluster.ready_pods(namespace, 2)
    daemon = start_daemon(policy_file(namespace, cooldown="10m", readyTimeout="60s"))
    daemon.wait_for("remediation taken")
    assert daemon.stop() == 0
    daemon.start()
    (settled,) = daemon.wait_for("remediation settled", timeout=40)
    assert settled["outcome"] == "replaced"
    assert len(cluster.taken(namespace)) == 1


def test_restarting_every_few_seconds_never_exceeds_the_budget(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """Limits that lived in memory would be forgotten each time; five leaking workloads, a budget of two, six starts."""
    for number in range(5):
        cluster.api.create(workloads.deployment(f"web-{number}", namespace, memory=OVER))
    cluster.ready_pods(namespace, 5)
    safety = {"budget": {"actions": 2, "per": "1h"}, "maxConcurrent": 5}
    daemon = start_daemon(policy_file(namespace, safety=safety, for_="3s"))
    for start in range(1, 7):
        daemon.wait_for("evaluation", count=start, outcome="ok")
        daemon.stop()
        daemon.start()
    left_alone(daemon, "web", "budget")
    assert len(cluster.taken(namespace)) == 2
