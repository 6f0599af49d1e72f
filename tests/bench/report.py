"""The report: one table for people, or JSON with the machine beside the figures."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.bench.figures import Figure, shown, wanted

_BUSY = 0.25
"""Waiting processes for each core, above which the figures say more about the neighbours."""


@dataclass(frozen=True)
class Machine:
    """Where it was measured."""

    processor: str
    cores: int
    memory: int
    """Bytes."""
    system: str
    python: str
    load: float
    """Average of running processes over the minute before the start."""

    @property
    def busy(self) -> bool:
        """Whether somebody else was using it when the run began."""
        return self.load > _BUSY * self.cores

    def __str__(self) -> str:
        size = f"{self.cores} cores of {self.processor}, {self.memory / (1 << 30):.0f} GiB"
        return f"{size}, {self.system}, Python {self.python}"


def this_machine() -> Machine:
    """The machine that this runs on."""
    return Machine(
        processor=_field(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory=int((_field(Path("/proc/meminfo"), "MemTotal") or "0").split()[0]) << 10,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        load=os.getloadavg()[0],
    )


def _field(path: Path, name: str) -> str:
    """The value of the first `NAME : VALUE` line of a file of /proc; empty where there is none."""
    if path.exists():
        for line in path.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return ""


def table(figures: Sequence[Figure]) -> Table:
    """What, measured, target, and whether it is met; a line between two parts."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("part", no_wrap=True)
    made.add_column("figure", overflow="fold")
    made.add_column("measured", justify="right", no_wrap=True)
    made.add_column("target", justify="right", no_wrap=True)
    made.add_column("", no_wrap=True)
    before = ""
    for figure in figures:
        if before and figure.part != before:
            made.add_section()
        note = (f" ({figure.note})", "dim") if figure.note else ""
        made.add_row(
            figure.part if figure.part != before else "",
            Text.assemble(figure.what, note),
            "not measured" if figure.value is None else shown(figure.value, figure.unit),
            wanted(figure.target, figure.unit) if figure.target else "",
            _verdict(figure),
        )
        before = figure.part
    return made


def _verdict(figure: Figure) -> Text:
    if figure.target is None:
        return Text()
    word, style = {True: ("met", "green"), False: ("missed", "bold red"), None: ("?", "yellow")}[figure.met]
    return Text(word, style=style)


def print_report(
    console: Console, figures: Sequence[Figure], *, machine: Machine, failed: Mapping[str, str], seconds: float
) -> None:
    """The table, what could not be measured, and where it was measured."""
    console.print(table(figures))
    for part, why in failed.items():
        console.print(f"{part} could not be measured: {why}", style="bold red", markup=False)
    console.print(f"Measured on {machine}, in {seconds / 60:.0f} min.", markup=False)
    if machine.busy:
        console.print(
            f"The machine was not idle when it began (load {machine.load:.1f}): times are too long.",
            style="yellow",
            markup=False,
        )


def as_json(figures: Sequence[Figure], *, machine: Machine, failed: Mapping[str, str], seconds: float) -> bytes:
    """The same for programs; docs/bench.md describes it."""
    content: dict[str, Any] = {
        "machine": {**machine.__dict__, "busy": machine.busy},
        "seconds": round(seconds, 1),
        "figures": [
            {
                "part": figure.part,
                "figure": figure.what,
                "value": figure.value,
                "unit": figure.unit,
                "target": figure.target.bound if figure.target else None,
                "below": figure.target.below if figure.target else None,
                "met": figure.met,
                "note": figure.note,
            }
            for figure in figures
        ],
        "failed": dict(failed),
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n"
