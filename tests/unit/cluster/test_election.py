"""One leader: who gets the Lease, who waits for it, and who stops writing in time."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from remediator.cluster.api import READ_TIMEOUT
from remediator.cluster.election import MARGIN, Elector
from remediator.cluster.store import Leases, LeaseState
from remediator.errors import KubernetesRefused, NotLeader
from tests.unit.cluster.leases import DURATION, Candidate, Clock, FakeLeases


@pytest.fixture
def leases() -> FakeLeases:
    """A namespace without a Lease."""
    return FakeLeases(Clock())


def held(by: str, **changes: object) -> LeaseState:
    """A Lease of somebody."""
    return LeaseState("7", by, DURATION, 3, "", "", **changes)  # type: ignore[arg-type]


def may_write(candidate: Candidate, timeout: float = READ_TIMEOUT) -> bool:
    """Whether the fence lets a write with that time-out through."""
    return passes(candidate.elector, timeout)


def leading(elector: Elector) -> bool:
    """Whether its lease has not run out: as far as the fence knows, and to the end, without any margin."""
    return passes(elector, -MARGIN)


def passes(elector: Elector, timeout: float) -> bool:
    """What the fence says."""
    try:
        elector.fence(timeout)
    except NotLeader:
        return False
    return True


# Getting it


@pytest.mark.parametrize("state", [None, held(""), held("me")], ids=["none", "released", "our own"])
def test_a_free_lease_is_taken_at_once(state: LeaseState | None) -> None:
    """No Lease, a released one, or our own from before a lost answer."""
    leases = FakeLeases(Clock(), state)
    me = Candidate(leases)
    assert not may_write(me)
    me.turn()
    assert leading(me.elector)
    assert may_write(me)
    assert leases.state is not None
    assert leases.state.holder == "me"
    assert me.changes == [(True, "holds the lease remediator")]


def test_another_holder_is_waited_for() -> None:
    """For as long as its Lease does not change, by our monotonic clock alone: its times are nobody's here."""
    leases = FakeLeases(Clock(), held("other"))
    me = Candidate(leases)
    me.turns(DURATION)
    assert not leading(me.elector)
    assert leases.writes == 0
    me.turns(6)
    assert leading(me.elector)
    assert leases.state is not None
    assert leases.state.transitions == 4


def test_a_holder_that_renews_keeps_it() -> None:
    """Each change of its Lease begins the wait anew."""
    leases = FakeLeases(Clock(), held("other"))
    me = Candidate(leases)
    for _ in range(10):
        me.turns(25)
        leases.by("other")
    assert not leading(me.elector)
    assert may_write(me) is False


@pytest.mark.parametrize("duration", [0, 5, 300])
def test_the_holders_own_duration_is_waited_for(duration: int) -> None:
    """What another version or setting has promised itself; one without any gets as much as we do."""
    leases = FakeLeases(Clock(), LeaseState("7", "other", duration, 0, "", ""))
    me = Candidate(leases)
    me.turns((duration or DURATION) - 1)
    assert not leading(me.elector)
    me.turns(8)
    assert leading(me.elector)


def test_who_waits_is_told_once() -> None:
    """The same words are not said at each turn."""
    me = Candidate(FakeLeases(Clock(), held("other")))
    me.turns(20)
    assert me.changes == [(False, "the lease remediator is held by other")]


def test_a_lost_answer_to_the_first_write_costs_nothing(leases: FakeLeases) -> None:
    """It landed: the Lease is ours at the next look, without waiting for ourselves."""
    me = Candidate(leases)
    leases.faults = ["lost"]
    me.turn()
    assert not leading(me.elector)
    assert not may_write(me)
    me.turn()
    assert leading(me.elector)
    assert leases.state is not None
    assert leases.state.transitions == 1


def test_who_is_second_does_not_lead() -> None:
    """Two candidates see a free Lease, and only one write of that version lands."""

    class Racing(FakeLeases):
        """Another candidate writes between our look and our write."""

        def read(self, *, timeout: float) -> LeaseState | None:
            """As it was before the other one's write."""
            seen = self.state
            if seen is not None and not seen.holder:
                self.by("other")
            return seen

    racing = Racing(Clock(), held(""))
    me = Candidate(racing)
    me.turn()
    assert not leading(me.elector)
    assert not may_write(me)
    assert racing.state is not None
    assert racing.state.holder == "other"


# Keeping it


def test_renewals_leave_room_for_the_longest_write(leases: FakeLeases) -> None:
    """At every moment between two renewals an eviction's time-out and the margin fit into what is left."""
    me = Candidate(leases)
    me.turn()
    for _ in range(20):
        pause = me.turn()
        leases.clock.now += pause
        assert may_write(me)
    assert leases.writes == 21


def test_the_deadline_counts_from_before_the_renewal_was_sent(leases: FakeLeases) -> None:
    """What a slow answer takes is lost: others may have begun to wait when it was sent."""
    me = Candidate(leases)
    leases.took = 4.0
    sent = leases.clock.now
    me.turn()
    leases.clock.now = sent + DURATION - 0.1
    assert leading(me.elector)
    leases.clock.now = sent + DURATION
    assert not leading(me.elector)


@pytest.mark.parametrize(("timeout", "left"), [(15.0, 17.0), (5.0, 7.0), (0.0, 2.0)])
def test_a_write_has_to_fit_into_what_is_left(leases: FakeLeases, timeout: float, left: float) -> None:
    """Its time-out and two seconds more."""
    assert MARGIN == 2.0
    me = Candidate(leases)
    me.turn()
    start = leases.clock.now
    leases.clock.now = start + DURATION - left - 0.01
    assert may_write(me, timeout)
    leases.clock.now = start + DURATION - left
    assert not may_write(me, timeout)
    with pytest.raises(NotLeader, match="s are left on the lease"):
        me.elector.fence(timeout)


@pytest.mark.parametrize("fault", ["missed", 500, 503, 403, 404])
def test_who_can_t_renew_steps_down_before_the_lease_ends(leases: FakeLeases, fault: str | int) -> None:
    """Whatever the reason: it says so while nobody else may have taken the Lease, and writes nothing more."""
    me = Candidate(leases)
    me.turn()
    start = leases.clock.now
    leases.faults = [fault] * 1000
    while me.changes[-1][0] and leases.clock.now < start + 100:
        leases.clock.now += me.turn()
    assert leases.clock.now <= start + DURATION
    assert not leading(me.elector)
    assert not may_write(me, 0)
    assert me.changes[-1][1].startswith("the lease could not be renewed")


def test_a_renewal_that_hangs_ends_in_time_too(leases: FakeLeases) -> None:
    """Each try takes its whole time-out, and still nothing is written when the Lease is over."""
    me = Candidate(leases)
    me.turn()
    start = leases.clock.now
    leases.faults, leases.took = ["missed"] * 1000, 5.0
    while me.changes[-1][0] and leases.clock.now < start + 100:
        assert may_write(me, 0) == (leases.clock.now < start + DURATION - MARGIN)
        leases.clock.now += me.turn()
    assert leases.clock.now <= start + DURATION + 6
    assert not leading(me.elector)


def test_a_lost_answer_to_a_renewal_is_no_loss(leases: FakeLeases) -> None:
    """It landed, the next try conflicts with it, and the Lease is still ours."""
    me = Candidate(leases)
    me.turn()
    leases.faults = ["lost"]
    me.turns(12)
    assert leading(me.elector)
    assert me.changes == [(True, "holds the lease remediator")]
    assert leases.state is not None
    assert leases.state.transitions == 1


def test_renewals_whose_answers_are_all_lost_keep_the_lease(leases: FakeLeases) -> None:
    """They have landed, as the Lease shows; each counts from when it was sent, and not from when that was seen."""
    me = Candidate(leases)
    me.turn()
    leases.faults = ["lost"] * 1000
    for _ in range(3 * DURATION):
        sent = leases.clock.now
        leases.clock.now += me.turn()
    assert me.changes == [(True, "holds the lease remediator")]
    me.turn()
    leases.clock.now = sent + DURATION - 0.1
    assert not may_write(me, 0)
    assert leading(me.elector)
    leases.clock.now = sent + DURATION
    assert not leading(me.elector)


def test_a_renewal_that_did_not_land_does_not_count(leases: FakeLeases) -> None:
    """Though the Lease has moved, because somebody has annotated it."""
    me = Candidate(leases)
    me.turn()
    start = leases.clock.now
    leases.faults = ["missed"]
    leases.clock.now += me.turn()
    leases.by("me", annotations={"a": "b"})
    leases.faults = [500]
    me.turn()
    leases.clock.now = start + DURATION
    assert not leading(me.elector)


def test_a_renewal_that_fails_once_is_tried_again_soon(leases: FakeLeases) -> None:
    """A second later, not at the usual pace."""
    me = Candidate(leases)
    me.turn()
    leases.faults = ["missed"]
    assert me.turn() == 1.0
    me.turn()
    assert leading(me.elector)


def test_who_does_not_move_does_not_renew(leases: FakeLeases) -> None:
    """A leader in name keeps others from leading: it steps down before its Lease ends."""
    me = Candidate(leases)
    me.turn()
    start, writes = leases.clock.now, leases.writes
    me.hung = "the watch of shop does not move any more"
    while me.changes[-1][0] and leases.clock.now < start + 100:
        leases.clock.now += me.turn()
    assert leases.clock.now <= start + DURATION
    assert leases.writes == writes
    assert not may_write(me, 0)
    assert "the watch of shop does not move any more, so nobody renews" in me.changes[-1][1]


def test_a_pause_that_ends_in_time_is_none(leases: FakeLeases) -> None:
    """Ten seconds without a move, and it goes on."""
    me = Candidate(leases)
    me.turn()
    me.hung = "the watch of shop does not move any more"
    me.turns(10)
    me.hung = ""
    me.turns(30)
    assert leading(me.elector)
    assert me.changes == [(True, "holds the lease remediator")]


def test_a_turn_without_an_end_is_seen(leases: FakeLeases) -> None:
    """A request that no time-out ends holds the loop; its owner can tell by the clock."""
    me = Candidate(leases)
    me.turn()
    leases.clock.now += DURATION
    assert not me.elector.stuck
    leases.clock.now += 1
    assert me.elector.stuck
    me.turn()
    assert not me.elector.stuck


# Losing it


def test_a_stolen_lease_is_noticed_at_the_next_renewal(leases: FakeLeases) -> None:
    """Somebody else is in it: nothing more is written, and the thief is named while we wait."""
    me = Candidate(leases)
    me.turn()
    leases.by("thief")
    me.turn()
    assert not leading(me.elector)
    assert not may_write(me, 0)
    assert me.elector.holder == "thief"
    assert [leading for leading, _ in me.changes] == [True, False]
    with pytest.raises(NotLeader, match="held by thief"):
        me.elector.fence(0)
    me.turns(DURATION - 5)
    assert not leading(me.elector)


def test_a_deleted_lease_is_made_again(leases: FakeLeases) -> None:
    """Whoever leads steps down at its next renewal, since anybody may take a new one, and tries to be that one.

    With the Lease went the annotation that says which journal is ours: it is put back.
    """
    me = Candidate(leases)
    me.turn()
    me.elector.annotate("remediator.dev/journal-uid", "u1")
    leases.state = None
    me.turn()
    assert not leading(me.elector)
    assert not may_write(me, 0)
    me.turn()
    assert leading(me.elector)
    assert me.elector.annotation("remediator.dev/journal-uid") == "u1"
    assert [leading for leading, _ in me.changes] == [True, False, True]


def test_a_standby_remembers_which_journal_is_ours_as_well(leases: FakeLeases) -> None:
    """Whoever has seen the Lease before it was deleted makes the new one with its annotations."""
    leases.by("other", annotations={"remediator.dev/journal-uid": "u1"})
    me = Candidate(leases)
    me.turn()
    leases.state = None
    me.turn()
    assert leading(me.elector)
    assert me.elector.annotation("remediator.dev/journal-uid") == "u1"


def test_stepping_down_is_at_once(leases: FakeLeases) -> None:
    """The journal shows another leader: the fence closes without asking the Lease."""
    me = Candidate(leases)
    me.turn()
    me.elector.step_down("the journal is led by other")
    assert not leading(me.elector)
    assert not may_write(me, 0)
    assert me.changes[-1] == (False, "the journal is led by other")
    me.elector.step_down("again")
    assert len(me.changes) == 2


# Annotations


def test_annotations_survive_renewals_and_leaders(leases: FakeLeases) -> None:
    """The journal's UID is carried on by whoever leads next."""
    me = Candidate(leases)
    me.turn()
    me.elector.annotate("remediator.dev/journal-uid", "u1")
    me.turns(20)
    assert me.elector.annotation("remediator.dev/journal-uid") == "u1"
    assert me.elector.annotation("other") == ""
    me.elector.release()
    next_one = Candidate(leases, "next")
    next_one.turn()
    assert leading(next_one.elector)
    assert next_one.elector.annotation("remediator.dev/journal-uid") == "u1"


def test_an_annotation_of_somebody_else_is_no_theft(leases: FakeLeases) -> None:
    """``resume --journal`` annotates the Lease of a leader, who takes it in and goes on leading."""
    me = Candidate(leases)
    me.turn()
    leases.by("me", annotations={"remediator.dev/journal-uid": "new"})
    me.turns(12)
    assert leading(me.elector)
    assert me.elector.annotation("remediator.dev/journal-uid") == "new"
    assert me.changes == [(True, "holds the lease remediator")]


def test_only_a_leader_annotates(leases: FakeLeases) -> None:
    """Like every write it asks the fence first."""
    me = Candidate(leases)
    with pytest.raises(NotLeader):
        me.elector.annotate("a", "b")
    me.turn()
    leases.by("me")
    with pytest.raises(KubernetesRefused):
        me.elector.annotate("a", "b")


# Handing it over


def test_a_released_lease_is_free_for_the_next() -> None:
    """Nobody waits for the end of a Lease whose holder has said goodbye: a standby looks twice a second."""
    leases = FakeLeases(Clock())
    me, next_one = Candidate(leases), Candidate(leases, "next")
    me.turn()
    assert next_one.turn() == 0.5
    assert next_one.elector.standby
    me.elector.release()
    assert not leading(me.elector)
    assert not may_write(me, 0)
    next_one.turn()
    assert leading(next_one.elector)
    assert not next_one.elector.standby


def test_who_sees_nobody_lead_is_no_standby(leases: FakeLeases) -> None:
    """An API server that does not answer, or work that hangs, is no leader to wait for."""
    leases.by("other")
    me = Candidate(leases)
    for hung, faults in (("", ["missed"]), ("the scheduler does not move any more", [])):
        me.hung, leases.faults = hung, [*faults]
        me.turn()
        assert not me.elector.standby
        me.hung, leases.faults = "", []
        me.turn()
        assert me.elector.standby


def test_a_lease_that_was_annotated_meanwhile_is_released_all_the_same(leases: FakeLeases) -> None:
    """Its version has moved, and it is still ours."""
    me = Candidate(leases)
    me.turn()
    leases.by("me", annotations={"remediator.dev/journal-uid": "new"})
    me.elector.release()
    assert leases.state is not None
    assert leases.state.holder == ""
    assert leases.state.annotations == {"remediator.dev/journal-uid": "new"}


def test_nobody_elses_lease_is_released() -> None:
    """Also not after it was stolen from us."""
    leases = FakeLeases(Clock())
    me = Candidate(leases)
    me.elector.release()
    assert leases.state is None
    me.turn()
    leases.by("thief")
    me.elector.release()
    assert leases.state is not None
    assert leases.state.holder == "thief"


@pytest.mark.parametrize("fault", ["missed", "lost", 409, 500])
def test_a_release_that_fails_is_no_error(leases: FakeLeases, fault: str | int) -> None:
    """On the way out there is nobody to tell; the Lease runs out by itself."""
    me = Candidate(leases)
    me.turn()
    leases.faults = [fault]
    me.elector.release()
    assert not leading(me.elector)
    assert not may_write(me, 0)


# The loop


def test_each_request_for_the_lease_is_short(leases: FakeLeases) -> None:
    """A hanging one must leave time for another."""
    me = Candidate(leases)
    me.turns(60)
    assert set(leases.timeouts) == {5.0}


def test_the_loop_ends_when_it_is_told_to(leases: FakeLeases) -> None:
    """Also while it waits; the Lease is kept until it is released."""
    led = threading.Event()
    elector = Elector(cast("Leases", leases), identity="me", duration=DURATION, on_change=lambda leading, _: led.set())
    thread = threading.Thread(target=elector.run)
    thread.start()
    assert led.wait(60)
    elector.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert leading(elector)
    elector.release()
    assert not leading(elector)


def test_two_processes_never_lead_at_once(leases: FakeLeases) -> None:
    """One is stopped and continued again and again: whoever has not renewed in time has stopped writing."""
    one, two = Candidate(leases, "one"), Candidate(leases, "two")
    for round_ in range(200):
        stopped = (round_ // 20) % 2
        for candidate in (two,) if stopped else (one, two):
            candidate.turn()
        leases.clock.now += 1 + round_ % 3
        assert [leading(one.elector), leading(two.elector)].count(True) <= 1
        assert not (may_write(one, 0) and may_write(two, 0))


def test_a_lease_that_was_renewed_at_the_last_moment_is_waited_for_anew() -> None:
    """The holder's renewal comes between our look and our write: from then on it has its whole duration again."""

    class Late(FakeLeases):
        renewed = False

        def write(self, **request: Any) -> LeaseState:  # noqa: ANN401
            if request["holder"] == "me" and not self.renewed:
                self.renewed = True
                self.by("other")
            return super().write(**request)

    leases = Late(Clock(), held("other"))
    me = Candidate(leases)
    while not leases.renewed:
        leases.clock.now += me.turn()
    renewed_at = leases.clock.now
    while not leading(me.elector):
        leases.clock.now += me.turn()
    assert leases.clock.now - renewed_at >= DURATION - 2


def test_a_leader_that_does_not_move_leaves_the_lease_to_others() -> None:
    """It neither renews nor takes the lease again, though its own name is still in it."""
    leases = FakeLeases(Clock())
    moves = [True]
    me, other = Candidate(leases, "me"), Candidate(leases, "other")
    me.elector._hung = lambda: "" if moves[0] else "the scheduler does not move any more"
    me.turn()
    other.turn()
    moves[0] = False
    for _ in range(120):
        me.turn()
        other.turn()
        leases.clock.now += 1
    assert leading(other.elector)
    assert not leading(me.elector)
