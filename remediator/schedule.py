"""When things run: the only file that imports apscheduler. All times are UTC."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import ClassVar, Protocol

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, JobSubmissionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from remediator.pulse import Pulse

_WORKERS, _APART = 10, "apart"
_JOBS_APART = 3
"""There are no more jobs that stand apart, so none of them waits for a worker."""


class Times(Protocol):
    """Moments in the future, one after another; equal ones name the same moments."""

    def after(self, moment: datetime) -> datetime:
        """The first one after that moment, in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a job from before: when it was last run, when it was to be run next, and at which pace."""

    ran: datetime | None = None
    planned: datetime | None = None
    pace: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Every:
    """A job every so many seconds, spread by up to ``jitter`` seconds; the first time at once.

    ``apart``: it waits for no other job, however many of them are held up.
    """

    seconds: int
    run: Callable[[], object]
    jitter: int = 0
    apart: bool = False

    @property
    def executor(self) -> str:
        """Whose workers run it, by APScheduler's name."""
        return _APART if self.apart else "default"

    @property
    def pace(self) -> tuple[object, ...]:
        """What two jobs that run at the same times have in common."""
        return (self.seconds, self.jitter)

    def begin(self, now: datetime, past: Past) -> tuple[BaseTrigger, datetime]:
        """The times as APScheduler asks for them, and the first one: at once, or a pace after the last run."""
        pace = timedelta(seconds=self.seconds)
        due = past.ran.replace(microsecond=0) + pace if past.ran else now
        # A last run in the future is one before the clock was put back.
        if not now < due <= now + pace:
            return EveryTrigger(self.seconds, self.jitter), now
        trigger = EveryTrigger(self.seconds, self.jitter, begin=due)
        return trigger, trigger.put_off(due)


@dataclass(frozen=True, slots=True)
class At:
    """A job at given times, each put off by up to ``jitter`` seconds; not before the first of them."""

    times: Times
    run: Callable[[], object]
    jitter: int = 0
    executor: ClassVar[str] = "default"

    @property
    def pace(self) -> tuple[object, ...]:
        """What two jobs that run at the same times have in common."""
        return (self.times, self.jitter)

    def begin(self, now: datetime, past: Past) -> tuple[BaseTrigger, datetime]:
        """The times as APScheduler asks for them, and the first one: what was put off already is not lost."""
        trigger = AtTrigger(self.times, self.jitter)
        first = trigger.get_next_fire_time(None, now)
        if past.planned is not None and past.planned > now and past.pace[:1] == (self.times,):
            first = min(first, past.planned)
        return trigger, first


class EveryTrigger(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """Times that many seconds apart for APScheduler, each put off by up to ``jitter``, in whole seconds.

    Its own interval trigger counts from the run before, so that jitter adds up: every 15 s with a jitter of 5 s becomes
    every 17.5 s (3.11.3). And Prometheus is asked about whole seconds: a run in the middle of one would not see what
    was scraped since its begin.
    """

    ran: datetime | None = None
    """The time of the last run."""

    def __init__(self, seconds: int, jitter: int, *, begin: datetime | None = None) -> None:
        self._period = timedelta(seconds=seconds)
        self._jitter = min(jitter, seconds - 1)
        self._begin = begin

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The time after the previous run, which may lie in the past; after now where there was none."""
        self.ran = previous_fire_time or self.ran
        last = previous_fire_time or now
        if self._begin is None:
            self._begin = last.replace(microsecond=0)
        # Less than a period was put off, so this finds the time that the previous run was meant for.
        at = self._begin + ((last - self._begin) // self._period + 1) * self._period
        return self.put_off(at)

    def put_off(self, at: datetime) -> datetime:
        """That time, or up to ``jitter`` later."""
        return at + timedelta(seconds=random.randint(0, self._jitter))  # noqa: S311  (no secret)


class AtTrigger(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """Given times for APScheduler, instead of its own cron trigger.

    That one loses a daily run at midnight on the day after the clock is put forward, and in the night when it is put
    back its jitter gives times that have passed (3.11.3).
    """

    ran: datetime | None = None
    """The time of the last run."""

    def __init__(self, times: Times, jitter: int) -> None:
        self._times = times
        self._jitter = jitter

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The time after the previous run, which may lie in the past; after now where there was none."""
        self.ran = previous_fire_time or self.ran
        at = self._times.after(previous_fire_time or now)
        if not self._jitter:
            return at
        # Never as far as the next time: so the one after a run that was put off is the one that is meant.
        room = (self._times.after(at) - at).total_seconds() / 2
        return at + timedelta(seconds=random.uniform(0, min(self._jitter, room)))  # noqa: S311  (no secret)


class Schedule:
    """Runs jobs by name. A job that is due while its last run goes on is skipped, and ``skipped`` is told.

    ``pulse`` is told of each run.
    """

    def __init__(self, *, skipped: Callable[[str], None], pulse: Pulse) -> None:
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(_WORKERS), _APART: ThreadPoolExecutor(_JOBS_APART)},
            # A run that comes late still counts, once: the default drops it after one second.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._paces: dict[str, tuple[object, ...]] = {}
        self._gone: dict[str, Past] = {}
        self._skipped = skipped
        self._pulse = pulse
        self._scheduler.add_listener(self._on_skip, EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        """Begin to run jobs."""
        self._scheduler.start()

    def replace(self, jobs: Mapping[str, Every | At], *, anew: bool = False) -> None:
        """These jobs and no others.

        A new ``Every`` runs at once, and a job whose pace is the same keeps it. One with another pace, or that was
        away, counts from its last run, unless ``anew``: so that files which are swapped many times in a second neither
        run it each time nor put it off for ever. Not to be called by two threads at once.
        """
        now = datetime.now(UTC)
        # Nothing is run meanwhile: what is due is either run under the old pace, and known, or not yet.
        with self._scheduler._jobstores_lock:  # noqa: SLF001  (apscheduler's own, and reentrant; nothing else holds it up)
            if anew:
                self._gone = {}
            here = {job.id: job for job in self._scheduler.get_jobs()}
            for name in here.keys() - jobs.keys():
                self._gone[name] = self._past(here[name])
                here.pop(name).remove()
            for name, wanted in jobs.items():
                self._put(name, wanted, here.get(name), now)
            self._paces = {name: wanted.pace for name, wanted in jobs.items()}
            # Nothing has a longer pace than a day.
            oldest = now - timedelta(days=1)
            self._gone = {
                name: past
                for name, past in self._gone.items()
                if name not in jobs and max(past.ran or oldest, past.planned or oldest) > oldest
            }

    def _put(self, name: str, wanted: Every | At, known: Job | None, now: datetime) -> None:
        run = partial(self._run, name, wanted.run)
        if known is None:
            past = self._gone.get(name, Past())
            trigger, first = wanted.begin(now, past)
            trigger.ran = past.ran
            self._scheduler.add_job(run, trigger, id=name, name=name, next_run_time=first, executor=wanted.executor)
        elif self._paces[name] == wanted.pace:
            known.modify(func=run)
        else:
            past = self._past(known)
            trigger, first = wanted.begin(now, past)
            trigger.ran = past.ran
            # What is due under the old pace, and not run yet, is not lost.
            is_due = past.planned is not None and past.planned <= now
            known.modify(func=run, trigger=trigger, next_run_time=now if is_due else first)

    def _past(self, job: Job) -> Past:
        return Past(ran=job.trigger.ran, planned=job.next_run_time, pace=self._paces[job.id])

    def stop(self) -> None:
        """Run nothing more; what runs goes on. Not to be called from a job."""
        self._scheduler.shutdown(wait=False)

    def _run(self, name: str, run: Callable[[], object]) -> None:
        with self._pulse.working(name):
            run()

    def _on_skip(self, event: JobSubmissionEvent) -> None:
        self._skipped(event.job_id)
