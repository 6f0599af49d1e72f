"""How soon it is seen that a replacement is Ready: from the kubelet's write to the daemon's line in the log."""

import time
from collections.abc import Iterable, Iterator
from datetime import datetime

from tests.bench.figures import Figure, Target, Unit, median, percentile
from tests.bench.stage import Json, Say, daemon, policy_file, settle_in
from tests.rig import workloads
from tests.rig.audit import AuditEvent
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon

PART = "notice"
EXPECT = "3 min"

_NAMESPACE = "shop"
_WORKLOADS = 120
"""So many replacements: with fewer, the 99th percentile would be the worst one."""
_AT_ONCE = 12
"""Pods that are over at the same time; most of them wait until they have been over for long enough."""
_SCRAPE = 2
_PATIENCE = 600


def measure(say: Say) -> Iterator[Figure]:
    """The figures of this part."""
    with Cluster.start(scrape_interval=_SCRAPE, progress=say) as cluster:
        settle_in(cluster, [_NAMESPACE])
        for number in range(_WORKLOADS):
            cluster.api.create(workloads.deployment(f"web-{number}", _NAMESPACE, memory="50Mi"))
        pods = cluster.ready_pods(_NAMESPACE, _WORKLOADS, deadline=_PATIENCE)
        safety = {"maxConcurrent": 4, "maxBreaching": "100%"}
        policy = policy_file([_NAMESPACE], safety=safety, every="2s", for_="6s", cooldown="1h")
        with daemon(cluster, policy, interval=_SCRAPE) as running:
            running.wait_for("evaluation", outcome="ok", timeout=_PATIENCE)
            say(f"{_WORKLOADS} pods leak and are replaced, {_AT_ONCE} at a time")
            _leak(cluster, running, [pod["metadata"]["name"] for pod in pods])
            available = running.events("remediation available")
            delays = list(noticed(available, cluster.audit(), namespace=_NAMESPACE))
        note = f"{len(delays)} replacements"
        yield Figure(PART, "Ready to notice: median", median(delays), Unit.SECONDS, Target(0.05, below=True), note)
        worst = percentile(delays, 0.99)
        yield Figure(PART, "Ready to notice: p99", worst, Unit.SECONDS, Target(0.2, below=True), note)


def _leak(cluster: Cluster, running: Daemon, pods: list[str]) -> None:
    """Makes pods leak, the next one when another is replaced, until all are."""
    begun = 0
    deadline = time.monotonic() + _PATIENCE
    while (settled := len(running.events("remediation settled"))) < len(pods):
        for pod in pods[begun : settled + _AT_ONCE]:
            cluster.api.annotate("pods", _NAMESPACE, pod, workloads.behaviour(memory="250Mi"))
            begun += 1
        if time.monotonic() > deadline:
            message = f"{settled} of {len(pods)} pods are replaced after {_PATIENCE} s:\n{running.tail()}"
            raise AssertionError(message)
        time.sleep(0.2)


def noticed(available: Iterable[Json], events: Iterable[AuditEvent], *, namespace: str) -> Iterator[float]:
    """Seconds from the API server's getting the status with which a pod turned Ready to the line in the log.

    A pod's status is written when it starts and when it turns Ready: the last write before the line is the one.
    """
    written: dict[str, list[datetime]] = {}
    for event in events:
        if event.namespace == namespace and (event.verb, event.resource, event.subresource) == (
            "patch",
            "pods",
            "status",
        ):
            written.setdefault(event.name, []).append(event.received)
    for line in available:
        at = datetime.fromisoformat(line["time"])
        before = [moment for moment in written.get(line["replacement"], ()) if moment <= at]
        assert before, f"{line['replacement']} is available, and nobody has written its status"
        yield (at - max(before)).total_seconds()
