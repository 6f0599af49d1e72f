"""Which series the expressions of a group ask for: names of metrics and the matchers on their labels.

What an exporter exposes is held against it, so that no rule asks for a series that nobody has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import promql_parser

from tests.rules import chart

_OPERATORS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}

GENERAL = frozenset({"up"})
"""Series that Prometheus itself writes of every target."""

OF_THE_TARGET = frozenset({"job", "namespace", "instance", "module"})
"""Labels that Prometheus gives to every series of a target of the chart's."""

Exposed = Mapping[str, set[tuple[str, str]]]
"""Each name with all labels, and their values, that any of its series has."""


@dataclass(frozen=True)
class Asked:
    """One selector of one alert. ``name`` is a metric's, or a pattern; matchers are label, operator, value."""

    alert: str
    name: str
    is_pattern: bool
    matchers: frozenset[tuple[str, str, str]]


def asked(group: str) -> frozenset[Asked]:
    """Every selector in the expressions of a group."""
    rules = chart.rules("en")
    return frozenset(one for alert in chart.defined(group) for one in _selectors(alert, rules[alert]["expr"]))


def metrics(group: str) -> frozenset[str]:
    """The names of the metrics of a group, as the exporter writes them, but for those of Prometheus itself."""
    return frozenset(one.name for one in asked(group) if not one.is_pattern) - GENERAL


def patterns(group: str) -> frozenset[str]:
    """The anchored regular expressions by which a group names metrics that are called differently by version."""
    return frozenset(one.name for one in asked(group) if one.is_pattern)


def missing(wanted: Iterable[Asked], exposed: Exposed) -> list[str]:
    """What is asked for and is not there: a name, or a label that no series of that name has so."""
    found = []
    for one in wanted:
        if one.is_pattern or one.name in GENERAL:
            continue
        if one.name not in exposed:
            found.append(f"{one.alert}: {one.name}")
            continue
        for label, operator, value in one.matchers:
            # What is chosen by what it is not is there in any case.
            if operator in {"!=", "!~"}:
                assert label == "job"
                continue
            pattern = re.escape(value) if operator == "=" else value
            there = {given for name, given in exposed[one.name] if name == label}
            if label not in OF_THE_TARGET and not any(re.fullmatch(pattern, given) for given in there):
                found.append(f"{one.alert}: {one.name}{{{label}{operator}{value!r}}}")
    return found


def _selectors(alert: str, expr: str) -> Iterator[Asked]:
    for found in _vectors(expr):
        matchers = {(one.name, _OPERATORS[str(one.op)], one.value) for one in found.matchers.matchers}
        by_pattern = [value for label, operator, value in matchers if (label, operator) == ("__name__", "=~")]
        own = frozenset(one for one in matchers if one[0] != "__name__")
        yield Asked(alert, found.name or by_pattern[0], bool(by_pattern), own)


def _vectors(expr: str) -> list[promql_parser.VectorSelector]:
    """The vector selectors of an expression, however deep."""
    found: list[promql_parser.VectorSelector] = []

    def visit(one: promql_parser.Expr) -> None:
        if isinstance(one, promql_parser.VectorSelector):
            found.append(one)
        elif isinstance(one, promql_parser.MatrixSelector):
            found.append(one.vector_selector)

    promql_parser.walk(promql_parser.parse(expr), visit)
    return found
