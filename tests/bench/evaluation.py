"""One evaluation over 100,000 and over 10,000 container series, of which 100 pods are over.

Nobody is taken, or the next evaluation would find fewer. Where the policy file is paused, that is known before anything
around a pod is read; where each pod's disruption budget refuses, it is the last that is known. The two differ by all
that an evaluation asks the API server about a pod that is over.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.bench import process
from tests.bench.cost import Meter, typical
from tests.bench.figures import MI, Figure, Target, Unit
from tests.bench.stage import PACE, Json, Say, daemon, exported, exporting, policy_file, settle_in
from tests.rig import workloads
from tests.rig.cluster import Cluster

PART = "evaluation"
EXPECT = "5 min"

_NAMESPACES, _EACH = 10, 10_000
"""Namespaces of pods that are not over, and pods in each."""
_WORKLOADS, _REPLICAS = 20, 5
_OVER = "over"
"""The namespace of the pods that are over; these exist, and KWOK measures them."""
_FOR = 120
_LOOKS = 5
"""Evaluations that are measured of each kind."""
_PAUSED, _BUDGET = "paused", "disruption-budget"
"""Why they stay: a reason of the first stage of guards, and one of the last."""
_PATIENCE = 240
"""Seconds; a busy machine needs many times as long."""


def measure(say: Say) -> Iterator[Figure]:
    """The figures of this part."""
    crowds = [f"crowd-{number}" for number in range(_NAMESPACES)]
    with ExitStack() as ends:
        cluster = ends.enter_context(Cluster.start(nodes=2, scrape_interval=PACE, progress=say))
        address = ends.enter_context(exporting(Path(cluster.description.folder)))
        paths = [f"/{kind}/{crowd}/calm/{_EACH}" for crowd in crowds for kind in ("cadvisor", "state")]
        cluster.configure_prometheus(exported(address, paths))
        settle_in(cluster, [_OVER])
        for number in range(_WORKLOADS):
            name = f"leaky-{number}"
            cluster.api.create(workloads.deployment(name, _OVER, replicas=_REPLICAS, limit="512Mi", memory="450Mi"))
            cluster.api.create(workloads.pdb(name, _OVER, max_unavailable=0))
        over = _WORKLOADS * _REPLICAS
        cluster.ready_pods(_OVER, over, deadline=120)
        say(f"{over} pods are over; waiting for {_FOR + 2 * PACE} s of samples of all {_NAMESPACES * _EACH} series")
        _wait_for_samples(cluster, over)
        for title, why, namespaces, threshold in (
            ("100,000 series, 100 pods over, each refused by its budget", _BUDGET, [], "400Mi"),
            ("100,000 series, 100 pods over, paused", _PAUSED, [], "400Mi"),
            ("10,000 series, 100 pods over, paused", _PAUSED, [crowds[0], _OVER], "400Mi"),
            ("100,000 series, 80% of limit, paused", _PAUSED, [], "80% of limit"),
        ):
            say(title)
            policy = _policy(namespaces, threshold, paused=why == _PAUSED)
            yield from _one(cluster, policy, title, why, targets=threshold == "400Mi", over=over)


def _policy(namespaces: list[str], threshold: str, *, paused: bool) -> Json:
    return policy_file(namespaces, safety={"paused": paused}, threshold=threshold, every="4s", for_=f"{_FOR}s")


def _wait_for_samples(cluster: Cluster, over: int) -> None:
    """Until the window of `for` is whole for those that are over, and everybody has been scraped."""
    window = _FOR + 2 * PACE
    measured = f'count(count_over_time(container_memory_working_set_bytes{{container="app"}}[{window}s])'
    least = window // PACE
    everybody = _NAMESPACES * _EACH + over
    # A target whose first scrape came last has a sample less; the judge asks for those that are over only.
    cluster.wait(
        lambda: (
            _value(cluster, f"{measured} >= {least - 1})") >= everybody
            and _value(cluster, f"{measured} >= {least})") >= over
        ),
        window + 120,
        f"{everybody} series have {least} samples",
        every=3,
    )


def _value(cluster: Cluster, query: str) -> float:
    found = cluster.query(query)
    return found[0].value if found else 0.0


def _one(cluster: Cluster, policy: Json, title: str, why: str, *, targets: bool, over: int) -> Iterator[Figure]:
    with daemon(cluster, policy, interval=PACE) as running:
        running.until(
            lambda: any(line["breaching"] == over for line in running.events("evaluation")),
            what=f"{over} pods are found to be over",
            timeout=_PATIENCE,
        )
        # Otherwise it would be the cost of something else.
        left = {line["pod"] for line in running.events("left alone", reasons=[why])}
        assert len(left) == over, f"{len(left)} of {over} pods stay for {why}; its log ends with:\n{running.tail()}"
        costs = Meter(running, cluster).costs(_LOOKS, timeout=_PATIENCE)
        cost, most = typical(costs), process.peak(running.pid)
        assert not running.events("remediation intended"), "nobody is taken"
    if not targets:
        yield Figure(PART, f"{title}: Prometheus' share", cost.prometheus, Unit.SECONDS)
        return
    yield Figure(PART, f"{title}: the daemon's own share", cost.own, Unit.SECONDS, Target(0.5, below=True))
    yield Figure(PART, "  of that, waiting for the API server", cost.kubernetes, Unit.SECONDS)
    yield Figure(PART, "  processor time of the daemon", cost.processor, Unit.SECONDS)
    yield Figure(PART, "  Prometheus' share beside it", cost.prometheus, Unit.SECONDS)
    yield Figure(PART, f"{title}: peak memory", most, Unit.BYTES, Target(120 * MI, below=True))
