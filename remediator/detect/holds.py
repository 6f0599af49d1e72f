"""Does ``safety.holdWhen`` hold all action? Any series says yes, and so does everything that is no whole answer."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.detect.prometheus import Prometheus
from remediator.errors import PrometheusError, PrometheusUnreachable
from remediator.model.holds import Hold, by_gate
from remediator.model.vocabulary import Reason

_LABELS = 200
"""Characters of a series' labels in a sentence."""


def ask_holds(prometheus: Prometheus, expressions: Sequence[str], *, at: int) -> tuple[Hold, ...]:
    """The gates that hold at that whole second: one question for each expression, and none is a reason to fail."""
    holds = []
    error: PrometheusError | None = None
    for gate, expression in by_gate(expressions).items():
        why = ""
        # Who did not answer one question is not waited for again.
        if not isinstance(error, PrometheusUnreachable):
            try:
                error, why = None, ask_hold(prometheus, expression, at=at)
            except PrometheusError as exc:
                error = exc
        if error or why:
            holds.append(Hold(gate, Reason.HELD, f"{gate} can't be asked: {error}" if error else f"{gate}: {why}"))
    return tuple(holds)


def ask_hold(prometheus: Prometheus, expression: str, *, at: int) -> str:
    """Which series an expression gives, for people; empty where it gives none. Raises PrometheusError."""
    found = prometheus.vector(expression, at=at)
    if not found:
        return ""
    shown = ", ".join(f'{name}="{value}"' for name, value in sorted(found[0][0].items()))
    shown = shown if len(shown) <= _LABELS else f"{shown[:_LABELS]}..."
    return f"{len(found)} series, such as {{{shown}}}"
