"""Is the pod replaced? Pure: a record, the workload and its pods as they are now in; the verdict out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remediator.model.pods import LivePod
from remediator.model.remediations import Remediation
from remediator.model.vocabulary import Outcome
from remediator.model.workloads import Workload

STUCK_AFTER = 60
"""Seconds beyond its grace period after which a terminating pod is stuck."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The wait is over. ``replacement`` is the new pod that settles the record, where one does."""

    outcome: Outcome
    detail: str
    replacement: LivePod | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not yet, for this reason; look again at ``until`` (seconds since the epoch) if nothing happens before."""

    reason: str
    until: float


def assess(
    record: Remediation, *, workload: Workload | None, pods: Mapping[str, LivePod], claimed: frozenset[str], now: float
) -> Ended | Waiting:
    """How the replacement stands.

    ``workload`` is None where the owner is gone; ``pods`` are its pods by UID; ``claimed`` the UIDs of new pods that
    other records were settled with. The record's ``taken_at`` is set.
    """
    if workload is None:
        return Ended(Outcome.OWNER_GONE, f"{record.workload} is gone")
    new = [pod for uid, pod in pods.items() if uid not in record.baseline.pods]
    if other := [pod for pod in new if not _same_template(pod, record) and not pod.terminating]:
        detail = f"{other[0].name} was made from another template than {record.breach.pod}"
        return Ended(Outcome.ROLLED_OUT, detail)
    ready_in = workload.min_ready_seconds
    up = [pod for pod in pods.values() if pod.available(min_ready_seconds=ready_in, now=now)]
    settles = [pod for pod in up if pod.uid not in record.baseline.pods and pod.uid not in claimed]
    enough = len(up) >= min(record.baseline.available, workload.size)
    replaced = bool(settles) and enough
    scaled_down = workload.size < record.baseline.wanted and len(up) >= workload.size
    old = pods.get(record.breach.uid)
    if old is not None and (replaced or scaled_down or old.terminating):
        return _while_old_is_there(record, old, replaced=replaced, now=now)
    if replaced:
        chosen = min(settles, key=lambda pod: (pod.created_at, pod.name))
        return Ended(Outcome.REPLACED, f"{chosen.name} is available", chosen)
    if up and len(up) >= workload.size and not any(_same_template(pod, record) for pod in up):
        return Ended(Outcome.ROLLED_OUT, f"{workload.ref} has all of its pods, from another template")
    if scaled_down:
        return Ended(Outcome.SCALED_DOWN, f"{workload.ref} wants {workload.size} pods now, and has them")
    return _until_ready(record, workload, new, now=now)


def _while_old_is_there(record: Remediation, old: LivePod, *, replaced: bool, now: float) -> Ended | Waiting:
    """It is not over before the old pod's object is gone as well."""
    # deletionTimestamp is the end of the grace period; before the deletion shows, the record's own time counts.
    gone_by = (old.deleted_at or (record.taken_at or now) + old.grace_period) + STUCK_AFTER
    if now < gone_by:
        return Waiting("the old pod is terminating", gone_by)
    held = f"finalizers {', '.join(old.finalizers)}" if old.finalizers else f"node {old.node}"
    also = "; its replacement is available" if replaced else ""
    detail = f"{old.name} is still terminating {now - gone_by + STUCK_AFTER:.0f} s after its grace period: {held}{also}"
    return Ended(Outcome.STUCK_TERMINATING, detail)


def _until_ready(record: Remediation, workload: Workload, new: list[LivePod], *, now: float) -> Ended | Waiting:
    deadline = (record.taken_at or now) + record.terms.ready_timeout
    reason = _why_not_ready(workload, new, record)
    if now >= deadline:
        detail = f"no replacement of {record.breach.pod} was available within {record.terms.ready_timeout} s: {reason}"
        return Ended(Outcome.NOT_READY, detail)
    matures = [pod.ready_since + workload.min_ready_seconds for pod in new if pod.ready_since and not pod.terminating]
    return Waiting(reason, min([deadline, *(moment for moment in matures if moment > now)]))


def _why_not_ready(workload: Workload, new: list[LivePod], record: Remediation) -> str:
    """Kubernetes' own words, where it has any."""
    if workload.creation_failure:
        return workload.creation_failure
    living = [pod for pod in new if not pod.finished and not pod.terminating]
    for pod in living:
        if pod.unschedulable:
            return f"{pod.name} can't be scheduled: {pod.unschedulable}"
        for container in pod.containers:
            if container.waiting:
                return f"{pod.name}: container {container.name}: {container.waiting}"
    if living:
        return f"{', '.join(sorted(pod.name for pod in living))} is not Ready"
    return f"{record.workload} has not made a new pod"


def _same_template(pod: LivePod, record: Remediation) -> bool:
    return not record.baseline.revision or revision_of(pod) == record.baseline.revision


def revision_of(pod: LivePod) -> str:
    """What names the template that a pod was made from: for a ReplicaSet's pod, that ReplicaSet."""
    return pod.controller.uid if pod.controller and pod.controller.kind == "ReplicaSet" else ""
