"""What shall be done: the record as it stands in the journal before anything is sent."""

from __future__ import annotations

import secrets

from remediator.act.examine import Go
from remediator.act.replacement import revision_of
from remediator.model.remediations import Baseline, Remediation, Terms


def intend(go: Go, *, epoch: int, now: float) -> Remediation:
    """The record of what shall be done."""
    return Remediation(
        id=secrets.token_hex(6),
        epoch=epoch,
        workload=go.workload.ref,
        breach=go.breach,
        action=go.policy.action,
        baseline=baseline(go, now),
        terms=Terms(go.policy.ready_timeout, go.policy.grace_period),
        intended_at=now,
    )


def baseline(go: Go, now: float) -> Baseline:
    """How the workload stands right before the act, at that moment (seconds since the epoch)."""
    workload = go.workload
    return Baseline(
        pods=frozenset(pod.uid for pod in workload.pods),
        wanted=workload.size,
        available=len(workload.available(now)),
        pods_version=workload.pods_version,
        revision=revision_of(go.pod),
        selector=str(workload.selector or ""),
    )
