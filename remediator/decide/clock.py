"""Can times be compared? Samples, containers and records have theirs from several clocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import combinations

from remediator.model.clocks import OURS, Reading
from remediator.model.holds import Hold
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Gate, Reason

SKEW = 30.0
"""Seconds that any two of the clocks may differ by."""


def clock_hold(clocks: Mapping[str, Reading], ledger: Ledger, now: float) -> Hold | None:
    """The gate ``clock``, where it holds: ``clocks`` are those of the servers, ``now`` is ours."""
    why = "; ".join([*_apart(clocks), *_set_back(ledger, now)])
    return Hold(Gate.CLOCK, Reason.CLOCK, why) if why else None


def _apart(clocks: Mapping[str, Reading]) -> Iterator[str]:
    """Each two clocks that are further apart than they may be, however the answers are read."""
    for (one, first), (other, second) in combinations([*sorted(clocks.items()), ("us", OURS)], 2):
        if first.low - second.high > SKEW or second.low - first.high > SKEW:
            by = first.middle - second.middle
            yield f"{one} is {abs(by):.0f} s {'ahead of' if by > 0 else 'behind'} {other}, and {SKEW:.0f} s are allowed"


def _set_back(ledger: Ledger, now: float) -> Iterator[str]:
    """Our clock has not come to where it was when the newest record was written: cooldowns can't be counted."""
    newest = max(_times(ledger), default=now)
    if newest > now:
        at = f"{datetime.fromtimestamp(newest, UTC):%Y-%m-%d %H:%M:%S} UTC"
        yield f"the journal's newest record is of {at}, {newest - now:.0f} s ahead of our clock"


def _times(ledger: Ledger) -> Iterator[float]:
    for record in (*ledger.in_flight.values(), *ledger.settled):
        times = (record.intended_at, record.taken_at, record.available_at, record.settled_at)
        yield from (at for at in times if at is not None)
    yield from (act.counts_from for act in ledger.acts)
    yield from (breaker.opened_at for breaker in ledger.breakers.values())
