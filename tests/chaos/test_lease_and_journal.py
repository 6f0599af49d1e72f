"""Somebody's hands on Lease and journal in the middle of a transaction: one pod in all, and nothing forgotten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.steps import JOURNAL, in_journal, intended, listed
from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_breaker import resume
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon
from tests.rig.proxy import Proxy, Request
from tests.rig.takeover import identity

Json = dict[str, Any]
LEASES = "coordination.k8s.io/v1/leases"


def steal(cluster: Cluster, home: str) -> None:
    """Somebody puts another name into the Lease."""
    cluster.api.patch(LEASES, home, "remediator", {"spec": {"holderIdentity": "a thief"}})


def delete_lease(cluster: Cluster, home: str) -> None:
    """Somebody deletes the Lease, and with it the annotation that says which journal is right."""
    cluster.api.delete(LEASES, home, "remediator")


def deployed(cluster: Cluster, namespace: str) -> Json:
    """Two pods that are over and slow to start; gives the policy."""
    slow = workloads.behaviour(ready_delay="8")
    cluster.api.create(workloads.deployment("web", namespace, replicas=2, memory=OVER, annotations=slow))
    cluster.ready_pods(namespace, 2)
    return policy_file(namespace, cooldown="20m", readyTimeout="2m")


def one_pod_and_a_cooldown(cluster: Cluster, namespace: str, home: str, daemon: Daemon) -> None:
    """One record, replaced, for the one pod that was taken, and the other pod is left alone for the cooldown."""
    daemon.until(lambda: in_journal(cluster, home)["settled"], what="the record is settled", timeout=240)
    seen = len(daemon.events("left alone"))
    daemon.until(
        lambda: any(line["reasons"] == ["cooldown"] for line in daemon.events("left alone")[seen:]),
        what="the other pod is left alone for the cooldown",
    )
    (taken,) = cluster.taken(namespace)
    ledger = in_journal(cluster, home)
    (record,) = ledger["settled"]
    assert (record["outcome"], record["breach"]["uid"]) == ("replaced", taken.uid)
    assert len(ledger["acts"]) == 1
    assert ledger["in_flight"] == {}


@pytest.mark.parametrize("deed", [steal, delete_lease])
@pytest.mark.parametrize("moment", ["after the intent", "while waiting"])
def test_a_lease_that_is_lost_in_the_middle_costs_nothing(
    cluster: Cluster,
    namespace: str,
    home: str,
    start_daemon: StartDaemon,
    api: Proxy,
    kubeconfig: Path,
    deed: Any,  # noqa: ANN401
    moment: str,
) -> None:
    """It waits for the thief's end, or makes a new Lease by its next renewal, and carries on with the same record."""
    policy = deployed(cluster, namespace)
    begun: set[str] = set()
    done: list[bool] = []

    def after_intent(request: Request) -> None:
        begun.update(intended(request))
        if begun & listed(request) and not done:
            done.append(True)
            deed(cluster, home)

    if moment == "after the intent":
        api.fault = after_intent
    daemon = start_daemon(policy, kubeconfig=kubeconfig)
    daemon.wait_for("remediation intended")
    if moment == "while waiting":
        daemon.wait_for("remediation taken")
        deed(cluster, home)
    if deed is steal:
        daemon.wait_for("leading", count=2)
    one_pod_and_a_cooldown(cluster, namespace, home, daemon)
    uid = cluster.api.get("configmaps", home, JOURNAL)["metadata"]["uid"]

    def holds() -> bool:
        lease = cluster.api.find(LEASES, home, "remediator") or {"spec": {}, "metadata": {}}
        annotated = (lease["metadata"].get("annotations") or {}).get("remediator.dev/journal-uid")
        return (lease["spec"].get("holderIdentity"), annotated) == (identity(daemon), uid)

    # The deed is noticed by the next renewal, which may be later than the settlement.
    daemon.until(holds, what="the Lease is its own, and tells which journal is right")
    daemon.until(
        lambda: in_journal(cluster, home)["epoch"] == len(daemon.events("leading")), what="each term has its epoch"
    )


def test_lease_and_journal_deleted_together_erase_no_cooldown_silently(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """With a replacement under way: the new Lease still knows which journal is right, and nothing more is taken."""
    daemon = start_daemon(deployed(cluster, namespace))
    daemon.wait_for("remediation taken")
    cluster.api.delete("configmaps", home, JOURNAL)
    delete_lease(cluster, home)
    (said, *_) = daemon.wait_for("evaluation held by the journal", count=3)
    assert "is gone, and with it all cooldowns" in said["error"]
    daemon.until(lambda: daemon.metric("remediator_hold_active", gate="journal") == 1, what="the metric says so")
    assert cluster.api.find("configmaps", home, JOURNAL) is None
    assert len(cluster.taken(namespace)) == 1
    cluster.ready_pods(namespace, 2)
    assert resume(cluster, home, "--journal").returncode == 0
    daemon.wait_for("remediation settled")
    assert len(cluster.taken(namespace)) == 2, "somebody has looked, and the cooldown is forgotten"


@pytest.mark.parametrize("content", [None, "{", "older"], ids=["deleted", "rubbish", "another one"])
def test_a_journal_that_is_lost_in_the_middle_holds_everything(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, content: str | None
) -> None:
    """Noticed at the next write: the wait's end can't be settled, nothing more is taken until somebody has looked."""
    daemon = start_daemon(deployed(cluster, namespace))
    daemon.wait_for("remediation taken")
    stored = cluster.api.get("configmaps", home, JOURNAL)
    if content == "{":
        cluster.api.patch("configmaps", home, JOURNAL, {"data": {"journal.json": content}})
    else:
        cluster.api.delete("configmaps", home, JOURNAL)
    if content == "older":
        metadata = {"name": JOURNAL, "namespace": home}
        cluster.api.create({**stored, "metadata": metadata})
    (said, *_) = daemon.wait_for("evaluation held by the journal", count=3)
    assert "remediator resume --journal" in said["error"]
    daemon.until(lambda: daemon.metric("remediator_hold_active", gate="journal") == 1, what="the metric says so")
    assert daemon.events("remediation settled") == []
    assert len(cluster.taken(namespace)) == 1
    cluster.ready_pods(namespace, 2)

    assert resume(cluster, home, "--journal").returncode == 0
    if content == "older":
        one_pod_and_a_cooldown(cluster, namespace, home, daemon)
        return
    # Forgotten by somebody's word: the other pod's turn comes, and only its own.
    daemon.wait_for("remediation settled")
    assert len(cluster.taken(namespace)) == 2
    record = json.loads(cluster.api.get("configmaps", home, JOURNAL)["data"]["journal.json"])["ledger"]["settled"]
    assert [one["outcome"] for one in record] == ["replaced"]
