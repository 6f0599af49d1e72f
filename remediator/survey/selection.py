"""Does anything match? And if not, which matcher is it that leaves nothing over?"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from remediator.detect.promql import matchers_of_policy, quoted
from remediator.detect.scope import Scope
from remediator.policy import Policy, Safety
from remediator.survey.ask import Ask, selector, split
from remediator.survey.findings import Finding, Kind, counted, listed, problem

_NAME = re.compile(r"[\w:]+")
_VALUES = 20
"""So many values of a label are compared with what was written, or named."""
_PARTS = {"namespace": "match.namespaces", "pod": "match.pods", "container": "match.containers"}


@dataclass(frozen=True, slots=True)
class Selection:
    """The matchers that leave something over, and those that don't once these hold."""

    metric: str
    kept: tuple[str, ...]
    emptying: tuple[str, ...] = ()

    @property
    def selector(self) -> str:
        """What is left, as a selector."""
        return selector(self.metric, self.kept)


def select(ask: Ask, metric: str, *, given: Sequence[str], matchers: Sequence[str]) -> Selection:
    """Add matchers to those that hold already, leaving out each one after which nothing would be left.

    One question where all of them together leave something over. Raises PrometheusError, MeasurementError.
    """
    whole = (*given, *matchers)
    if ask.count(selector(metric, whole)):
        return Selection(metric, whole)
    kept, emptying = list(given), list[str]()
    for matcher in matchers:
        held = ask.count(selector(metric, [*kept, matcher])) > 0
        (kept if held else emptying).append(matcher)
    return Selection(metric, tuple(kept), tuple(emptying))


def of_scope(ask: Ask, metric: str, scope: Scope) -> tuple[Selection | None, list[Finding]]:
    """The series that the settings leave over, without any policy; None where there are none at all.

    Raises PrometheusError, MeasurementError.
    """
    ask.tell(f"looking for {metric}")
    chosen = select(ask, metric, given=(), matchers=(*split(scope.matchers), *split(scope.selector)))
    if not chosen.emptying:
        return chosen, []
    if not ask.count(metric):
        return None, [_no_metric(metric)]
    left = counted(ask.count(chosen.selector), "series", "series")
    found = []
    for matcher in chosen.emptying:
        if matcher in split(scope.matchers):
            found.append(_emptied_by_matchers(ask, matcher, chosen, scope, left=left))
        else:
            found.append(_emptied_by_selector(matcher, chosen, scope, left=left))
    return chosen, found


def of_policy(ask: Ask, policy: Policy, safety: Safety, given: Selection) -> tuple[Selection, list[Finding]]:
    """The series that a policy leaves over of those of the settings. Raises PrometheusError, MeasurementError."""
    chosen = select(ask, given.metric, given=given.kept, matchers=matchers_of_policy(policy, safety))
    return chosen, [_emptied_by_policy(ask, matcher, chosen, policy) for matcher in chosen.emptying]


def _no_metric(metric: str) -> Finding:
    return problem(
        Kind.NO_METRIC,
        where=metric,
        what=f"Prometheus has no series {metric}",
        fix="let Prometheus scrape /metrics/cadvisor of the kubelets, and drop none of its memory series; "
        "or is this another Prometheus than the one that does?",
    )


def _emptied_by_selector(matcher: str, chosen: Selection, scope: Scope, *, left: str) -> Finding:
    label = _label(matcher)
    what = f"{matcher} leaves no series of {chosen.metric} over; without it there are {left}"
    if label == "container":
        fix = "remediator can't do without the label container: mend the relabelling of the kubelets' job that drops it"
    else:
        rest = ",".join(one for one in split(scope.selector) if one not in chosen.emptying)
        fix = f"the label {label} is not there: set REMEDIATOR_SELECTOR='{rest}'"
    return problem(Kind.EMPTY_SELECTION, where="REMEDIATOR_SELECTOR", what=what, fix=fix)


def _emptied_by_matchers(ask: Ask, matcher: str, chosen: Selection, scope: Scope, *, left: str) -> Finding:
    label = _label(matcher)
    there = [f"{label}={quoted(value)}" for value in _values(ask, label, chosen) if value]
    fix = f"no series has a label {label}: take the matcher out"
    if there:
        others = [one for one in split(scope.matchers) if one in chosen.kept]
        fix = f"set REMEDIATOR_MATCHERS to what is there, such as '{','.join([*others, there[0]])}': {listed(there)}"
    what = f"{matcher} leaves no series of {chosen.metric} over; without it there are {left}"
    return problem(Kind.EMPTY_SELECTION, where="REMEDIATOR_MATCHERS", what=what, fix=fix)


def _emptied_by_policy(ask: Ask, matcher: str, chosen: Selection, policy: Policy) -> Finding:
    label = _label(matcher)
    if "!~" in matcher:
        return problem(
            Kind.EMPTY_SELECTION,
            where=f"{policy.name}: safety.namespaces.exclude",
            what=f"all series that policy {policy.name} could match are of excluded namespaces",
            fix="take its namespaces out of safety.namespaces.exclude, or name others in match.namespaces; "
            "the namespace of the daemon itself is always excluded (--namespace)",
            policies=[policy.name],
        )
    values = [value for value in _values(ask, label, chosen) if value]
    written = getattr(policy.match, f"{label}s")
    near = [close for one in written for close in difflib.get_close_matches(one, values, n=1)]
    there = f"the nearest that is measured is {listed(near)}" if near else f"measured are {listed(values)}"
    return problem(
        Kind.EMPTY_SELECTION,
        where=f"{policy.name}: {_PARTS[label]}",
        what=f"no measured {label} is called {' or '.join(written)}",
        fix=there if values else f"no series has a label {label}",
        policies=[policy.name],
    )


def _values(ask: Ask, label: str, chosen: Selection) -> list[str]:
    """The values of a label among the series that are left, the most frequent first."""
    rows = ask.rows(f"topk({_VALUES}, count by ({label}) ({chosen.selector}))")
    return [labels.get(label, "") for labels, _ in sorted(rows, key=lambda row: -row[1])]


def _label(matcher: str) -> str:
    found = _NAME.match(matcher.strip("\"'`"))
    return found.group() if found else matcher
