"""The steps of a remediation, told from the requests that pass by, and a daemon that is killed at one of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.rig.cluster import Cluster
from tests.rig.proxy import Cut, Fault, Request

Json = dict[str, Any]
JOURNAL = "remediator-journal"


def ledger(body: bytes | str) -> Json:
    """The ledger in the JSON of a journal's ConfigMap."""
    return dict(json.loads(json.loads(body)["data"]["journal.json"])["ledger"])


def in_journal(cluster: Cluster, home: str) -> Json:
    """The ledger as it is in the cluster."""
    return ledger(json.dumps(cluster.api.get("configmaps", home, JOURNAL)))


def free_the_lease(cluster: Cluster, home: str) -> None:
    """What its end amounts to, without the wait for it."""
    cluster.api.patch("coordination.k8s.io/v1/leases", home, "remediator", {"spec": {"holderIdentity": ""}})


def intended(request: Request) -> set[str]:
    """The workloads that a write of the journal has in flight."""
    return {record["workload"]["name"] for record in _written(request).get("in_flight", {}).values()}


def settled(request: Request) -> set[str]:
    """The workloads that a write of the journal has settled records of."""
    return {record["workload"]["name"] for record in _written(request).get("settled", ())}


def noted(request: Request) -> set[str]:
    """The workloads of which a write of the journal has a record in flight whose pod it knows to be taken."""
    records = _written(request).get("in_flight", {}).values()
    return {record["workload"]["name"] for record in records if record["taken_at"] is not None}


def taken(request: Request) -> set[str]:
    """The workload, named without a dash, whose pod the request takes."""
    parts = urlsplit(request.path).path.split("/")
    if request.is_("POST", "/eviction"):
        return {parts[-2].partition("-")[0]}
    return {parts[-1].partition("-")[0]} if request.method == "DELETE" and parts[-2] == "pods" else set()


def listed(request: Request) -> set[str]:
    """The workload whose pods are listed: its selector's, or the namespace whose pods are all listed."""
    return set() if "watch=1" in request.path else _selected(request)


def watched(request: Request) -> set[str]:
    """The workload whose pods are watched: its selector's, or the namespace whose pods are all watched."""
    return _selected(request) if "watch=1" in request.path else set()


def _written(request: Request) -> Json:
    return ledger(request.body) if request.is_("PUT", f"/configmaps/{JOURNAL}") else {}


def _selected(request: Request) -> set[str]:
    if not request.is_("GET", "/pods"):
        return set()
    path, query = urlsplit(request.path).path, urlsplit(request.path).query
    selectors = parse_qs(query).get("labelSelector") or [path.split("/")[-2]]
    return {selector.removeprefix("app in (").removesuffix(")") for selector in selectors}


@dataclass(frozen=True)
class Step:
    """A request of a remediation: of which workloads it is, and whether it arrives before the daemon ends."""

    workloads: Callable[[Request], set[str]]
    forwarded: bool = False


STEPS = {
    "before the intent is written": Step(intended),
    "after the intent was written": Step(intended, forwarded=True),
    "before the second look": Step(listed),
    "before the pod is taken": Step(taken),
    "after the pod was taken": Step(taken, forwarded=True),
    "before the watch": Step(watched),
    "before the record is settled": Step(settled),
    "after the record was settled": Step(settled, forwarded=True),
}

STEPS_OF_AN_HEIR = {
    "before it writes down that the pod was taken": Step(noted),
    "after it wrote down that the pod was taken": Step(noted, forwarded=True),
}


class Kills:
    """Kills the daemon, once for each workload, at that step of its remediation; a ``fault`` of a proxy.

    ``kill`` returns when the process has ended. Until then nothing else that it asks arrives. A workload that has no
    selector is told by its namespace, of which all pods are asked for: ``without_selector`` has one of each at most.
    """

    def __init__(
        self,
        step: str,
        workloads: Iterable[str],
        kill: Callable[[], None],
        *,
        without_selector: Mapping[str, str] | None = None,
    ) -> None:
        self._without_selector = without_selector or {}
        self._step = {**STEPS, **STEPS_OF_AN_HEIR}[step]
        self._left = set(workloads)
        self._kill = kill
        self._intended: set[str] = set()
        self._lock = threading.Lock()
        self._dying = False
        self._dead = threading.Event()

    def __call__(self, request: Request) -> Fault | None:
        """What becomes of this one."""
        with self._lock:
            if self._dying:
                return Cut(forwarded=False)
            self._intended |= intended(request)
            # Before its intent a workload is only looked at.
            concerned = {self._without_selector.get(one, one) for one in self._step.workloads(request)}
            reached = concerned & self._intended & self._left
            if not reached:
                return None
            self._left.remove(min(reached))
            self._dying = True
        return Cut(forwarded=self._step.forwarded, first=self._end)

    def wait(self, timeout: float = 150) -> bool:
        """Whether it was killed within that time; what the next process asks arrives."""
        if not self._dead.wait(timeout):
            return False
        with self._lock:
            self._dead.clear()
            self._dying = False
        return True

    def _end(self) -> None:
        self._kill()
        self._dead.set()
