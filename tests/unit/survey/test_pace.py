"""The pace of samples: what is late, what has stopped, and what only fell between two samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

import pytest

from remediator.detect.prometheus import Prometheus
from remediator.model.measures import Series
from remediator.survey.ask import Ask
from remediator.survey.findings import Kind, Level
from remediator.survey.pace import Pace, faults, lateness, measure
from remediator.survey.selection import Selection
from tests.unit.make import NOW, SCOPE, policy, steady

CHOSEN = Selection("container_memory_working_set_bytes", ('container!=""',))


class Store:
    """Answers with the time of the newest sample that can be seen at a moment."""

    def __init__(self, newest: Callable[[int], float | None], *samples: list[tuple[float, float]]) -> None:
        self.newest = newest
        self.samples = samples

    def vector(self, query: str, *, at: int) -> list[tuple[Mapping[str, str], float]]:
        """The newest time, or the series to look at."""
        if query.startswith("max(timestamp("):
            seen = self.newest(at)
            return [] if seen is None else [({}, seen)]
        return [({"__name__": CHOSEN.metric, "pod": "web"}, 1.0)]

    def matrix(self, query: str, *, at: int) -> list[Series]:
        """The stored samples."""
        assert query.startswith('container_memory_working_set_bytes{pod="web"}[')
        assert at == NOW
        return [Series({}, tuple(one)) for one in self.samples]


def ask(store: Store) -> Ask:
    """Questions to it, as of now."""
    return Ask(cast("Prometheus", store), at=NOW, tell=lambda _: None)


@pytest.mark.parametrize(("every", "interval"), [(15, 15.0), (30, 30.0), (60, 60.0)])
def test_the_interval_is_that_of_the_stored_samples(every: int, interval: float) -> None:
    """The median of the gaps, so that a restart of Prometheus changes nothing."""
    samples = steady(1.0, since=NOW - 900, every=every)
    del samples[4:8]
    pace = measure(ask(Store(lambda at: at - 3.0, samples)), CHOSEN, SCOPE)
    assert pace == Pace(interval, interval, 3.0)


def test_two_samples_are_no_measure() -> None:
    """The one gap may be the one with a restart in it."""
    pace = measure(ask(Store(lambda at: at - 3.0, steady(1.0, since=NOW - 30, every=30))), CHOSEN, SCOPE)
    assert pace.interval is None
    assert faults(pace, SCOPE, [policy()]) == []


@pytest.mark.parametrize(
    ("interval", "for_seconds", "kinds"),
    [
        (30.0, 120, []),
        (35.0, 120, []),
        (41.0, 120, [Kind.SAMPLE_INTERVAL, Kind.FOR_TOO_SHORT]),
        (40.0, 120, [Kind.SAMPLE_INTERVAL]),
        (60.0, 240, [Kind.SAMPLE_INTERVAL]),
        (15.0, 120, []),
    ],
)
def test_an_interval_that_is_longer_than_configured_is_a_problem(
    interval: float, for_seconds: int, kinds: list[Kind]
) -> None:
    """Shorter than configured costs time only; a little longer is the jitter of scrapes."""
    found = faults(Pace(interval, interval, 1.0), SCOPE, [policy(for_seconds=for_seconds)])
    assert [one.kind for one in found] == kinds


def late(store: Store, *, interval: float = 30.0, max_sample_age: int = 75) -> tuple[list[Level], float]:
    """What is found, and for how many seconds it looked."""
    pauses: list[float] = []
    youngest = store.newest(NOW)
    pace = Pace(interval, interval, None if youngest is None else NOW - youngest)
    found = lateness(ask(store), CHOSEN, pace, [policy(max_sample_age=max_sample_age)], pause=pauses.append)
    assert {one.kind for one in found} <= {Kind.LATE_SAMPLES}
    return [one.level for one in found], sum(pauses)


@pytest.mark.parametrize("age", [0, 15, 29])
def test_a_young_sample_is_seen_at_once(age: int) -> None:
    """Nobody waits where all is well."""
    assert late(Store(lambda at: at - age)) == ([], 0)


def test_samples_that_are_always_hidden_are_late() -> None:
    """A problem where the oldest that is seen is too old for a policy, else a warning; one interval is looked at."""
    hidden = Store(lambda at: at - 40.0)
    assert late(hidden) == ([Level.WARNING], 30)
    assert late(hidden, max_sample_age=60) == ([Level.PROBLEM], 30)


def test_a_look_between_two_samples_is_no_lateness() -> None:
    """Of one target that is scraped each minute the newest sample is often older than half a minute."""
    sawtooth = Store(lambda at: float(at - (at - NOW + 50) % 60))
    assert late(sawtooth, interval=60.0) == ([], 10)


def test_samples_that_have_stopped_are_not_late() -> None:
    """Nothing new comes in: that is told as stale, and not as the store's doing."""
    stopped = Store(lambda _: NOW - 100.0)
    assert late(stopped) == ([], 30)
    assert late(stopped, interval=1.0) == ([], 6)


def test_samples_that_vanish_meanwhile_are_not_late() -> None:
    """After five minutes Prometheus shows them no more."""
    gone = Store(lambda at: NOW - 299.0 if at < NOW + 2 else None)
    assert late(gone) == ([], 2)


def test_nobody_waits_for_minutes() -> None:
    """Of samples that come each five minutes it can't be told in the time that a person waits."""
    assert late(Store(lambda at: at - 40.0), interval=300.0) == ([], 0)


def test_the_slowest_of_several_targets_counts() -> None:
    """It is the one whose windows have holes."""
    slow, quick = steady(1.0, since=NOW - 900, every=60), steady(1.0, since=NOW - 900, every=15)
    store = Store(lambda at: at - 1.0, slow, quick)
    pace = measure(ask(store), CHOSEN, SCOPE)
    assert replace(pace, youngest=None) == Pace(60.0, 15.0, None)
    (finding,) = [one for one in faults(pace, SCOPE, []) if one.kind is Kind.SAMPLE_INTERVAL]
    assert "every 15 to 60 s" in finding.what
    assert "REMEDIATOR_SCRAPE_INTERVAL=1m" in finding.fix
