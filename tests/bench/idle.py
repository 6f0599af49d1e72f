"""What it costs while nobody is over: requests, memory, processor time, at 10, 1,000 and 5,000 pods."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import asked, process
from tests.bench.cost import Cost, Meter, typical
from tests.bench.crowd import Crowd
from tests.bench.figures import MI, Figure, Target, Unit
from tests.bench.stage import (
    ACCOUNT,
    PACE,
    Say,
    daemon,
    exported,
    exporting,
    only_nodes,
    pause,
    policy_file,
    roles,
    server_page,
    settle_in,
)
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon

PART = "idle"
EXPECT = "5 min"

_CROWD = "crowd"
_PODS = (10, 1_000, 5_000)
_OWN = {1_000: 0.020, 5_000: 0.030}
"""Seconds: the targets for the daemon's own share at so many pods."""
_LOOKS = 12
_WINDOW = {10: 30.0, 1_000: 60.0, 5_000: 30.0}
"""Seconds for which requests are counted; at 1,000 pods the processor's time as well."""
_PATIENCE = 240


@dataclass(frozen=True)
class _Idle:
    """What was seen at one number of pods."""

    requests: int
    by_metrics: int
    resident: int
    processor: float
    """Seconds of processor time in each second of the window."""
    cost: Cost


def measure(say: Say) -> Iterator[Figure]:
    """The figures of this part."""
    found: dict[int, _Idle] = {}
    with ExitStack() as ends:
        cluster = ends.enter_context(Cluster.start(nodes=2, scrape_interval=PACE, progress=say))
        address = ends.enter_context(exporting(Path(cluster.description.folder)))
        settle_in(cluster, [_CROWD])
        # KWOK would be asked for thousands of samples that the exporter has.
        cluster.configure_prometheus(only_nodes("node-0"))
        crowd = Crowd(cluster, namespace=_CROWD, prefix="calm", node="node-1")
        for count in _PODS:
            say(f"making {count} pods")
            crowd.grow(count)
            cluster.configure_prometheus(exported(address, [f"/cadvisor/{_CROWD}/calm/{count}"]))
            _wait_for_samples(cluster, count)
            say(f"the daemon is idle at {count} pods")
            found[count] = _watched(cluster, count)
            yield from _figures(count, found)


def _wait_for_samples(cluster: Cluster, count: int) -> None:
    """Until Prometheus has seen all pods, by what the kubelets and by what kube-state-metrics say."""
    measured = f'count(container_memory_working_set_bytes{{namespace="{_CROWD}"}})'
    running = f'sum(kube_pod_status_phase{{namespace="{_CROWD}",phase="Running"}})'

    def seen() -> list[float]:
        return [sample.value for query in (measured, running) for sample in cluster.query(query)]

    cluster.wait(lambda: seen() == [count, count], _PATIENCE, f"Prometheus has seen {count} pods", every=1, seen=seen)


def _watched(cluster: Cluster, count: int) -> _Idle:
    with daemon(cluster, policy_file(), interval=PACE) as running:
        running.wait_for("evaluation", outcome="ok", timeout=_PATIENCE)
        # The journal is made, the first evaluation over: from here on it is as it will be for months.
        pause(2.0)
        requests, by_metrics, processor = _window(cluster, running, _WINDOW[count])
        running.write_policy(policy_file(every="2s"))
        cost = typical(Meter(running, cluster).costs(_LOOKS, timeout=_PATIENCE))
        return _Idle(requests, by_metrics, process.resident(running.pid), processor, cost)


def _window(cluster: Cluster, running: Daemon, seconds: float) -> tuple[int, int, float]:
    """Requests by account and by metrics, and processor time for each second, while nothing happens."""
    allowed = asked.rights(roles())
    since, before = datetime.now(UTC), server_page(cluster, asked.REQUESTS)
    used = process.processor_seconds(running.pid)
    pause(seconds)
    used = process.processor_seconds(running.pid) - used
    until, after = datetime.now(UTC), server_page(cluster, asked.REQUESTS)
    counted = asked.by_account(cluster.audit(), ACCOUNT, since=since, until=until)
    return counted.total(), asked.by_metrics(before, after, allowed).total(), used / seconds


def _figures(count: int, found: dict[int, _Idle]) -> Iterator[Figure]:
    seen = found[count]
    at = f"at {count:,} pods"
    note = f"{seen.by_metrics} by the API server's metrics"
    yield Figure(PART, f"requests beside the lease {at}", seen.requests, Unit.REQUESTS, Target(0), note)
    if count in _OWN:
        own = f"{count:,} pods, nobody over: the daemon's own share"
        yield Figure(PART, own, seen.cost.own, Unit.SECONDS, Target(_OWN[count]))
        yield Figure(PART, "  processor time of the daemon", seen.cost.processor, Unit.SECONDS)
        yield Figure(PART, "  Prometheus' share beside it", seen.cost.prometheus, Unit.SECONDS)
    if count == _PODS[0]:
        yield Figure(PART, f"memory {at}", seen.resident, Unit.BYTES, Target(100 * MI))
    if count == _PODS[-1]:
        more = seen.resident - found[_PODS[0]].resident
        yield Figure(PART, f"more memory {at} than at {_PODS[0]}", more, Unit.BYTES, Target(5 * MI))
    if count == 1_000:
        yield Figure(PART, f"processor {at}, every 1m", seen.processor, Unit.CORE, Target(0.005))
