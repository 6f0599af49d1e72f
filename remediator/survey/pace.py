"""How often memory is measured, and how old the newest samples are: the pace that every duration hangs on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from remediator.detect.promql import quoted
from remediator.detect.scope import Scope
from remediator.detect.tracks import LEAST_SAMPLES
from remediator.model.measures import Series
from remediator.policy import Policy
from remediator.policy.durations import format_duration
from remediator.survey.ask import Ask, selector
from remediator.survey.findings import Finding, Kind, problem, warning
from remediator.survey.selection import Selection

LATE = 30
"""Seconds: some stores hide what is younger than that from instant queries."""
_SERIES = 10
"""So many series are looked at, of as many targets."""
_LEAST_SPAN, _INTERVALS = 900, 10
"""The look back in seconds, at least, and in sample intervals."""
_SLOWER = 1.3
"""Measured over configured interval above which windows get holes."""
_MOST_PATIENCE = 65
_PATIENCE, _PAUSE = 6, 2


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: the median distance of samples, of the slowest and of the quickest series that were looked at.

    ``youngest`` is the age of the newest sample of all; None where it is not known.
    """

    interval: float | None
    quickest: float | None
    youngest: float | None


def measure(ask: Ask, chosen: Selection, scope: Scope) -> Pace:
    """The pace of a few series. Raises PrometheusError, MeasurementError."""
    ask.tell("measuring the sample interval")
    # One of each kubelet: where they are scraped differently, the slowest counts.
    named = ask.rows(f"topk({_SERIES}, topk by (instance) (1, {chosen.selector}))")
    span = max(_LEAST_SPAN, _INTERVALS * scope.sample_interval)
    gaps: list[float] = []
    for labels, _ in named:
        exactly = [f"{name}={quoted(value)}" for name, value in labels.items() if name != "__name__"]
        series = ask.samples(selector(chosen.metric, exactly), seconds=span)
        gaps.extend(gap for one in series if (gap := _gap(one)) is not None)
    return Pace(max(gaps, default=None), min(gaps, default=None), _youngest(ask, chosen))


def faults(pace: Pace, scope: Scope, policies: Sequence[Policy]) -> list[Finding]:
    """What the measured interval does to the settings and to each policy."""
    if pace.interval is None:
        return []
    found = []
    real = max(round(pace.interval), 1)
    if pace.interval > _SLOWER * scope.sample_interval:
        found.append(
            problem(
                Kind.SAMPLE_INTERVAL,
                where="REMEDIATOR_SCRAPE_INTERVAL",
                what=f"samples come every {_words(pace)}, and {scope.sample_interval} s are configured: "
                "windows have holes, and pods are left alone as sample-gap",
                fix=f"set REMEDIATOR_SCRAPE_INTERVAL={format_duration(real)}, or scrape the kubelets more often",
            )
        )
    found.extend(
        problem(
            Kind.FOR_TOO_SHORT,
            where=f"{policy.name}: for",
            what=f"{format_duration(policy.for_seconds)} holds fewer than 3 samples: one comes every {_words(pace)}",
            fix=f"write for: {format_duration(4 * real)}, or scrape the kubelets more often",
            policies=[policy.name],
        )
        for policy in policies
        if policy.for_seconds < LEAST_SAMPLES * pace.interval
    )
    return found


def lateness(
    ask: Ask, chosen: Selection, pace: Pace, policies: Sequence[Policy], *, pause: Callable[[float], object]
) -> list[Finding]:
    """Whether the newest sample is never younger than half a minute: then the store hides or delays them.

    One look may by chance fall between two samples, so it looks for as long as one interval lasts.
    Raises PrometheusError, MeasurementError.
    """
    youngest = pace.youngest
    if youngest is None or youngest < LATE or pace.interval is None or pace.interval > _MOST_PATIENCE:
        return []
    ask.tell("waiting for a younger sample")
    waited, newest, advanced = 0, ask.at - youngest, False
    while waited < pace.interval or not advanced:
        if waited >= max(pace.interval, _PATIENCE):
            # Not one sample has come in the meantime: they have stopped, and are not late.
            return []
        pause(_PAUSE)
        waited += _PAUSE
        age = _youngest(ask.later(ask.at + waited), chosen)
        if age is None or age < LATE:
            return []
        youngest = min(youngest, age)
        advanced = advanced or ask.at + waited - age > newest
    oldest = youngest + pace.interval
    stale = [policy for policy in policies if policy.max_sample_age < oldest]
    what = f"the newest of all samples is {youngest:.0f} s old, and never younger: the store hides or delays them"
    way_out = (
        'VictoriaMetrics: set REMEDIATOR_PROMETHEUS_PARAMS=\'{"latency_offset":"5s"}\'; remote write: ask the '
        "Prometheus that scrapes"
    )
    if not stale:
        return [
            warning(
                Kind.LATE_SAMPLES,
                where="Prometheus",
                what=what,
                fix=f"{way_out}; or leave it: no policy takes these samples for too old",
            )
        ]
    return [
        problem(
            Kind.LATE_SAMPLES,
            where=f"{policy.name}: maxSampleAge",
            what=f"{what}; {format_duration(policy.max_sample_age)} are allowed, so evaluations end as stale",
            fix=f"{way_out}; or write maxSampleAge: {format_duration(round(oldest) + 15)}",
            policies=[policy.name],
        )
        for policy in stale
    ]


def stale(policy: Policy, pace: Pace) -> Finding:
    """There are series, and none of their samples is young enough for this policy."""
    age = "" if pace.youngest is None else f"; the newest is {pace.youngest:.0f} s old"
    return problem(
        Kind.STALE,
        where=f"{policy.name}: maxSampleAge",
        what=f"no sample is younger than {format_duration(policy.max_sample_age)}{age}: evaluations end as stale",
        fix="look whether Prometheus still scrapes the kubelets (its page Targets); where samples are always that "
        "old, raise maxSampleAge",
        policies=[policy.name],
    )


def _youngest(ask: Ask, chosen: Selection) -> float | None:
    newest = ask.number(f"max(timestamp({chosen.selector}))")
    return None if newest is None else ask.at - newest


def _gap(series: Series) -> float | None:
    times = [time for time, _ in series.samples]
    # Two samples are one gap, which may be the one with a restart in it.
    return median(b - a for a, b in pairwise(times)) if len(times) > 2 else None  # noqa: PLR2004


def _words(pace: Pace) -> str:
    slowest, quickest = round(pace.interval or 0), round(pace.quickest or 0)
    return f"{slowest} s" if slowest == quickest else f"{quickest} to {slowest} s"
