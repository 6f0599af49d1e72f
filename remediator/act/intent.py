"""What shall be done: the record as it stands in the journal before anything is sent."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from remediator.act.looks import Go
from remediator.act.replacement import revision_of
from remediator.model.remediations import Baseline, Ledger, Remediation, Terms


def intend(go: Go, *, ledger: Ledger, now: float) -> Remediation:
    """The record of what shall be done, as the journal is."""
    return Remediation(
        id=secrets.token_hex(6),
        epoch=ledger.epoch,
        workload=go.workload.ref,
        breach=go.breach,
        action=go.policy.action,
        baseline=baseline(go, now=now, beside=ledger.in_flight_of(go.workload.ref.uid)),
        terms=Terms(go.policy.ready_timeout, go.policy.grace_period),
        intended_at=now,
    )


def baseline(go: Go, *, now: float, beside: Iterable[Remediation]) -> Baseline:
    """How the workload stands right before the act, at that moment (seconds since the epoch).

    ``beside`` are its other records in flight. A pod that is new to one of them is new to this one as well: which of
    them it settles is open, and the last one must not be left with a pod that it takes for one of before.
    """
    workload, known = go.workload, [one.baseline.pods for one in beside]
    # One that is out now is no new pod when it is put back.
    there = (pod.uid for pod in (*workload.pods, *workload.outside))
    return Baseline(
        pods=frozenset(uid for uid in there if all(uid in pods for pods in known)),
        wanted=workload.size,
        available=len(workload.available(now)),
        pods_version=workload.pods_version,
        revision=revision_of(go.pod),
        selector=str(workload.selector or ""),
    )
