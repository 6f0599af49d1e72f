"""Stage three: what the workload and the disruption budgets say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remediator.decide import about_workload
from remediator.decide.workload import workload_not_ready
from remediator.model.pods import LivePod, OwnerReference
from remediator.model.remediations import Ledger, Remediation
from remediator.model.selectors import LabelSelector
from remediator.model.vocabulary import Reason
from remediator.model.workloads import DisruptionBudget, Workload
from remediator.policy import CountOrPercent, Policy
from tests.unit.make import NOW, breach, peers, pod, policy, record, workload


def reasons(
    taken: LivePod | None = None,
    *,
    of: Workload | None = None,
    budgets: Iterable[DisruptionBudget] = (),
    by: Policy | None = None,
    in_flight: Iterable[Remediation] = (),
) -> dict[Reason, str]:
    """The reasons of this stage with their words, for ``pod()`` of ``workload()`` unless they are changed."""
    found = about_workload(
        taken or pod(),
        workload=of or workload(),
        budgets=tuple(budgets),
        policy=by or policy(),
        ledger=Ledger(in_flight={one.id: one for one in in_flight}),
        now=NOW,
    )
    assert all(veto.detail for veto in found)
    return {veto.reason: veto.detail for veto in found}


def budget(name: str = "web", selector: str = "app=web", **changes: Any) -> DisruptionBudget:  # noqa: ANN401
    """A budget that allows one disruption."""
    return DisruptionBudget(
        name, LabelSelector.parse(selector), **{"allowed": 1, "healthy": 3, "desired": 2, **changes}
    )


def test_nothing_objects_to_one_of_three() -> None:
    """A workload that is all there and rolls nothing out may lose one."""
    assert reasons() == {}


def test_the_workloads_own_mark_opts_out_all_its_pods() -> None:
    """The annotation on the Deployment counts like that on the pod."""
    assert set(reasons(of=workload(annotations={"remediator.dev/opt-out": ""}))) == {Reason.OPTED_OUT}
    assert reasons(of=workload(annotations={"remediator.dev/opt-out": "false"})) == {}


def test_a_rollout_is_waited_for() -> None:
    """What is being rolled out is in the sentence."""
    found = reasons(of=workload(rollout="1 of 3 replicas have the newest template"))
    assert found == {Reason.ROLLOUT_IN_PROGRESS: "Deployment/web: 1 of 3 replicas have the newest template"}


def test_pods_of_two_templates_are_a_rollout() -> None:
    """Whatever the owner says of itself; what has ended is left from before and is none."""
    other = OwnerReference("apps/v1", "ReplicaSet", "web-6666", "rs-other")
    mixed = workload(pods=(pod(), *peers(1), *peers(2, controller=other)[1:]))
    found = reasons(of=mixed)
    assert found == {Reason.ROLLOUT_IN_PROGRESS: "Deployment/web has pods of several templates: web-5d4f, web-6666"}
    ended = workload(pods=(pod(), *peers(2), pod(uid="x", controller=other, phase="Failed")))
    assert reasons(of=ended) == {}


# Not ready


UNREADY = {"ready_since": None}
TERMINATING = {"deleted_at": NOW + 20.0}


def of(*others: LivePod, **changes: Any) -> Workload:  # noqa: ANN401
    """The workload with ``pod()`` and these."""
    return workload(pods=(pod(), *others), **changes)


@pytest.mark.parametrize(
    ("case", "vetoed"),
    [
        pytest.param(of(*peers(2)), False, id="all available"),
        pytest.param(of(*peers(1), *peers(2, **UNREADY)[1:]), True, id="a peer is not Ready"),
        pytest.param(of(*peers(1)), True, id="a peer is missing"),
        pytest.param(of(*peers(2), pod(uid="old", **TERMINATING)), True, id="a peer is terminating already"),
        pytest.param(
            of(*peers(2), pod(uid="old", phase="Failed", ready_since=None, **TERMINATING)), False, id="a dead one"
        ),
        pytest.param(of(*peers(3)), False, id="one more than wanted"),
        pytest.param(of(*peers(3), pod(uid="old", **TERMINATING)), True, id="one more, and one terminating"),
        pytest.param(of(wanted=1), False, id="the only replica"),
        pytest.param(of(*peers(2, ready_since=NOW - 5.0), min_ready_seconds=10), True, id="Ready for too short a time"),
        pytest.param(of(*peers(2, ready_since=NOW - 10.0), min_ready_seconds=10), False, id="Ready for long enough"),
        pytest.param(of(*peers(1), pod(uid="x", phase="Succeeded")), True, id="a finished pod is none"),
        pytest.param(workload(pods=peers(2)), False, id="the pod is not in the list"),
        pytest.param(of(wanted=0), False, id="scaled to nothing"),
    ],
)
def test_no_more_than_one_may_be_missing(case: Workload, vetoed: bool) -> None:  # noqa: FBT001
    """With ``maxUnavailable`` 1 a pod goes only where every other wanted pod is available."""
    assert (Reason.WORKLOAD_NOT_READY in reasons(of=case)) is vetoed


def test_a_pod_that_is_not_ready_may_go_itself() -> None:
    """A leaking pod that fails its probe is the one that is missing already."""
    sick = pod(**UNREADY)
    assert reasons(sick, of=workload(pods=(sick, *peers(2)))) == {}


def test_pods_that_other_records_are_about_to_take_are_missing() -> None:
    """Between intent and eviction a pod is still there, and must not be counted on."""
    other = record(id="peer", breach=breach(uid="peer-1", pod="web-5d4f-p1"), taken_at=None)
    assert Reason.WORKLOAD_NOT_READY in reasons(in_flight=[other])
    two = policy(max_unavailable=CountOrPercent(2))
    assert reasons(in_flight=[other], by=two) == {}


@pytest.mark.parametrize(
    ("allowed", "vetoed"),
    [
        (CountOrPercent(2), False),
        (CountOrPercent(50, is_percent=True), True),
        (CountOrPercent(67, is_percent=True), False),
        (CountOrPercent(1, is_percent=True), True),
    ],
)
def test_with_one_missing_a_second_needs_an_allowance(
    allowed: CountOrPercent,
    vetoed: bool,  # noqa: FBT001
) -> None:
    """A percentage of three is rounded down, to one at least."""
    found = reasons(of=of(*peers(1)), by=policy(max_unavailable=allowed))
    assert (Reason.WORKLOAD_NOT_READY in found) is vetoed


STATES = ("available", "unready", "terminating", "dying", "finished")
"""``dying`` is terminating and not Ready any more."""


def in_state(state: str, uid: str) -> LivePod:
    """A pod of the workload in that state."""
    match state:
        case "available":
            return pod(uid=uid)
        case "unready":
            return pod(uid=uid, ready_since=None)
        case "terminating":
            return pod(uid=uid, deleted_at=NOW + 5.0)
        case "dying":
            return pod(uid=uid, deleted_at=NOW + 5.0, ready_since=None)
        case _:
            return pod(uid=uid, phase="Failed")


@given(
    states=st.lists(st.sampled_from(STATES), min_size=1, max_size=8),
    wanted=st.integers(0, 8),
    claimed=st.sets(st.integers(0, 7)),
    allowed=st.one_of(
        st.integers(1, 4).map(CountOrPercent), st.integers(1, 100).map(lambda n: CountOrPercent(n, is_percent=True))
    ),
)
@example(states=["available"] * 4, wanted=3, claimed={1, 2}, allowed=CountOrPercent(1))
def test_never_more_missing_than_allowed(
    states: list[str], wanted: int, claimed: set[int], allowed: CountOrPercent
) -> None:
    """Where it says nothing, at most ``maxUnavailable`` wanted pods are missing once every doomed pod is gone."""
    pods = [in_state(state, str(n)) for n, state in enumerate(states)]
    others = [record(id=str(n), breach=breach(uid=str(n))) for n in claimed - {0} if n < len(pods)]
    veto = workload_not_ready(
        pods[0],
        workload=workload(wanted=wanted, pods=tuple(pods)),
        policy=policy(max_unavailable=allowed),
        ledger=Ledger(in_flight={one.id: one for one in others}),
        now=NOW,
    )
    remaining = 0
    for n, state in enumerate(states):
        if n != 0 and n not in claimed and state == "available":
            remaining += 1
    most = max(wanted * allowed.value // 100, 1) if allowed.is_percent else allowed.value
    if veto is None:
        assert wanted - remaining <= most
        assert sum(state in {"terminating", "dying"} for state in states[1:]) < most
    if veto is not None and "terminating" not in states[1:] and "dying" not in states[1:]:
        assert wanted - remaining > most, "it has a reason"


# Disruption budgets


@pytest.mark.parametrize(
    ("budgets", "words"),
    [
        pytest.param([], "", id="none"),
        pytest.param([budget()], "", id="one that allows"),
        pytest.param([budget(allowed=0, healthy=2)], "web allows no disruption: 2 healthy, 2 wanted", id="used up"),
        pytest.param([budget(allowed=0, selector="app=other")], "", id="of other pods"),
        pytest.param([DisruptionBudget("null", None, allowed=0)], "", id="that selects nothing"),
        pytest.param([budget(selector="", allowed=0)], "allows no disruption", id="that selects everything"),
        pytest.param([budget(), budget("all", "")], "PodDisruptionBudgets all, web all cover it", id="two"),
        pytest.param([budget(), budget("other", "app=other")], "", id="two, one of other pods"),
        pytest.param([budget(broken="jobs.batch does not implement the scale subresource")], "never", id="broken"),
        pytest.param([budget(observed=False)], "still being computed", id="not yet computed"),
        pytest.param([budget(allowed=-1)], "allows no disruption", id="below nothing"),
    ],
)
def test_a_budget_is_asked_before_the_api_is(budgets: list[DisruptionBudget], words: str) -> None:
    """What the Eviction API would answer is known beforehand, with the budget's name."""
    found = reasons(budgets=budgets)
    assert set(found) == ({Reason.DISRUPTION_BUDGET} if words else set())
    assert words in found.get(Reason.DISRUPTION_BUDGET, "")


@pytest.mark.parametrize(
    ("healthy", "desired", "vetoed"), [(2, 2, False), (3, 2, False), (1, 2, True), (0, 0, True), (2, 0, True)]
)
def test_a_sick_pod_needs_no_allowance_of_a_budget_that_is_met(
    healthy: int,
    desired: int,
    vetoed: bool,  # noqa: FBT001
) -> None:
    """The API lets a pod go that is not Ready where as many are healthy as the budget wants."""
    sick = pod(ready_since=None)
    found = reasons(
        sick, of=workload(pods=(sick, *peers(2))), budgets=[budget(allowed=0, healthy=healthy, desired=desired)]
    )
    assert (Reason.DISRUPTION_BUDGET in found) is vetoed


def test_a_ready_pod_needs_the_allowance() -> None:
    """A healthy pod is one of those that the budget counts."""
    assert Reason.DISRUPTION_BUDGET in reasons(budgets=[budget(allowed=0, healthy=2, desired=2)])


def test_all_reasons_are_told_at_once() -> None:
    """Every reason of the stage, not the first."""
    case = of(rollout="a rollout", annotations={"remediator.dev/opt-out": "1"})
    assert set(reasons(of=case, budgets=[budget(allowed=0)])) == {
        Reason.OPTED_OUT,
        Reason.ROLLOUT_IN_PROGRESS,
        Reason.WORKLOAD_NOT_READY,
        Reason.DISRUPTION_BUDGET,
    }
