"""Is the pod replaced? The rows of the table for StatefulSets, DaemonSets and the workloads of other projects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remediator.act.replacement import Ended, Scene, Waiting, assess
from remediator.model.pods import LivePod, OwnerReference
from remediator.model.remediations import Remediation
from remediator.model.vocabulary import Outcome
from remediator.model.workloads import Workload, WorkloadRef
from tests.unit.act.owners import (
    CUSTOM,
    OLD,
    REVISION,
    agent,
    controlled,
    custom,
    daemonset,
    fresh,
    member,
    of_custom,
    of_daemonset,
    of_statefulset,
    statefulset,
)
from tests.unit.make import NOW, UID, by_uid, container, record, workload

TAKEN = NOW - 10.0
NEWER = {"app": "db", REVISION: "db-8e0"}


def verdict(
    one: Remediation,
    of: Workload,
    pods: Iterable[LivePod],
    *,
    claimed: Iterable[str] = (),
    **scene: Any,  # noqa: ANN401
) -> Ended | Waiting:
    """The verdict; the old pod, where it is not there, went when it was taken."""
    there = by_uid(*pods)
    usual = {"now": float(NOW), "gone_at": None if UID in there else TAKEN}
    return assess(one, Scene(workload=of, pods=there, claimed=frozenset(claimed), **{**usual, **scene}))


def outcome(found: Ended | Waiting) -> Outcome | None:
    """How it ended; None while it waits."""
    return found.outcome if isinstance(found, Ended) else None


# StatefulSet

PEERS = (member(0, "peer-1"), member(2, "peer-2"))


def test_a_statefulsets_pod_is_replaced_by_its_namesake() -> None:
    """The same name with a new UID, available; the others don't matter, be they up or down."""
    new = member(1, "new", **fresh())
    for peers in (PEERS, (), (member(0, "peer-1", ready_since=None),)):
        found = verdict(of_statefulset(1), statefulset(), [*peers, new])
        assert isinstance(found, Ended)
        assert (found.outcome, found.replacement) == (Outcome.REPLACED, new)


def test_a_new_pod_of_another_name_replaces_nothing() -> None:
    """Another ordinal that is made anew, or one that was scaled up, is not ours, however Ready it is."""
    others = [member(0, "new-0", **fresh()), member(2, "new-2", **fresh()), member(3, "new-3", **fresh())]
    assert outcome(verdict(of_statefulset(1), statefulset(wanted=4), others)) is None


def test_other_ordinals_of_another_revision_end_nothing() -> None:
    """A rollout comes from above: it may stop before it gets to ours, which is waited for as before."""
    rolled = member(2, "new-2", **fresh(labels=NEWER))
    assert outcome(verdict(of_statefulset(1), statefulset(), [member(0, "peer-1"), rolled])) is None
    found = verdict(of_statefulset(1), statefulset(), [member(0, "peer-1"), rolled, member(1, "new", **fresh())])
    assert outcome(found) is Outcome.REPLACED


@pytest.mark.parametrize("ready_since", [NOW - 1.0, None])
def test_a_namesake_of_another_revision_is_a_rollout(ready_since: float | None) -> None:
    """Ready or not: whether that succeeds is not for us to judge."""
    found = verdict(
        of_statefulset(1), statefulset(), [member(1, "new", **fresh(labels=NEWER, ready_since=ready_since))]
    )
    assert isinstance(found, Ended)
    assert found.outcome is Outcome.ROLLED_OUT
    assert found.detail == "db-1 was made from another template than db-1"


@pytest.mark.parametrize(
    ("number", "first", "wanted", "scaled_down"),
    [
        (1, 0, 3, False),
        (1, 0, 2, False),
        (1, 0, 1, True),
        (1, 0, 0, True),
        (5, 3, 3, False),
        (5, 3, 2, True),
        (1, 2, 3, True),
        (2, 2, 1, False),
        (0, 0, None, False),
    ],
)
def test_an_ordinal_that_is_no_longer_wanted_is_not_waited_for(
    number: int,
    first: int,
    wanted: int | None,
    scaled_down: bool,  # noqa: FBT001
) -> None:
    """The wanted ordinals begin at ``ordinals.start``, which may have been moved as well; no breaker."""
    found = verdict(of_statefulset(number), statefulset(wanted=wanted, first_ordinal=first), [])
    assert outcome(found) is (Outcome.SCALED_DOWN if scaled_down else None)
    if isinstance(found, Ended):
        assert found.detail == f"StatefulSet/db wants {wanted} pods now, db-{number} is not among them"


def test_scaled_down_waits_for_the_old_pod() -> None:
    """It is over when that is gone."""
    old = member(2, UID, deleted_at=NOW + 20.0)
    found = verdict(of_statefulset(2), statefulset(wanted=2), [old])
    assert isinstance(found, Waiting)
    assert found.reason == "the old pod is terminating"


def test_a_namesake_settles_its_own_record_only() -> None:
    """A pod that settled an earlier record of the same name is not the one that comes after it."""
    assert outcome(verdict(of_statefulset(1), statefulset(), [member(1, "new", **fresh())], claimed=["new"])) is None


# DaemonSet

OTHERS = (agent("node-2", "peer-1"), agent("node-3", "peer-2"))


def test_a_daemonsets_pod_is_replaced_on_its_own_node() -> None:
    """A new pod there, available; what other nodes have does not matter."""
    new = agent("node-1", "new", **fresh())
    for others in (OTHERS, (), (agent("node-2", "peer-1", ready_since=None),)):
        found = verdict(of_daemonset(), daemonset(), [*others, new])
        assert isinstance(found, Ended)
        assert (found.outcome, found.replacement) == (Outcome.REPLACED, new)


def test_new_pods_on_other_nodes_replace_nothing() -> None:
    """Nodes come, and their pods with them; nor does a pod of another revision there tell of a rollout here."""
    joined = [agent("node-4", "new-4", **fresh()), agent("node-5", "new-5", **fresh(labels=NEWER))]
    assert outcome(verdict(of_daemonset(), daemonset(wanted=5), [*OTHERS, *joined])) is None


def test_a_new_pod_of_another_revision_on_the_node_is_a_rollout() -> None:
    """As everywhere."""
    assert outcome(verdict(of_daemonset(), daemonset(), [agent("node-1", "new", **fresh(labels=NEWER))])) is (
        Outcome.ROLLED_OUT
    )


def test_a_node_that_can_have_no_pod_any_more_ends_well() -> None:
    """No replacement will come, and nobody has failed; but a pod that is there counts for more than a node's labels."""
    why = "node node-1 is gone"
    found = verdict(of_daemonset(), daemonset(), OTHERS, unfit=why)
    assert isinstance(found, Ended)
    assert (found.outcome, found.detail) == (Outcome.SCALED_DOWN, why)
    new = agent("node-1", "new", **fresh())
    assert outcome(verdict(of_daemonset(), daemonset(), [new], unfit=why)) is Outcome.REPLACED
    old = agent("node-1", UID, deleted_at=NOW + 20.0)
    assert outcome(verdict(of_daemonset(), daemonset(), [old], unfit=why)) is None, "not before the old pod is gone"


def test_fewer_wanted_pods_alone_end_nothing() -> None:
    """Another node has left: that tells nothing of ours, whose pod may never come back."""
    assert outcome(verdict(of_daemonset(), daemonset(wanted=2), OTHERS)) is None
    assert outcome(verdict(of_daemonset(), daemonset(wanted=2), OTHERS, now=TAKEN + 600)) is Outcome.NOT_READY


def test_a_daemonsets_pod_that_does_not_get_onto_its_node_is_the_reason() -> None:
    """It is made for the node, and the scheduler says why it can't be there."""
    waiting = agent("node-1", "new", **fresh(ready_since=None, unschedulable="Insufficient memory", phase="Pending"))
    found = verdict(of_daemonset(), daemonset(), [waiting])
    assert isinstance(found, Waiting)
    assert found.reason == "agent-new: Unschedulable: Insufficient memory"
    found = verdict(of_daemonset(), daemonset(), [waiting], now=NOW + 60)
    assert isinstance(found, Ended)
    assert (found.outcome, found.suspects) == (Outcome.NOT_READY, ("new",))


# Workloads of other projects


def clone(uid: str, **changes: Any) -> LivePod:  # noqa: ANN401
    """A pod of the custom workload."""
    return controlled(CUSTOM, name=f"clones-{uid}", uid=uid, **changes)


CLONES = (clone("peer-1"), clone("peer-2"))


def test_without_a_wanted_number_as_many_as_before_are_enough() -> None:
    """A new pod, and as many available as before the act: that is all there is to go by."""
    new = clone("new", **fresh())
    assert outcome(verdict(of_custom(), custom(), [*CLONES, new])) is Outcome.REPLACED
    assert outcome(verdict(of_custom(), custom(), [CLONES[0], new])) is None
    assert outcome(verdict(of_custom(), custom(), CLONES)) is None
    assert outcome(verdict(of_custom(available=2), custom(), [CLONES[0], new])) is Outcome.REPLACED


def test_without_a_wanted_number_nothing_is_scaled_down() -> None:
    """That fewer are wanted can't be seen, so a pod that does not come back is one that does not come back."""
    assert outcome(verdict(of_custom(), custom(), CLONES, now=TAKEN + 600)) is Outcome.NOT_READY


def test_a_number_that_can_be_read_only_now_counts() -> None:
    """The right was given while we waited."""
    assert outcome(verdict(of_custom(), custom(wanted=2), CLONES)) is Outcome.SCALED_DOWN
    assert outcome(verdict(of_custom(), custom(wanted=3), CLONES)) is None


def test_a_template_hash_of_another_project_tells_of_a_rollout() -> None:
    """By the label that controllers use; without any, templates can't be told apart."""
    assert outcome(verdict(of_custom(), custom(), [*CLONES, clone("new", **fresh(labels=NEWER))])) is Outcome.ROLLED_OUT
    plain = clone("new", **fresh(labels={}))
    assert outcome(verdict(of_custom(revision=""), custom(), [*CLONES, plain])) is Outcome.REPLACED


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_namesakes_of_other_projects_go_by_the_rule_for_all_others(kind: str) -> None:
    """Another project's StatefulSet may leave ordinals out, so its pod 3 of 3 is not one too many."""
    ref = WorkloadRef(kind, "shop", "db", "uid", "apps.kruise.io/v1beta1")
    one = replace(of_statefulset(3), workload=ref)
    peers = [member(0, "peer-1", ref=ref), member(2, "peer-2", ref=ref)]
    of = custom(ref=ref, wanted=3)
    assert outcome(verdict(one, of, peers)) is None, "it is not scaled down"
    new = member(3, "new", ref=ref, **fresh(node="node-7"))
    assert outcome(verdict(one, of, [*peers, new], unfit="no such thing")) is Outcome.REPLACED
    assert outcome(verdict(one, of, [peers[0], new])) is None, "as many as before are needed"


def test_a_record_without_a_group_is_of_kubernetes_own() -> None:
    """Records of before had no group."""
    ref = replace(of_statefulset().workload, api_version="")
    one = replace(of_statefulset(1), workload=ref)
    assert outcome(verdict(one, statefulset(ref=ref), [member(1, "new", **fresh())])) is Outcome.REPLACED


# Hopeless


def lost(uid: str = "new", **changes: Any) -> LivePod:  # noqa: ANN401
    """A new pod of the custom workload that nobody can place."""
    why = {"phase": "Pending", "unschedulable": "0/3 nodes are available", "containers": ()}
    return clone(uid, **fresh(ready_since=None, **why, **changes))


def pulling(words: str, uid: str = "new") -> LivePod:
    """A new pod whose image does not come."""
    return clone(uid, **fresh(ready_since=None, phase="Pending", containers=(container(waiting=words),)))


@pytest.mark.parametrize(
    "words",
    ["ErrImagePull: gone", "ImagePullBackOff: gone", "InvalidImageName: x y", "CreateContainerConfigError: no secret"],
)
def test_what_needs_a_hand_is_not_waited_for(words: str) -> None:
    """A minute, and not the whole ``readyTimeout``; the reason is Kubernetes' own."""
    found = verdict(of_custom(), custom(), [*CLONES, pulling(words)])
    assert isinstance(found, Waiting)
    assert found.until == NOW - 9 + 60
    found = verdict(of_custom(), custom(), [*CLONES, pulling(words)], now=NOW - 9 + 60)
    assert isinstance(found, Ended)
    assert found.outcome is Outcome.NOT_READY
    assert words in found.detail


def test_an_image_of_an_init_container_is_an_image() -> None:
    """The containers behind it only say that they are waiting for it."""
    behind = (container(waiting="PodInitializing", started_at=None),)
    new = clone("new", **fresh(ready_since=None, containers=behind, initializing="ImagePullBackOff: no such image"))
    found = verdict(of_custom(), custom(), [*CLONES, new], now=NOW + 60)
    assert isinstance(found, Ended)
    assert found.outcome is Outcome.NOT_READY
    assert found.detail.endswith("clones-new: an init container: ImagePullBackOff: no such image")


@pytest.mark.parametrize("words", ["CrashLoopBackOff: back-off 10s", "ContainerCreating", "PodInitializing"])
def test_what_time_may_mend_has_all_of_its_time(words: str) -> None:
    """A crash may be the last one."""
    found = verdict(of_custom(), custom(), [*CLONES, pulling(words)], now=TAKEN + 599)
    assert isinstance(found, Waiting)
    assert found.until == TAKEN + 600


def test_a_failed_creation_is_a_minute_old_before_it_ends_anything() -> None:
    """Where it has lasted longer than that, it counts from the moment at which a pod could be made."""
    for since in (NOW - 5.0, NOW - 5000.0):
        failing = custom(creation_failure="FailedCreate: exceeded quota", creation_failed_at=since)
        begun = max(since, TAKEN)
        assert outcome(verdict(of_custom(), failing, CLONES, now=begun + 59)) is None
        found = verdict(of_custom(), failing, CLONES, now=begun + 60)
        assert isinstance(found, Ended)
        assert found.outcome is Outcome.NOT_READY
        assert "exceeded quota" in found.detail


def test_a_failed_creation_of_more_pods_does_not_matter_where_ours_is_there() -> None:
    """The quota is full, and the new pod is just starting."""
    failing = custom(creation_failure="FailedCreate: exceeded quota", creation_failed_at=NOW - 500.0)
    starting = clone("new", **fresh(ready_since=None))
    found = verdict(of_custom(), failing, [*CLONES, starting], now=NOW + 300)
    assert isinstance(found, Waiting)
    assert found.until == TAKEN + 600


@pytest.mark.parametrize("hope", [clone("b", **fresh(ready_since=None)), clone("b", **fresh())])
def test_while_one_new_pod_has_hope_there_is_hope(hope: LivePod) -> None:
    """Several are in flight, and which is whose can't be told."""
    assert outcome(verdict(of_custom(), custom(), [CLONES[0], lost("a"), hope], now=NOW + 300)) is None


def test_the_hope_of_another_record_is_not_ours() -> None:
    """A new pod that has settled another record does not keep ours alive, nor is it named as what is missing."""
    settled, ours = clone("a", **fresh()), lost("b")
    found = verdict(of_custom(), custom(), [CLONES[0], settled, ours], claimed=["a"], now=NOW + 60)
    assert isinstance(found, Ended)
    assert (found.outcome, found.suspects) == (Outcome.NOT_READY, ("b",))
    assert found.detail.endswith("clones-b: Unschedulable: 0/3 nodes are available")
    found = verdict(of_custom(), custom(), [CLONES[0], settled], claimed=["a"])
    assert isinstance(found, Waiting)
    assert found.reason == "CloneSet/clones has not made a new pod"


def test_nothing_is_hopeless_while_the_old_pod_is_there() -> None:
    """It holds the place, the volume or the quota that the new one waits for."""
    old = clone(UID, deleted_at=NOW + 3000.0)
    found = verdict(of_custom(), custom(), [*CLONES, old, lost()], now=NOW + 2000)
    assert isinstance(found, Waiting)
    assert found.reason == "the old pod is terminating"


def test_hopeless_is_counted_from_when_the_old_pod_was_gone() -> None:
    """A new pod that had to wait for it for an hour has a minute to be placed, and not none."""
    gone = NOW + 3600.0
    assert outcome(verdict(of_custom(), custom(), [*CLONES, lost()], gone_at=gone, now=gone)) is None
    assert outcome(verdict(of_custom(), custom(), [*CLONES, lost()], gone_at=gone, now=gone + 59)) is None
    assert outcome(verdict(of_custom(), custom(), [*CLONES, lost()], gone_at=gone, now=gone + 60)) is Outcome.NOT_READY


# readyTimeout


@pytest.mark.parametrize("made", [NOW - 9.0, NOW + 3000.0])
def test_ready_timeout_counts_from_when_the_old_pod_was_gone(made: float) -> None:
    """With an hour of grace the new pod may have been made long before; what it waits for is the end of the old one."""
    gone = NOW + 3600.0
    attaching = clone("new", created_at=made, ready_since=None, containers=(container(started_at=None, id=""),))
    found = verdict(of_custom(), custom(), [*CLONES, attaching], gone_at=gone, now=gone)
    assert isinstance(found, Waiting)
    assert found.until == gone + 600
    found = verdict(of_custom(), custom(), [*CLONES, attaching], gone_at=gone, now=gone + 600)
    assert isinstance(found, Ended)
    assert found.detail.startswith("no replacement of clones-old was available after 600 s")


def test_what_runs_beside_the_old_pod_has_not_waited_for_it() -> None:
    """So that a leader who takes over in the middle does not begin to count anew."""
    running = clone("new", **fresh(ready_since=None, containers=(container(started_at=TAKEN + 3),)))
    found = verdict(of_custom(), custom(), [*CLONES, running], gone_at=NOW + 500.0, now=NOW + 500)
    assert isinstance(found, Waiting)
    assert found.until == TAKEN + 3 + 600
    assert outcome(verdict(of_custom(), custom(), [*CLONES, running], gone_at=NOW + 500.0, now=TAKEN + 603)) is (
        Outcome.NOT_READY
    )


def test_a_container_that_runs_since_before_the_act_moves_nothing_back() -> None:
    """Clocks differ: no time is counted from before the pod was taken."""
    running = clone("new", **fresh(ready_since=None, containers=(container(started_at=TAKEN - 100),)))
    found = verdict(of_custom(), custom(), [*CLONES, running])
    assert isinstance(found, Waiting)
    assert found.until == TAKEN + 600


def test_a_new_pod_that_is_there_is_not_called_missing() -> None:
    """What keeps the record open is a peer that went down, and that is what is said."""
    found = verdict(of_custom(), custom(), [CLONES[0], clone("new", **fresh())])
    assert isinstance(found, Waiting)
    assert found.reason == "2 of 3 pods are available"
    found = verdict(of_custom(), custom(), [clone("new", **fresh()), lost("second")])
    assert isinstance(found, Waiting)
    assert found.reason == "1 of 3 pods are available; clones-second: Unschedulable: 0/3 nodes are available"


# The old pod


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("wanted", [1, 3])
def test_an_eviction_that_was_intercepted_is_blocked_in_the_end(
    wanted: int,
    there: bool,  # noqa: FBT001
) -> None:
    """The old pod is there and nobody has begun to end it: it is not stuck, even where a new pod came for a peer."""
    old = controlled(workload().ref, uid=UID, controller=OwnerReference("apps/v1", "ReplicaSet", "web", "rs-uid"))
    new = [replace(old, uid="new", name="new", **fresh())] if there else []
    peers = [replace(old, uid="peer-1"), replace(old, uid="peer-2")]
    one, of = record(), workload(wanted=wanted)
    for now in (NOW, TAKEN + 95, TAKEN + 599):
        found = verdict(one, of, [old, *peers, *new], now=float(now))
        assert isinstance(found, Waiting)
        assert found.reason == "the old pod is there, and not terminating"
        assert found.until == TAKEN + 600
    found = verdict(one, of, [old, *peers, *new], now=TAKEN + 600)
    assert isinstance(found, Ended)
    assert (found.outcome, found.replacement) == (Outcome.BLOCKED, None)


@pytest.mark.parametrize(
    ("one", "of", "old"),
    [
        (of_statefulset(1), statefulset(), member(1, UID, deleted_at=NOW + 3600.0, finalizers=("x/y",))),
        (of_daemonset(), daemonset(), agent("node-1", UID, deleted_at=NOW + 3600.0, finalizers=("x/y",))),
        (of_custom(), custom(), clone(UID, deleted_at=NOW + 3600.0, finalizers=("x/y",))),
    ],
)
def test_a_pod_of_any_owner_that_does_not_end_is_stuck(one: Remediation, of: Workload, old: LivePod) -> None:
    """A minute after the end of its grace period, however long that was; ``readyTimeout`` does not matter."""
    assert outcome(verdict(one, of, [old], now=NOW + 3659.0)) is None
    found = verdict(one, of, [old], now=NOW + 3660.0)
    assert isinstance(found, Ended)
    assert found.outcome is Outcome.STUCK_TERMINATING
    assert found.detail == f"{old.name} is still terminating 60 s after its grace period: finalizers x/y"


# Whatever happens

STATES = ("available", "fresh", "unready", "terminating", "finished", "unschedulable", "running-long")
MIN_READY = 10


def in_state(base: LivePod, state: str) -> LivePod:
    """The pod in that state; ``fresh`` is Ready for five seconds only."""
    changes: dict[str, dict[str, Any]] = {
        "available": {"ready_since": NOW - 100.0},
        "fresh": {"ready_since": NOW - 5.0},
        "unready": {"ready_since": None},
        "terminating": {"deleted_at": NOW + 20.0},
        "finished": {"phase": "Failed"},
        "unschedulable": {"ready_since": None, "phase": "Pending", "unschedulable": "no node", "containers": ()},
        "running-long": {"ready_since": None, "containers": (container(started_at=float(NOW - 5000)),)},
    }
    return replace(base, **changes[state])


def is_up(state: str, min_ready: int) -> bool:
    """Whether a pod in that state is available, by what the states are."""
    return state == "available" or (state == "fresh" and min_ready == 0)


PODS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(STATES), st.booleans(), st.booleans()), max_size=5
)  # place, state, from another revision, there before


@given(
    pods=PODS,
    old=st.sampled_from([None, "available", "unready", "terminating"]),
    claimed=st.sets(st.sampled_from(["n0", "n1", "n2"])),
    place=st.integers(0, 3),
    first=st.integers(0, 2),
    wanted=st.integers(0, 4),
    min_ready=st.sampled_from([0, MIN_READY]),
    unfit=st.sampled_from(["", "node node-1 is gone"]),
    elapsed=st.sampled_from([0.0, 50.0, 95.0, 599.0, 600.0, 5000.0]),
    ago=st.sampled_from([0.0, 30.0, 61.0, 700.0]),
    of=st.sampled_from(["StatefulSet", "DaemonSet"]),
)
@example([(1, "available", False, False)], None, set(), 1, 0, 3, 0, "", 50.0, 0.0, "StatefulSet")
@example([(1, "available", False, False)], "terminating", set(), 1, 0, 3, 0, "", 50.0, 0.0, "DaemonSet")
def test_what_is_called_replaced_is(
    pods: list[tuple[int, str, bool, bool]],
    old: str | None,
    claimed: set[str],
    place: int,
    first: int,
    wanted: int,
    min_ready: int,
    unfit: str,
    elapsed: float,
    ago: float,
    of: str,
) -> None:
    """Each verdict, against what it means: told from the states alone, for pods that have a place of their own."""

    def made(uid: str, where: int, *, other: bool) -> LivePod:
        labels = NEWER if other else {"app": "db", REVISION: OLD}
        if of == "StatefulSet":
            return member(where, uid, labels=labels, created_at=NOW - elapsed)
        return agent(f"node-{where}", uid, labels=labels, created_at=NOW - elapsed)

    there = {f"{'b' if before else 'n'}{n}": (at, state, other) for n, (at, state, other, before) in enumerate(pods)}
    live = {uid: in_state(made(uid, at, other=other), state) for uid, (at, state, other) in there.items()}
    if old is not None:
        live[UID] = in_state(made(UID, place, other=False), old)
    base = of_statefulset(place) if of == "StatefulSet" else of_daemonset()
    one = replace(
        base,
        taken_at=NOW - elapsed,
        breach=replace(base.breach, node=f"node-{place}"),
        baseline=replace(base.baseline, pods=frozenset({UID, *(uid for uid in there if uid.startswith("b"))})),
    )
    owner = statefulset(wanted=wanted, first_ordinal=first) if of == "StatefulSet" else daemonset(wanted=wanted)
    gone_at = None if old else NOW - min(ago, elapsed)
    found = assess(
        one,
        Scene(
            workload=replace(owner, min_ready_seconds=min_ready),
            pods=live,
            claimed=frozenset(claimed),
            now=float(NOW),
            gone_at=gone_at,
            unfit=unfit,
        ),
    )

    ours = {uid: what for uid, what in there.items() if uid.startswith("n") and what[0] == place}
    rolled = any(other and state != "terminating" for _, state, other in ours.values())
    settling = {uid for uid, (_, state, _) in ours.items() if is_up(state, min_ready) and uid not in claimed}
    unwanted = bool(unfit) if of == "DaemonSet" else not first <= place < first + wanted
    mine = [state for uid, (_, state, _) in ours.items() if uid not in claimed]
    alive = [state for state in mine if state not in {"terminating", "finished"}]
    gone_for = min(ago, elapsed)
    has_run = any(state != "unschedulable" for state in mine)
    hopeless = bool(alive) and all(state == "unschedulable" for state in alive)
    time_is_over = (elapsed if has_run else gone_for) >= 600 or (hopeless and gone_for >= 60)
    if isinstance(found, Waiting):
        assert found.reason
        assert found.until > NOW, "nobody waits for what is past"
        assert not rolled
        assert old is not None or not (settling or unwanted or time_is_over), "it was over"
        return
    assert (found.replacement is not None) is (found.outcome is Outcome.REPLACED)
    match found.outcome:
        case Outcome.REPLACED:
            assert found.replacement
            assert found.replacement.uid in settling
            assert not rolled
            assert old is None
        case Outcome.ROLLED_OUT:
            assert rolled
        case Outcome.SCALED_DOWN:
            assert old is None
            assert unwanted
            assert not settling
        case Outcome.BLOCKED:
            assert old in {"available", "unready"}
            assert elapsed >= 600
        case Outcome.NOT_READY:
            assert old is None
            assert time_is_over
            assert {bool(settling), unwanted} == {False}
        case _:
            pytest.fail(f"no such end: {found}")
