"""Figures: a measured value with its unit and, where there is one, its target."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MI = 1 << 20


class Unit(StrEnum):
    """What a value is measured in: the base unit, whatever is shown."""

    SECONDS = "s"
    BYTES = "B"
    REQUESTS = "requests"
    CORE = "cores"
    """Of processor time in a second."""
    RATIO = "times"


@dataclass(frozen=True, slots=True)
class Target:
    """What a value must not exceed; with ``below`` it must not even reach it."""

    bound: float
    below: bool = False

    def met_by(self, value: float) -> bool:
        """Whether the value is good enough."""
        return value < self.bound if self.below else value <= self.bound


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the report; ``value`` is None where it could not be measured, and ``note`` then says why."""

    part: str
    what: str
    value: float | None
    unit: Unit
    target: Target | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target or a value."""
        if self.target is None or self.value is None:
            return None
        return self.target.met_by(self.value)


def shown(value: float, unit: Unit) -> str:
    """A value for people, in a unit of their size."""
    match unit:
        case Unit.SECONDS:
            return f"{_three(value * 1000)} ms" if value < 1 else f"{_three(value)} s"
        case Unit.BYTES:
            return f"{value / MI:.1f} MiB"
        case Unit.CORE:
            return f"{value * 100:.2f} % of a core"
        case Unit.RATIO:
            return f"{_three(value)} times"
        case Unit.REQUESTS:
            return f"{value:g}"


def wanted(target: Target, unit: Unit) -> str:
    """A target for people."""
    return f"{'<' if target.below else '≤'} {_bound(target.bound, unit)}"


def _bound(bound: float, unit: Unit) -> str:
    """A bound as it was written: without the digits of a measurement."""
    match unit:
        case Unit.SECONDS:
            return f"{bound * 1000:g} ms" if bound < 1 else f"{bound:g} s"
        case Unit.BYTES:
            return f"{bound / MI:g} MiB"
        case Unit.CORE:
            return f"{bound * 100:g} % of a core"
        case _:
            return f"{bound:g}"


def _three(value: float) -> str:
    """Three digits that mean something, and no more; at least those before the point."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 2)}f}"


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two in the middle. Raises ValueError where there is none."""
    if not values:
        message = "no values, no median"
        raise ValueError(message)
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share (0 to 1) of all is not above: a measured one, never between two.

    Raises ValueError where there is none.
    """
    if not values:
        message = "no values, no percentile"
        raise ValueError(message)
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]
