"""Outside of its windows a policy does not act, and says when it may."""

from __future__ import annotations

from datetime import UTC, datetime

from remediator.decide import concerning
from remediator.decide.windows import window_closed
from remediator.model.vocabulary import Action, Reason
from remediator.policy import Window
from tests.unit.make import policy

NIGHT = Window(frozenset(range(5)), 60, 300, "Asia/Shanghai")


def at(text: str) -> float:
    """A moment in UTC, in seconds since the epoch."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_outside_of_all_windows_it_is_told_when_the_next_one_opens() -> None:
    """In the window's own time zone, and how far that is away; a report is made all the same."""
    veto = window_closed(policy(windows=(NIGHT,)), at("2026-11-27 21:00:30"))
    assert veto is not None
    assert veto.reason is Reason.WINDOW_CLOSED
    assert veto.detail == (
        "outside of the policy's windows; the next one, mon,tue,wed,thu,fri 01:00-05:00 (Asia/Shanghai), "
        "opens at Mon 2026-11-30 01:00 Asia/Shanghai, in 1d19h59m30s"
    )
    assert concerning([veto], Action.NOTIFY) == ()
    assert concerning([veto], Action.EVICT) == (veto,)


def test_within_one_of_them_it_acts() -> None:
    """From the first second on, to the last; without windows always."""
    both = policy(windows=(Window(frozenset({6}), 0, 1440), NIGHT))
    assert window_closed(both, at("2026-11-26 17:00:00")) is None
    assert window_closed(both, at("2026-11-26 20:59:59")) is None
    assert window_closed(both, at("2026-11-26 21:00:00")) is not None
    assert window_closed(both, at("2026-11-29 12:00:00")) is None
    assert window_closed(policy(), at("2026-11-26 12:00:00")) is None
