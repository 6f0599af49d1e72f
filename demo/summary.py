"""The two tables at the end: who was replaced, and who was left alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from demo.cast import FOR, THRESHOLD
from demo.words import mebibytes, seconds


@dataclass(frozen=True)
class Replaced:
    """A replaced pod; memory in bytes, times in seconds."""

    pod: str
    before: float
    after: float | None
    to_eviction: float | None
    """From the breach."""
    to_available: float | None
    """From the eviction."""
    outcome: str


@dataclass(frozen=True)
class Stayed:
    """A pod that was left alone; memory in bytes, None where it has none any more."""

    pod: str
    memory: float | None
    reason: str
    words: str


@dataclass(frozen=True)
class Tables:
    """Both tables, of the width of whatever they are printed on."""

    replaced: Sequence[Replaced]
    stayed: Sequence[Stayed]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """For rich."""
        yield Text()
        yield self._replaced()
        yield Text()
        yield Text(
            f"Breach: the moment at which the pod had been over {mebibytes(THRESHOLD)} for {FOR} s, by Prometheus.",
            "dim",
        )
        yield Text()
        yield self._stayed()
        yield Text()

    def _replaced(self) -> Table:
        found = table("replaced pod", "before", "after", "breach to\neviction", "eviction to\navailable", "outcome")
        for column in found.columns[1:5]:
            column.justify = "right"
        for row in self.replaced:
            found.add_row(
                row.pod,
                mebibytes(row.before),
                mebibytes(row.after),
                seconds(row.to_eviction),
                seconds(row.to_available),
                row.outcome,
            )
        return found

    def _stayed(self) -> Table:
        found = table("left alone", "memory", "reason")
        found.columns[1].justify = "right"
        for left in self.stayed:
            found.add_row(left.pod, mebibytes(left.memory), f"{left.reason}: {left.words}")
        return found


def table(*headings: str) -> Table:
    """A table as the demo prints them."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        made.add_column(heading, overflow="fold", vertical="top")
    made.columns[0].no_wrap = True
    return made
