"""When a policy may act: windows by weekday and time of day, in a time zone.

A window opens once on each of its days, also where the clock is changed in that night, and what lies beyond midnight
belongs to the day on which it begins. A time that the clock skips comes when the clock has jumped, and one that it
shows twice counts the first time; a window that would be skipped whole is open from the jump on for as long as it is
long. So a window is neither lost nor doubled, and it is never in two pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from remediator.policy.weekdays import DAYS, each_day
from remediator.policy.words import describe, nearest, quote
from remediator.policy.zones import first_moment, zone

DAY = 24 * 60
"""Minutes."""
EXAMPLE = '{days: mon-fri, from: "01:00", to: "05:00"}'

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_ALMOST = re.compile(r"([0-9]{1,2})(?::([0-5][0-9]))?(?::[0-9]{2})?")
_BEHIND, _AHEAD = -2, 9
"""Days on which a window is looked for: what began the day before may last, and in a week each of its days comes."""


@dataclass(frozen=True, slots=True)
class Window:
    """Open on these weekdays (0 is Monday) from one minute of the day to another one, which is not in it.

    ``end`` counts from the same midnight: where it lies on the next day it is more than 24 hours.
    """

    days: frozenset[int]
    start: int
    end: int
    timezone: str = "UTC"
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises ValueError where there is no such time zone."""
        object.__setattr__(self, "_zone", zone(self.timezone))

    def spans(self, near: datetime) -> Iterator[tuple[datetime, datetime]]:
        """From when to when it is open, in UTC and in order: from before a moment on, and for more than a week."""
        today = datetime.combine(near.astimezone(self._zone).date(), time.min)
        for offset in range(_BEHIND, _AHEAD):
            day = today + timedelta(days=offset)
            if day.weekday() in self.days:
                begins, ends = (
                    first_moment(day + timedelta(minutes=minutes), self._zone) for minutes in (self.start, self.end)
                )
                yield begins, ends if ends > begins else begins + timedelta(minutes=self.end - self.start)

    def local(self, moment: datetime) -> str:
        """A moment as the clock there shows it."""
        return f"{moment.astimezone(self._zone):%a %Y-%m-%d %H:%M} {self.timezone}"

    def __str__(self) -> str:
        days = ",".join(DAYS[day] for day in sorted(self.days)) if len(self.days) < len(DAYS) else "every day"
        return f"{days} {_shown(self.start)}-{_shown(self.end)} ({self.timezone})"


def is_open(windows: Sequence[Window], moment: datetime) -> bool:
    """Whether one of them is open."""
    return any(begins <= moment < ends for window in windows for begins, ends in window.spans(moment))


def next_opening(windows: Sequence[Window], moment: datetime) -> tuple[datetime, Window]:
    """When the next one opens after a moment, in UTC, and which one that is."""
    openings = ((begins, window) for window in windows for begins, _ in window.spans(moment) if begins > moment)
    return min(openings, key=lambda one: one[0])


def weekdays(value: object) -> frozenset[int]:
    """Read ``mon-fri``, ``sat,sun``, or a list of such. Raises ValueError with one sentence for a person."""
    items = value if isinstance(value, list) else [value]
    if not items:
        message = "an empty list of days would never open; write such as mon-fri, or remove the line for every day"
        raise ValueError(message)
    found = set()
    for item in items:
        if not isinstance(item, str):
            message = f"{describe(item)} is not a weekday; write names, such as mon-fri"
            raise ValueError(message)  # noqa: TRY004  (a person wrote it, not a programmer)
        for name in each_day("".join(item.lower().split())).split(","):
            if name not in DAYS:
                meant = name[:3] if name[:3] in DAYS else nearest(name, DAYS)
                message = f"{quote(item)} is not a weekday or several; write {meant or 'names, such as mon-fri'}"
                raise ValueError(message)
            found.add(DAYS.index(name))
    return frozenset(found)


def time_of_day(value: object) -> int:
    """Read ``01:00``, up to ``24:00``, as minutes since midnight. Raises ValueError with one sentence for a person."""
    text = str(value).strip()
    if isinstance(value, str) and (matched := _TIME.fullmatch(value)):
        hour, minute = matched.groups()
        return DAY if hour is None else 60 * int(hour) + int(minute)
    almost = _ALMOST.fullmatch(text) if isinstance(value, int | str) and not isinstance(value, bool) else None
    meant = f"{int(almost[1]):02}:{almost[2] or '00'}" if almost and int(almost[1]) < DAY // 60 else "such as 01:00"
    message = f"{describe(value)} is not a time of day; write {meant}"
    raise ValueError(message)


def _shown(minutes: int) -> str:
    within = minutes if minutes <= DAY else minutes - DAY
    return f"{within // 60:02}:{within % 60:02}"
