"""Changes of the journal: pure, bounded, and harmless when applied twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.act import ledger as changes
from remediator.act.journal import ROOM_FOR_INTENT, encode
from remediator.decide.journal import budget_left, cooldown
from remediator.model.measures import Breach
from remediator.model.remediations import Act, Baseline, Breaker, Ledger, Remediation
from remediator.model.vocabulary import GIVES_BACK, OPENS_BREAKER, Outcome
from remediator.model.workloads import WorkloadRef
from remediator.policy import Budget
from tests.unit.act.strategies import ids, ledgers, records, uids
from tests.unit.make import DEPLOYMENT, NOW, breach, policies, policy, record

HOUR = 3600


def begun(one: Remediation | None = None, *, on: Ledger | None = None) -> Ledger:
    """A journal with this intent."""
    return changes.intended(on or Ledger(epoch=3), one or record())


def ended(outcome: Outcome, *, at: float = NOW, **more: object) -> Remediation:
    """The record of ``record()``, settled."""
    return record(outcome=outcome, settled_at=float(at), **more)


def test_a_new_leader_raises_the_epoch() -> None:
    """The counter is the journal's own, and the rest stays."""
    before = begun()
    after = changes.led(before, "me")
    assert (after.epoch, after.holder) == (before.epoch + 1, "me")
    assert replace(after, epoch=before.epoch, holder=before.holder) == before


def test_an_intent_is_in_flight_and_spent() -> None:
    """With the intent the record is in flight, and cooldown and budget begin."""
    after = begun()
    assert after.in_flight == {record().id: record()}
    assert after.acts == (Act("dep-uid", record().id, record().intended_at),)
    assert after.in_flight_of("dep-uid") == (record(),)
    assert after.in_flight_of("other") == ()


def test_a_record_in_flight_can_be_changed_and_no_other() -> None:
    """What is known of a record grows; one that is settled stays as it ended."""
    more = record(taken_at=NOW - 1.0)
    assert changes.changed(begun(), more).in_flight[more.id] == more
    over = changes.settled(begun(), ended(Outcome.REPLACED))
    assert changes.changed(over, more) == over
    assert changes.changed(Ledger(), more) == Ledger()


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_ends_the_record(outcome: Outcome) -> None:
    """It leaves the flight, its act knows when, and breaker and budget follow from the outcome alone."""
    over = changes.settled(begun(), ended(outcome))
    assert over.in_flight == {}
    assert [one.id for one in over.settled] == [record().id]
    assert [one.outcome for one in over.settled if one.id == record().id] == [outcome]
    [act] = over.acts
    assert act.settled_at == NOW
    assert act.spends == (outcome not in GIVES_BACK)
    assert ("dep-uid" in over.breakers) == (outcome in OPENS_BREAKER)


@pytest.mark.parametrize("outcome", Outcome)
def test_the_cooldown_stays_whatever_the_outcome(outcome: Outcome) -> None:
    """Also a blocked or superseded record pauses its workload; only the budget comes back."""
    over = changes.settled(begun(), ended(outcome))
    assert cooldown(DEPLOYMENT, policy(), over, NOW + 1.0) is not None
    left = budget_left(policies(policy(), budget=Budget(actions=5, per=HOUR)), over, NOW)
    assert left == (5 if outcome in GIVES_BACK else 4)


def test_what_is_not_over_is_not_settled() -> None:
    """Without an outcome and a time nothing is settled."""
    assert changes.settled(begun(), record()) == begun()
    assert changes.settled(begun(), record(outcome=Outcome.REPLACED)) == begun()
    assert begun().in_flight[record().id].outcome is None


def test_an_unknown_record_is_not_settled() -> None:
    """A record that another leader has settled, or that an operator's new journal has not, changes nothing."""
    assert changes.settled(Ledger(), ended(Outcome.NOT_READY)) == Ledger()


def test_a_breaker_holds_the_whole_record() -> None:
    """What is needed to see that the replacement is available after all."""
    over = changes.settled(begun(), ended(Outcome.NOT_READY))
    assert over.breakers["dep-uid"] == Breaker(DEPLOYMENT, NOW, ended(Outcome.NOT_READY))
    assert over.breakers["dep-uid"].record.baseline.pods == record().baseline.pods


def test_a_breaker_is_closed_alone() -> None:
    """Closing one leaves everything else as it is."""
    over = changes.settled(begun(), ended(Outcome.NOT_READY))
    after = changes.closed(over, "dep-uid")
    assert after == replace(over, breakers={})
    assert changes.closed(after, "dep-uid") == after


def test_the_others_see_neither_a_record_nor_what_it_spent() -> None:
    """What a record's own second look is asked against."""
    other = record(id="other", workload=WorkloadRef("Deployment", "n", "o", "o-uid"))
    both = changes.intended(begun(), other)
    assert changes.without(both, "other") == begun()


def test_a_new_pod_settles_one_record_only() -> None:
    """The claimed pods of a workload are those of its other records, in flight and settled."""
    one = ended(Outcome.REPLACED, replacement_uid="new-1")
    two = record(id="two", replacement_uid="new-2")
    foreign = record(id="x", workload=WorkloadRef("Deployment", "n", "o", "o-uid"), replacement_uid="new-3")
    held = Ledger(in_flight={"two": two, "x": foreign}, settled=(one,))
    assert changes.claimed(held, record(id="mine")) == {"new-1", "new-2"}
    assert changes.claimed(held, two) == {"new-1"}
    assert changes.claimed(held, one) == {"new-2"}


# Twice


@given(ledger=ledgers, record=records)
def test_every_change_may_be_applied_twice(ledger: Ledger, record: Remediation) -> None:
    """A write whose answer was lost is made again: the second time it changes nothing."""
    several: list[Callable[[Ledger], Ledger]] = [
        lambda held: changes.intended(held, record),
        lambda held: changes.changed(held, record),
        lambda held: changes.settled(held, record),
        lambda held: changes.closed(held, record.workload.uid),
        lambda held: changes.without(held, record.id),
    ]
    for change in several:
        once = change(ledger)
        assert change(once) == once


@given(ledger=ledgers, record=records)
def test_no_change_touches_what_is_not_its_own(ledger: Ledger, record: Remediation) -> None:
    """Other records, other breakers, epoch and holder survive every change; the argument itself is left alone."""
    before = repr(ledger)
    after = changes.settled(changes.changed(changes.intended(ledger, record), record), record)
    assert repr(ledger) == before
    assert (after.epoch, after.holder) == (ledger.epoch, ledger.holder)
    for key, one in ledger.in_flight.items():
        if key != record.id:
            assert after.in_flight[key] == one
    for key, breaker in ledger.breakers.items():
        if key != record.workload.uid:
            assert after.breakers[key] == breaker
    if record.id not in ledger.in_flight:
        assert {one.id for one in ledger.settled} <= {one.id for one in after.settled}


# Bounds


def test_the_last_200_settled_are_kept() -> None:
    """The oldest leave first."""
    held = Ledger()
    for n in range(250):
        one = ended(Outcome.REPLACED, id=str(n), at=NOW + n, workload=WorkloadRef("D", "n", str(n), str(n)))
        held = changes.settled(changes.intended(held, one), one)
    assert [one.id for one in held.settled] == [str(n) for n in range(50, 250)]


@given(
    steps=st.lists(
        st.tuples(uids, ids, st.integers(0, 40 * HOUR), st.integers(0, 40 * HOUR), st.sampled_from(Outcome)),
        max_size=12,
    )
)
def test_no_cooldown_is_forgotten(steps: list[tuple[str, str, int, int, Outcome]]) -> None:
    """However long records are in flight, and whatever else happens: what counts is known until a day after its end.

    That is each act that was spent, and of each workload the newest end.
    """
    events: list[tuple[int, int, Remediation]] = []
    for uid, id_, start, length, outcome in {step[1]: step for step in steps}.values():
        one = record(
            id=id_, workload=WorkloadRef("D", "n", uid, uid), intended_at=float(NOW + start), outcome=outcome,
            settled_at=float(NOW + start + length),
        )  # fmt: skip
        events += [(NOW + start, 0, one), (NOW + start + length, 1, one)]
    held = Ledger()
    over: list[Remediation] = []
    for now, is_end, one in sorted(events, key=lambda event: event[:2]):
        if is_end:
            held = changes.settled(held, one)
            over.append(one)
        else:
            held = changes.intended(held, replace(one, outcome=None, settled_at=None))
        known = {act.remediation_id: act for act in held.acts}
        assert len(known) == len(held.acts), "no act is counted twice"
        for id_ in held.in_flight:
            assert known[id_].settled_at is None
        newest: dict[str, float] = {}
        for past in over:
            assert past.settled_at is not None
            newest[past.workload.uid] = max(newest.get(past.workload.uid, 0.0), past.settled_at)
            if past.settled_at > now - 24 * HOUR and past.outcome not in GIVES_BACK:
                assert known[past.id].settled_at == past.settled_at
        for uid, end in newest.items():
            if end > now - 24 * HOUR:
                assert max(act.settled_at or 0.0 for act in held.acts if act.workload_uid == uid) == end
        assert all(act.settled_at is None or act.settled_at > now - 24 * HOUR for act in held.acts), "it is bounded"


def test_history_gives_way() -> None:
    """The oldest tenth of what is settled, one at least; what is in flight and what was spent stay."""
    held = full(replicas=3, breakers=2)
    less = changes.shorter(held)
    assert less.settled == held.settled[20:]
    assert replace(less, settled=held.settled) == held
    for _ in range(100):
        less = changes.shorter(less)
    assert less.settled == ()


def test_acts_leave_after_a_day() -> None:
    """No cooldown and no window of a budget is longer than a day."""
    early = ended(Outcome.REPLACED, id="early", at=NOW)
    held = changes.settled(begun(replace(early, outcome=None)), early)
    later = record(id="later", intended_at=NOW + 24.0 * HOUR)
    assert [act.remediation_id for act in changes.intended(held, later).acts] == ["later"]


def long(text: str, size: int = 63) -> str:
    """A name of that length that begins so."""
    return (text + "-" + "x" * size)[:size]


def wordy(n: int) -> tuple[WorkloadRef, Breach]:
    """A workload and a breach with the longest names that Kubernetes gives to what a Deployment makes."""
    workload = WorkloadRef(
        "Deployment", long("namespace"), long(f"deployment-{n}"), f"{n:08}-1111-2222-3333-444455556666"
    )
    query = (
        'container_memory_working_set_bytes{container!="",container!="POD",image!="",cluster="production-eu-west-1",'
        f'namespace="{workload.namespace}",pod=~"{workload.name}"}}[180s]'
    )
    found = breach(
        policy=long("policy"),
        namespace=workload.namespace,
        pod=long(f"deployment-{n}"),
        uid=f"{n:08}-aaaa-bbbb-cccc-ddddeeeeffff",
        node=long("ip-10-0-0-1.eu-west-1.compute.internal"),
        container=long("container"),
        query=query,
    )
    return workload, found


def full(*, replicas: int, breakers: int) -> Ledger:
    """A journal after a long bad day: all that is kept, of workloads with that many replicas."""
    baseline = Baseline(
        pods=frozenset(f"{n:08}-aaaa-bbbb-cccc-ddddeeeeffff" for n in range(replicas)),
        wanted=replicas,
        available=replicas,
        pods_version="123456789",
        revision="01234567-89ab-cdef-0123-456789abcdef",
        selector=f"app.kubernetes.io/instance in ({long('instance')}),app.kubernetes.io/name in ({long('name')})",
    )
    words = (
        'no replacement was available within 600 s: container app: ImagePullBackOff: Back-off pulling image "registry.'
        'example.com/team/application@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"'
    )
    held = Ledger(epoch=1000, holder=f"{long('remediator')}_01234567-89ab-cdef-0123-456789abcdef")
    for n in range(480):
        workload, found = wordy(n)
        failed = n >= 480 - breakers
        one = record(
            id=f"{n:012x}",
            workload=workload,
            breach=found,
            baseline=baseline,
            intended_at=NOW + 180.0 * n,
            outcome=Outcome.NOT_READY if failed else Outcome.REPLACED,
            settled_at=NOW + 180.0 * n + 170.123456,
            available_at=NOW + 180.0 * n + 160.123456,
            detail=words,
            replacement=long(f"deployment-{n}"),
            replacement_uid=f"{n:08}-ffff-bbbb-cccc-ddddeeeeffff",
            after=123456789.0,
        )
        held = changes.intended(held, replace(one, outcome=None, settled_at=None))
        if n < 477:
            held = changes.settled(held, one)
    return held


def test_a_full_journal_is_well_below_the_apis_limit() -> None:
    """200 settled, three in flight, ten open breakers and a day of 20 acts an hour: a good half of a MiB."""
    held = full(replicas=30, breakers=10)
    assert (len(held.settled), len(held.in_flight), len(held.acts)) == (200, 3, 480)
    assert len(held.breakers) == 7
    assert len(encode(held).encode()) < 600 * 1024 < ROOM_FOR_INTENT


def test_large_workloads_don_t_fill_the_journal() -> None:
    """The pods of a workload are known while its record is in flight; what is settled does not grow with them."""
    assert len(encode(full(replicas=1000, breakers=0)).encode()) < 640 * 1024 < ROOM_FOR_INTENT


def of_workload(number: int, uid: str, *, at: float, outcome: Outcome = Outcome.REPLACED) -> Remediation:
    """A settled record of that workload; where it was replaced, with a new pod of its own."""
    new = f"new-{number}" if outcome is Outcome.REPLACED else ""
    return record(
        id=f"{number:012x}",
        workload=replace(record().workload, uid=uid),
        intended_at=at - 5,
        outcome=outcome,
        settled_at=at,
        replacement_uid=new,
    )


@pytest.mark.parametrize("outcome", [Outcome.NOTIFIED, Outcome.REPLACED])
def test_many_records_don_t_hide_whose_a_new_pod_is(outcome: Outcome) -> None:
    """Hundreds are settled while one of a pair is in flight: it still sees which new pod has settled the other."""
    waiting = record(id="f" * 12, intended_at=NOW - 100.0)
    ledger = changes.intended(Ledger(), waiting)
    first, before = (
        of_workload(1, waiting.workload.uid, at=NOW - 50.0),
        of_workload(2, waiting.workload.uid, at=NOW - 150.0),
    )
    ledger = replace(ledger, settled=(before, first))
    for number in range(10, 410):
        one = of_workload(number, f"other-{number}", at=float(NOW), outcome=outcome)
        ledger = changes.settled(changes.intended(ledger, replace(one, outcome=None, settled_at=None)), one)
        assert len(ledger.settled) <= changes.KEPT_SETTLED
    assert "new-1" in changes.claimed(ledger, waiting)
    for _ in range(300):
        ledger = changes.shorter(ledger)
    assert [one.id for one in ledger.settled] == [first.id], "all others have given way"
    assert changes.shorter(ledger) == ledger
    over = changes.settled(ledger, replace(waiting, outcome=Outcome.REPLACED, settled_at=float(NOW)))
    assert len(changes.shorter(changes.shorter(over)).settled) == 0, "nobody needs it any more"


def test_a_breaker_sees_whose_a_new_pod_is() -> None:
    """Its missing replacement is not one that another record was settled with, however much has happened since."""
    failed = record(id="f" * 12, intended_at=NOW - 100.0, outcome=Outcome.NOT_READY, settled_at=NOW - 10.0)
    ledger = changes.settled(changes.intended(Ledger(), replace(failed, outcome=None, settled_at=None)), failed)
    ledger = replace(ledger, settled=(of_workload(1, failed.workload.uid, at=NOW - 50.0), *ledger.settled))
    for _ in range(300):
        ledger = changes.shorter(ledger)
    assert changes.claimed(ledger, failed) == {"new-1"}
    closed = changes.closed(ledger, failed.workload.uid)
    assert changes.shorter(closed).settled == ()


def test_what_took_nothing_does_not_push_out_what_did() -> None:
    """Reports come by the hundred; what was done, and what is stuck, is seen for longer."""
    ledger = Ledger()
    for number in range(1000):
        outcome = Outcome.STUCK_TERMINATING if number % 10 == 0 else Outcome.NOTIFIED
        one = of_workload(number, f"w-{number}", at=NOW + float(number), outcome=outcome)
        ledger = changes.settled(changes.intended(ledger, replace(one, outcome=None, settled_at=None)), one)
    idle = [one for one in ledger.settled if one.outcome is Outcome.NOTIFIED]
    assert (len(ledger.settled), len(idle)) == (200, 100)
    assert min(one.settled_at or 0.0 for one in idle) == NOW + 889
    assert list(ledger.settled) == sorted(ledger.settled, key=lambda one: one.settled_at or 0.0)


def test_chronic_pods_do_not_fill_the_journal() -> None:
    """Forty pods that are reported every half hour for more than a day leave forty acts, and room for those who act."""
    ledger = Ledger()
    for minute in range(0, 26 * 60, 30):
        for number in range(40):
            one = of_workload(minute * 100 + number, f"w-{number}", at=NOW + minute * 60.0, outcome=Outcome.NOTIFIED)
            ledger = changes.settled(changes.intended(ledger, replace(one, outcome=None, settled_at=None)), one)
    assert len(ledger.acts) == 40
    assert {act.settled_at for act in ledger.acts} == {NOW + (26 * 60 - 30) * 60.0}
    assert len(encode(ledger)) < ROOM_FOR_INTENT / 2


def test_reports_from_everywhere_do_not_fill_the_journal() -> None:
    """A policy that only tells, on a very large cluster: the newest cooldowns are kept, and there is room for acts."""
    told = tuple(Act(f"workload-{n}", f"told-{n}", NOW + n, spends=False) for n in range(5 * changes.KEPT_IDLE))
    spent = (Act("web", "taken", float(NOW)), Act("other", "older", NOW + 1.0))
    ledger = changes.intended(Ledger(acts=(*spent, *told)), record(intended_at=NOW + 6.0 * changes.KEPT_IDLE))
    assert ledger.acts[:2] == spent
    assert ledger.acts[2:-1] == told[-changes.KEPT_IDLE :]
    assert len(encode(ledger)) < ROOM_FOR_INTENT / 3


def test_the_longest_cooldown_is_the_one_that_is_kept() -> None:
    """Of two that spent nothing the one that ended last, whichever began first."""
    late = of_workload(1, "w", at=float(NOW), outcome=Outcome.BLOCKED)
    early = replace(of_workload(2, "w", at=float(NOW), outcome=Outcome.CALLED_OFF), settled_at=NOW - 4.0)
    ledger = Ledger()
    for one in (late, early):
        ledger = changes.intended(ledger, replace(one, outcome=None, settled_at=None))
    for one in (early, late):
        ledger = changes.settled(ledger, one)
    assert [act.remediation_id for act in ledger.acts] == [late.id]
