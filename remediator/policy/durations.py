"""Durations as operators write them (``90s``, ``2m``, ``1h30m``, ``1d``), in whole seconds.

The units are those of Prometheus and of Go; fractions are refused, because everything that takes a duration
here counts in whole seconds and a silently rounded one would be a different setting from the one that was
written.
"""

from __future__ import annotations

import re

HOUR = 3600
DAY = 24 * HOUR
MAX_SECONDS = 366 * DAY
"""Longer than this is a slip of the pen, in seconds."""

_UNITS = {"d": DAY, "h": HOUR, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")
_FRACTION = re.compile(r"(?P<number>[0-9]{1,6}\.[0-9]{1,6})(?P<unit>[dhms])")
_NO_UNIT = re.compile(r"[0-9]{1,9}")
_MILLISECONDS = re.compile(r"[0-9]{1,9}ms")
_LONGEST = 40


def parse_duration(text: str) -> int:
    """Give a duration in seconds.

    Raises ValueError with one sentence for a person, which says what to write instead.
    """
    matched = _DURATION.fullmatch(text) if 0 < len(text) <= _LONGEST else None
    if matched is None:
        raise ValueError(_complaint(text))
    seconds = sum(int(count) * unit for count, unit in zip(matched.groups(default="0"), _UNITS.values(), strict=True))
    if seconds > MAX_SECONDS:
        message = f"{text!r} is longer than a year; write a shorter one, such as 1h"
        raise ValueError(message)
    return seconds


def format_duration(seconds: int) -> str:
    """Write seconds as :func:`parse_duration` reads them: ``1h30m`` for 5400, ``0s`` for none."""
    parts = []
    for name, unit in _UNITS.items():
        count, seconds = divmod(seconds, unit)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts) or "0s"


def _complaint(text: str) -> str:
    stripped = text.strip().lower()
    if _NO_UNIT.fullmatch(stripped):
        return f"{text!r} has no unit; write {stripped}s for seconds or {stripped}m for minutes"
    if fraction := _FRACTION.fullmatch(stripped):
        seconds = max(1, round(float(fraction["number"]) * _UNITS[fraction["unit"]]))
        return f"{text!r} is not in whole numbers; write {format_duration(seconds)}"
    if _MILLISECONDS.fullmatch(stripped):
        return f"{text!r} is in milliseconds; write whole seconds, such as 1s"
    compact = "".join(stripped.split())
    if 0 < len(compact) <= _LONGEST and _DURATION.fullmatch(compact):
        return f"{text!r} is not a duration; write {compact}"
    shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    return f"{shown!r} is not a duration; write such as 90s, 2m, 1h30m or 1d"
