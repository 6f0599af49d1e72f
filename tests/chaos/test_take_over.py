"""Two daemons, one leader: how soon the other one takes over, and that nothing is lost or done twice by it."""

from __future__ import annotations

import re
import signal
import threading
from pathlib import Path

from tests.chaos.steps import in_journal, taken
from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.console import say
from tests.rig.daemon import Daemon
from tests.rig.proxy import Drip, Fault, Proxy, Request
from tests.rig.takeover import held_by, identity, taken_over

LEASE = 20
"""Seconds that the rig's daemons hold the lease for."""


def a_standby(start_daemon: StartDaemon, leader: Daemon, policy: object, **more: object) -> Daemon:
    """A second daemon with the same Lease, which has seen who leads."""
    folder = leader.folder / "second"
    folder.mkdir(exist_ok=True)
    standby = start_daemon(policy, folder=folder, **more)
    wait_for_standby(standby, leader)
    return standby


def wait_for_standby(standby: Daemon, leader: Daemon) -> None:
    """Until it is Ready, and names the leader."""
    standby.until(lambda: f"held by {identity(leader)}" in standby.ready(), what="the standby names the leader")
    standby.until(lambda: standby.get("/readyz").ok, what="the standby is Ready")


def lay_idle(cluster: Cluster, home: str, before: str, after: str) -> float:
    """Seconds between the last renewal of one holder and the first request of the next one for the Lease."""
    writes = [event for event in cluster.audit() if event.namespace == home and event.succeeded]
    renewed = max(event.received for event in writes if held_by(event) == before)
    return (min(event.received for event in writes if held_by(event) == after) - renewed).total_seconds()


def test_a_standby_takes_over_at_once_after_sigterm_and_by_the_lease_after_a_kill(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """One pod in all: a wait handed over is carried on, a cooldown holds, and a lease is not taken before its end."""
    slow = workloads.behaviour(ready_delay="15")
    cluster.api.create(workloads.deployment("web", namespace, replicas=2, annotations=slow))
    cluster.ready_pods(namespace, 2)
    policy = policy_file(namespace, cooldown="20m", readyTimeout="3m")
    first = start_daemon(policy)
    first.wait_for("leading")
    second = a_standby(start_daemon, first, policy)
    # Only now, so that the wait is not over before there is somebody to hand it over to.
    for pod in cluster.pods(namespace):
        cluster.api.annotate("pods", namespace, pod["metadata"]["name"], workloads.behaviour(memory=OVER))
    first.wait_for("remediation taken")
    assert second.events("evaluation") == [], "a standby evaluates nothing"
    assert second.metric("remediator_leader") == 0

    handed_over = taken_over(cluster, home, leader=first, standby=second, by=signal.SIGTERM)
    say(f"take-over after SIGTERM: {handed_over}")
    assert first.wait() == 0
    assert handed_over.lease < LEASE / 2, "the lease was handed over, nobody has waited for its end"
    (inherited, *_) = second.wait_for("remediation inherited")
    (settled,) = second.wait_for("remediation settled", timeout=180)
    assert (settled["remediation_id"], settled["outcome"]) == (inherited["remediation_id"], "replaced")

    first.start()
    first.wait_for("listening", count=2)
    wait_for_standby(first, second)
    crashed = taken_over(cluster, home, leader=second, standby=first, by=signal.SIGKILL, timeout=6 * LEASE)
    say(f"take-over after kill -9: {crashed}")
    assert crashed.lease < LEASE + 15
    assert lay_idle(cluster, home, identity(second), identity(first)) > LEASE
    seen = len(first.events("left alone"))
    first.until(
        lambda: any("cooldown" in line["reasons"] for line in first.events("left alone")[seen:]),
        what="the other pod is left alone for the cooldown",
    )
    assert in_journal(cluster, home)["epoch"] == 3
    assert len(cluster.taken(namespace)) == 1


def test_the_write_at_hand_is_finished_before_the_lease_is_handed_over(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """SIGTERM while an eviction is on its way: its answer is waited for, nothing new is begun, and the next settles."""
    for name in ("web", "api"):
        cluster.api.create(workloads.deployment(name, namespace, replicas=2, memory=OVER))
    cluster.ready_pods(namespace, 4)
    came, go_on = threading.Event(), threading.Event()

    def hold(request: Request) -> None:
        if taken(request):
            came.set()
            # Less than the time-out of the request.
            go_on.wait(14)

    api.fault = hold
    policy = policy_file(namespace, cooldown="20m", safety={"maxConcurrent": 1})
    daemon = start_daemon(policy, kubeconfig=kubeconfig)
    daemon.until(came.is_set, what="the eviction is on its way")
    daemon.signal(signal.SIGTERM)
    daemon.wait_for("stopping")
    assert not daemon.events("stopped")
    go_on.set()
    assert daemon.wait() == 0
    (eviction,) = cluster.taken(namespace)
    (released,) = (
        event for event in cluster.audit() if event.namespace == home and held_by(event) == "" and event.succeeded
    )
    assert released.received >= eviction.answered
    assert len(in_journal(cluster, home)["in_flight"]) == 1

    daemon.start()
    (settled, *_) = daemon.wait_for("remediation settled")
    assert settled["outcome"] == "replaced"
    assert settled["uid"] == eviction.uid


def test_a_leader_whose_work_hangs_leaves_the_lease_to_others(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """A request that no time-out ends: it says so in /healthz, renews no more, and the next one replaces the pod."""

    def drip(request: Request) -> Fault | None:
        return Drip(headers=True) if taken(request) else None

    cluster.api.create(workloads.deployment("web", namespace, replicas=2, memory=OVER))
    cluster.ready_pods(namespace, 2)
    api.fault = drip
    policy = policy_file(namespace, cooldown="20m")
    quick = {"REMEDIATOR_PROMETHEUS_TIMEOUT": "2s"}
    first = start_daemon(policy, kubeconfig=kubeconfig, environment=quick)
    first.wait_for("remediation intended")
    second = a_standby(start_daemon, first, policy)
    (record,) = in_journal(cluster, home)["in_flight"]
    said = first.until(
        lambda: answer.text if (answer := first.get("/healthz")).status_code == 503 else None,
        what="/healthz says it",
        timeout=300,
    )
    assert re.fullmatch(rf"the remediation {record} has not moved for 12\d s\s*", said), said
    second.wait_for("leading")
    assert first.wait_for("not leading")[-1]["why"].startswith("the lease could not be renewed: the remediation")
    (settled,) = second.wait_for("remediation settled", timeout=240)
    assert (settled["remediation_id"], settled["outcome"]) == (record, "replaced")
    assert len(cluster.taken(namespace)) == 1
    assert first.metric("remediator_leader") == 0
    assert in_journal(cluster, home)["epoch"] == 2
