"""Cron expressions in a time zone: no run lost and none doubled, the nights of a clock change included."""

from __future__ import annotations

import zoneinfo
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.policy.cron import Cron
from remediator.policy.zones import zone

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

CHANGES = [
    ("America/Los_Angeles", date(2026, 3, 8)),
    ("America/Los_Angeles", date(2026, 11, 1)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("Africa/Cairo", date(2026, 4, 24)),
    ("Africa/Cairo", date(2026, 10, 30)),
    ("America/Santiago", date(2026, 4, 5)),
    ("America/Santiago", date(2026, 9, 6)),
    ("Antarctica/Troll", date(2026, 3, 29)),
    ("Antarctica/Troll", date(2026, 10, 25)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Asia/Kolkata", date(2026, 3, 29)),
    ("UTC", date(2026, 3, 29)),
]
"""Days on which the clock is changed, at night or at midnight, by an hour, two, or a whole day; and calm ones."""
HALF_AN_HOUR = [("Australia/Lord_Howe", date(2026, 4, 5)), ("Australia/Lord_Howe", date(2026, 10, 4))]


def walk(cron: Cron, begin: datetime, end: datetime) -> Iterator[datetime]:
    """Each run from the begin on, the begin itself excluded, to the end, itself included."""
    at = cron.after(begin)
    while at <= end:
        yield at
        at = cron.after(at)


def local(cron: Cron, begin: datetime, end: datetime) -> list[str]:
    """The runs on the wall: day, time and offset from UTC."""
    return [f"{at.astimezone(zone(cron.timezone)):%d %H:%M %z}" for at in walk(cron, begin, end)]


def around(place: str, day: date) -> tuple[datetime, datetime]:
    """From noon before a day to noon after it, in UTC."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone(place))
    return (noon - DAY).astimezone(UTC), (noon + DAY).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "place", "day", "expected"),
    [
        ("0 0 * * *", "America/Los_Angeles", date(2026, 3, 8), ["08 00:00 -0800", "09 00:00 -0700"]),
        ("0 0 * * *", "America/Los_Angeles", date(2026, 11, 1), ["01 00:00 -0700", "02 00:00 -0800"]),
        ("0 0 * * *", "Europe/Berlin", date(2026, 3, 29), ["29 00:00 +0100", "30 00:00 +0200"]),
        ("0 0 * * *", "Europe/Berlin", date(2026, 10, 25), ["25 00:00 +0200", "26 00:00 +0100"]),
        ("30 2 * * *", "America/Los_Angeles", date(2026, 3, 8), ["08 03:00 -0700", "09 02:30 -0700"]),
        ("30 1 * * *", "America/Los_Angeles", date(2026, 11, 1), ["01 01:30 -0700", "02 01:30 -0800"]),
        ("30 2 * * *", "Europe/Berlin", date(2026, 3, 29), ["29 03:00 +0200", "30 02:30 +0200"]),
        ("30 2 * * *", "Europe/Berlin", date(2026, 10, 25), ["25 02:30 +0200", "26 02:30 +0100"]),
        ("30 2,3 * * sun", "Europe/Berlin", date(2026, 3, 29), ["29 03:00 +0200", "29 03:30 +0200"]),
        ("*/30 2 * * sun", "Europe/Berlin", date(2026, 3, 29), ["29 03:00 +0200"]),
        ("0 2,3 * * sun", "Europe/Berlin", date(2026, 3, 29), ["29 03:00 +0200"]),
        ("0 */2 25 10 *", "Europe/Berlin", date(2026, 10, 25), [
            *("25 00:00 +0200", "25 02:00 +0200", "25 04:00 +0100", "25 06:00 +0100", "25 08:00 +0100"),
            *("25 10:00 +0100", "25 12:00 +0100", "25 14:00 +0100", "25 16:00 +0100", "25 18:00 +0100"),
            *("25 20:00 +0100", "25 22:00 +0100"),
        ]),
    ],
)  # fmt: skip
def test_the_nights_in_which_the_clock_is_changed(text: str, place: str, day: date, expected: list[str]) -> None:
    """What is skipped runs when the clock has jumped, what comes twice runs the first time, midnight is not lost."""
    assert local(Cron(text, place), *around(place, day)) == expected


@pytest.mark.parametrize("text", ["30 * * * *", "30 0-23 * * *", "30 */1 * * *"])
@pytest.mark.parametrize(("place", "day"), CHANGES[:4])
def test_what_runs_each_hour_runs_each_hour_that_passes(text: str, place: str, day: date) -> None:
    """An hour that comes twice has its run twice, and one that is skipped has none."""
    begin, end = around(place, day)
    runs = list(walk(Cron(text, place), begin, end))
    assert len(runs) == (end - begin) // HOUR
    assert {later - earlier for earlier, later in pairwise(runs)} == {HOUR}


@cache
def clock(place: str, day: date) -> list[tuple[datetime, datetime]]:
    """Each minute of three days in UTC, with what the clock shows at it."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    minutes = [noon - 2 * DAY + number * MINUTE for number in range(4 * 1440)]
    return [(minute, minute.astimezone(zone(place)).replace(tzinfo=None)) for minute in minutes]


def named(lines: list[datetime], weekdays: set[int], hours: set[int], minutes: set[int]) -> Iterator[datetime]:
    """The times of day that an expression names, on the days from the first to the last of what the clock shows."""
    day = lines[0].date()
    while day <= lines[-1].date():
        if day.weekday() in weekdays:
            yield from (
                datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001
                for hour in sorted(hours)
                for minute in sorted(minutes)
            )
        day += DAY


WEEKDAYS = st.sets(st.integers(0, 6), min_size=1)
HOURS = st.sets(st.integers(0, 3) | st.integers(0, 23), min_size=1, max_size=23)
MINUTES = st.sets(st.integers(0, 59), min_size=1, max_size=6)


def expression(weekdays: set[int], hours: str, minutes: set[int]) -> str:
    """Those as cron has them."""
    days = ",".join(DAYS[day] for day in sorted(weekdays)) if len(weekdays) < 7 else "*"
    return f"{','.join(map(str, sorted(minutes)))} {hours} * * {days}"


@settings(max_examples=150, deadline=None)
@given(
    where=st.sampled_from([*CHANGES, *HALF_AN_HOUR]),
    weekdays=WEEKDAYS,
    hours=HOURS,
    minutes=MINUTES,
    off=st.floats(0, 59),
)
def test_each_time_of_day_runs_once(
    where: tuple[str, date], weekdays: set[int], hours: set[int], minutes: set[int], off: float
) -> None:
    """It runs at the first moment at which the clock shows it or a later time, and at no other."""
    place, day = where
    shown = clock(place, day)
    cron = Cron(expression(weekdays, ",".join(map(str, sorted(hours))), minutes), place)
    begin, end = shown[1440][0], shown[-1440][0]
    walls = named([wall for _, wall in shown], weekdays, hours, minutes)
    latest = list(accumulate((wall for _, wall in shown), max))
    firsts = {bisect_left(latest, wall) for wall in walls} - {len(shown)}
    expected = [shown[first][0] for first in sorted(firsts)]
    assert list(walk(cron, begin, end)) == [moment for moment in expected if begin < moment <= end]
    # Wherever one stands, the next one is the same.
    assert cron.after(begin + timedelta(seconds=off)) == cron.after(begin)


WITHIN_A_DAY = [(place, day) for place, day in CHANGES if place != "Pacific/Apia"]
"""Changes that skip no whole day: a day that never was has no hours of its own."""


@settings(max_examples=60, deadline=None)
@given(where=st.sampled_from(WITHIN_A_DAY), weekdays=WEEKDAYS, minutes=MINUTES)
def test_each_minute_of_each_hour_runs(where: tuple[str, date], weekdays: set[int], minutes: set[int]) -> None:
    """An expression for every hour runs whenever the clock shows one of its minutes, on its days."""
    place, day = where
    cron = Cron(expression(weekdays, "*", minutes), place)
    shown = clock(place, day)[1440:-1440]
    expected = [moment for moment, wall in shown[1:] if wall.minute in minutes and wall.weekday() in weekdays]
    assert list(walk(cron, shown[0][0], shown[-1][0])) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 3 * * sat-sun", ["28 03:00", "29 03:00"]),
        ("0 3 * * fri-mon", ["27 03:00", "28 03:00", "29 03:00", "30 03:00"]),
        ("0 3 * * MON,Wed", ["25 03:00", "30 03:00"]),
        ("0 3 L * *", ["30 03:00"]),
        ("0 3 * nov mon#5", ["30 03:00"]),
        ("  0   3 28 11 *  ", ["28 03:00"]),
        ("0 22-23 28 * *", ["28 22:00", "28 23:00"]),
    ],
)
def test_days(text: str, expected: list[str]) -> None:
    """Weekdays have names and wrap around the week's end, whatever day that is."""
    begin, end = datetime(2026, 11, 24, 12, tzinfo=UTC), datetime(2026, 11, 30, 12, tzinfo=UTC)
    assert [f"{at:%d %H:%M}" for at in walk(Cron(text), begin, end)] == expected


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("* * * * *", 60),
        ("*/5 1-5 * * *", 300),
        ("50,10 * * * *", 1200),
        ("30 2 * * *", 86400),
        ("0 0 1 1 *", 86400),
        ("55 23,1 * * *", 7200),
        ("0,30 0,23 * * *", 1800),
    ],
)
def test_the_shortest_pause(text: str, pause: int) -> None:
    """The seconds that always lie between two runs, over midnight as well."""
    assert Cron(text).shortest_pause == pause


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("* * * * *", 60),
        ("*/5 1-5 * * *", 68700),
        ("50,10 * * * *", 2400),
        ("30 2 * * *", 86400),
        ("30 2 * * mon-fri", 3 * 86400),
        ("0 0,6 * * sun", 6 * 86400 + 18 * 3600),
        ("0 3 L * *", 31 * 86400),
        ("0 0 1 1 *", 366 * 86400),
        ("0 3 29 2 *", 1461 * 86400),
        ("0 3 * feb mon#5", 10227 * 86400),
    ],
)
def test_the_longest_pause(text: str, pause: int) -> None:
    """The seconds after which there has been another run, over nights, weekends and years without a 29 February."""
    assert Cron(text).longest_pause == pause


def test_equal_ones_are_equal() -> None:
    """Two readings of the same line are equal; another time zone is another schedule."""
    assert Cron("0 2 * * *", "Europe/Berlin") == Cron("0 2 * * *", "Europe/Berlin")
    assert Cron("0 2 * * *", "Europe/Berlin") != Cron("0 2 * * *")
    assert str(Cron("0 2 * * *", "Europe/Berlin")) == "0 2 * * * (Europe/Berlin)"


@settings(max_examples=300, deadline=None)
@given(text=st.lists(st.sampled_from([*"*/,-#L 0123456789?@", *DAYS, "jan", "LW", "\u0130", " * * "]), max_size=14))
def test_any_text_is_an_expression_or_refused(text: list[str]) -> None:
    """No text makes the reader fail with anything but one sentence, and what is read has a next run."""
    now = datetime(2026, 11, 25, tzinfo=UTC)
    sentence = ""
    try:
        cron = Cron("".join(text))
    except ValueError as exc:
        sentence = str(exc)
        cron = Cron("0 0 * * *")
    assert not sentence or "; write " in sentence
    assert cron.after(now) > now
    assert 60 <= cron.shortest_pause <= 86400
    assert cron.shortest_pause <= cron.longest_pause


def test_zones_come_with_the_program() -> None:
    """A container without the system's time zones has those of the tzdata package."""
    zoneinfo.reset_tzpath(to=[])
    try:
        assert zoneinfo.ZoneInfo.no_cache("Europe/Berlin").key == "Europe/Berlin"
    finally:
        zoneinfo.reset_tzpath()
