"""When things run."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.policy import Cron
from remediator.policy.zones import zone
from remediator.pulse import Pulse
from remediator.schedule import _WORKERS, At, AtTrigger, Every, EveryTrigger, Past, Schedule
from tests.rig.waiting import until

HOUR = 3600
NIGHTS = [
    ("America/Los_Angeles", date(2026, 3, 8)),
    ("America/Los_Angeles", date(2026, 11, 1)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
]
"""Those in which the clock is put forward, and back."""


class Job:
    """Counts its runs."""

    def __init__(self) -> None:
        self.runs = 0
        self._ran = threading.Condition()

    def __call__(self) -> None:
        """One run."""
        with self._ran:
            self.runs += 1
            self._ran.notify_all()

    def wait_for(self, runs: int) -> None:
        """Until it has run so often."""
        with self._ran:
            assert self._ran.wait_for(lambda: self.runs >= runs, timeout=60)


@pytest.fixture
def skipped() -> list[str]:
    """The jobs that were told to have been skipped."""
    return []


@pytest.fixture
def pulse() -> Pulse:
    """A quarter of a second without a sign of life is too long."""
    return Pulse(longest=0.25)


@pytest.fixture
def schedule(skipped: list[str], pulse: Pulse) -> Iterator[Schedule]:
    """A schedule that runs."""
    running = Schedule(skipped=skipped.append, pulse=pulse)
    running.start()
    yield running
    running.stop()


def test_a_new_job_runs_at_once_and_an_old_one_keeps_its_pace(schedule: Schedule) -> None:
    """A policy that is added is evaluated now; the others are not evaluated more often because of it."""
    old, new = Job(), Job()
    schedule.replace({"old": Every(HOUR, old)})
    old.wait_for(1)
    schedule.replace({"old": Every(HOUR, old), "new": Every(HOUR, new, jitter=5)})
    new.wait_for(1)
    assert (old.runs, new.runs) == (1, 1)


def test_what_is_replaced_runs_anew_from_then_on(schedule: Schedule) -> None:
    """Under the same name another function runs, at its own pace."""
    before, after = Job(), Job()
    schedule.replace({"job": Every(HOUR, before)})
    before.wait_for(1)
    schedule.replace({"job": Every(1, after)})
    after.wait_for(1)
    assert before.runs == 1


def test_a_job_that_is_left_out_runs_no_more(schedule: Schedule) -> None:
    """Neither does one that was never there."""
    gone, stays = Job(), Job()
    schedule.replace({"gone": Every(1, gone), "stays": Every(1, stays)})
    gone.wait_for(1)
    schedule.replace({"stays": Every(1, stays)})
    # What was due before it was left out may still be on its way to its thread.
    stays.wait_for(stays.runs + 1)
    runs = gone.runs
    stays.wait_for(stays.runs + 2)
    assert gone.runs == runs
    schedule.replace({})


def test_a_job_that_fails_runs_again(schedule: Schedule) -> None:
    """And takes no other one with it."""
    job = Job()

    def fail() -> None:
        job()
        message = "it broke"
        raise ValueError(message)

    schedule.replace({"fails": Every(1, fail)})
    job.wait_for(2)


def test_a_job_that_still_runs_is_skipped_and_told(schedule: Schedule, skipped: list[str]) -> None:
    """Two evaluations of one policy never overlap."""
    going_on, told = threading.Event(), threading.Event()
    running = []

    def slow() -> None:
        running.append(1)
        assert len(running) == 1
        going_on.wait(60)
        running.pop()

    append = skipped.append
    schedule._skipped = lambda job: (append(job), told.set())  # type: ignore[assignment, func-returns-value]
    schedule.replace({"evaluate slow": Every(1, slow)})
    assert told.wait(60)
    going_on.set()
    assert set(skipped) == {"evaluate slow"}


def test_what_stands_apart_waits_for_no_evaluation(schedule: Schedule) -> None:
    """However many policies wait for a slow Prometheus: a heart that does not beat meanwhile would cost the lease."""
    end, alive, waiting = threading.Event(), Job(), []

    def wait() -> None:
        waiting.append(1)
        end.wait(30)

    try:
        schedule.replace({f"evaluate {n}": Every(HOUR, wait) for n in range(30)})
        until(lambda: len(waiting) == _WORKERS, "no worker is left", 60, every=0.005)
        schedule.replace(
            {**{f"evaluate {n}": Every(HOUR, wait) for n in range(30)}, "heartbeat": Every(1, alive, apart=True)}
        )
        alive.wait_for(2)
        assert len(waiting) == _WORKERS
    finally:
        end.set()


class Tick:
    """A moment each tenth of a second."""

    def after(self, moment: datetime) -> datetime:
        """The next one."""
        return moment + timedelta(seconds=0.1)


def test_a_run_that_hangs_is_named(schedule: Schedule, pulse: Pulse) -> None:
    """By its job's name, until it ends."""
    end = threading.Event()
    schedule.replace({"evaluate web": Every(3600, lambda: end.wait(60))})
    until(lambda: pulse.still.startswith("evaluate web has not moved for"), "it is seen to hang", 60, every=0.005)
    end.set()
    until(lambda: not pulse.still, "it goes on", 60, every=0.005)


def in_an_hour() -> Cron:
    """Once a day, an hour from now."""
    return Cron(f"{datetime.now(UTC) + timedelta(hours=1):%M %H} * * *")


def test_a_job_at_given_times_runs_then_and_not_at_once(schedule: Schedule) -> None:
    """A restart at noon evaluates no policy that is for the night."""
    nightly, ticking = Job(), Job()
    jobs: dict[str, Every | At] = {"nightly": At(in_an_hour(), nightly), "ticking": At(Tick(), ticking, jitter=HOUR)}
    schedule.replace(jobs)
    ticking.wait_for(3)
    assert nightly.runs == 0


def test_a_job_whose_times_change_goes_by_the_new_ones(schedule: Schedule) -> None:
    """From seconds to times, to others, and back; what stays the same is not begun anew."""
    seconds, ticks, waits, again, stays = Job(), Job(), Job(), Job(), Job()
    schedule.replace({"job": Every(HOUR, seconds), "stays": Every(HOUR, stays)})
    seconds.wait_for(1)
    schedule.replace({"job": At(Tick(), ticks), "stays": Every(HOUR, stays)})
    ticks.wait_for(2)
    other = Job()
    for _ in range(2):
        schedule.replace({"job": At(in_an_hour(), waits), "stays": Every(HOUR, stays), "other": At(Tick(), other)})
        other.wait_for(other.runs + 2)
    schedule.replace({"job": Every(1, again), "stays": Every(HOUR, stays)})
    again.wait_for(1)
    assert (seconds.runs, waits.runs, stays.runs) == (1, 0, 1)


def test_swaps_many_times_a_second_neither_lose_nor_double_a_run(schedule: Schedule) -> None:
    """Paces that alternate, a job that comes and goes, another function each time: a run each second all the same."""
    paces, comes, stays, left_in_peace = Job(), Job(), Job(), Job()
    # A machine that stands still for a while makes one run of several, in this schedule as well.
    peaceful = Schedule(skipped=lambda _: None, pulse=Pulse())
    peaceful.start()
    peaceful.replace({"job": Every(1, left_in_peace)})
    end = time.monotonic() + 60
    for number in itertools.count():
        if number > 200 and left_in_peace.runs >= 5:
            break
        assert time.monotonic() < end
        jobs: dict[str, Every | At] = {
            "paces": Every(1 + number % 2, partial(paces), jitter=0),
            "stays": Every(1, partial(stays)),
        }
        schedule.replace({**jobs, "comes": Every(1, partial(comes))} if number % 3 else jobs)
        time.sleep(0.003)
    runs = left_in_peace.runs
    peaceful.stop()
    # The first run is at once, and the others at whole seconds of their own; every other swap has a pace of two.
    assert runs - 2 <= stays.runs <= runs + 2
    assert runs - 2 <= comes.runs <= runs + 2
    assert runs / 2 - 1 <= paces.runs <= runs + 2


def test_what_comes_back_counts_from_its_last_run(schedule: Schedule) -> None:
    """Away for a moment, it does not run at once; in a new term it does, as whatever is new."""
    job, new = Job(), Job()
    schedule.replace({"job": Every(HOUR, job)})
    job.wait_for(1)
    schedule.replace({})
    schedule.replace({"job": Every(HOUR, job), "new": Every(HOUR, new)})
    new.wait_for(1)
    assert job.runs == 1
    schedule.replace({})
    schedule.replace({"job": Every(HOUR, job)}, anew=True)
    job.wait_for(2)


NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@given(seconds=st.integers(1, 86400), jitter=st.integers(0, 86400), ago=st.floats(-86400, 2 * 86400))
def test_a_job_with_another_pace_is_due_a_pace_after_its_last_run(seconds: int, jitter: int, ago: float) -> None:
    """Never in the past, at once where it is overdue or the clock was put back, and then in step with that run."""
    ran = NOON - timedelta(seconds=ago)
    trigger, first = Every(seconds, lambda: None, jitter).begin(NOON, Past(ran=ran))
    due = ran.replace(microsecond=0) + timedelta(seconds=seconds)
    if NOON < due <= NOON + timedelta(seconds=seconds):
        assert due <= first <= due + timedelta(seconds=min(jitter, seconds - 1))
        following = trigger.get_next_fire_time(first, first)
        assert (
            timedelta(0) <= following - due - timedelta(seconds=seconds) <= timedelta(seconds=min(jitter, seconds - 1))
        )
    else:
        assert first == NOON


def test_a_run_that_was_put_off_by_its_jitter_is_kept() -> None:
    """Its time has come, and it waits a little: a file that changes the jitter, or comes back, does not lose it."""
    nightly = Cron("0 2 * * *")
    planned = datetime(2026, 11, 25, 2, 0, 20, tzinfo=UTC)
    now = planned - timedelta(seconds=15)
    _, first = At(nightly, lambda: None, jitter=5).begin(now, Past(planned=planned, pace=(nightly, 30)))
    assert first == planned
    other = Cron("0 3 * * *")
    _, first = At(other, lambda: None, jitter=5).begin(now, Past(planned=planned, pace=(nightly, 30)))
    assert first >= datetime(2026, 11, 25, 3, tzinfo=UTC)


def test_a_run_that_is_due_when_its_pace_changes_is_not_lost(skipped: list[str], pulse: Pulse) -> None:
    """Due under the old file and not begun yet, it is run under the new one."""
    before, after = Job(), Job()
    schedule = Schedule(skipped=skipped.append, pulse=pulse)
    schedule.replace({"job": Every(HOUR, before), "nightly": At(Tick(), before)})
    until(
        lambda: datetime.now(UTC) > schedule._scheduler.get_job("nightly").next_run_time,
        "the time has come",
        60,
        every=0.005,
    )
    schedule.replace({"job": At(in_an_hour(), after), "nightly": At(in_an_hour(), after)})
    schedule.start()
    after.wait_for(2)
    schedule.stop()
    assert before.runs == 0


def driven(
    trigger: AtTrigger | EveryTrigger, begin: datetime, count: int, late: Callable[[int], float]
) -> list[datetime]:
    """So many runs as APScheduler would make them: each asked for after the one before, so many seconds late."""
    runs: list[datetime] = []
    now = begin
    for number in range(count):
        at = trigger.get_next_fire_time(runs[-1] if runs else None, now)
        assert at > now
        runs.append(at)
        now = at + timedelta(seconds=late(number))
    return runs


@given(
    seconds=st.integers(1, 3600),
    jitter=st.integers(0, 3600),
    microseconds=st.integers(0, 999_999),
    late=st.floats(0, 0.9),
)
def test_jitter_does_not_add_up(seconds: int, jitter: int, microseconds: int, late: float) -> None:
    """After any number of runs they are still that many seconds apart, each put off by its own jitter alone."""
    begin = datetime(2026, 11, 25, 12, tzinfo=UTC) + timedelta(microseconds=microseconds)
    runs = driven(EveryTrigger(seconds, jitter), begin, 50, lambda _: late)
    for number, at in enumerate(runs, 1):
        meant = begin.replace(microsecond=0) + number * timedelta(seconds=seconds)
        assert meant <= at <= meant + timedelta(seconds=min(jitter, seconds - 1))


def test_a_run_begins_with_a_second() -> None:
    """What was scraped up to that second is asked for; the first run is at once, and the next one as if it were."""
    begin = datetime(2026, 11, 25, 12, 0, 7, 654_321, tzinfo=UTC)
    trigger = EveryTrigger(15, 0)
    assert trigger.get_next_fire_time(begin, begin) == datetime(2026, 11, 25, 12, 0, 22, tzinfo=UTC)
    runs = driven(EveryTrigger(15, 5), begin, 200, lambda _: 0.4)
    assert {at.microsecond for at in runs} == {0}
    assert {at.second % 15 for at in runs} == {7, 8, 9, 10, 11, 12}


def test_runs_that_were_missed_are_not_made_up_for() -> None:
    """After an hour in which the machine slept, the next one is asked for from the last, and comes in step."""
    begin = datetime(2026, 11, 25, 12, 0, 7, tzinfo=UTC)
    trigger = EveryTrigger(60, 0)
    first = trigger.get_next_fire_time(None, begin)
    late = first + timedelta(hours=1, seconds=3)
    assert trigger.get_next_fire_time(late, late) == first + timedelta(hours=1, minutes=1)


def times(cron: Cron, begin: datetime, end: datetime) -> list[datetime]:
    """What the expression names between two moments."""
    found = [cron.after(begin)]
    while found[-1] <= end:
        found.append(cron.after(found[-1]))
    return found[:-1]


def around(place: str, day: date) -> tuple[datetime, datetime]:
    """From noon the day before to noon the day after a night, in UTC."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone(place))
    return (noon - timedelta(days=1)).astimezone(UTC), (noon + timedelta(days=1)).astimezone(UTC)


@pytest.mark.parametrize("jitter", [0, 5, 3600])
@pytest.mark.parametrize(
    "text", ["0 0 * * *", "30 2 * * *", "30 1 * * *", "*/20 1-3 * * *", "0 * * * *", "*/9 * * * *"]
)
@pytest.mark.parametrize(("place", "day"), NIGHTS)
def test_no_run_is_lost_or_doubled_when_the_clock_is_changed(place: str, day: date, text: str, jitter: int) -> None:
    """Each time of the expression has one run, in order and never in the past, with jitter and without."""
    begin, end = around(place, day)
    cron = Cron(text, place)
    expected = times(cron, begin, end)
    runs = driven(AtTrigger(cron, jitter), begin, len(expected), lambda _: 0.01)
    assert len({at.astimezone(zone(place)).date() for at in expected}) >= 2
    for at, meant, following in zip(runs, expected, [*expected[1:], cron.after(expected[-1])], strict=True):
        assert meant <= at <= meant + timedelta(seconds=jitter)
        assert at < following


@settings(max_examples=100, deadline=None)
@given(
    night=st.sampled_from(NIGHTS),
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=4),
    hours=st.sets(st.integers(0, 4), min_size=1),
    jitter=st.sampled_from([0, 1, 30, 600, 7200]),
    lateness=st.lists(st.floats(0, 29), min_size=1, max_size=5),
)
def test_no_run_is_lost_or_doubled_whatever_the_times(
    night: tuple[str, date], minutes: set[int], hours: set[int], jitter: int, lateness: list[float]
) -> None:
    """Any minutes of the hours around the change, any jitter, and runs that come late: one run for each time."""
    place, day = night
    begin, end = around(place, day)
    cron = Cron(f"{','.join(map(str, minutes))} {','.join(map(str, hours))} * * *", place)
    expected = times(cron, begin, end)
    runs = driven(AtTrigger(cron, jitter), begin, len(expected), lambda number: lateness[number % len(lateness)])
    assert [max(time for time in expected if time <= at) for at in runs] == expected
