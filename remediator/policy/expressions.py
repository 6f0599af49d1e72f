"""PromQL in the policy file: read when the file is, so that a slip is found there and not in the night.

The parser is that of promql-parser; it has the regular expressions of Rust, Prometheus those of RE2.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import promql_parser
import re2

from remediator.policy.words import quote

LONGEST = 1000
"""The most characters that one expression may have."""

_EXAMPLE = 'ALERTS{alertname="KubeAPIDown", alertstate="firing"}'
_ILLEGAL = "illegal regex for "
_ALERTS = frozenset({"ALERTS", "ALERTS_FOR_STATE"})
_NAMES = re.compile(r"\(?(\w+(?:\|\w+)*)\)?")
_NOT_SERIES = {
    promql_parser.NumberLiteral: "is a number",
    promql_parser.StringLiteral: "is a text",
    promql_parser.MatrixSelector: "gives samples over a time",
    promql_parser.SubqueryExpr: "gives samples over a time",
}


def parse_expression(text: str) -> str:
    """Give an expression as it was written, if it gives series at one moment.

    Raises ValueError with one sentence for a person.
    """
    if not text.strip():
        message = f"an empty expression asks for nothing; write such as {_EXAMPLE}"
        raise ValueError(message)
    if len(text) > LONGEST:
        message = f"{quote(text)} has {len(text)} characters; at most {LONGEST} are taken: write several"
        raise ValueError(message)
    try:
        found = promql_parser.parse(text)
    except ValueError as exc:
        reason = str(exc).splitlines()[0]
        if is_only_rusts(reason):
            return text
        message = f"{quote(text)} is not PromQL ({reason}); write such as {_EXAMPLE}"
        raise ValueError(message) from exc
    if what := _no_series(found):
        message = f"{quote(text)} {what}, and must give series; write such as {_EXAMPLE}"
        raise ValueError(message)
    return text


def is_only_rusts(reason: str) -> bool:
    """Whether the parser complains of nothing but a regular expression that RE2 takes."""
    if not reason.startswith(_ILLEGAL):
        return False
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(reason.removeprefix(_ILLEGAL), options)
    except re2.error:
        return False
    return True


def unknown_alerts(expression: str, known: Collection[str]) -> tuple[str, ...]:
    """The names of alerts that an expression asks ``ALERTS`` for, and that are none of the known ones, in order.

    Of a regular expression that is more than a choice of names, the whole of it where no known name matches.
    """
    try:
        matchers = list(_alert_names(promql_parser.parse(expression)))
    except ValueError:
        # Only Prometheus can read it.
        return ()
    unknown: list[str] = []
    for matcher in matchers:
        names = _NAMES.fullmatch(matcher.value)
        if matcher.op == promql_parser.MatchOp.Equal:
            unknown.extend({matcher.value} - set(known))
        elif names:
            unknown.extend(name for name in names[1].split("|") if name not in known)
        else:
            pattern = re2.compile(f"^(?s:{matcher.value})$")
            unknown.extend([] if any(map(pattern.search, known)) else [matcher.value])
    return tuple(dict.fromkeys(unknown))


def _alert_names(found: promql_parser.Expr) -> Iterator[promql_parser.Matcher]:
    """The matchers that an alert's name has to meet, wherever in the expression."""
    selectors: list[promql_parser.VectorSelector] = []

    def visit(expr: promql_parser.Expr) -> None:
        if isinstance(expr, promql_parser.VectorSelector):
            selectors.append(expr)
        elif isinstance(expr, promql_parser.MatrixSelector):
            selectors.append(expr.vector_selector)

    promql_parser.walk(found, visit)
    wanted = (promql_parser.MatchOp.Equal, promql_parser.MatchOp.Re)
    for selector in selectors:
        matchers = selector.matchers.matchers
        names = {selector.name, *(one.value for one in matchers if one.name == "__name__")}
        if names & _ALERTS:
            yield from (one for one in matchers if one.name == "alertname" and one.op in wanted)


def _no_series(found: promql_parser.Expr) -> str:
    """What an expression gives instead of series; empty where it gives those."""
    match found:
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            return _no_series(found.expr)
        case promql_parser.BinaryExpr():
            return _no_series(found.lhs) and _no_series(found.rhs)
        case promql_parser.Call():
            return "is a number" if found.func.return_type == promql_parser.ValueType.Scalar else ""
        case _:
            return _NOT_SERIES.get(type(found), "")
