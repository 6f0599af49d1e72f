"""What one evaluation costs, and whom: the daemon, Prometheus, the API server."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields

from tests.bench import process
from tests.bench.figures import median
from tests.bench.samples import Page, read_page
from tests.bench.stage import prometheus_page
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon

_WHOLE = "remediator_evaluation_duration_seconds"
_ASKED = "remediator_kubernetes_request_duration_seconds"
_SERVED = "prometheus_http_request_duration_seconds"
_READS = ("get", "list")
"""Verbs of an evaluation that takes nothing; the lease's renewals are updates."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one evaluation, in seconds."""

    whole: float
    """By the daemon's clock, from its begin to its end."""
    prometheus: float
    """By Prometheus' own clock: from a question's arrival to the end of its answer."""
    kubernetes: float
    """Waited for the API server, by the daemon's clock."""
    processor: float
    """Processor time of the daemon, all threads together."""

    @property
    def own(self) -> float:
        """What is left without Prometheus: connecting, parsing, judging, deciding, and asking the API server."""
        return self.whole - self.prometheus

    @property
    def work(self) -> float:
        """What is left without the API server as well."""
        return self.own - self.kubernetes


@dataclass(frozen=True, slots=True)
class _Reading:
    evaluations: float
    whole: float
    prometheus: float
    kubernetes: float
    before: float
    """Processor seconds before the daemon was asked for its metrics, which costs some as well."""
    after: float


class Meter:
    """Reads the costs of a daemon's evaluations, one by one, from its metrics and those of Prometheus.

    Nobody else may ask Prometheus meanwhile.
    """

    def __init__(self, daemon: Daemon, cluster: Cluster) -> None:
        self._daemon = daemon
        self._cluster = cluster

    def costs(self, count: int, *, timeout: float) -> list[Cost]:
        """Those of the next evaluations. Raises AssertionError where they take longer than so many seconds."""
        found: list[Cost] = []
        deadline = time.monotonic() + timeout
        last = self._read()
        while len(found) < count:
            logged = len(self._daemon.events("evaluation"))
            self._daemon.wait_for("evaluation", count=logged + 1, timeout=max(deadline - time.monotonic(), 0.1))
            now = self._read()
            # Its metrics follow its line in the log. Where two have passed, neither can be told from the other.
            while now.evaluations == last.evaluations:
                now = self._read()
            if now.evaluations == last.evaluations + 1:
                found.append(
                    Cost(
                        whole=now.whole - last.whole,
                        prometheus=now.prometheus - last.prometheus,
                        kubernetes=now.kubernetes - last.kubernetes,
                        processor=now.before - last.after,
                    )
                )
            last = now
        return found

    def _read(self) -> _Reading:
        before = process.processor_seconds(self._daemon.pid)
        ours = read_page(self._daemon.get("/metrics").text, (f"{_WHOLE}_count", f"{_WHOLE}_sum", f"{_ASKED}_sum"))
        after = process.processor_seconds(self._daemon.pid)
        theirs = prometheus_page(self._cluster, f"{_SERVED}_sum")
        return _Reading(
            evaluations=ours.total(f"{_WHOLE}_count"),
            whole=ours.total(f"{_WHOLE}_sum"),
            prometheus=_served(theirs),
            kubernetes=sum(ours.total(f"{_ASKED}_sum", verb=verb) for verb in _READS),
            before=before,
            after=after,
        )


def _served(page: Page) -> float:
    return page.total(f"{_SERVED}_sum", handler="/api/v1/query")


def typical(costs: Sequence[Cost]) -> Cost:
    """The median of each part; the parts need not add up."""
    return Cost(**{part.name: median([getattr(cost, part.name) for cost in costs]) for part in fields(Cost)})
