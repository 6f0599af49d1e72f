"""Is the pod replaced? Each row of the table for owners whose pods are made by a ReplicaSet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remediator.act.replacement import STUCK_AFTER, Ended, Scene, Waiting, revision_of
from remediator.act.replacement import assess as verdict
from remediator.model.pods import LivePod, OwnerReference
from remediator.model.remediations import Remediation
from remediator.model.vocabulary import Outcome
from remediator.model.workloads import Workload
from tests.unit.make import NOW, UID, by_uid, container, peers, pod, record, workload

TAKEN = NOW - 10.0


def assess(record: Remediation, *, pods: Mapping[str, LivePod], **scene: Any) -> Ended | Waiting:  # noqa: ANN401
    """The verdict; the old pod, where it is not there, went when it was taken."""
    gone_at = None if record.breach.uid in pods else TAKEN
    return verdict(record, Scene(**{"gone_at": gone_at, "pods": pods, **scene}))


def new(uid: str = "new-1", **changes: Any) -> LivePod:  # noqa: ANN401 (fields of a pod)
    """A pod that was not there before; Ready unless it is said otherwise."""
    return pod(uid=uid, name=f"web-5d4f-{uid}", created_at=NOW - 9.0, **{"ready_since": NOW - 1.0, **changes})


def old(**changes: Any) -> LivePod:  # noqa: ANN401
    """The pod that was taken, terminating with 30 s to go."""
    return pod(**{"deleted_at": TAKEN + 30, **changes})


def now_is(
    *pods: LivePod,
    of: Workload | None = None,
    gone: bool = False,
    one: Remediation | None = None,
    claimed: Iterable[str] = (),
    now: float = NOW,
) -> Ended | Waiting:
    """The verdict with these pods and both peers that were there before."""
    owner = None if gone else (of or workload())
    return assess(one or record(), workload=owner, pods=by_uid(*peers(2), *pods), claimed=frozenset(claimed), now=now)


def outcome(found: Ended | Waiting) -> Outcome | None:
    """How it ended; None while it waits."""
    return found.outcome if isinstance(found, Ended) else None


def until(found: Ended | Waiting) -> float:
    """Until when it waits."""
    assert isinstance(found, Waiting), found
    return found.until


# Replaced


def test_a_new_available_pod_and_as_many_as_before_is_replaced() -> None:
    """The new pod is named, with its UID."""
    found = now_is(new())
    assert isinstance(found, Ended)
    assert (found.outcome, found.replacement) == (Outcome.REPLACED, new())
    assert found.detail == "web-5d4f-new-1 is available"


def test_the_pods_that_were_there_before_replace_nothing() -> None:
    """A peer that is Ready again, or for the first time, is not the new pod."""
    assert outcome(now_is()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"ready_since": None},
        {"deleted_at": NOW + 30.0},
        {"phase": "Failed"},
        {"phase": "Succeeded"},
        {"ready_since": None, "phase": "Pending"},
    ],
)
def test_a_new_pod_that_is_not_available_replaces_nothing(changes: dict[str, Any]) -> None:
    """Not Ready, going already, or at its end."""
    assert outcome(now_is(new(**changes))) is None


def test_ready_is_not_available_before_min_ready_seconds() -> None:
    """It is looked at again just when the pod has been Ready for long enough."""
    slow = workload(min_ready_seconds=30)
    waiting = now_is(new(ready_since=NOW - 10.0), of=slow)
    assert until(waiting) == NOW + 20
    assert outcome(now_is(new(ready_since=NOW - 10.0), of=slow, now=NOW + 20)) is Outcome.REPLACED


def test_a_new_pod_is_not_enough_where_another_one_has_gone_down() -> None:
    """As many have to be available as before: a replacement does not hide that a peer fails."""
    sick = peers(2, ready_since=None)
    found = assess(record(), workload=workload(), pods=by_uid(*sick, new()), claimed=frozenset(), now=NOW)
    assert outcome(found) is None


def test_as_many_as_before_and_no_more() -> None:
    """A workload that was one short before is as well off as it was."""
    short = replace(record(), baseline=replace(record().baseline, available=2))
    found = assess(short, workload=workload(), pods=by_uid(*peers(1), new()), claimed=frozenset(), now=NOW)
    assert outcome(found) is Outcome.REPLACED


def test_as_many_as_are_wanted_now_where_that_is_less() -> None:
    """Scaled down by one while it was replaced: the new pod and one peer are all that is wanted."""
    found = assess(record(), workload=workload(wanted=2), pods=by_uid(*peers(1), new()), claimed=frozenset(), now=NOW)
    assert outcome(found) is Outcome.REPLACED


def test_scaled_up_asks_for_no_more_than_before() -> None:
    """A pod that is missing of a larger number is not our record's business."""
    assert outcome(now_is(new(), of=workload(wanted=10))) is Outcome.REPLACED


def test_a_new_pod_settles_one_record_only() -> None:
    """A pod that another record was settled with leaves this one waiting, until there is a second one."""
    assert outcome(now_is(new(), claimed=["new-1"])) is None
    found = now_is(new(), new("new-2"), claimed=["new-1"])
    assert isinstance(found, Ended)
    assert found.replacement == new("new-2")


def test_of_several_new_pods_the_oldest_is_named() -> None:
    """The same one for everybody who asks."""
    first, second = new("new-2"), new("new-1")
    first = replace(first, created_at=NOW - 20.0)
    for pods in ((first, second), (second, first)):
        found = now_is(*pods)
        assert isinstance(found, Ended)
        assert found.replacement == first


# The old pod


def test_it_is_not_over_before_the_old_pod_is_gone() -> None:
    """With the replacement there the record waits for the end of the grace period and a minute."""
    found = now_is(new(), old())
    assert until(found) == TAKEN + 30 + STUCK_AFTER
    assert outcome(now_is(new())) is Outcome.REPLACED


def test_a_long_grace_period_is_waited_for() -> None:
    """An hour of grace is an hour, whatever ``readyTimeout`` is."""
    found = now_is(new(), old(deleted_at=TAKEN + 3600, grace_period=3600), now=TAKEN + 3000)
    assert until(found) == TAKEN + 3660


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"finalizers": ("example.com/held",)}, "finalizers example.com/held"), ({"node": "node-7"}, "node node-7")],
)
@pytest.mark.parametrize("there", [True, False])
def test_a_pod_that_does_not_go_is_stuck(changes: dict[str, Any], words: str, *, there: bool) -> None:
    """A minute after its grace period it is reported with what may hold it, and whether it is replaced."""
    pods = [old(**changes), *([new()] if there else [])]
    late = TAKEN + 30 + STUCK_AFTER
    assert outcome(now_is(*pods, now=late - 0.1)) is None
    found = now_is(*pods, now=late)
    assert isinstance(found, Ended)
    assert found.outcome is Outcome.STUCK_TERMINATING
    assert words in found.detail
    assert ("its replacement is available" in found.detail) is there


def test_an_old_pod_that_does_not_show_its_end_yet_is_waited_for() -> None:
    """The eviction was accepted and the deletion is not seen yet: the pod itself is no reason to be content."""
    assert outcome(now_is(new(), pod())) is None
    assert outcome(now_is(pod())) is None


def test_the_old_pod_counts_for_nothing() -> None:
    """While it is Ready in its grace period it is not one of those that are available."""
    found = assess(record(), workload=workload(), pods=by_uid(*peers(1), new(), old()), claimed=frozenset(), now=NOW)
    assert outcome(found) is None


# Fewer wanted


def test_scaled_down_ends_well() -> None:
    """Fewer are wanted than before and as many are there: no pod will come, and no breaker opens."""
    found = now_is(of=workload(wanted=2))
    assert outcome(found) is Outcome.SCALED_DOWN
    assert isinstance(found, Ended)
    assert found.replacement is None


def test_scaled_to_nothing_ends_well() -> None:
    """Nothing is wanted, and that is there."""
    found = assess(record(), workload=workload(wanted=0), pods={}, claimed=frozenset(), now=NOW)
    assert outcome(found) is Outcome.SCALED_DOWN


def test_scaled_down_waits_for_what_is_wanted() -> None:
    """Fewer are wanted, and fewer still are available."""
    found = assess(record(), workload=workload(wanted=2), pods=by_uid(*peers(1)), claimed=frozenset(), now=NOW)
    assert outcome(found) is None


def test_scaled_down_waits_for_the_old_pod_too() -> None:
    """As in every row it is over when the old pod is gone."""
    assert outcome(now_is(old(), of=workload(wanted=2))) is None


# Rolled out, gone


def test_a_pod_of_another_template_ends_the_wait() -> None:
    """Somebody rolls out: whether that succeeds is not for us to judge."""
    other = OwnerReference("apps/v1", "ReplicaSet", "web-6666", "rs-other")
    for ready_since in (NOW - 1.0, None):
        found = now_is(new(controller=other, ready_since=ready_since))
        assert outcome(found) is Outcome.ROLLED_OUT
        assert isinstance(found, Ended)
        assert found.detail == "web-5d4f-new-1 was made from another template than web-5d4f-abcde"


def test_a_pod_of_another_template_that_goes_is_no_rollout() -> None:
    """What is left of a rollout that was undone."""
    other = OwnerReference("apps/v1", "ReplicaSet", "web-6666", "rs-other")
    assert outcome(now_is(new(), new("x", controller=other, deleted_at=NOW + 5.0))) is Outcome.REPLACED


def test_peers_of_another_template_from_before_are_no_rollout() -> None:
    """Only what is new since the act says that something is rolled out."""
    other = OwnerReference("apps/v1", "ReplicaSet", "web-6666", "rs-other")
    mixed = by_uid(*peers(2, controller=other), new())
    assert outcome(assess(record(), workload=workload(), pods=mixed, claimed=frozenset(), now=NOW)) is Outcome.REPLACED


def test_all_pods_of_another_template_end_the_wait() -> None:
    """Rolled back meanwhile: as many as are wanted are there, and the one of ours will not come."""
    other = OwnerReference("apps/v1", "ReplicaSet", "web-6666", "rs-other")
    there = by_uid(*peers(3, controller=other))
    one = replace(record(), baseline=replace(record().baseline, pods=frozenset({UID, *there})))
    found = assess(one, workload=workload(), pods=there, claimed=frozenset(), now=NOW)
    assert outcome(found) is Outcome.ROLLED_OUT
    fewer = by_uid(*peers(2, controller=other))
    assert outcome(assess(one, workload=workload(), pods=fewer, claimed=frozenset(), now=NOW)) is None


def test_an_owner_that_is_gone_ends_the_wait() -> None:
    """Its pods will not come back, whatever is there still."""
    assert outcome(now_is(old(), gone=True)) is Outcome.OWNER_GONE


def test_a_revision_is_the_replicaset() -> None:
    """What names the template of a pod, where something does."""
    assert revision_of(pod()) == "rs-uid"
    assert revision_of(pod(controller=None)) == ""
    assert revision_of(pod(controller=OwnerReference("apps/v1", "StatefulSet", "db", "s"))) == ""


# Not ready


def test_ready_timeout_counts_from_the_act() -> None:
    """Until then it waits, and then it names the time and the reason."""
    assert until(now_is()) == TAKEN + 600
    assert outcome(now_is(now=TAKEN + 599.9)) is None
    found = now_is(now=TAKEN + 600)
    assert isinstance(found, Ended)
    assert found.outcome is Outcome.NOT_READY
    assert found.detail == (
        "no replacement of web-5d4f-abcde was available after 600 s: Deployment/web has not made a new pod"
    )


def test_a_replacement_at_the_last_moment_counts() -> None:
    """Available at the very end is available."""
    assert outcome(now_is(new(), now=TAKEN + 600)) is Outcome.REPLACED


def test_the_terms_of_the_beginning_hold() -> None:
    """A policy that was changed meanwhile changes no record in flight."""
    patient = replace(record(), terms=replace(record().terms, ready_timeout=5))
    assert outcome(now_is(one=patient)) is Outcome.NOT_READY


@pytest.mark.parametrize(
    ("pods", "changes", "words"),
    [
        ([], {"creation_failure": "FailedCreate: exceeded quota"}, "FailedCreate: exceeded quota"),
        (
            [new(ready_since=None, unschedulable="0/3 nodes are available")],
            {},
            "web-5d4f-new-1: Unschedulable: 0/3 nodes are available",
        ),
        (
            [new(ready_since=None, containers=(container(waiting="ImagePullBackOff: no such image"),))],
            {},
            "web-5d4f-new-1: container app: ImagePullBackOff: no such image",
        ),
        ([new(ready_since=None)], {}, "web-5d4f-new-1 is not Ready"),
        ([new("b", ready_since=None), new("a", ready_since=None)], {}, "web-5d4f-a, web-5d4f-b are not Ready"),
        ([new(ready_since=None, phase="Failed")], {}, "Deployment/web has not made a new pod"),
    ],
)
def test_kubernetes_own_words_are_the_reason(pods: list[LivePod], changes: dict[str, Any], words: str) -> None:
    """While it waits, and where it ends, the reason is that of Kubernetes."""
    waiting = now_is(*pods, of=workload(**changes))
    assert isinstance(waiting, Waiting)
    assert waiting.reason == words
    ended = now_is(*pods, of=workload(**changes), now=TAKEN + 600)
    assert isinstance(ended, Ended)
    assert ended.detail.endswith(words)


# Whatever happens

STATES = ("available", "fresh", "unready", "terminating", "finished")


def in_state(state: str, uid: str) -> LivePod:
    """A pod in that state; ``fresh`` is Ready for five seconds only."""
    changes: dict[str, dict[str, Any]] = {
        "available": {},
        "fresh": {"ready_since": NOW - 5.0},
        "unready": {"ready_since": None},
        "terminating": {"deleted_at": NOW + 20.0},
        "finished": {"phase": "Failed"},
    }
    return pod(uid=uid, name=uid, **changes[state])


@given(
    before=st.lists(st.sampled_from(STATES), max_size=4),
    after=st.lists(st.sampled_from(STATES), max_size=4),
    taken=st.sampled_from([None, *STATES]),
    claimed=st.sets(st.sampled_from(["n0", "n1", "n2"])),
    wanted=st.integers(0, 6),
    was_wanted=st.integers(0, 6),
    was_available=st.integers(0, 6),
    min_ready=st.sampled_from([0, 10]),
    elapsed=st.sampled_from([0, 50, 95, 599, 600, 5000]),
)
@example([], ["available"], None, set(), 3, 3, 2, 0, 0)
def test_what_is_called_replaced_is(
    before: list[str],
    after: list[str],
    taken: str | None,
    claimed: set[str],
    wanted: int,
    was_wanted: int,
    was_available: int,
    min_ready: int,
    elapsed: int,
) -> None:
    """``replaced`` names a new, unclaimed, available pod; enough others are available, and the old one is gone."""
    pods = {f"b{n}": state for n, state in enumerate(before)} | {f"n{n}": state for n, state in enumerate(after)}
    if taken is not None:
        pods[UID] = taken
    one = record(taken_at=float(NOW - elapsed))
    uids = frozenset({*(uid for uid in pods if not uid.startswith("n")), UID})
    one = replace(one, baseline=replace(one.baseline, pods=uids, wanted=was_wanted, available=was_available))
    found = assess(
        one,
        workload=workload(wanted=wanted, min_ready_seconds=min_ready),
        pods={uid: in_state(state, uid) for uid, state in pods.items()},
        claimed=frozenset(claimed),
        now=NOW,
    )
    up = {uid for uid, state in pods.items() if state == "available" or (state == "fresh" and not min_ready)}
    if isinstance(found, Waiting):
        assert found.reason
        assert found.until > NOW, "nobody waits for what is past"
        return
    if found.outcome is Outcome.BLOCKED:
        assert UID in pods, "nobody has begun to end it"
        assert elapsed >= 600
        return
    assert found.outcome in {
        Outcome.REPLACED, Outcome.SCALED_DOWN, Outcome.NOT_READY, Outcome.STUCK_TERMINATING
    }  # fmt: skip
    if found.outcome is Outcome.REPLACED:
        assert found.replacement is not None
        assert found.replacement.uid in up - uids - claimed
        assert len(up) >= min(was_available, wanted)
        assert UID not in pods
    else:
        assert found.replacement is None
    if found.outcome is Outcome.SCALED_DOWN:
        assert wanted < was_wanted
        assert len(up) >= wanted
        assert UID not in pods
    if found.outcome is Outcome.NOT_READY:
        assert elapsed >= 600
        missing = len(up) < min(was_available, wanted)
        assert missing or not up - uids - claimed, "it was replaced"
