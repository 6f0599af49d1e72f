"""When a policy may act: no window lost, doubled or in pieces, the nights of a clock change included."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.policy.windows import DAY, Window, is_open, next_opening, time_of_day, weekdays
from remediator.policy.zones import zone
from tests.unit.policy.test_cron import CHANGES, HALF_AN_HOUR, clock

MINUTE = timedelta(minutes=1)
ALL = frozenset(range(7))


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(begins: str, ends: str, place: str, days: frozenset[int] = ALL) -> Window:
    """A window as the file has it."""
    start, end = time_of_day(begins), time_of_day(ends)
    return Window(days, start, end if end > start else end + DAY, place)


@pytest.mark.parametrize(
    ("begins", "ends", "place", "day", "expected"),
    [
        ("01:00", "05:00", "Europe/Berlin", "2026-03-29", "01:00 +0100 - 05:00 +0200"),
        ("01:00", "05:00", "Europe/Berlin", "2026-10-25", "01:00 +0200 - 05:00 +0100"),
        ("02:15", "02:45", "Europe/Berlin", "2026-03-29", "03:00 +0200 - 03:30 +0200"),
        ("02:30", "03:15", "Europe/Berlin", "2026-03-29", "03:00 +0200 - 03:15 +0200"),
        ("01:30", "02:30", "Europe/Berlin", "2026-03-29", "01:30 +0100 - 03:00 +0200"),
        ("01:00", "02:00", "Europe/Berlin", "2026-03-29", "01:00 +0100 - 03:00 +0200"),
        ("02:15", "02:45", "Europe/Berlin", "2026-10-25", "02:15 +0200 - 02:45 +0200"),
        ("02:30", "03:00", "Europe/Berlin", "2026-10-25", "02:30 +0200 - 03:00 +0100"),
        ("01:15", "01:45", "America/Los_Angeles", "2026-11-01", "01:15 -0700 - 01:45 -0700"),
        ("02:00", "03:00", "America/Los_Angeles", "2026-03-08", "03:00 -0700 - 04:00 -0700"),
        ("22:00", "02:30", "America/Los_Angeles", "2026-03-07", "22:00 -0800 - 03:00 -0700"),
        ("01:45", "02:15", "Australia/Lord_Howe", "2026-10-04", "01:45 +1030 - 02:30 +1100"),
        ("01:45", "01:50", "Australia/Lord_Howe", "2026-04-05", "01:45 +1100 - 01:50 +1100"),
        ("00:00", "24:00", "Africa/Cairo", "2026-04-24", "01:00 +0300 - 00:00 +0300"),
        ("23:15", "00:15", "Africa/Cairo", "2026-10-29", "23:15 +0300 - 00:15 +0200"),
        ("01:00", "05:00", "Pacific/Apia", "2011-12-30", "00:00 +1400 - 04:00 +1400"),
    ],
)
def test_the_nights_in_which_the_clock_is_changed(begins: str, ends: str, place: str, day: str, expected: str) -> None:
    """What is skipped comes when the clock has jumped, what comes twice is the first; skipped whole, it comes after."""
    of_day = date.fromisoformat(day)
    one = window(begins, ends, place, frozenset({of_day.weekday()}))
    noon = datetime.combine(of_day, time(12), zone(place))
    near = [span for span in one.spans(noon) if abs(span[0] - noon) < timedelta(days=2)]
    assert [" - ".join(f"{edge.astimezone(zone(place)):%H:%M %z}" for edge in span) for span in near] == [expected]


def named(window: Window, lines: list[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """What the clock shows at the beginnings and ends that a window has, from the first to the last of some days."""
    day = datetime.combine(lines[0].date(), time.min)
    while day <= lines[-1]:
        if day.weekday() in window.days:
            yield day + window.start * MINUTE, day + window.end * MINUTE
        day += timedelta(days=1)


EARLY = st.integers(0, 4 * 60)
TIMES = st.tuples(EARLY | st.integers(0, DAY - 1), EARLY | st.integers(1, DAY)).filter(lambda one: one[0] != one[1])


@settings(max_examples=300, deadline=None)
@given(where=st.sampled_from([*CHANGES, *HALF_AN_HOUR]), days=st.frozensets(st.integers(0, 6), min_size=1), times=TIMES)
def test_a_window_opens_once_on_each_of_its_days(
    where: tuple[str, date], days: frozenset[int], times: tuple[int, int]
) -> None:
    """From when the clock shows its beginning, or more, to when it shows its end, or more; or for that long."""
    place, day = where
    start, end = times
    one = Window(days, start, end if end > start else end + DAY, place)
    shown = clock(place, day)
    latest = list(accumulate((wall for _, wall in shown), max))
    first, last = shown[1440][0], shown[-1440][0]
    expected = []
    for begins, ends in named(one, [wall for _, wall in shown]):
        opening, closing = bisect_left(latest, begins), bisect_left(latest, ends)
        if closing < len(shown):
            opens, closes = shown[opening][0], shown[closing][0]
            expected.append((opens, closes if closes > opens else opens + (ends - begins)))
    middle = [span for span in expected if first <= span[0] < last]
    noon = datetime.combine(day, time(12), UTC)
    assert [span for span in one.spans(noon) if first <= span[0] < last] == middle, "none is lost, none is doubled"
    assert all(opens < closes for opens, closes in middle)
    for opens, closes in middle:
        second = timedelta(seconds=1)
        # A span that opens later is not among the expected, if it closes after the days that are looked at.
        moments = [moment for moment in (opens - second, opens, closes - second, closes) if moment < last]
        assert [is_open([one], moment) for moment in moments] == [
            any(opened <= moment < closed for opened, closed in expected) for moment in moments
        ]
        assert next_opening([one], opens - second) == (opens, one)


@settings(max_examples=150, deadline=None)
@given(
    place=st.sampled_from(["Europe/Berlin", "America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kolkata"]),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    times=TIMES,
    moment=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_the_next_opening_is_the_next(
    place: str, days: frozenset[int], times: tuple[int, int], moment: datetime
) -> None:
    """Within eight days, wherever one stands; where none is open now, none opens before it."""
    start, end = times
    one = Window(days, start, end if end > start else end + DAY, place)
    opens, which = next_opening([one], moment)
    assert which is one
    assert moment < opens <= moment + timedelta(days=8)
    assert is_open([one], opens)
    if not is_open([one], moment):
        assert not any(is_open([one], moment + (opens - moment) * share / 7) for share in range(7))


def test_several_windows_are_open_when_one_of_them_is() -> None:
    """The next opening is that of any of them; a window across midnight belongs to the day on which it begins."""
    friday = window("22:00", "02:00", "UTC", frozenset({4}))
    monday = window("01:00", "05:00", "Asia/Shanghai", frozenset({0}))
    both = [friday, monday]
    assert is_open(both, at("2026-11-28 01:59"))
    assert not is_open(both, at("2026-11-28 02:00"))
    assert not is_open(both, at("2026-11-27 01:00"))
    assert next_opening(both, at("2026-11-28 02:00")) == (at("2026-11-29 17:00"), monday)
    assert is_open(both, at("2026-11-29 20:59"))
    assert next_opening(both, at("2026-11-29 17:00")) == (at("2026-12-04 22:00"), friday)
    assert monday.local(at("2026-11-29 17:00")) == "Mon 2026-11-30 01:00 Asia/Shanghai"


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("sat-sun", {5, 6}),
        ("fri-mon", {4, 5, 6, 0}),
        ("MON, wed", {0, 2}),
        (["sat", "mon-tue"], {5, 0, 1}),
        ("sun-sun", {6}),
    ],
)
def test_weekdays_are_what_they_look_like(written: object, days: set[int]) -> None:
    """Names, lists and ranges, around the week's end as well."""
    assert weekdays(written) == days
