"""Beginning, adopting and carrying out, with a cluster that says what the test wants and threads that meet badly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from remediator.act.looks import Go, Vetoed
from remediator.act.remediations import Begun
from remediator.act.surroundings import FRESH
from remediator.cluster.removal import Answer, Taken
from remediator.cluster.store import StoredText
from remediator.errors import JournalMissing, KubernetesUnreachable, NotLeader
from remediator.model.measures import Veto
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Action, Outcome, Reason
from remediator.policy import PolicyFile
from tests.unit import make
from tests.unit.act.fakes import Cluster, Leader, intent, journal, refused
from tests.unit.act.worlds import World, begin, go, remediations

NO = Vetoed((Veto(Reason.ROLLOUT_IN_PROGRESS, "for a moment"),))
LOST = Taken(Answer.UNKNOWN, "the answer was lost", may_have_landed=True)
UNAVAILABLE = Taken(Answer.OVERLOAD, "503 by whoever stands in between", retry_after=1, may_have_landed=True)


def test_a_record_that_is_settled_while_it_is_adopted_is_not_run_again() -> None:
    """The adopter reads the journal, the record's own thread settles it, the adopter goes on: nothing is taken."""
    cluster = Cluster()
    looking, go_on = threading.Event(), threading.Event()

    def guarded() -> Vetoed:
        looking.set()
        go_on.wait(5)
        return NO

    world = World(guarded)
    supervisor = remediations(world, cluster)
    begin(supervisor)
    assert looking.wait(5)
    held = supervisor._means.journal
    real = held.current

    def current() -> Ledger:
        found = real()
        if threading.current_thread() is threading.main_thread() and not go_on.is_set():
            go_on.set()
            supervisor.join(60)
        return found

    held.current = current  # type: ignore[method-assign]
    supervisor.adopt()
    assert "inherited" not in world.told
    assert world.evicted == []
    assert [record.outcome for record in world.settled] == [Outcome.CALLED_OFF]


def test_a_record_for_which_there_was_no_thread_is_carried_on_with_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the journal, nobody works on it, and it holds its slot: the next look adopts it."""
    cluster, world = Cluster(), World(lambda: NO)
    supervisor = remediations(world, cluster)

    def no_thread(_: threading.Thread) -> None:
        message = "can't start new thread"
        raise RuntimeError(message)

    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", no_thread)
        for attempt in (lambda: begin(supervisor), supervisor.adopt):
            with pytest.raises(RuntimeError):
                attempt()
            assert len(cluster.ledger.in_flight) == 1
    supervisor.join(1)
    supervisor.adopt()
    supervisor.join(60)
    assert not cluster.ledger.in_flight


def test_nothing_is_begun_once_we_are_told_to_stop() -> None:
    """An evaluation that is still going on writes no intent: the next leader looks for itself."""
    cluster, world = Cluster(), World(go)
    world.pause = lambda seconds: seconds == 0  # type: ignore[method-assign]
    with pytest.raises(NotLeader, match="nothing new is begun"):
        remediations(world, cluster).begin(go())
    assert cluster.writes == 0


@pytest.mark.parametrize("answer", [LOST, UNAVAILABLE], ids=["lost", "503"])
def test_a_late_request_is_waited_for_from_when_it_was_sent(answer: Taken) -> None:
    """Three answers are lost, each after long looks: the record is dropped only when the last can't arrive any more."""
    cluster = Cluster()
    world = World(go, answers=[answer] * 3)
    slow = world.guarded

    def guarded() -> Go | Vetoed:
        world.now += 60
        return slow()

    world.guarded = guarded
    supervisor = remediations(world, cluster)
    begin(supervisor)
    supervisor.join(60)
    (record,) = world.settled
    assert len(world.evicted) == 3
    assert record.outcome is Outcome.CALLED_OFF
    assert record.settled_at is not None
    assert record.settled_at - world.evicted[-1] >= 90
    assert answer.words in record.detail


def test_refusals_that_change_nothing_are_over_at_once() -> None:
    """Flow control has said three times that it did nothing: no late request is waited for, the words are kept."""
    cluster = Cluster()
    world = World(go, answers=[Taken(Answer.OVERLOAD, "too many requests")] * 3)
    supervisor = remediations(world, cluster)
    begin(supervisor)
    supervisor.join(60)
    (record,) = world.settled
    assert record.outcome is Outcome.CALLED_OFF
    assert "too many requests" in record.detail
    assert world.now == make.NOW


def test_what_was_seen_before_an_overload_is_not_acted_on_after_it() -> None:
    """Another transaction is told to wait while this one looks: it waits, looks again, and only then sends."""
    looks: list[float] = []
    world = World(go, answers=[Taken(Answer.BUDGET, "no")])

    def guarded() -> Go:
        looks.append(world.now)
        if len(looks) == 1:
            world.not_before = world.now + 20
        return go()

    world.guarded = guarded
    supervisor = remediations(world, Cluster())
    begin(supervisor)
    supervisor.join(60)
    assert looks == [make.NOW, make.NOW + 20]
    assert world.evicted == [make.NOW + 20]


def test_an_overload_before_the_look_is_waited_for_first() -> None:
    """One look is enough then."""
    looks: list[float] = []
    world = World(go, answers=[Taken(Answer.BUDGET, "no")], not_before=make.NOW + 7)

    def guarded() -> Go:
        looks.append(world.now)
        return go()

    world.guarded = guarded
    supervisor = remediations(world, Cluster())
    begin(supervisor)
    supervisor.join(60)
    assert looks == world.evicted == [make.NOW + 7]


@pytest.mark.parametrize(
    ("another", "stamped", "seconds"),
    [(Action.SURGE, Answer.ACCEPTED, 15), (Action.SURGE, Answer.FORBIDDEN, 90), (Action.NOTIFY, Answer.ACCEPTED, 90)],
    ids=["stamped", "no right to", "no policy surges"],
)
def test_a_stamp_stands_in_for_the_wait_for_a_late_request(another: Action, stamped: Answer, seconds: int) -> None:
    """An inherited intent that guards object to: dropped once nobody sends anything more, and what was sent fails."""
    cluster, policies = Cluster(), make.policies(make.policy(), make.policy(name="another", action=another))
    journal(cluster, Leader(cluster, "before")).update(intent(make.record(taken_at=None)))
    world = World(lambda: NO, policies=policies, stamped=stamped)
    supervisor = remediations(world, cluster)
    supervisor.adopt()
    supervisor.join(60)
    (record,) = world.settled
    assert record.outcome is Outcome.CALLED_OFF
    assert world.now - make.NOW == seconds


def test_a_clock_that_is_set_forward_ends_no_wait() -> None:
    """An hour ahead, right after the take-over: a late request is waited for all the same."""
    cluster = Cluster()
    journal(cluster, Leader(cluster, "before")).update(intent(make.record(taken_at=None)))
    world = World(lambda: NO)

    def set_forward(seconds: float) -> bool:
        world.now, world.ahead = world.now + max(seconds, 0.0), 3600.0
        return False

    world.pause = set_forward  # type: ignore[method-assign]
    supervisor = remediations(world, cluster)
    supervisor.adopt()
    supervisor.join(60)
    (record,) = world.settled
    assert record.outcome is Outcome.CALLED_OFF
    assert world.now - make.NOW == 90


def test_a_stamp_lets_our_own_request_fail() -> None:
    """Three answers were lost, nobody else can have sent anything, and the pod is stamped: nothing is waited for."""
    policies = make.policies(make.policy(), make.policy(name="another", action=Action.SURGE))
    world = World(go, answers=[LOST] * 3, policies=policies)
    supervisor = remediations(world, Cluster())
    begin(supervisor)
    supervisor.join(60)
    (record,) = world.settled
    assert record.outcome is Outcome.CALLED_OFF
    assert record.settled_at == world.evicted[-1] + 1


def test_a_leader_that_does_not_know_that_it_is_over_is_waited_for() -> None:
    """Its lease was deleted: it looks once more, after the stamp, and takes the pod; the record is not given back."""
    cluster, policies = Cluster(), make.policies(make.policy(), make.policy(name="another", action=Action.SURGE))
    journal(cluster, Leader(cluster, "before")).update(intent(make.record(taken_at=None)))
    world = World(lambda: NO, policies=policies)

    def gone_soon(seconds: float) -> bool:
        world.now += max(seconds, 0.0)
        world.present = world.now < make.NOW + 10
        return False

    world.pause = gone_soon  # type: ignore[method-assign]
    supervisor = remediations(world, cluster)
    supervisor.adopt()
    supervisor.join(60)
    (record,) = world.settled
    assert record.outcome is Outcome.OWNER_GONE, "the fake cluster has no owner; what counts is that it was taken"
    assert [act.spends for act in cluster.ledger.acts] == [True]


def test_that_the_fallback_is_done_is_told_with_the_reason() -> None:
    """The log line, and the reason's metric, before what is done instead."""
    why = Veto(Reason.SURGE_IMPOSSIBLE, "its strategy is Recreate")
    world = World(lambda: NO)
    supervisor = remediations(world, Cluster())
    assert isinstance(supervisor.begin(replace(go(), instead=why)), Begun)
    supervisor.join(60)
    assert world.told[:2] == [str(why), "intended"]


def unreadable() -> tuple[str, ...]:
    """Budgets that may not be listed any more."""
    raise refused(403)


@pytest.mark.parametrize(
    ("budgets", "detail"),
    [
        (lambda: ("a", "b"), "more than one; it is covered by PodDisruptionBudget a, b"),
        (tuple, "more than one"),
        (unreadable, "more than one; which budgets cover it can't be read: the API server answered 403: no"),
    ],
    ids=["two", "gone meanwhile", "forbidden"],
)
def test_a_refusal_by_budgets_names_them(budgets: Callable[[], tuple[str, ...]], detail: str) -> None:
    """That there is more than one the API server says without their names."""
    world = World(go, answers=[Taken(Answer.BUDGET, "more than one")], budgets=budgets)
    supervisor = remediations(world, Cluster())
    begin(supervisor)
    supervisor.join(60)
    (record,) = world.settled
    assert (record.outcome, record.detail) == (Outcome.BLOCKED, detail)


@pytest.mark.parametrize("answer", [LOST, UNAVAILABLE], ids=["lost", "503"])
def test_a_pod_that_goes_by_a_late_request_is_ours(answer: Taken) -> None:
    """Nothing was answered, and the pod is gone: the record goes on as taken, and is not given back."""
    cluster = Cluster()
    world = World(go, answers=[answer] * 3)

    def gone_in_the_end(seconds: float) -> bool:
        world.now += max(seconds, 0.0)
        world.present = not (len(world.evicted) == 3 and world.now > world.evicted[-1] + 10)
        return False

    world.pause = gone_in_the_end  # type: ignore[method-assign]
    supervisor = remediations(world, cluster)
    begin(supervisor)
    supervisor.join(60)
    (record,) = world.settled
    assert record.outcome is Outcome.OWNER_GONE, "the fake cluster has no owner; what counts is that it was taken"
    assert record.taken_at is not None
    assert [act.spends for act in cluster.ledger.acts] == [True]


def test_a_thread_of_an_ended_term_can_not_depose_the_next_one() -> None:
    """The old journal of the same process is closed: it refuses, and the new term leads on."""
    cluster = Cluster()
    leader = Leader(cluster, "me")
    old = journal(cluster, leader)
    old.current()
    old.close(timeout=1)
    journal(cluster, leader).current()
    with pytest.raises(NotLeader, match="our term is over"):
        old.refresh()
    with pytest.raises(NotLeader, match="our term is over"):
        old.update(lambda ledger: ledger.__class__())
    assert leader.leading


def test_a_record_that_can_not_be_adopted_now_is_adopted_later() -> None:
    """The journal fails between the reservation and the start: the reservation is given up."""
    cluster = Cluster()
    left = make.record(taken_at=None)
    journal(cluster, Leader(cluster, "before")).update(intent(left))
    world = World(lambda: NO, present=False)
    supervisor = remediations(world, cluster)
    held = supervisor._means.journal
    real, asked = held.current, iter([False, True, False, False, False, False, False, False])

    def current() -> Ledger:
        if next(asked, False):
            message = "for a moment"
            raise JournalMissing(message)
        return real()

    held.current = current  # type: ignore[method-assign]
    with pytest.raises(JournalMissing):
        supervisor.adopt()
    supervisor.adopt()
    supervisor.join(60)
    assert [record.id for record in world.settled] == [left.id]


# What the second look has seen


@pytest.mark.parametrize(("seconds", "looks"), [(0.5, 1), (2.0, 2)])
def test_a_write_that_takes_long_is_looked_behind(seconds: float, looks: int) -> None:
    """A pod more is there, which the record has to know: after a slow write everything is looked at once more."""
    slow: list[float] = []

    def seen() -> Go:
        if not world.firsts[1:]:
            slow.append(seconds)
        return replace(go(), world=replace(go().world, workload=make.workload(pods=make.peers(4)), read_at=world.now))

    world = World(seen, answers=[Taken(Answer.REFUSED, "no")] * 3)
    cluster = Cluster()
    write = cluster.write

    def writes(land: Callable[[], StoredText]) -> StoredText:
        if slow:
            world.now += slow.pop()
        return write(land)

    cluster.write = writes  # type: ignore[method-assign]
    supervisor = remediations(world, cluster)
    begin(supervisor)
    supervisor.join(60)
    assert world.looks_before[0] == looks


@pytest.mark.parametrize("seconds", [0.5, 12.0])
def test_a_kill_switch_is_seen_by_a_look_that_takes_long(seconds: float) -> None:
    """The file says `paused` while Prometheus is waited for: a look that is not new any more is no leave to act."""

    def seen() -> Go | Vetoed:
        if world.policies.safety.paused:
            return Vetoed((Veto(Reason.PAUSED, "safety.paused is true"),))
        world.now += seconds
        world.policies = make.policies(paused=True)
        return replace(go(), world=replace(go().world, read_at=world.now))

    world, cluster = World(seen, answers=[Taken(Answer.REFUSED, "no")]), Cluster()
    supervisor = remediations(world, cluster)
    begin(supervisor)
    supervisor.join(60)
    assert len(world.requests) == (1 if seconds < FRESH else 0)
    assert [one.outcome for one in world.settled] == [Outcome.FAILED if seconds < FRESH else Outcome.CALLED_OFF]


def test_a_look_for_which_the_journal_can_not_be_had_is_none() -> None:
    """What else is in flight is not known then: called off, and not left for the next leader to wonder about."""
    world, cluster = World(go), Cluster()
    supervisor = remediations(world, cluster)
    held, faults = supervisor._means.journal, [KubernetesUnreachable("the API server did not answer")]
    real = held.current

    def current() -> Ledger:
        if faults and threading.current_thread() is not threading.main_thread():
            raise faults.pop()
        return real()

    held.current = current  # type: ignore[method-assign]
    begin(supervisor)
    supervisor.join(60)
    (settled,) = world.settled
    assert (settled.outcome, settled.detail) == (
        Outcome.CALLED_OFF,
        "the second look failed: the API server did not answer",
    )
    assert world.requests == []


# The policy has changed meanwhile


def test_a_surge_that_is_impossible_by_now_is_called_off_with_its_reason() -> None:
    """The policy has not changed; what it falls back on is begun anew, by the next look."""
    world, cluster = World(go), Cluster()
    first = replace(go(), policy=make.policy(action=Action.SURGE))
    veto = Veto(Reason.SURGE_IMPOSSIBLE, "Job/x would adopt the pod")
    examination: Any = SimpleNamespace(confirmed=lambda *_, **__: replace(go(), instead=veto))
    supervisor = remediations(world, cluster)
    supervisor._means = replace(supervisor._means, examination=examination)
    assert isinstance(supervisor.begin(first), Begun)
    supervisor.join(60)
    (settled,) = world.settled
    assert (settled.outcome, settled.detail) == (Outcome.CALLED_OFF, str(veto))
    assert world.requests == []


@pytest.mark.parametrize(
    ("policies", "words"),
    [
        (make.policies(make.policy(action=Action.NOTIFY)), "policy everyone says notify now, and no longer evict"),
        (make.policies(make.policy(action=Action.DELETE)), "policy everyone says delete now, and no longer evict"),
        (make.policies(make.policy(dry_run=True)), "policy everyone is on trial now"),
        (make.policies(make.policy(name="other")), "policy everyone is gone"),
    ],
)
@pytest.mark.parametrize("inherited", [True, False])
def test_a_policy_that_asks_for_something_else_now_takes_nothing(
    policies: PolicyFile,
    words: str,
    inherited: bool,  # noqa: FBT001
) -> None:
    """Few guards object to a report, and none to a rehearsal: an intent of before must not go by their word."""
    cluster = Cluster()
    world = World(go, answers=[Taken(Answer.ACCEPTED)] * 3, then=policies)
    supervisor = remediations(world, cluster)
    if inherited:
        journal(cluster, Leader(cluster, "before")).update(intent(make.record(taken_at=None)))
        supervisor.adopt()
    else:
        begin(supervisor)
    supervisor.join(60)
    (settled,) = world.settled
    assert world.evicted == []
    assert settled.outcome is Outcome.CALLED_OFF
    assert settled.detail == words
    assert settled.settled_at is not None
    assert (settled.settled_at - settled.intended_at >= 90) is inherited, "an old request may still arrive"
