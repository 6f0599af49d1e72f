"""What runs in a daemon, as the composition root arranges it."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from remediator import app
from remediator.app import Daemon, Term
from remediator.pulse import Pulse
from remediator.settings import read_settings
from tests.rig.waiting import until
from tests.unit.cluster.conftest import written
from tests.unit.cluster.leases import Clock, FakeLeases
from tests.unit.make import policies, policy


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    """One that nobody answers, and that was not started."""
    kubeconfig = written("http://127.0.0.1:1", tmp_path)
    given = {"kubeconfig": str(kubeconfig), "prometheus_url": "http://127.0.0.1:1", "http_address": "127.0.0.1:0"}
    return Daemon(read_settings(given))


def test_nothing_that_a_lease_depends_on_waits_for_evaluations(daemon: Daemon) -> None:
    """The heartbeat, a leader's look at its records and a standby's at Prometheus stand apart; evaluations don't."""
    daemon._arrange()
    waiting = {job.id: job.executor for job in daemon._schedule._scheduler.get_jobs()}
    assert waiting == {"heartbeat": "apart", "prometheus": "apart"}
    jobs = Term(daemon).jobs(policies(policy()))
    assert {name: job.executor for name, job in jobs.items()} == {"review": "apart", "evaluate everyone": "default"}


@pytest.mark.parametrize("led", [True, False], ids=["leader", "another leads"])
def test_a_process_that_hangs_says_so_once(daemon: Daemon, led: bool) -> None:  # noqa: FBT001
    """For as long as it hangs: each change of words is a line in the log, and arranges the schedule anew."""
    clock: Any = Clock()
    leases: Any = FakeLeases(clock)
    elector, daemon.pulse._monotonic = daemon.elector, clock
    elector._leases, elector._monotonic = leases, clock
    if not led:
        leases.by("other")
    with daemon.pulse.working("the remediation abc"):
        end = clock.now + 600
        while clock.now < end:
            clock.now += elector._step()
            if not led:
                leases.by("other")
    told = [daemon._leadership.get_nowait() for _ in range(daemon._leadership.qsize())]
    hangs = (False, "the remediation abc does not move any more, so this process does not lead")
    begins: list[tuple[bool, str] | None] = [
        (True, "holds the lease remediator"),
        (False, "the lease could not be renewed: the remediation abc does not move any more, so nobody renews"),
    ]
    assert told == [*(begins if led else [(False, "the lease remediator is held by other")]), hangs]


def test_whoever_waits_for_a_time_that_he_knows_does_not_hang(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rest may be longer than the silence that costs a leader its lease, and ends with the term."""
    monkeypatch.setattr(app, "_BEAT", 0.02)
    beats: list[float] = []
    daemon.pulse = _Counted(beats)
    term, answers, begun = Term(daemon), [], Event()

    def rest() -> None:
        begun.set()
        answers.append(term._pause(3600))

    assert term._pause(0.05) is False
    resting = Thread(target=rest)
    resting.start()
    begun.wait(30)
    until(lambda: len(beats) > 20, "it says again and again that it lives")
    term._ending.set()
    resting.join(30)
    assert answers == [True]


class _Counted(Pulse):
    def __init__(self, beats: list[float]) -> None:
        super().__init__()
        self._counted = beats

    def beat(self) -> None:
        self._counted.append(time.monotonic())
