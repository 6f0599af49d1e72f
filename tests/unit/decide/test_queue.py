"""Whether a queue clears before its pods reach their limits, and what is proposed where it does not."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remediator.decide.journal import budget, cooldown, in_flight, per_workload_limit
from remediator.decide.queue import CONSIDERED, Flight, Pace, Queue, late_queue, turns, waits
from remediator.model.measures import Breach, Veto
from remediator.model.queues import LateQueue
from remediator.model.remediations import Act, Baseline, Ledger, Remediation
from remediator.model.vocabulary import Outcome, Reason
from remediator.model.workloads import Workload, WorkloadRef
from remediator.policy import Budget, CountOrPercent, Policy, PolicyFile
from remediator.policy.cron import Cron
from tests.unit.make import DEPLOYMENT, NOW, breach, policies, policy, record, workload

MI = 1 << 20
FREE = Budget(actions=1000, per=86400)
SLOW = Pace(at_a_time=1, cooldown=600, per_workload=FREE, budget=FREE, every=60, took=45)


def of(name: str, *, left: float, growth: float = MI) -> Breach:
    """A breach of that pod, so many seconds from its limit of 1000 MiB, and over 500."""
    limit = 1000 * MI
    return breach(
        pod=name,
        uid=name,
        value=limit - left * growth,
        limit=limit,
        threshold=500.0 * MI,
        threshold_text="50% of limit",
        growth=float(growth),
    )


def late(
    *some: Breach,
    by: Policy | None = None,
    file: PolicyFile | None = None,
    ledger: Ledger | None = None,
    of_workload: Workload | None = None,
    ref: WorkloadRef = DEPLOYMENT,
) -> LateQueue | None:
    """What is said of a queue of these, which has not been acted upon before unless a journal says so."""
    by = by or policy(pace=60, cooldown=600, max_per_workload=FREE)
    queue = Queue(ref, of_workload or workload(wanted=10), list(some))
    found = late_queue(queue, policy=by, policies=file or policies(by), ledger=ledger or Ledger(), now=NOW)
    if found:
        assert found.pod in str(found)
        assert found.remedy in str(found)
    return found


# When the turns are


@pytest.mark.parametrize(
    ("pace", "expected"),
    [
        pytest.param(SLOW, [0, 660, 1320], id="settled after 45 s, then 600 s, then the next minute"),
        pytest.param(replace(SLOW, every=15), [0, 645, 1290], id="looked at more often"),
        pytest.param(replace(SLOW, cooldown=0), [0, 60, 120], id="no cooldown"),
        pytest.param(replace(SLOW, cooldown=0, at_a_time=2), [0, 0, 60], id="two at a time"),
        pytest.param(replace(SLOW, at_a_time=3), [0, 660, 1320], id="three at a time, and the cooldown after each"),
        pytest.param(replace(SLOW, took=900, at_a_time=3), [0, 600, 2100], id="a second one while the first lasts"),
        pytest.param(replace(SLOW, per_workload=Budget(actions=2, per=3600)), [0, 660, 3600], id="two an hour"),
        pytest.param(replace(SLOW, budget=Budget(actions=1, per=7200)), [0, 7200, 14400], id="the cluster's budget"),
    ],
)
def test_turns_come_as_the_guards_allow(pace: Pace, expected: list[float]) -> None:
    """At the first evaluation at which nothing of the policy and the journal objects."""
    assert list(turns(3, past=(), pace=pace)) == expected


def test_what_was_done_before_counts() -> None:
    """One that is under way, a cooldown that runs, and what was spent within the window, also elsewhere."""
    assert list(turns(1, past=[Flight(-30, 15)], pace=SLOW)) == [660]
    assert list(turns(1, past=[Flight(-300, -255)], pace=SLOW)) == [360]
    assert list(turns(1, past=[Flight(-300, -255, ours=False)], pace=SLOW)) == [0]
    spent = [Flight(-3000, -2955, ours=False)]
    hourly = replace(SLOW, budget=Budget(actions=1, per=3600))
    assert list(turns(1, past=spent, pace=hourly)) == [600]
    assert list(turns(1, past=[replace(spent[0], spends=False)], pace=hourly)) == [0]


@example(at_a_time=1, pause=30, took=250, every=15, limit=Budget(actions=1, per=60), past=[(250, False, True)])
@given(
    at_a_time=st.integers(1, 3),
    pause=st.sampled_from([0, 30, 100, 600]),
    took=st.sampled_from([10, 60, 250]),
    every=st.sampled_from([15, 60]),
    limit=st.builds(Budget, actions=st.integers(1, 3), per=st.sampled_from([60, 900, 3600])),
    past=st.lists(st.tuples(st.integers(0, 2000), st.booleans(), st.booleans()), max_size=4),
)
def test_the_turns_are_those_of_the_guards(
    at_a_time: int, pause: int, took: int, every: int, limit: Budget, past: list[tuple[int, bool, bool]]
) -> None:
    """At each turn no guard objects, and at the evaluation before it one did: the guards themselves are asked."""
    by = policy(max_unavailable=CountOrPercent(at_a_time), cooldown=pause, max_per_workload=limit)
    file = policies(by, budget=Budget(actions=4, per=1800))
    pace = Pace(at_a_time, pause, limit, file.safety.budget, every, took)
    flights = [Flight(-ago, -ago + took, spends, ours) for ago, spends, ours in past]
    found = list(turns(4, past=flights, pace=pace))
    earlier = 0.0
    for turn in found:
        assert _objections(turn, flights, by, file) == []
        if turn - every >= earlier:
            assert _objections(turn - every, flights, by, file), "it could have gone before"
        flights.append(Flight(turn, turn + took))
        earlier = turn


def _objections(moment: float, flights: list[Flight], by: Policy, file: PolicyFile) -> list[Veto]:
    """What the guards of the policy and the journal say at that moment."""
    acts, records = [], {}
    for n, flight in enumerate(flights):
        uid = DEPLOYMENT.uid if flight.ours else f"other-{n}"
        ended = flight.ends <= moment
        acts.append(Act(uid, str(n), flight.begun, flight.ends if ended else None, flight.spends))
        if not ended:
            records[str(n)] = _record(str(n), uid)
    ledger = Ledger(in_flight=records, acts=tuple(acts))
    found = (
        in_flight(breach(uid="peer-1"), DEPLOYMENT, by, ledger),
        cooldown(DEPLOYMENT, by, ledger, moment),
        per_workload_limit(DEPLOYMENT, by, ledger, moment),
        budget(file, ledger, moment),
    )
    return [veto for veto in found if veto]


def _record(name: str, uid: str) -> Remediation:
    return record(id=name, workload=replace(DEPLOYMENT, uid=uid), breach=breach(uid=name))


# Who is late


def test_a_queue_that_clears_in_time_is_nothing_to_tell() -> None:
    """The third of three goes after 1320 s, and has a little longer."""
    assert late(of("a", left=10), of("b", left=700), of("c", left=1321)) is None


def test_a_queue_that_is_slower_than_the_leak_is_told_with_numbers() -> None:
    """Who will be latest, when it reaches its limit, when its turn comes, and what one replacement takes."""
    found = late(of("a", left=100), of("b", left=200), of("c", left=300), of("d", left=5000))
    assert found is not None
    assert (found.waiting, found.late, found.pod) == (4, 2, "c")
    assert found.limit_in == pytest.approx(300)
    assert (found.turn_in, found.took) == (1320, 60)
    assert str(found).startswith(
        "2 of 4 waiting pods of Deployment/web reach their limit before their turn: c in 300 s, its turn is in 1320 s; "
    )


@pytest.mark.parametrize(
    "calm",
    [
        pytest.param(replace(of("b", left=1), growth=0.0), id="it does not grow"),
        pytest.param(replace(of("b", left=1), growth=-5.0), id="it shrinks"),
        pytest.param(replace(of("b", left=1), limit=None), id="it has no limit"),
    ],
)
def test_who_reaches_no_limit_is_never_late(calm: Breach) -> None:
    """However long it waits."""
    assert late(of("a", left=100), calm) is None


def test_one_that_is_at_its_limit_and_has_to_wait_is_late() -> None:
    """Alone, after an act a moment ago: there is no queue to be in, and yet it waits."""
    settled = Act(DEPLOYMENT.uid, "x", NOW - 100.0, NOW - 50.0)
    found = late(of("a", left=0), ledger=Ledger(acts=(settled,)))
    assert found is not None
    assert (found.limit_in, found.turn_in) == (0, 600)


def test_how_long_one_takes_is_read_from_the_journal() -> None:
    """The median of this workload's last five that were replaced; what ended otherwise says nothing."""
    lasted = [10, 9999, 20, 300, 200, 400, 100]
    done = [
        record(id=str(n), outcome=Outcome.REPLACED, intended_at=NOW - 90000.0, settled_at=NOW - 90000.0 + seconds)
        for n, seconds in enumerate(lasted)
    ]
    other = record(workload=replace(DEPLOYMENT, uid="x"), outcome=Outcome.REPLACED, intended_at=0.0, settled_at=99.0)
    failed = record(outcome=Outcome.NOT_READY, intended_at=0.0, settled_at=5000.0)
    found = late(of("a", left=1), of("b", left=1), ledger=Ledger(settled=(*done, other, failed)))
    assert found is not None
    assert found.took == 200
    assert found.turn_in == 840


def test_a_cron_counts_with_its_shortest_pause() -> None:
    """Nobody goes between two nights, so the second one is a day late."""
    nightly = policy(pace=Cron("0 3 * * *"), max_per_workload=FREE)
    found = late(of("a", left=3600), of("b", left=3600), by=nightly)
    assert found is not None
    assert found.turn_in == 86400
    assert found.remedy == "set cooldown: 0s, maxUnavailable: 5 together"


@pytest.mark.parametrize(
    ("facts", "late_ones"),
    [
        pytest.param({"of_workload": workload(wanted=4)}, 0, id="half of four"),
        pytest.param({"of_workload": workload(wanted=2)}, 1, id="half of two"),
        pytest.param({"of_workload": workload(wanted=4, ordered=True)}, 1, id="in order"),
    ],
)
def test_so_many_at_a_time_as_the_workload_allows(facts: dict[str, Any], late_ones: int) -> None:
    """A percentage is of what is wanted; a StatefulSet that makes its pods in order makes one at a time."""
    half = policy(max_unavailable=CountOrPercent(50, is_percent=True), cooldown=0, pace=60, max_per_workload=FREE)
    found = late(of("a", left=30), of("b", left=30), by=half, **facts)
    assert (found.late if found else 0) == late_ones


def test_a_workload_of_which_only_the_name_is_known() -> None:
    """What it wanted last, by the journal, else as many as wait; a StatefulSet is taken to make one at a time."""
    half = policy(max_unavailable=CountOrPercent(50, is_percent=True), cooldown=0, pace=60, max_per_workload=FREE)
    pods = [of(name, left=30) for name in "ab"]

    def found(ref: WorkloadRef, ledger: Ledger) -> LateQueue | None:
        queue = Queue(ref, None, list(pods))
        return late_queue(queue, policy=half, policies=policies(half), ledger=ledger, now=NOW)

    before = record(outcome=Outcome.CALLED_OFF, baseline=Baseline(frozenset(), 4, 4, "1"), settled_at=NOW - 9000.0)
    assert found(DEPLOYMENT, Ledger()) is not None
    assert found(DEPLOYMENT, Ledger(settled=(before,))) is None
    assert found(replace(DEPLOYMENT, kind="StatefulSet"), Ledger(settled=(before,))) is not None


def test_the_clusters_own_bounds_count() -> None:
    """``maxConcurrent`` bounds how many go at a time, and the budget how many go at all."""
    wide = policy(max_unavailable=CountOrPercent(4), cooldown=0, pace=60, max_per_workload=FREE)
    pods = [of(name, left=30) for name in "abcd"]
    assert late(*pods, by=wide, file=policies(wide, max_concurrent=4)) is None
    assert late(*pods, by=wide, file=policies(wide, max_concurrent=2)) is not None
    assert late(*pods, by=wide, file=policies(wide, max_concurrent=4, budget=Budget(3, 3600))) is not None


# What is proposed


def remedy(*some: Breach, **facts: Any) -> str:  # noqa: ANN401
    """What is proposed for a queue that is late."""
    found = late(*some, **facts)
    assert found is not None
    return found.remedy


def test_a_shorter_cooldown_and_a_lower_threshold_are_proposed() -> None:
    """The longest cooldown that is enough, and by how much lower the threshold would have begun in time."""
    pods = [of(name, left=400) for name in "abc"]
    assert remedy(*pods) == "set cooldown: 2m", "a threshold would have to be below nothing"
    slower = [of(name, left=400, growth=MI / 10) for name in "abc"]
    assert remedy(*slower) == "set cooldown: 2m, or a threshold that is 92Mi lower"


def test_what_is_proposed_is_enough() -> None:
    """Each setting that is named makes the queue clear in time, and what is milder than it does not."""
    pods = [of(name, left=400) for name in "abc"]
    by = policy(pace=60, cooldown=600, max_per_workload=FREE)
    assert late(*pods, by=replace(by, cooldown=120)) is None
    assert late(*pods, by=replace(by, cooldown=180)) is not None


def test_more_at_a_time_are_proposed_where_the_cooldown_is_no_hindrance() -> None:
    """No more than half of what is wanted, and none for a StatefulSet that makes its pods in order."""
    quick = policy(pace=60, cooldown=0, max_per_workload=FREE)
    pods = [of(name, left=30) for name in "abc"]
    assert "maxUnavailable: 3" in remedy(*pods, by=quick)
    assert "maxUnavailable" not in remedy(*pods, by=quick, of_workload=workload(wanted=4))
    assert "maxUnavailable" not in remedy(*pods, by=quick, of_workload=workload(wanted=10, ordered=True))


def test_a_higher_limit_of_the_workload_is_proposed() -> None:
    """Where the leak is right at the limit of what may be done for one workload."""
    twice = policy(pace=60, cooldown=0, max_per_workload=Budget(actions=2, per=3600))
    pods = [of(name, left=600) for name in "abc"]
    assert remedy(*pods, by=twice) == "set maxPerWorkload.actions: 3"


def test_several_settings_together_are_proposed_where_none_is_enough() -> None:
    """Both stand in the way."""
    both = policy(pace=60, cooldown=600, max_per_workload=Budget(actions=2, per=3600))
    pods = [of(name, left=400) for name in "abc"]
    assert remedy(*pods, by=both) == "set cooldown: 2m, maxPerWorkload.actions: 5 together"


def test_a_leak_that_no_setting_can_follow_is_to_be_mended() -> None:
    """A second from threshold to limit."""
    assert remedy(of("a", left=1, growth=400 * MI), of("b", left=1, growth=400 * MI), of_workload=workload()) == (
        "no setting is enough: mend the leak"
    )


# Who waits


@pytest.mark.parametrize(
    ("reasons", "in_line"),
    [
        ([], True),
        ([Reason.COOLDOWN], True),
        ([Reason.IN_FLIGHT, Reason.BUDGET, Reason.CONCURRENCY, Reason.PER_WORKLOAD_LIMIT], True),
        ([Reason.WORKLOAD_NOT_READY, Reason.DISRUPTION_BUDGET], True),
        ([Reason.COOLDOWN, Reason.PAUSED], False),
        ([Reason.OPTED_OUT], False),
        ([Reason.BREAKER_OPEN], False),
        ([Reason.DRY_RUN], False),
    ],
)
def test_who_waits_for_a_turn_that_will_come(reasons: list[Reason], in_line: bool) -> None:  # noqa: FBT001
    """Pace and readiness pass by themselves; who is left alone for another reason is in no queue."""
    assert waits(Veto(reason, "x") for reason in reasons) is in_line


def test_a_long_queue_costs_little() -> None:
    """No more than the first pods are looked at, and all are counted."""
    found = late(*(of(str(n), left=10) for n in range(5000)))
    assert found is not None
    assert (found.waiting, found.late) == (5000, CONSIDERED - 1)
    assert not math.isinf(found.turn_in)
