"""When things run: the only file that imports apscheduler. All times are UTC."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, JobSubmissionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

_WORKERS = 10


@dataclass(frozen=True, slots=True)
class Every:
    """A job every so many seconds, spread by up to ``jitter`` seconds."""

    seconds: int
    run: Callable[[], object]
    jitter: int = 0


class Schedule:
    """Runs jobs by name. A job that is due while its last run goes on is skipped, and ``skipped`` is told."""

    def __init__(self, *, skipped: Callable[[str], None]) -> None:
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(_WORKERS)},
            # A run that comes late still counts, once: the default drops it after one second.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._skipped = skipped
        self._scheduler.add_listener(self._on_skip, EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        """Begin to run jobs."""
        self._scheduler.start()

    def replace(self, jobs: Mapping[str, Every]) -> None:
        """These jobs and no others; each new one runs at once, the same one keeps its pace."""
        for job in self._scheduler.get_jobs():
            if job.id not in jobs:
                job.remove()
        for name, every in jobs.items():
            trigger = IntervalTrigger(seconds=every.seconds, jitter=every.jitter or None, timezone=UTC)
            known = self._scheduler.get_job(name)
            if known is None:
                self._scheduler.add_job(every.run, trigger, id=name, name=name, next_run_time=datetime.now(UTC))
            else:
                known.modify(func=every.run)
                if (known.trigger.interval, known.trigger.jitter) != (trigger.interval, trigger.jitter):
                    known.reschedule(trigger)

    def stop(self) -> None:
        """Run nothing more; what runs goes on. Not to be called from a job."""
        self._scheduler.shutdown(wait=False)

    def _on_skip(self, event: JobSubmissionEvent) -> None:
        self._skipped(event.job_id)
