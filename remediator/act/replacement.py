"""Is the pod replaced? Pure: a record, the workload and its pods as they are now in; the verdict out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from remediator.act.reasons import hopeless, why_not_ready
from remediator.model.pods import LivePod
from remediator.model.remediations import Remediation
from remediator.model.vocabulary import Outcome
from remediator.model.workloads import Workload, ordinal

STUCK_AFTER = 60
"""Seconds beyond its grace period after which a terminating pod is stuck."""
HOPELESS_AFTER = 60
"""Seconds after which what needs somebody's hand (an image, a quota, a place) is no longer waited for."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The wait is over. ``replacement`` is the new pod that settles the record, where one does.

    ``suspects`` are the UIDs of the pods that should have, where none did.
    """

    outcome: Outcome
    detail: str
    replacement: LivePod | None = None
    suspects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not yet, for this reason; look again at ``until`` (seconds since the epoch) if nothing happens before."""

    reason: str
    until: float


@dataclass(frozen=True, slots=True)
class Scene:
    """What the verdict is given on, at ``now`` (seconds since the epoch).

    ``workload`` is None where the owner is gone; ``pods`` are its pods by UID; ``claimed`` the UIDs of new pods that
    other records were settled with. ``gone_at`` is when the old pod's object was first seen to be gone, None while it
    is there. ``unfit`` says why the node can have no pod of its DaemonSet any more, empty while it can.
    """

    workload: Workload | None
    pods: Mapping[str, LivePod]
    claimed: frozenset[str]
    now: float
    gone_at: float | None = None
    unfit: str = ""


def assess(record: Remediation, scene: Scene) -> Ended | Waiting:
    """How the replacement stands. The record's ``taken_at`` is set."""
    workload, now = scene.workload, scene.now
    if workload is None:
        return Ended(Outcome.OWNER_GONE, f"{record.workload} is gone")
    new = _candidates(record, scene)
    if other := [pod for pod in new if not _same_template(pod, record) and not pod.terminating]:
        return Ended(Outcome.ROLLED_OUT, f"{other[0].name} was made from another template than {record.breach.pod}")
    up = _available(scene.pods.values(), workload, now)
    settles = [pod for pod in _available(new, workload, now) if pod.uid not in scene.claimed]
    replaced = bool(settles) and (_is_one_for_one(record) or len(up) >= _enough(record, workload))
    unwanted = _no_longer_wanted(record, workload, scene, up)
    old = scene.pods.get(record.breach.uid)
    if old is not None and old.terminating:
        return _while_old_is_there(old, replaced=replaced, now=now)
    if old is not None and (replaced or unwanted):
        return _untouched(record, old, now=now)
    if replaced:
        chosen = min(settles, key=lambda pod: (pod.created_at, pod.name))
        return Ended(Outcome.REPLACED, f"{chosen.name} is available", chosen)
    if _is_all_of_another_template(record, workload, up):
        return Ended(Outcome.ROLLED_OUT, f"{workload.ref} has all of its pods, from another template")
    if unwanted:
        return Ended(Outcome.SCALED_DOWN, unwanted)
    if old is not None:
        return _untouched(record, old, now=now)
    return _until_ready(record, workload, new, up=up, scene=scene)


def is_enough(record: Remediation, scene: Scene) -> bool:
    """Whether as many pods are available as before the act, or as are wanted now, whichever is less."""
    workload = scene.workload
    return workload is not None and len(_available(scene.pods.values(), workload, scene.now)) >= _enough(
        record, workload
    )


def revision_of(pod: LivePod) -> str:
    """What names the template that a pod was made from: for a ReplicaSet's pod, that ReplicaSet."""
    if pod.controller and pod.controller.kind == "ReplicaSet":
        return pod.controller.uid
    return pod.labels.get("controller-revision-hash") or pod.labels.get("pod-template-hash") or ""


def _candidates(record: Remediation, scene: Scene) -> list[LivePod]:
    """The new pods that may be the replacement: of the same name, on the same node, or any of the workload."""
    new = [pod for uid, pod in scene.pods.items() if uid not in record.baseline.pods]
    if record.workload.is_a("StatefulSet"):
        return [pod for pod in new if pod.name == record.breach.pod]
    if record.workload.is_a("DaemonSet"):
        return [pod for pod in new if pod.node == record.breach.node]
    return new


def _is_one_for_one(record: Remediation) -> bool:
    """Whether the replacement of a pod can be told from those of all others."""
    return record.workload.is_a("StatefulSet", "DaemonSet")


def _enough(record: Remediation, workload: Workload) -> int:
    """As many as before the act, or as are wanted now, whichever is less."""
    if workload.wanted is None:
        return record.baseline.available
    return min(record.baseline.available, workload.wanted)


def _no_longer_wanted(record: Remediation, workload: Workload, scene: Scene, up: list[LivePod]) -> str:
    """Why no replacement is wanted, empty where one is."""
    if record.workload.is_a("DaemonSet"):
        return scene.unfit
    if record.workload.is_a("StatefulSet"):
        number, first = ordinal(record.breach.pod), workload.first_ordinal
        if number is None or workload.wanted is None or first <= number < first + workload.wanted:
            return ""
        return f"{workload.ref} wants {workload.wanted} pods now, {record.breach.pod} is not among them"
    if workload.wanted is None or workload.wanted >= record.baseline.wanted or len(up) < workload.wanted:
        return ""
    return f"{workload.ref} wants {workload.wanted} pods now, and has them"


def _is_all_of_another_template(record: Remediation, workload: Workload, up: list[LivePod]) -> bool:
    if _is_one_for_one(record) or workload.wanted is None or not up:
        return False
    return len(up) >= workload.wanted and not any(_same_template(pod, record) for pod in up)


def _while_old_is_there(old: LivePod, *, replaced: bool, now: float) -> Ended | Waiting:
    """It is not over before the old pod's object is gone as well."""
    # deletionTimestamp is the end of the grace period.
    gone_by = (old.deleted_at or now) + STUCK_AFTER
    if now < gone_by:
        return Waiting("the old pod is terminating", gone_by)
    held = f"finalizers {', '.join(old.finalizers)}" if old.finalizers else f"node {old.node}"
    also = "; its replacement is available" if replaced else ""
    detail = f"{old.name} is still terminating {now - gone_by + STUCK_AFTER:.0f} s after its grace period: {held}{also}"
    return Ended(Outcome.STUCK_TERMINATING, detail)


def _untouched(record: Remediation, old: LivePod, *, now: float) -> Ended | Waiting:
    """Accepted, and yet nobody has begun to end the pod: its eviction was intercepted by something slower."""
    deadline = (record.taken_at or now) + record.terms.ready_timeout
    if now < deadline:
        return Waiting("the old pod is there, and not terminating", deadline)
    detail = f"{old.name} is still there {record.terms.ready_timeout} s after its eviction, and not terminating"
    return Ended(Outcome.BLOCKED, detail)


def _until_ready(
    record: Remediation, workload: Workload, new: list[LivePod], *, up: list[LivePod], scene: Scene
) -> Ended | Waiting:
    """``readyTimeout`` counts from the old pod's disappearance, which the replacement may have had to wait for.

    Or from earlier: where a container of a new pod ran by then, it did not wait.
    """
    taken, now = record.taken_at or scene.now, scene.now
    gone_at = taken if scene.gone_at is None else max(scene.gone_at, taken)
    mine = [pod for pod in new if pod.uid not in scene.claimed]
    ran = [c.started_at for pod in mine for c in pod.containers if c.started_at is not None]
    start = min(gone_at, max(taken, min(ran))) if ran else gone_at
    available = {pod.uid for pod in up}
    missing = [pod for pod in mine if pod.uid not in available]
    reason = _why(record, workload, missing, up=up, is_there=len(missing) < len(mine))
    lost_since = hopeless(workload, mine)
    deadline = start + record.terms.ready_timeout
    given_up = deadline if lost_since is None else min(deadline, max(lost_since, gone_at) + HOPELESS_AFTER)
    if now >= given_up:
        detail = f"no replacement of {record.breach.pod} was available after {now - start:.0f} s: {reason}"
        return Ended(Outcome.NOT_READY, detail, suspects=tuple(pod.uid for pod in missing))
    matures = [pod.ready_since + workload.min_ready_seconds for pod in mine if pod.ready_since and not pod.terminating]
    return Waiting(reason, min([given_up, *(moment for moment in matures if moment > now)]))


def _why(record: Remediation, workload: Workload, missing: list[LivePod], *, up: list[LivePod], is_there: bool) -> str:
    """Why it is not over; with ``is_there`` the new pod is available, and pods that were there before are not."""
    if not is_there:
        return why_not_ready(workload, missing)
    too_few = f"{len(up)} of {_enough(record, workload)} pods are available"
    return f"{too_few}; {why_not_ready(workload, missing)}" if missing else too_few


def _available(pods: Iterable[LivePod], workload: Workload, now: float) -> list[LivePod]:
    return [pod for pod in pods if pod.available(min_ready_seconds=workload.min_ready_seconds, now=now)]


def _same_template(pod: LivePod, record: Remediation) -> bool:
    return not record.baseline.revision or revision_of(pod) == record.baseline.revision
