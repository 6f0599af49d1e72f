"""SIGKILL between any two requests of the transaction: the next leader carries on, and takes no second pod."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.steps import STEPS, STEPS_OF_AN_HEIR, Kills, free_the_lease, in_journal
from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_answers import WIDE
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.controller import Controller, define
from tests.rig.daemon import Daemon, allow_delete
from tests.rig.proxy import Proxy

Json = dict[str, Any]
TO_ITS_END = {"after the intent was written", "after the pod was taken"}
"""Steps after which the next leader has to wait for the end of the lease; that wait is the same after each."""


def killed_at(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path, step: str
) -> Daemon:
    """A daemon that was killed at that step of its first remediation; two pods are over."""
    cluster.api.create(workloads.deployment("web", namespace, replicas=2, memory=OVER))
    cluster.ready_pods(namespace, 2)

    def kill() -> None:
        daemon.kill()

    api.fault = kills = Kills(step, ["web"], kill)
    daemon = start_daemon(policy_file(namespace, cooldown="10m"), kubeconfig=kubeconfig)
    assert kills.wait(), f"the step was never reached:\n{daemon.tail()}"
    return daemon


def once_each(cluster: Cluster, home: str, daemon: Daemon, refs: Collection[str], *namespaces: str) -> None:
    """One pod of each workload was taken, each record is settled as replaced, and the cooldown still holds."""
    stored: Json = daemon.until(
        lambda: now if len((now := in_journal(cluster, home))["settled"]) >= len(refs) else None,
        what=f"{len(refs)} records are settled",
        timeout=180,
    )
    seen = len(daemon.events("left alone"))

    def cooling() -> set[str]:
        return {line["workload"] for line in daemon.events("left alone")[seen:] if line["reasons"] == ["cooldown"]}

    daemon.until(lambda: cooling() >= set(refs), what="all of them are left alone for the cooldown")
    records = {f"{one['workload']['kind']}/{one['workload']['name']}": one for one in stored["settled"]}
    assert {ref: record["outcome"] for ref, record in records.items()} == dict.fromkeys(refs, "replaced")
    assert len(stored["settled"]) == len(stored["acts"]) == len(refs)
    assert (stored["in_flight"], stored["breakers"]) == ({}, {})
    gone = [event.uid for namespace in namespaces for event in cluster.taken(namespace)]
    assert sorted(gone) == sorted(record["breach"]["uid"] for record in records.values())


@pytest.mark.parametrize("step", STEPS)
def test_after_a_kill_one_pod_is_taken_and_its_record_settled(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path, step: str
) -> None:
    """Whatever was going on: one pod in all, one record, settled as replaced, and the cooldown still holds."""
    daemon = killed_at(cluster, namespace, start_daemon, api, kubeconfig, step)
    if step not in TO_ITS_END:
        free_the_lease(cluster, home)
    daemon.start()
    once_each(cluster, home, daemon, ["Deployment/web"], namespace)
    cluster.ready_pods(namespace, 2)


@pytest.mark.parametrize("step", STEPS_OF_AN_HEIR)
def test_after_its_heir_was_killed_as_well_one_pod_is_taken(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path, step: str
) -> None:
    """What the heir has written holds for the one after it; what it has not, that one finds out and writes."""
    daemon = killed_at(cluster, namespace, start_daemon, api, kubeconfig, "after the pod was taken")
    free_the_lease(cluster, home)
    api.fault = kills = Kills(step, ["web"], daemon.kill)
    daemon.start()
    assert kills.wait(), f"the heir does not write it down:\n{daemon.tail()}"
    (left,) = in_journal(cluster, home)["in_flight"].values()
    assert (left["taken_at"] is not None) == STEPS_OF_AN_HEIR[step].forwarded
    free_the_lease(cluster, home)
    daemon.start()
    once_each(cluster, home, daemon, ["Deployment/web"], namespace)
    (settled,) = in_journal(cluster, home)["settled"]
    assert left["taken_at"] in {None, settled["taken_at"]}


@pytest.fixture
def pool(cluster: Cluster, namespace: str) -> Iterator[Json]:
    """A label of two nodes, for a DaemonSet of this test alone."""
    label = {f"pool.example/{namespace}": "in"}
    for node in ("node-0", "node-1"):
        cluster.api.patch("nodes", None, node, {"metadata": {"labels": label}})
    yield label
    for node in ("node-0", "node-1"):
        cluster.api.patch("nodes", None, node, {"metadata": {"labels": dict.fromkeys(label)}})


@pytest.fixture
def elsewhere(cluster: Cluster) -> Iterator[str]:
    """A second namespace of this test alone, with the pods of a controller that nobody knows."""
    name = cluster.namespace("elsewhere")
    manifest = {"apiVersion": define(cluster, "Game"), "kind": "Game", "metadata": {"namespace": name, "name": "game"}}
    with Controller(cluster.api, cluster.api.create({**manifest, "spec": {"replicas": 2}}), memory=OVER):
        yield name
    cluster.api.delete("namespaces", None, name)


@pytest.mark.parametrize("step", STEPS)
def test_whoever_owns_them_and_however_they_are_taken_a_kill_costs_no_second_pod(
    cluster: Cluster,
    namespace: str,
    elsewhere: str,
    home: str,
    pool: Json,
    start_daemon: StartDaemon,
    api: Proxy,
    kubeconfig: Path,
    step: str,
) -> None:
    """All in flight together, evicted or deleted, and killed at that step of each: still one pod of each workload."""
    create = cluster.api.create
    create(workloads.replicaset("replicaset", namespace, replicas=2, memory=OVER))
    create(workloads.statefulset("ordered", namespace, replicas=2, memory=OVER))
    create(workloads.statefulset("parallel", namespace, replicas=2, parallel=True, memory=OVER))
    create(workloads.daemonset("daemonset", namespace, memory=OVER, spec={"nodeSelector": pool}))
    create(workloads.deployment("deployment", elsewhere, replicas=2, memory=OVER))
    refs = {
        "ReplicaSet/replicaset",
        "StatefulSet/ordered",
        "StatefulSet/parallel",
        "DaemonSet/daemonset",
        "Deployment/deployment",
        "Game/game",
    }
    cluster.ready_pods(namespace, 8)
    cluster.ready_pods(elsewhere, 4)
    allow_delete(cluster, home)
    file = policy_file(namespace, safety=WIDE, cooldown="10m", readyTimeout="60s")
    (evicts,) = file["policies"]
    file["policies"] += [{**evicts, "name": "deletes", "match": {"namespaces": [elsewhere]}, "action": "delete"}]

    def kill() -> None:
        daemon.kill()

    names = [ref.partition("/")[2] for ref in refs]
    api.fault = kills = Kills(step, names, kill, without_selector={elsewhere: "game"})
    daemon = start_daemon(file, kubeconfig=kubeconfig)
    for ended in range(len(refs)):
        assert kills.wait(), f"killed {ended} times, and the step was not reached again:\n{daemon.tail()}"
        free_the_lease(cluster, home)
        daemon.start()
    once_each(cluster, home, daemon, refs, namespace, elsewhere)
    cluster.ready_pods(namespace, 8)
    cluster.ready_pods(elsewhere, 4)


def test_an_inherited_intent_is_not_dropped_on_a_guards_word(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """Not over any more when the next leader looks: the workload stays in flight while an old request may come."""
    daemon = killed_at(cluster, namespace, start_daemon, api, kubeconfig, "before the pod is taken")
    for pod in cluster.pods(namespace):
        cluster.api.annotate("pods", namespace, pod["metadata"]["name"], workloads.behaviour(memory="20Mi"))
    daemon.start()
    daemon.wait_for("remediation inherited")
    (waiting, *_) = daemon.wait_for("remediation waiting")
    assert "a late request may still arrive" in waiting["words"]
    daemon.until(lambda: daemon.metric("remediator_remediations_in_flight") == 1, what="it is in flight")
    assert not daemon.events("remediation settled")
    (settled,) = daemon.wait_for("remediation settled", timeout=300)
    assert settled["outcome"] == "called-off"
    assert settled["seconds_in_all"] > 60
    assert cluster.taken(namespace) == []


def test_a_daemon_that_is_told_to_stop_leaves_its_wait_to_the_next(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """SIGTERM while a replacement is awaited: exit 0 within seconds, the lease is free, the next one settles it.

    It counts from when the pod was taken, and not from when it began to lead.
    """
    slow = workloads.behaviour(ready_delay="8")
    cluster.api.create(workloads.deployment("web", namespace, replicas=2, memory=OVER, annotations=slow))
    cluster.ready_pods(namespace, 2)
    daemon = start_daemon(policy_file(namespace, cooldown="10m", readyTimeout="60s"))
    daemon.wait_for("remediation taken")
    assert daemon.stop() == 0
    daemon.start()
    daemon.wait_for("remediation inherited")
    (settled,) = daemon.wait_for("remediation settled")
    assert settled["outcome"] == "replaced"
    assert len(daemon.events("remediation taken")) == 1, "the next leader knows that it is"
    assert settled["seconds_to_available"] > 7
    assert len(cluster.taken(namespace)) == 1


def is_heard_by_another(process: int) -> bool:
    """Sends SIGTERM to a thread that is not the main one; False where it has ended meanwhile."""
    # IDs tell nothing of the order in which threads began: they start anew at some number.
    other = next(int(task.name) for task in Path(f"/proc/{process}/task").iterdir() if task.name != str(process))
    try:
        # On Linux the ID of a thread is one that a signal can be sent to; that thread is the first choice.
        os.kill(other, signal.SIGTERM)
    except ProcessLookupError:
        return False
    return True


def test_a_signal_is_heard_whichever_thread_it_reaches(namespace: str, start_daemon: StartDaemon) -> None:
    """The kernel need not give it to the main thread, which alone acts on it: exit 0 within seconds all the same."""
    daemon = start_daemon(policy_file(namespace))
    daemon.wait_for("leading")
    daemon.until(lambda: is_heard_by_another(daemon.pid), what="a thread beside the main one gets the signal")
    assert daemon.wait() == 0


def test_restarting_every_few_seconds_never_exceeds_the_budget(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
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
    # An intent spends from the budget as well: only when it is over is it known whether its pod was taken.
    daemon.until(
        lambda: len((now := in_journal(cluster, home))["settled"]) >= 2 and not now["in_flight"],
        what="two records are settled",
    )
    seen = len(daemon.events("left alone"))
    daemon.until(
        lambda: any("budget" in line["reasons"] for line in daemon.events("left alone")[seen:]),
        what="the others are left alone for the budget",
    )
    assert len(cluster.taken(namespace)) == 2
