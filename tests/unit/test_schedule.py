"""When things run."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from remediator.schedule import Every, Schedule

HOUR = 3600


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
            assert self._ran.wait_for(lambda: self.runs >= runs, timeout=10)


@pytest.fixture
def skipped() -> list[str]:
    """The jobs that were told to have been skipped."""
    return []


@pytest.fixture
def schedule(skipped: list[str]) -> Iterator[Schedule]:
    """A schedule that runs."""
    running = Schedule(skipped=skipped.append)
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
    runs = gone.runs
    stays.wait_for(stays.runs + 1)
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
        going_on.wait(10)
        running.pop()

    append = skipped.append
    schedule._skipped = lambda job: (append(job), told.set())  # type: ignore[assignment, func-returns-value]
    schedule.replace({"evaluate slow": Every(1, slow)})
    assert told.wait(10)
    going_on.set()
    assert set(skipped) == {"evaluate slow"}
