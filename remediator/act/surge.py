"""Replace first, remove after: what a surge wants next of the pod that was taken out of its ReplicaSet. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from remediator.act.replacement import Ended, Scene, Waiting, assess, is_enough
from remediator.model.pods import LivePod
from remediator.model.remediations import Remediation
from remediator.model.surge import is_orphan
from remediator.model.vocabulary import Action, Outcome


class Do(StrEnum):
    """What is done with the pod that was taken out."""

    EVICT = "evict"
    PUT_BACK = "put back"


@dataclass(frozen=True, slots=True)
class Step:
    """What shall be done next, and why. ``unready`` are the new pods of which one may go when it is put back.

    ``outcome`` is how the record ends once the pod is back.
    """

    do: Do
    orphan: LivePod
    why: str
    unready: tuple[LivePod, ...] = ()
    outcome: Outcome = Outcome.ROLLED_BACK


Verdict: TypeAlias = Ended | Waiting | Step


def verdict(record: Remediation, scene: Scene) -> Verdict:
    """How the replacement stands, and what a surge wants next. The record's ``taken_at`` is set."""
    old = scene.pods.get(record.breach.uid)
    if record.action is not Action.SURGE or scene.workload is None or old is None or old.terminating:
        return assess(record, scene)
    if not is_orphan(old.labels):
        return Ended(Outcome.ROLLED_BACK, record.undoing or f"somebody else has put {old.name} back")
    if old.controller is not None:
        by = f"{old.controller.kind}/{old.controller.name}"
        return Ended(Outcome.FAILED, f"{by} has made itself the controller of {old.name}, which was taken out")
    if old.finished:
        return Step(Do.EVICT, old, f"it has ended by itself: {old.phase}")
    others = {uid: pod for uid, pod in scene.pods.items() if uid != old.uid}
    found = assess(record, replace(scene, pods=others, gone_at=record.taken_at))
    unready = tuple(pod for uid, pod in others.items() if uid not in record.baseline.pods and pod.ready_since is None)
    if isinstance(found, Ended):
        return _step(record, replace(scene, pods=others), found, old=old, unready=unready)
    return Step(Do.PUT_BACK, old, record.undoing, unready) if record.undoing else found


def after_the_owner(found: Ended, old: LivePod | None) -> Ended | Step:
    """What becomes of the pod: an owner that was deleted without its pods has let go of this one as well.

    Nobody would ever collect it, and its ReplicaSet lives on.
    """
    if old is None or old.terminating or not is_orphan(old.labels) or old.controller or old.other_owners:
        return found
    return Step(Do.PUT_BACK, old, found.detail, outcome=found.outcome)


def _step(
    record: Remediation, scene: Scene, found: Ended, *, old: LivePod, unready: tuple[LivePod, ...]
) -> Step | Waiting:
    if found.outcome is Outcome.NOT_READY:
        return Step(Do.PUT_BACK, old, record.undoing or found.detail, unready)
    if found.outcome is Outcome.ROLLED_OUT and not is_enough(record, scene):
        # A rollout that has only begun still counts on it, and so do those who use the workload.
        deadline = (record.taken_at or scene.now) + record.terms.ready_timeout
        if scene.now < deadline:
            return Waiting(f"{found.detail}; too few pods are available yet", deadline)
        return Step(Do.PUT_BACK, old, record.undoing or f"{found.detail}, and too few are available", unready)
    return Step(Do.EVICT, old, found.detail)
