"""The journal in the cluster: missing, rubbish, changed by somebody else; and the lease beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster.conftest import STEADY, STEADY_FOR, StartDaemon, policy_file
from tests.cluster.test_breaker import resume
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon

Json = dict[str, Any]
JOURNAL = "remediator-journal"


def ledger(cluster: Cluster, home: str) -> Json:
    """What the journal holds."""
    return dict(json.loads(cluster.api.get("configmaps", home, JOURNAL)["data"]["journal.json"])["ledger"])


def deployed(cluster: Cluster, namespace: str, replicas: int = 2) -> None:
    """A workload over its threshold."""
    cluster.api.create(workloads.deployment("web", namespace, replicas=replicas, memory=OVER))
    cluster.ready_pods(namespace, replicas)


def replaced_one(cluster: Cluster, namespace: str, start_daemon: StartDaemon) -> Daemon:
    """A daemon that has replaced one pod, with a long cooldown before the next."""
    deployed(cluster, namespace)
    daemon = start_daemon(policy_file(namespace, for_=STEADY_FOR, cooldown="10m"), sample_interval=STEADY)
    daemon.wait_for("remediation settled", outcome="replaced")
    return daemon


def test_a_missing_journal_holds_all_action_until_it_is_accepted(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """Deleting the ConfigMap erases no cooldown silently: nothing is taken before ``resume --journal``."""
    daemon = replaced_one(cluster, namespace, start_daemon)
    daemon.stop()
    cluster.api.delete("configmaps", home, JOURNAL)
    daemon.start()
    daemon.wait_for("evaluation held by the journal")
    assert "is gone" in daemon.events("evaluation held by the journal")[0]["error"]
    assert daemon.metric("remediator_hold_active", gate="journal") == 1
    assert len(cluster.taken(namespace)) == 1
    assert cluster.api.find("configmaps", home, JOURNAL) is None, "no new one is made behind one's back"

    accepted = resume(cluster, home, "--journal")
    assert accepted.returncode == 0, accepted.stderr
    daemon.wait_for("remediation settled", count=2)
    daemon.until(lambda: daemon.metric("remediator_hold_active", gate="journal") == 0, what="the journal holds no more")
    assert len(cluster.taken(namespace)) == 2
    assert resume(cluster, home, "--journal").returncode == 1, "there is nothing to accept any more"


@pytest.mark.parametrize(
    "rubbish", ["{", "", '{"version": 99, "ledger": {}}', "[]", '{"version":1,"ledger":{"epoch":"x"}}']
)
def test_an_unreadable_journal_is_set_aside_and_holds_all_action(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, rubbish: str
) -> None:
    """Content that is not ours is kept under another name, reported, and nothing is done until it is accepted."""
    deployed(cluster, namespace, 1)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": JOURNAL, "namespace": home}}
    cluster.api.create({**body, "data": {"journal.json": rubbish}})
    daemon = start_daemon(policy_file(namespace))
    said = daemon.wait_for("evaluation held by the journal", count=3)
    assert "remediator resume --journal" in said[0]["error"]
    aside = [
        c for c in cluster.api.list("configmaps", home) if c["metadata"]["name"].startswith(f"{JOURNAL}-unreadable")
    ]
    assert [c["data"]["journal.json"] for c in aside] == [rubbish], "kept once, whole"
    assert cluster.taken(namespace) == []
    assert resume(cluster, home, "--journal").returncode == 0
    daemon.wait_for("remediation settled")


def test_a_change_by_somebody_else_is_taken_in(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """Another writer between two of our writes: neither write is lost, and the budget is counted on."""
    daemon = replaced_one(cluster, namespace, start_daemon)
    stored = cluster.api.get("configmaps", home, JOURNAL)
    document = json.loads(stored["data"]["journal.json"])
    document["ledger"]["settled"][0]["detail"] = "touched by hand"
    cluster.api.patch("configmaps", home, JOURNAL, {"data": {"journal.json": json.dumps(document)}})
    daemon.write_policy(policy_file(namespace, for_=STEADY_FOR, cooldown="1s"))
    daemon.wait_for("remediation settled", count=2)
    details = [record["detail"] for record in ledger(cluster, home)["settled"]]
    assert details[0] == "touched by hand"
    # A third may have ended meanwhile.
    assert len(details) >= 2


def test_a_restart_forgets_neither_cooldown_nor_budget(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """Killed and started again at once, it leaves the workload alone for the rest of the cooldown."""
    daemon = replaced_one(cluster, namespace, start_daemon)
    daemon.kill()

    def left_alone() -> int:
        return sum("cooldown" in line["reasons"] for line in daemon.events("left alone"))

    before = left_alone()
    daemon.start()
    daemon.wait_for("leading", count=2)
    daemon.until(lambda: left_alone() > before + 3, what="the cooldown holds in the new process as well")
    daemon.until(lambda: daemon.metric("remediator_budget_remaining") == 19, what="one act is spent")
    assert len(cluster.taken(namespace)) == 1
    assert ledger(cluster, home)["epoch"] == 2


def test_a_second_process_waits_and_says_who_leads(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, tmp_path: object
) -> None:
    """Two daemons with one Lease: the second is Ready, names the holder, evaluates nothing, and takes over."""
    deployed(cluster, namespace, 1)
    # Much longer than a take-over by the Lease that the first one gives back may last.
    patient = {"REMEDIATOR_LEASE_DURATION": "120s"}
    policy = policy_file(namespace, for_=STEADY_FOR, cooldown="10m")
    first = start_daemon(policy, environment=patient, sample_interval=STEADY)
    first.wait_for("remediation settled", outcome="replaced")
    identity = first.events("listening")[0]["identity"]
    folder = first.folder / "second"
    folder.mkdir()
    second = start_daemon(policy, folder=folder, environment=patient, sample_interval=STEADY)
    second.until(lambda: identity in second.ready(), what="the second one names the holder")
    second.until(lambda: second.get("/readyz").ok, what="it is Ready")
    assert second.get("/healthz").status_code == 200
    assert second.metric("remediator_leader") == 0
    assert second.events("evaluation") == []
    lease = cluster.api.get("coordination.k8s.io/v1/leases", home, "remediator")
    uid = cluster.api.get("configmaps", home, JOURNAL)["metadata"]["uid"]
    assert lease["metadata"]["annotations"]["remediator.dev/journal-uid"] == uid

    assert first.stop() == 0
    second.wait_for("leading", timeout=60)
    second.wait_for("evaluation")
    assert len(cluster.taken(namespace)) == 1, "the first one's cooldown holds for the second"
