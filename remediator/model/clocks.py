"""How far another clock is from ours, as far as an answer's ``Date`` header tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Reading:
    """By how many seconds a clock is ahead of ours, at least and at most; below 0 where it is behind."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """The likeliest."""
        return (self.low + self.high) / 2


Heard: TypeAlias = Callable[[Reading], None]
"""Called with what an answer tells of its server's clock."""
OURS = Reading(0.0, 0.0)


def reading(date: str | None, *, sent: float, got: float) -> Reading | None:
    """What a ``Date`` header tells, by our clock's times of the question and of the answer's header.

    It is in UTC and has whole seconds, cut off, and was written at some moment between the two: the longer it took, the
    less it tells. None where there is no date, or where our own clock was set back meanwhile.
    Source: https://www.rfc-editor.org/rfc/rfc9110#field.date
    """
    try:
        written = parsedate_to_datetime(date or "").replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
    return Reading(written - got, written + 1.0 - sent) if sent <= got else None
