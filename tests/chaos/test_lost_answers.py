"""Answers that are lost after the server has acted: journal and Lease are read back, and nothing is done twice."""

from __future__ import annotations

import threading
from collections import Counter
from itertools import cycle
from pathlib import Path

from tests.chaos import steps
from tests.chaos.steps import in_journal
from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.proxy import Cut, Fault, Proxy, Request, Respond

FAULTS: tuple[Fault | None, ...] = (
    Cut(forwarded=True),
    None,
    Respond(504, b"upstream timed out", forwarded=True),
    Cut(forwarded=False),
    Respond(200, b"<html>a proxy's page</html>", forwarded=True),
    Respond(500, b"etcdserver: request timed out", forwarded=True),
    None,
    Respond(503, b"upstream connect error", forwarded=True),
)
JOURNAL = f"/configmaps/{steps.JOURNAL}"
LEASE = "/leases/remediator"


class Lost:
    """Every write of the journal and of the Lease goes wrong in the next way, each object's writes by turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = {end: cycle(FAULTS) for end in (JOURNAL, LEASE, "/configmaps", "/leases")}
        self.writes: Counter[str] = Counter()

    def __call__(self, request: Request) -> Fault | None:
        """What goes wrong with this one."""
        if request.method not in {"PUT", "POST"}:
            return None
        for end, faults in self._next.items():
            if request.is_(request.method, end):
                with self._lock:
                    self.writes[end] += 1
                    return next(faults)
        return None


def test_lost_answers_to_writes_of_journal_and_lease_cost_nothing(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """From the creation of both to the last settlement: each workload loses one pod, and has one record and one act."""
    names = [f"web-{number}" for number in range(6)]
    for name in names:
        cluster.api.create(workloads.deployment(name, namespace, replicas=2, memory=OVER))
    cluster.ready_pods(namespace, 2 * len(names), deadline=180)
    lost = Lost()
    api.fault = lost
    policy = policy_file(namespace, safety={"maxConcurrent": 2}, cooldown="20m", readyTimeout="90s")
    daemon = start_daemon(policy, kubeconfig=kubeconfig)
    settled = daemon.wait_for("remediation settled", count=len(names), timeout=400)
    assert {line["workload"] for line in settled} == {f"Deployment/{name}" for name in names}
    assert {line["outcome"] for line in settled} == {"replaced"}
    taken = [event.uid for event in cluster.taken(namespace)]
    assert sorted(taken) == sorted(line["uid"] for line in settled)
    ledger = in_journal(cluster, home)
    assert sorted(record["breach"]["uid"] for record in ledger["settled"]) == sorted(taken)
    assert len(ledger["acts"]) == len(names)
    assert ledger["in_flight"] == ledger["breakers"] == {}
    assert lost.writes[JOURNAL] > 2 * len(names)
    daemon.until(lambda: lost.writes[LEASE] > len(FAULTS), what="each thing that can go wrong has befallen a renewal")
    assert len(daemon.events("leading")) == 1, "the lease was kept"
    seen = len(daemon.events("evaluation"))
    daemon.wait_for("evaluation", count=seen + 3)
    assert len(cluster.taken(namespace)) == len(names)
