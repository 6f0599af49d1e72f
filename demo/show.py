"""The printing: lines one after the other, on a terminal with colours, and two tables at the end."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from demo.stage import FOR, LIMIT, MI, THRESHOLD, Role, policy
from demo.story import Happening, LeftAlone, Looked, Replacement, Step, Trouble
from remediator.model.vocabulary import Outcome

# Columns of a line before its text: the time, and one word for what it is about.
_TIME, _WORD = 7, 10
# The longest bar; more would say no more.
_WIDEST = 60

_INTRODUCTION = (
    (
        "Real",
        "the Kubernetes API server, etcd, controllers and scheduler; Prometheus; and the daemon, `remediator run`.",
    ),
    (
        "Simulated",
        (
            "the nodes and pods (KWOK). No containers run; a pod's memory is a number that grows with its age. "
            "The first ones have a head start, as if they had run for a while."
        ),
    ),
)


@dataclass(frozen=True)
class Replaced:
    """A row of the summary: a replaced pod; memory in bytes, times in seconds."""

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
    """A row of the summary: a pod that was left alone; memory in bytes, None where it has none any more."""

    pod: str
    memory: float | None
    reason: str
    words: str


@dataclass(frozen=True)
class Addresses:
    """What a person needs who wants to look around."""

    kubeconfig: Path
    prometheus: str
    metrics: str
    log: Path


class Show:
    """Prints to a console; the time at the start of a line counts from `begin`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = time.monotonic()

    def introduce(self) -> None:
        """The first lines: what is about to be seen, and what of it is real."""
        self._console.print(Text("Three pods leak and are replaced; others are left alone.", style="bold"))
        for word, words in _INTRODUCTION:
            self._hanging(f"{word:<{_WORD}}  ", words, style="bold")
        self._console.print()

    def begin(self) -> None:
        """Time counts from now."""
        self._begun = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since `begin`."""
        return time.monotonic() - self._begun

    def step(self, words: str, *, word: str = "set-up") -> None:
        """One thing that the demo itself does."""
        self._line(word, words, style="cyan")

    def cast(self, roles: Iterable[Role]) -> None:
        """Who is on the stage, and the policy."""
        table = _table("workload", "pods", "what its pods do", "what must become of them")
        for role in roles:
            fate = "replaced, one by one" if role.left_alone is None else f"left alone: {role.left_alone}"
            table.add_row(role.workload, str(role.pods), role.about, fate)
        self._console.print()
        self._console.print(table)
        self._console.print()
        chosen = policy()["policies"][0]
        fields = ("threshold", "for", "every", "action", "cooldown")
        self._hanging("policy   ", ", ".join(f"{field} {chosen[field]}" for field in fields))
        self._console.print()

    def addresses(self, where: Addresses) -> None:
        """How to look around; never wrapped, so that it can be copied."""
        rows = (
            ("cluster", f"export KUBECONFIG={where.kubeconfig}"),
            ("Prometheus", where.prometheus),
            ("daemon", where.metrics),
            ("its log", where.log),
        )
        self._console.print()
        for name, value in rows:
            self._console.print(Text(f"{name:<{_WORD}}  {value}"), soft_wrap=True)
        self._console.print()

    def memory(self, now: Mapping[str, float]) -> None:
        """A bar for each pod, from nothing to its limit, with a mark at the threshold."""
        mark = "|" if self._console.options.ascii_only else "┃"
        legend = f"memory; {mark} threshold {_mi(THRESHOLD)}, right end: limit {_mi(LIMIT)}"
        self._line("", legend, style="dim")
        longest = max(map(len, now), default=0)
        width = min(self._console.width - longest - 20, _WIDEST)
        for pod, value in sorted(now.items()):
            over = value > THRESHOLD
            row = Text(f"  {pod:<{longest}} ")
            row.append_text(self._bar(value, max(width, 10)))
            row.append(f" {_mi(value):>6} {value / LIMIT:>4.0%}")
            row.append(" over" if over else "", style="bold red")
            self._console.print(row, soft_wrap=True)

    def over(self, pod: str, value: float) -> None:
        """A pod has come over its threshold."""
        self._line("over", f"{pod} at {_mi(value)}: a breach after {FOR} s", style="yellow")

    def tell(self, happening: Happening) -> None:
        """What the daemon has said."""
        match happening:
            case Looked(series):
                self._line("looks", f"the daemon's first evaluation measures {series} containers", style="cyan")
            case LeftAlone(pod=pod, reasons=reasons, detail=detail, value=value, passing=passing):
                word, style = ("waits", "blue") if passing else ("left alone", "bold magenta")
                self._line(word, f"{pod} at {_mi(value)}: {', '.join(reasons)} ({detail})", style=style)
            case Step():
                self._step(happening)
            case Trouble(event, words):
                self._line("daemon", f"{event}: {words}", style="yellow")

    def summary(self, replaced: Sequence[Replaced], stayed: Sequence[Stayed]) -> None:
        """The two tables."""
        table = _table("replaced pod", "before", "after", "breach to\neviction", "eviction to\navailable", "outcome")
        for column in table.columns[1:5]:
            column.justify = "right"
        for row in replaced:
            table.add_row(
                row.pod,
                _mi(row.before),
                _mi(row.after),
                _seconds(row.to_eviction),
                _seconds(row.to_available),
                row.outcome,
            )
        self._console.print()
        self._console.print(table)
        breach = f"Breach: the moment at which the pod had been over {_mi(THRESHOLD)} for {FOR} s, by Prometheus."
        self._console.print()
        self._hanging("", breach, style="dim")
        table = _table("left alone", "memory", "reason")
        table.columns[1].justify = "right"
        for left in stayed:
            table.add_row(left.pod, _mi(left.memory), f"{left.reason}: {left.words}")
        self._console.print()
        self._console.print(table)
        self._console.print()

    def good(self, words: str) -> None:
        """A check that holds, or the end of it all."""
        self._hanging("", words, style="bold green")

    def bad(self, words: str) -> None:
        """Why the demo fails."""
        self._hanging("", words, style="bold red")

    def tail(self, log: str) -> None:
        """The end of the daemon's log, as it is."""
        self._console.print(Text("The daemon's log ends with:"))
        self._console.print(Text(log or "(nothing)", style="dim"), soft_wrap=True)

    def _step(self, step: Step) -> None:
        one = step.about
        if step.name == "intended":
            words = (
                f"to evict {one.pod}: {_mi(one.before)}, over {one.threshold_text} for {FOR} s; noted in the journal"
            )
            self._line("decides", words, style="bold")
        elif step.name == "taken":
            self._line("evicted", f"{one.pod} ({step.words})", style="bold red")
        elif step.name == "available":
            seconds = _seconds(_between(one.evicted_at, one.available_at))
            self._line("available", f"{one.replacement}, {seconds} after the eviction", style="green")
        elif step.name == "settled":
            self._settled(one)
        elif step.name not in {"evict", "waiting"} or (step.name == "evict" and step.words):
            self._line(step.name, f"{one.pod}: {step.words}", style="yellow")

    def _settled(self, one: Replacement) -> None:
        if one.outcome is Outcome.REPLACED:
            words = f"{one.pod} by {one.replacement}: {_mi(one.before)} before, {_mi(one.after)} after"
            self._line("replaced", words, style="bold green")
        else:
            self._line("ended", f"{one.pod}: {one.outcome}, {one.detail}", style="bold red")

    def _bar(self, value: float, width: int) -> Text:
        full, empty, mark = "#.|" if self._console.options.ascii_only else "█·┃"
        filled = min(round(value / LIMIT * width), width)
        at = round(THRESHOLD / LIMIT * width)
        bar = Text()
        for cell in range(width):
            style = "red" if cell > at else "green"
            if cell == at:
                bar.append(mark, style="bold yellow")
            else:
                bar.append(full if cell < filled else empty, style=style if cell < filled else "dim")
        return bar

    def _line(self, word: str, words: str, *, style: str = "") -> None:
        self._hanging(f"{self.elapsed:>{_TIME - 2}.1f} s  {word:<{_WORD}}  ", words, style=style)

    def _hanging(self, head: str, words: str, *, style: str = "") -> None:
        """Text beside a heading, wrapped so that the heading's column stays free."""
        room = max(self._console.width - len(head), 20)
        for number, line in enumerate(Text(words, style="" if head else style).wrap(self._console, room)):
            start = Text(head, style=style) if number == 0 else Text(" " * len(head))
            line.rstrip()
            self._console.print(start + line, soft_wrap=True)


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold", vertical="top")
    table.columns[0].no_wrap = True
    return table


def _mi(value: float | None) -> str:
    return "unknown" if value is None else f"{value / MI:.0f}Mi"


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f} s"


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start
