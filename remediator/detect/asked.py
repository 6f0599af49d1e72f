"""Stored samples as of one second, each question asked once: whoever looks again soon after waits for nobody."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.detect.prometheus import Prometheus
from remediator.model.measures import Series


class Asked:
    """The answers until now, of that whole second (since the epoch); ``len`` says how many. For one thread."""

    def __init__(self, prometheus: Prometheus, *, at: int) -> None:
        self.at = at
        self._prometheus = prometheus
        self._answers: dict[str, Sequence[Series]] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def matrix(self, query: str) -> Sequence[Series]:
        """As ``Prometheus.matrix``. Raises PrometheusError."""
        if query not in self._answers:
            self._answers[query] = self._prometheus.matrix(query, at=self.at)
        return self._answers[query]
