"""One remediation as the journal keeps it, and the ledger: everything that the journal holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remediator.model.measures import Breach
from remediator.model.vocabulary import Action, Outcome
from remediator.model.workloads import WorkloadRef


@dataclass(frozen=True, slots=True)
class Baseline:
    """How the workload stood right before the act, so that a successor can judge what is new.

    ``pods`` are the UIDs of all its pods then, ``wanted`` and ``available`` their numbers, ``pods_version``
    the resourceVersion of that list: the watch for the replacement starts there. ``revision`` names the template
    that the pod was made from (for a Deployment: its ReplicaSet), ``selector`` finds the workload's pods.
    """

    pods: frozenset[str]
    wanted: int
    available: int
    pods_version: str
    revision: str = ""
    selector: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the policy said when the remediation began: an in-flight remediation keeps it."""

    ready_timeout: int
    grace_period: int | None = None


@dataclass(frozen=True, slots=True)
class Remediation:
    """One record: at most one pod instance is taken for it.

    Times are seconds since the epoch. ``outcome`` is None while it is in flight. ``taken_at`` is when the
    API server accepted (of a surge: when the pod was taken out of its ReplicaSet), ``available_at`` when the
    replacement was available. ``after`` is the memory of the replacement in bytes, as first seen. ``undoing`` says why
    a surge is being taken back, empty while it is not.
    """

    id: str
    epoch: int
    workload: WorkloadRef
    breach: Breach
    action: Action
    baseline: Baseline
    terms: Terms
    intended_at: float
    taken_at: float | None = None
    available_at: float | None = None
    settled_at: float | None = None
    outcome: Outcome | None = None
    detail: str = ""
    replacement: str = ""
    replacement_uid: str = ""
    after: float | None = None
    undoing: str = ""


@dataclass(frozen=True, slots=True)
class Breaker:
    """An open breaker: nothing is taken from this workload. ``record`` tells why."""

    workload: WorkloadRef
    opened_at: float
    record: Remediation


@dataclass(frozen=True, slots=True)
class Act:
    """An intent that cooldowns and budgets are counted from; ``spends`` is False once it was given back."""

    workload_uid: str
    remediation_id: str
    at: float
    settled_at: float | None = None
    spends: bool = True

    @property
    def counts_from(self) -> float:
        """When its cooldown began, or begins anew: once it is settled."""
        return self.at if self.settled_at is None else self.settled_at


@dataclass(frozen=True, slots=True)
class Ledger:
    """The journal's content. ``epoch`` rises with each new leader, ``holder`` is that leader's identity."""

    epoch: int = 0
    holder: str = ""
    in_flight: Mapping[str, Remediation] = field(default_factory=dict)
    breakers: Mapping[str, Breaker] = field(default_factory=dict)
    settled: tuple[Remediation, ...] = ()
    acts: tuple[Act, ...] = ()

    def in_flight_of(self, workload_uid: str) -> tuple[Remediation, ...]:
        """The records of one workload that are not settled."""
        return tuple(r for r in self.in_flight.values() if r.workload.uid == workload_uid)
