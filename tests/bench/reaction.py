"""How soon a breach is acted upon: from the sample that completes `for` to the eviction.

Scrapes and evaluations have the same pace, so the two phases decide: a pod that is scraped right before an evaluation
waits for nothing, one that is scraped right after it for a whole period. Where the phases fall is chance, so pods are
put on nodes whose phases are spread evenly over the period.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from tests.bench.figures import Figure, Target, Unit, median
from tests.bench.stage import ACCOUNT, PACE, Say, daemon, pause, policy_file, settle_in, stored
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon

PART = "reaction"
EXPECT = "4 min"

_NODES, _LEAKS = 64, 16
_FOR = 60
_NAMESPACE = "shop"
_LIMIT, _CALM, _OVER = "512Mi", "50Mi", "450Mi"
_THRESHOLD = 0.8 * (512 << 20)
_APART = 4.0
"""Seconds between two leaks, so that they don't all come in one evaluation."""
_PATIENCE = 240

Samples = Sequence[tuple[float, float]]


def measure(say: Say) -> Iterator[Figure]:
    """The figures of this part."""
    with Cluster.start(nodes=_NODES, scrape_interval=PACE, progress=say) as cluster:
        settle_in(cluster, [_NAMESPACE])
        policy = policy_file(
            [_NAMESPACE], safety={"maxConcurrent": _LEAKS}, every=f"{PACE}s", for_=f"{_FOR}s", cooldown="1h"
        )
        with daemon(cluster, policy, interval=PACE) as running:
            # By the second evaluation its phase is what it stays; the first may have had to wait for the journal.
            running.wait_for("evaluation", count=2, timeout=_PATIENCE)
            scraped = {found.labels["node"]: found.value for found in cluster.query('timestamp(up{job="kubelet"})')}
            # Prometheus is asked about a whole second, so that is the moment to which a scrape has to be in time.
            nodes = evenly(scraped, math.floor(_starts(running)[-1]), period=PACE, count=_LEAKS)
            say(f"{len(nodes)} pods, on nodes that are scraped at different times")
            for number, node in enumerate(nodes):
                pinned = {"nodeSelector": {"kubernetes.io/hostname": node}}
                cluster.api.create(
                    workloads.deployment(f"web-{number}", _NAMESPACE, limit=_LIMIT, memory=_CALM, spec=pinned)
                )
            pods = cluster.ready_pods(_NAMESPACE, _LEAKS, deadline=_PATIENCE)
            # Two scrapes, so that a pod's first sample is not over already.
            pause(2 * PACE)
            say(f"they leak, one after the other; {_FOR} s of samples must be over")
            for pod in pods:
                over = workloads.behaviour(memory=_OVER)
                cluster.api.annotate("pods", _NAMESPACE, pod["metadata"]["name"], over)
                pause(_APART)
            running.wait_for("remediation settled", count=_LEAKS, timeout=_PATIENCE)
            yield from _figures(cluster, running)


def _figures(cluster: Cluster, running: Daemon) -> Iterator[Figure]:
    evicted = {
        event.name: event.received.timestamp()
        for event in cluster.taken(_NAMESPACE)
        if event.user == ACCOUNT and event.subresource == "eviction"
    }
    selector = f'container_memory_working_set_bytes{{namespace="{_NAMESPACE}",container="app"}}'
    samples = stored(cluster, selector, seconds=900)
    delays, after_start = [], []
    for pod, at in evicted.items():
        complete = completed(samples[pod], threshold=_THRESHOLD, seconds=_FOR)
        assert complete is not None, f"{pod} was evicted, and was not over for {_FOR} s: {samples[pod]}"
        delays.append(at - complete)
        after_start.append(at - max(start for start in _starts(running) if start <= at))
    note = f"{len(delays)} evictions"
    yield Figure(PART, "last needed sample to eviction: median", median(delays), Unit.SECONDS, Target(8), note)
    yield Figure(PART, "last needed sample to eviction: worst", max(delays), Unit.SECONDS, Target(16), note)
    yield Figure(PART, "  of that after the evaluation began: median", median(after_start), Unit.SECONDS)
    yield Figure(PART, "  of that after the evaluation began: worst", max(after_start), Unit.SECONDS)


def _starts(running: Daemon) -> list[float]:
    """When each evaluation began, Unix seconds."""
    return [datetime.fromisoformat(line["time"]).timestamp() - line["seconds"] for line in running.events("evaluation")]


def evenly(scraped: Mapping[str, float], evaluated: float, *, period: float, count: int) -> list[str]:
    """So many nodes whose waits from a scrape to the next evaluation are spread over the period as evenly as can be.

    ``scraped`` has the time of one scrape of each node, ``evaluated`` that of one evaluation; both come once a period.
    Raises ValueError where there are too few nodes.
    """
    if count > len(scraped):
        message = f"{count} of {len(scraped)} nodes can't be chosen"
        raise ValueError(message)
    waits = {node: (evaluated - at) % period for node, at in scraped.items()}
    chosen: list[str] = []
    for place in range(count):
        wanted = (place + 0.5) * period / count
        nearest = min(waits.keys() - set(chosen), key=lambda node: (abs(waits[node] - wanted), node))
        chosen.append(nearest)
    return chosen


def completed(samples: Samples, *, threshold: float, seconds: float) -> float | None:
    """The time of the first sample with which the value has been over a threshold for so long; None where none is.

    Prometheus stores milliseconds, and a scrape may come one of them early.
    """
    since = None
    for time, value in samples:
        if value <= threshold:
            since = None
        elif since is None:
            since = time
        if since is not None and time - since >= seconds - 0.005:
            return time
    return None
