"""How soon a standby takes over from a leader that was told to stop, and from one that was killed."""

import signal
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figures import Figure, Target, Unit, median
from tests.bench.stage import HOME, Say, daemon, policy_file, settle_in
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon
from tests.rig.takeover import TakeOver, identity, taken_over

PART = "takeover"
EXPECT = "4 min"

_STOPPED, _KILLED = 12, 4
_LEASE = 30
_PATIENCE = 120


def measure(say: Say) -> Iterator[Figure]:
    """The figures of this part."""
    with Cluster.start(progress=say) as cluster:
        settle_in(cluster, ["shop"])
        cluster.api.create(workloads.deployment("web", "shop", replicas=10, memory="50Mi"))
        cluster.ready_pods("shop", 10)
        policy = policy_file(["shop"])
        with (
            daemon(cluster, policy, interval=1, folder=_folder(cluster, "a")) as one,
            daemon(cluster, policy, interval=1, folder=_folder(cluster, "b")) as other,
        ):
            pair = _in_order(cluster, one, other)
            say(f"SIGTERM to the leader, {_STOPPED} times")
            stopped, pair = _repeated(cluster, pair, by=signal.SIGTERM, times=_STOPPED)
            say(f"kill -9 of the leader, {_KILLED} times; the lease lasts {_LEASE} s")
            killed, _ = _repeated(cluster, pair, by=signal.SIGKILL, times=_KILLED)
    yield from _figures("SIGTERM", stopped, Target(1.0, below=True))
    yield from _figures("kill -9", killed, Target(_LEASE + 5.0, below=True))


def _folder(cluster: Cluster, name: str) -> Path:
    folder = Path(cluster.description.folder) / name
    folder.mkdir()
    return folder


def _in_order(cluster: Cluster, one: Daemon, other: Daemon) -> tuple[Daemon, Daemon]:
    """The leader and the standby."""
    leads = cluster.wait(
        lambda: [daemon for daemon in (one, other) if daemon.events("evaluation")], _PATIENCE, "one of two evaluates"
    )
    return (one, other) if leads[0] is one else (other, one)


def _repeated(
    cluster: Cluster, pair: tuple[Daemon, Daemon], *, by: signal.Signals, times: int
) -> tuple[list[TakeOver], tuple[Daemon, Daemon]]:
    """So many take-overs, each from the heir of the one before it; who was ended stands by again."""
    leader, standby = pair
    found = []
    for _ in range(times):
        _wait_for_standby(standby, identity(leader))
        found.append(taken_over(cluster, HOME, leader=leader, standby=standby, by=by, timeout=_PATIENCE))
        listening = len(leader.events("listening"))
        leader.start()
        leader.wait_for("listening", count=listening + 1)
        leader, standby = standby, leader
    return found, (leader, standby)


def _wait_for_standby(standby: Daemon, leader: str) -> None:
    standby.until(lambda: leader in standby.ready(), what="the standby names the leader")


def _figures(signal_name: str, found: list[TakeOver], target: Target) -> Iterator[Figure]:
    note = f"{len(found)} take-overs"
    journal = [one.journal for one in found]
    yield Figure(PART, f"{signal_name} to the successor's epoch: median", median(journal), Unit.SECONDS, target, note)
    yield Figure(PART, f"{signal_name} to the successor's epoch: worst", max(journal), Unit.SECONDS, target, note)
    yield Figure(PART, "  of that until the Lease is its: median", median([one.lease for one in found]), Unit.SECONDS)
    worst = max(one.evaluation for one in found)
    yield Figure(PART, f"{signal_name} to the successor's first evaluation: worst", worst, Unit.SECONDS)
