"""Replace first, remove after: what is done next with the pod that was taken out, and when it is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.act.replacement import Ended, Scene, Waiting
from remediator.act.surge import Do, Step, Verdict, after_the_owner, verdict
from remediator.model.pods import LivePod, OwnerReference
from remediator.model.remediations import Baseline, Remediation
from remediator.model.vocabulary import Action, Outcome
from remediator.model.workloads import Workload
from tests.unit.make import NOW, by_uid, peers, pod, record, workload

OUT = {"app": "web", "pod-template-hash": "remediator-surge"}
ORPHAN = pod(labels=OUT, controller=None)
NEW = pod(name="web-5d4f-new", uid="new", ready_since=NOW - 1.0)
UNREADY = replace(NEW, ready_since=None)
SURGE = record(action=Action.SURGE)
LATE = NOW + 601.0


def then(
    *pods: LivePod,
    now: float = NOW,
    of: Remediation = SURGE,
    around: Workload | None = None,
    gone_at: float | None = None,
) -> Verdict:
    """The verdict with the two peers and these pods."""
    around = around or workload(pods=())
    scene = Scene(around, by_uid(*peers(), *pods), frozenset(), now, gone_at=gone_at)
    return verdict(of, scene)


def did(found: Verdict) -> tuple[Do, str]:
    """What a step does, and why."""
    assert isinstance(found, Step), found
    assert found.orphan.uid == ORPHAN.uid
    return found.do, found.why


def test_it_waits_for_the_new_pod() -> None:
    """Until then the old one is there, which counts for nothing."""
    found = then(ORPHAN, UNREADY)
    assert isinstance(found, Waiting)
    assert "web-5d4f-new is not Ready" in found.reason


def test_the_old_pod_goes_once_the_new_one_is_available() -> None:
    """As many as before, without it."""
    assert did(then(ORPHAN, NEW)) == (Do.EVICT, "web-5d4f-new is available")
    fewer = by_uid(ORPHAN, NEW, peers()[0])
    assert isinstance(verdict(SURGE, Scene(workload(), fewer, frozenset(), NOW)), Waiting)


def test_it_is_over_when_the_old_pod_is_gone() -> None:
    """Terminating it is waited for; gone, the record is settled with the new pod."""
    leaving = replace(ORPHAN, deleted_at=NOW + 30.0)
    assert isinstance(then(leaving, NEW), Waiting)
    over = then(NEW, gone_at=NOW)
    assert isinstance(over, Ended)
    assert (over.outcome, over.replacement) == (Outcome.REPLACED, NEW)


def test_what_does_not_become_ready_is_taken_back() -> None:
    """At ``readyTimeout``, with the pods of which one shall go instead of a healthy one."""
    found = then(ORPHAN, UNREADY, now=LATE)
    assert isinstance(found, Step)
    assert (found.do, found.unready) == (Do.PUT_BACK, (UNREADY,))
    assert "no replacement of web-5d4f-abcde was available after 611 s" in found.why


def test_what_needs_a_hand_is_taken_back_after_a_minute() -> None:
    """Unschedulable, or no pod can be made at all."""
    nowhere = replace(UNREADY, unschedulable="0/3 nodes are available", created_at=NOW - 9.0)
    failing = workload(pods=(), creation_failure="FailedCreate: quota", creation_failed_at=NOW - 9.0)
    assert isinstance(then(ORPHAN, nowhere), Waiting)
    assert did(then(ORPHAN, nowhere, now=NOW + 70))[0] is Do.PUT_BACK
    assert isinstance(then(ORPHAN, around=failing), Waiting)
    assert did(then(ORPHAN, around=failing, now=NOW + 70))[0] is Do.PUT_BACK


def test_what_is_being_taken_back_stays_so_unless_the_new_pod_is_there_after_all() -> None:
    """A successor goes on where the one before it was; available now, it is finished."""
    undoing = replace(SURGE, undoing="it took too long")
    assert did(then(ORPHAN, UNREADY, of=undoing)) == (Do.PUT_BACK, "it took too long")
    assert did(then(ORPHAN, NEW, of=undoing))[0] is Do.EVICT


@pytest.mark.parametrize(
    ("undoing", "detail"), [("it took too long", "it took too long"), ("", "somebody else has put")]
)
def test_a_pod_that_is_back_is_rolled_back(undoing: str, detail: str) -> None:
    """By us, before the record could be settled, or by hand."""
    found = then(pod(), UNREADY, of=replace(SURGE, undoing=undoing))
    assert isinstance(found, Ended)
    assert found.outcome is Outcome.ROLLED_BACK
    assert found.detail.startswith(detail)


def test_a_pod_that_somebody_else_controls_is_not_ours() -> None:
    """It was adopted in spite of everything that was looked at."""
    other = OwnerReference("apps/v1", "ReplicaSet", "wide", "wide-uid")
    found = then(replace(ORPHAN, controller=other), UNREADY)
    assert isinstance(found, Ended)
    assert (found.outcome, found.detail.split()[0]) == (Outcome.FAILED, "ReplicaSet/wide")


def test_a_pod_that_has_ended_by_itself_is_removed() -> None:
    """Nobody else would: it has no controller."""
    assert did(then(replace(ORPHAN, phase="Failed", ready_since=None), UNREADY)) == (
        Do.EVICT,
        "it has ended by itself: Failed",
    )


def test_scaled_down_meanwhile_the_old_pod_goes() -> None:
    """Fewer are wanted, and that many are there."""
    assert did(then(ORPHAN, around=workload(pods=(), wanted=2)))[0] is Do.EVICT


def test_a_rollout_is_waited_for_while_it_has_too_few_pods() -> None:
    """The old pod serves until the new template's pods do; for ever it does not wait."""
    next_one = OwnerReference("apps/v1", "ReplicaSet", "web-9f", "other-rs")
    newer = replace(UNREADY, controller=next_one)
    assert isinstance(then(ORPHAN, newer), Waiting)
    assert did(then(ORPHAN, newer, now=LATE))[0] is Do.PUT_BACK
    assert did(then(ORPHAN, replace(newer, ready_since=NOW - 1.0)))[0] is Do.EVICT


def test_the_owner_is_gone() -> None:
    """The garbage collector takes the pod with it."""
    found = verdict(SURGE, Scene(None, by_uid(ORPHAN), frozenset(), NOW))
    assert isinstance(found, Ended)
    assert found.outcome is Outcome.OWNER_GONE


@pytest.mark.parametrize(
    ("old", "is_put_back"),
    [
        (ORPHAN, True),
        (replace(ORPHAN, other_owners=("Deployment/web",)), False),
        (replace(ORPHAN, controller=OwnerReference("apps/v1", "ReplicaSet", "wide", "wide-uid")), False),
        (replace(ORPHAN, deleted_at=NOW + 30.0), False),
        (pod(), False),
        (None, False),
    ],
)
def test_an_owner_that_leaves_its_pods_leaves_this_one_to_its_replicaset(
    old: LivePod | None, *, is_put_back: bool
) -> None:
    """Only one that nobody owns any more would stay for ever; the record ends as it would have."""
    gone = Ended(Outcome.OWNER_GONE, "Deployment/web is gone")
    found = after_the_owner(gone, old)
    assert found == (Step(Do.PUT_BACK, ORPHAN, gone.detail, outcome=gone.outcome) if is_put_back else gone)


def test_for_other_actions_nothing_changes() -> None:
    """An eviction's pod that has such a label is a pod like any other."""
    assert isinstance(then(ORPHAN, NEW, of=record()), Waiting)


def test_one_pod_of_one_is_replaced_without_a_gap() -> None:
    """Nobody but the old pod is available until the new one is."""
    single = record(
        action=Action.SURGE,
        baseline=Baseline(frozenset({ORPHAN.uid}), wanted=1, available=1, pods_version="1", revision="rs-uid"),
    )
    one = workload(wanted=1, pods=())
    assert isinstance(verdict(single, Scene(one, by_uid(ORPHAN), frozenset(), NOW)), Waiting)
    assert did(verdict(single, Scene(one, by_uid(ORPHAN, NEW), frozenset(), NOW)))[0] is Do.EVICT
