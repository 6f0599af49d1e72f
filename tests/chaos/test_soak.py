"""A short soak; the long one is `make soak`."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.soak import faults
from tests.chaos.soak.chronicle import Limits
from tests.chaos.soak.run import soak
from tests.rig.cluster import Cluster
from tests.rig.console import say

QUICK = (
    faults.killed,
    faults.stopped,
    faults.unsent,
    faults.unanswered,
    faults.overloaded,
    faults.slow,
    faults.expired,
    faults.blind,
    faults.stolen,
    faults.unleased,
    faults.rewritten,
)
"""Those after which the work goes on within seconds, and a kill, after which the lease has to run out first."""


def test_a_short_soak_takes_nothing_twice_and_loses_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """Every kind of owner and action, while the leader changes and requests fail; see soak/chronicle.py."""
    progress = soak(
        cluster,
        folder=tmp_path,
        seed=1,
        remediations=16,
        workloads=12,
        limits=Limits(concurrent=4, cooldown=5, budget=12, per=30),
        leaders=2,
        at_most=500,
        faults=QUICK,
        say=say,
    )
    assert progress.violations == []
    assert progress.settled >= 16, progress
    assert progress.leaders > 1
