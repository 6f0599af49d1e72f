"""Weekdays as people write them: by name, and from any of them to any other."""

from __future__ import annotations

import re

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_RANGE = re.compile(rf"({'|'.join(DAYS)})-({'|'.join(DAYS)})")


def each_day(text: str) -> str:
    """Give a text in small letters with every range of weekdays in it day by day: ``fri,sat,sun`` for ``fri-sun``."""
    return _RANGE.sub(_spelt_out, text)


def _spelt_out(days: re.Match[str]) -> str:
    # `sat-sun` and `fri-mon` are what people write, and a week has no first day that all agree on.
    first, last = (DAYS.index(day) for day in days.groups())
    return ",".join(DAYS[(first + number) % 7] for number in range((last - first) % 7 + 1))
