"""What runs in a daemon, as the composition root arranges it."""

from __future__ import annotations

from pathlib import Path

from remediator.app import Daemon, Term
from remediator.settings import read_settings
from tests.unit.cluster.conftest import written
from tests.unit.make import policies, policy


def test_nothing_that_a_lease_depends_on_waits_for_evaluations(tmp_path: Path) -> None:
    """The heartbeat, a leader's look at its records and a standby's at Prometheus stand apart; evaluations don't."""
    kubeconfig = written("http://127.0.0.1:1", tmp_path)
    given = {"kubeconfig": str(kubeconfig), "prometheus_url": "http://127.0.0.1:1", "http_address": "127.0.0.1:0"}
    daemon = Daemon(read_settings(given))
    daemon._arrange()
    waiting = {job.id: job.executor for job in daemon._schedule._scheduler.get_jobs()}
    assert waiting == {"heartbeat": "apart", "prometheus": "apart"}
    jobs = Term(daemon).jobs(policies(policy()))
    assert {name: job.executor for name, job in jobs.items()} == {"review": "apart", "evaluate everyone": "default"}
