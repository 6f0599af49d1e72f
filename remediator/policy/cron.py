"""When a policy with ``cron`` is evaluated: an expression of five fields and a time zone, and the moments they name.

cronsim reads the expression and walks the calendar. What a night has in which the clock is changed is decided here,
so that no run is lost and none is doubled: a time of day that the clock skips is made up for when the clock has
jumped, a time of day that comes twice counts the first time, and what runs in every hour runs in every hour that
passes, whatever the clock calls it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from remediator.policy.durations import DAY
from remediator.policy.weekdays import each_day
from remediator.policy.words import BLANK, quote
from remediator.policy.zones import first_moment, zone

EXAMPLE = "30 2 * * mon-fri"
LONGEST = 200
"""The most characters that an expression may have."""

_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * sun",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS = (
    ("minute", 59, "a minute from 0 to 59", "30 or */10"),
    ("hour", 23, "an hour from 0 to 23", "2 or 1-5"),
    ("day of month", 31, "a day from 1 to 31", "1, or L for the last one"),
    ("month", 12, "a month from 1 to 12 or jan to dec", "1-6 or dec"),
    ("weekday", 7, "a weekday", "mon-fri or sat,sun"),
)
_STRANGE = re.compile(f"[^!-~{BLANK}]")
_STEP = re.compile(r"/([0-9]+)")
_ANY_TIME = datetime(2000, 1, 1)  # noqa: DTZ001  (what stands on the wall, not a moment)
_LONG_AFTER = datetime(2061, 1, 1)  # noqa: DTZ001  (a fifth Monday of February comes twice until then)
_ENOUGH_DAYS = 500
"""Days that an expression names, after which its longest pause has come; rare ones come until ``_LONG_AFTER``."""


@dataclass(frozen=True, slots=True)
class Cron:
    """An expression, such as ``30 2 * * mon-fri``, in a time zone by its IANA name."""

    text: str
    timezone: str = "UTC"
    _fields: str = field(init=False, repr=False, compare=False)
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)
    _hourly: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises ValueError with one sentence for a person."""
        fields = _read(self.text)
        object.__setattr__(self, "_zone", zone(self.timezone))
        hourly = len(_walk(fields).hours) == 24  # noqa: PLR2004
        object.__setattr__(self, "_hourly", hourly)
        if hourly:
            fields[1] = "*"  # `0-23` is the same, and cronsim does not know it
        object.__setattr__(self, "_fields", " ".join(fields))

    def after(self, moment: datetime) -> datetime:
        """Give the first run after a moment, in UTC."""
        local = moment.astimezone(self._zone)
        if self._hourly:
            return next(CronSim(self._fields, local)).astimezone(UTC)
        on_the_wall = CronSim(self._fields, local.replace(tzinfo=None))
        return next(at for at in map(partial(first_moment, place=self._zone), on_the_wall) if at > moment)

    @property
    def shortest_pause(self) -> int:
        """The seconds between two runs at least, on a day with 24 hours."""
        walk = _walk(self._fields.split())
        times = sorted(60 * hour + minute for hour in walk.hours for minute in walk.minutes)
        following = [*times[1:], times[0] + DAY // 60]
        return 60 * min(later - time for time, later in zip(times, following, strict=True))

    @property
    def longest_pause(self) -> int:
        """The seconds between two runs at most, on days with 24 hours."""
        fields = self._fields.split()
        walk = _walk(fields)
        times = sorted(60 * hour + minute for hour in walk.hours for minute in walk.minutes)
        on_a_day = [later - time for time, later in pairwise(times)]
        over_night = _longest_days(fields[2:]) * (DAY // 60) - times[-1] + times[0]
        return 60 * max([*on_a_day, over_night])

    def __str__(self) -> str:
        return f"{self.text} ({self.timezone})"


def _read(text: str) -> list[str]:
    """Give the five fields as cronsim takes them."""
    if len(text) > LONGEST:
        message = f"{quote(text)} has {len(text)} characters; at most {LONGEST} are taken: write several policies"
        raise ValueError(message)
    if strange := _STRANGE.search(text):
        message = f"{quote(text)} holds {quote(strange[0])}, which no expression has; write such as {EXAMPLE}"
        raise ValueError(message)
    fields = text.lower().split()
    if instead := _slip(fields):
        message = f"{quote(text)} {instead}"
        raise ValueError(message)
    fields[4] = each_day(fields[4])
    for number, (name, highest, right, example) in enumerate(_FIELDS):
        written = text.split()[number]
        if any(int(step) > highest for step in _STEP.findall(written)):
            message = f"{quote(written)} steps over every {name} but the first; write such as {example}"
            raise ValueError(message)
        alone = ["*"] * len(_FIELDS)
        alone[number] = fields[number]
        try:
            _walk(alone)
        except CronSimError as exc:
            message = f"{quote(written)} is not {right}; write such as {example}"
            raise ValueError(message) from exc
    try:
        _walk(fields)
    except CronSimError as exc:
        message = f"{quote(text)} never comes: no such month has that day; write such as {EXAMPLE}"
        raise ValueError(message) from exc
    return fields


def _slip(fields: list[str]) -> str:
    """Say what is wrong with the fields as a whole, or what would mean something else to another cron."""
    first = fields[0] if fields else ""
    if first.startswith("@"):
        return f"is a name, not an expression; write {_MACROS.get(first, EXAMPLE)}"
    if first.startswith(("tz=", "cron_tz=")):
        return "begins with a time zone; write it in a line of its own, such as timezone: Europe/Berlin"
    if len(fields) != len(_FIELDS):
        names = ", ".join(name for name, *_ in _FIELDS)
        seconds = " and none for seconds" if len(fields) == len(_FIELDS) + 1 else ""
        return f"has {len(fields)} fields and must have five, {names}{seconds}; write such as {EXAMPLE}"
    if any("?" in one for one in fields):
        return "has a ?; write * for every one"
    if re.search(r"(?<![#0-9])[0-9]", fields[4]):
        return "counts weekdays, and crons differ in where a week begins; write names, such as mon-fri"
    if fields[2] != "*" and fields[4] != "*":
        return (
            "has a day of month and a weekday, and some crons want both, others either; "
            "write * for one of them, or two policies"
        )
    return ""


def _longest_days(fields: list[str]) -> int:
    """The days from one that an expression's last three fields name to the next one, at most."""
    if fields == ["*"] * 3:
        return 1
    named = CronSim(" ".join(["0", "0", *fields]), _ANY_TIME)
    days = takewhile(lambda day: day < _LONG_AFTER, islice(named, _ENOUGH_DAYS))
    return max((later - day).days for day, later in pairwise(days))


def _walk(fields: list[str]) -> CronSim:
    return CronSim(" ".join(fields), _ANY_TIME)
