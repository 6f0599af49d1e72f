"""Questions to Prometheus as of one whole second, with a word of progress for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from remediator.detect.prometheus import Prometheus
from remediator.detect.scope import one_by_one
from remediator.errors import MeasurementError
from remediator.model.measures import Series

Tell: TypeAlias = Callable[[str], None]
"""Called with what is being done, in a few words, for those who wait."""


class Ask:
    """Asks one Prometheus, always for the same moment, so that the answers fit together."""

    def __init__(self, prometheus: Prometheus, *, at: int, tell: Tell) -> None:
        self.prometheus = prometheus
        self._tell = tell
        self.at = at

    def tell(self, words: str) -> None:
        """Say what is being done."""
        self._tell(words)

    def rows(self, query: str) -> list[tuple[Mapping[str, str], float]]:
        """The labels and value of each series. Raises PrometheusError."""
        return self.prometheus.vector(query, at=self.at)

    def number(self, query: str) -> float | None:
        """The one value of an answer; None where there is none. Raises PrometheusError, MeasurementError."""
        found = self.rows(query)
        if not found:
            return None
        if not math.isfinite(found[0][1]):
            message = f"Prometheus answered {found[0][1]} to: {query}"
            raise MeasurementError(message)
        return found[0][1]

    def count(self, query: str) -> int:
        """How many series an expression gives. Raises PrometheusError, MeasurementError."""
        return int(self.number(f"count({query})") or 0)

    def samples(self, selector: str, *, seconds: int) -> list[Series]:
        """The stored samples of the last so many seconds. Raises PrometheusError."""
        return self.prometheus.matrix(f"{selector}[{seconds}s]", at=self.at)

    def later(self, at: int) -> Ask:
        """The same, for another moment."""
        return Ask(self.prometheus, at=at, tell=self._tell)


def split(matchers: str) -> tuple[str, ...]:
    """The matchers of a text that the settings have accepted, one by one."""
    return tuple(matcher for _, matcher in one_by_one(matchers))


def selector(metric: str, matchers: Sequence[str]) -> str:
    """The selector of a metric with these matchers."""
    return f"{metric}{{{','.join(matchers)}}}"
