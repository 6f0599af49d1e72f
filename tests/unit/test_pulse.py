"""Who moves, and who has been silent for too long."""

from __future__ import annotations

import threading

import pytest

from remediator.pulse import Pulse
from tests.unit.cluster.leases import Clock


@pytest.fixture
def clock() -> Clock:
    """A clock that moves when it is told to."""
    return Clock()


@pytest.fixture
def pulse(clock: Clock) -> Pulse:
    """A minute of silence is too long."""
    return Pulse(longest=60, monotonic=clock)


def test_nobody_who_does_not_work_has_to_move(pulse: Pulse, clock: Clock) -> None:
    """Neither before the first work nor after the last; a beat of a thread that nobody watches over is no work."""
    with pulse.working("review"):
        clock.now += 59
    pulse.beat()
    clock.now += 600
    assert pulse.still == ""


def test_work_that_has_said_nothing_for_too_long_is_named(pulse: Pulse, clock: Clock) -> None:
    """From its last beat on, not from its begin: a long evaluation is none that hangs."""
    with pulse.working("evaluate web"):
        for _ in range(10):
            clock.now += 59
            assert pulse.still == ""
            pulse.beat()
        clock.now += 60
        assert pulse.still == "evaluate web has not moved for 60 s"
        pulse.beat()
        assert pulse.still == pulse.hung == ""


def test_what_hangs_can_be_said_in_words_that_stay(pulse: Pulse, clock: Clock) -> None:
    """For those who act when they change: the seconds are left out."""
    with pulse.working("evaluate web"):
        said = set()
        for _ in range(10):
            clock.now += 60
            said.add(pulse.hung)
    assert said == {"evaluate web does not move any more"}


def test_work_that_failed_is_over(pulse: Pulse, clock: Clock) -> None:
    """What it raises is its owner's business."""
    message = "broken"
    with pytest.raises(ValueError, match=message), pulse.working("review"):
        raise ValueError(message)
    clock.now += 600
    assert pulse.still == ""


def test_one_thread_does_not_speak_for_another(pulse: Pulse, clock: Clock) -> None:
    """The one that has been silent the longest is named, however lively the others are."""
    working, end = threading.Event(), threading.Event()

    def hang() -> None:
        with pulse.working("the remediation 1"):
            working.set()
            end.wait(60)

    thread = threading.Thread(target=hang)
    thread.start()
    assert working.wait(60)
    with pulse.working("review"):
        clock.now += 60
        pulse.beat()
        assert pulse.still == "the remediation 1 has not moved for 60 s"
    end.set()
    thread.join(60)
    assert pulse.still == ""


def test_what_has_to_come_again_is_missed(pulse: Pulse, clock: Clock) -> None:
    """From the first time on: the scheduler's heartbeat."""
    clock.now += 600
    assert pulse.still == ""
    pulse.recurred("the scheduler")
    clock.now += 59
    pulse.recurred("the scheduler")
    clock.now += 59
    assert pulse.still == ""
    clock.now += 1
    assert pulse.still == "the scheduler has not moved for 60 s"
