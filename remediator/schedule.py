"""When things run: the only file that imports apscheduler. All times are UTC."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, JobSubmissionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

_WORKERS = 10


class Times(Protocol):
    """Moments in the future, one after another; equal ones name the same moments."""

    def after(self, moment: datetime) -> datetime:
        """The first one after that moment, in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Every:
    """A job every so many seconds, spread by up to ``jitter`` seconds; the first time at once."""

    seconds: int
    run: Callable[[], object]
    jitter: int = 0

    @property
    def pace(self) -> tuple[object, ...]:
        """What two jobs that run at the same times have in common."""
        return (self.seconds, self.jitter)

    def trigger(self) -> BaseTrigger:
        """The times as APScheduler asks for them."""
        return EveryTrigger(self.seconds, self.jitter)


@dataclass(frozen=True, slots=True)
class At:
    """A job at given times, each put off by up to ``jitter`` seconds; not before the first of them."""

    times: Times
    run: Callable[[], object]
    jitter: int = 0

    @property
    def pace(self) -> tuple[object, ...]:
        """What two jobs that run at the same times have in common."""
        return (self.times, self.jitter)

    def trigger(self) -> BaseTrigger:
        """The times as APScheduler asks for them."""
        return AtTrigger(self.times, self.jitter)


class EveryTrigger(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """Times that many seconds apart for APScheduler, each put off by up to ``jitter``, in whole seconds.

    Its own interval trigger counts from the run before, so that jitter adds up: every 15 s with a jitter of 5 s becomes
    every 17.5 s (3.11.3). And Prometheus is asked about whole seconds: a run in the middle of one would not see what
    was scraped since its begin.
    """

    def __init__(self, seconds: int, jitter: int) -> None:
        self._period = timedelta(seconds=seconds)
        self._jitter = min(jitter, seconds - 1)
        self._begin: datetime | None = None

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The time after the previous run, which may lie in the past; after now where there was none."""
        last = previous_fire_time or now
        if self._begin is None:
            self._begin = last.replace(microsecond=0)
        # Less than a period was put off, so this finds the time that the previous run was meant for.
        at = self._begin + ((last - self._begin) // self._period + 1) * self._period
        return at + timedelta(seconds=random.randint(0, self._jitter))  # noqa: S311  (no secret)


class AtTrigger(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """Given times for APScheduler, instead of its own cron trigger.

    That one loses a daily run at midnight on the day after the clock is put forward, and in the night when it is put
    back its jitter gives times that have passed (3.11.3).
    """

    def __init__(self, times: Times, jitter: int) -> None:
        self._times = times
        self._jitter = jitter

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The time after the previous run, which may lie in the past; after now where there was none."""
        at = self._times.after(previous_fire_time or now)
        if not self._jitter:
            return at
        # Never as far as the next time: so the one after a run that was put off is the one that is meant.
        room = (self._times.after(at) - at).total_seconds() / 2
        return at + timedelta(seconds=random.uniform(0, min(self._jitter, room)))  # noqa: S311  (no secret)


class Schedule:
    """Runs jobs by name. A job that is due while its last run goes on is skipped, and ``skipped`` is told."""

    def __init__(self, *, skipped: Callable[[str], None]) -> None:
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(_WORKERS)},
            # A run that comes late still counts, once: the default drops it after one second.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._paces: dict[str, tuple[object, ...]] = {}
        self._skipped = skipped
        self._scheduler.add_listener(self._on_skip, EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        """Begin to run jobs."""
        self._scheduler.start()

    def replace(self, jobs: Mapping[str, Every | At]) -> None:
        """These jobs and no others; a new ``Every`` runs at once, a job whose pace is the same keeps it."""
        for job in self._scheduler.get_jobs():
            if job.id not in jobs:
                job.remove()
        for name, wanted in jobs.items():
            known = self._scheduler.get_job(name)
            if known is None:
                first = {"next_run_time": datetime.now(UTC)} if isinstance(wanted, Every) else {}
                self._scheduler.add_job(wanted.run, wanted.trigger(), id=name, name=name, **first)
            else:
                known.modify(func=wanted.run)
                if self._paces[name] != wanted.pace:
                    known.reschedule(wanted.trigger())
        self._paces = {name: wanted.pace for name, wanted in jobs.items()}

    def stop(self) -> None:
        """Run nothing more; what runs goes on. Not to be called from a job."""
        self._scheduler.shutdown(wait=False)

    def _on_skip(self, event: JobSubmissionEvent) -> None:
        self._skipped(event.job_id)
