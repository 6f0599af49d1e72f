"""The showing: on a terminal a live view while the daemon works, elsewhere lines one after the other."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from demo.bar import ASCII, UNICODE, bar
from demo.cast import LIMIT, THRESHOLD, Role, policy
from demo.interrupts import Interrupts
from demo.scene import Row, Scene
from demo.screen import Screen
from demo.story import Happening
from demo.summary import Replaced, Stayed, Tables, table
from demo.words import Line, mebibytes, over, told

# Columns of a line before its text: the time, and one word for what it is about.
_TIME, _WORD = 7, 10
# The longest bar; more would say no more.
_WIDEST = 60
# Seconds between two pictures of the memory where there is no live view, before all are replaced and after that.
_PICTURE, _PICTURE_LATER = 5.0, 15.0

_INTRODUCTION = (
    (
        "Real",
        "the Kubernetes API server, etcd, controllers and scheduler; Prometheus; and the daemon, `remediator run`.",
    ),
    (
        "Simulated",
        (
            "the nodes and pods (KWOK). No containers run; a pod's memory is a number that changes with its age. "
            "The first ones have a head start, as if they had run for a while."
        ),
    ),
)


class Show:
    """Prints to a console; the time at the start of a line counts from `begin`.

    Where there is a `screen`, it is drawn upon while one is `watching`, and what would have been printed meanwhile is
    printed after that.
    """

    def __init__(self, console: Console, *, screen: Screen | None = None) -> None:
        self._console = console
        self._screen = screen
        self._begun = time.monotonic()
        self._next_picture = 0.0
        self._between = _PICTURE
        self._later: list[Callable[[], None]] = []
        self.said: list[Line] = []
        """What has happened until now."""

    def introduce(self) -> None:
        """The first lines: what is about to be seen, and what of it is real."""
        self._text("Pods of three workloads leak and are replaced; others are left alone.", style="bold")
        for word, words in _INTRODUCTION:
            self._hanging(f"{word:<{_WORD}}  ", words, style="bold")
        self._text("")

    def cast(self, roles: Iterable[Role]) -> None:
        """Who is on the stage, and the policy."""
        who = table("workload", "kind", "pods", "what its pods do", "what must become of them")
        for role in roles:
            fate = "replaced, one by one" if role.left_alone is None else f"left alone: {role.left_alone}"
            who.add_row(role.workload, role.kind, str(role.pods), role.about, fate)
        self._console.print(who)
        self._text("")
        chosen = policy()["policies"][0]
        fields = ("threshold", "for", "every", "action", "cooldown")
        self._hanging("policy   ", ", ".join(f"{field} {chosen[field]}" for field in fields))
        self._text("")

    def begin(self) -> None:
        """Time counts from now."""
        self._begun = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since `begin`."""
        return time.monotonic() - self._begun

    @contextmanager
    def watching(self, interrupts: Interrupts) -> Iterator[None]:
        """While this lasts, `draw` shows the live view, where there is a screen."""
        try:
            with interrupts.held():
                if self._screen:
                    self._screen.take()
            yield
        finally:
            try:
                interrupts.hold()
            finally:
                # The terminal may be gone.
                with suppress(OSError):
                    self._give_back()
                interrupts.release()

    def draw(self, scene: Scene) -> None:
        """The present scene: on the screen, or now and then as a picture among the lines."""
        if self._screen and self._screen.open:
            self._screen.draw(scene)
        elif self.elapsed >= self._next_picture:
            self._next_picture = self.elapsed + self._between
            self.picture(scene.rows)

    def slower(self) -> None:
        """From now on fewer pictures."""
        self._between = _PICTURE_LATER

    def step(self, words: str, *, word: str = "set-up") -> None:
        """One thing that the demo itself does."""
        self._line(Line(self.elapsed, word, words, "cyan"))

    def over(self, pod: str, value: float) -> None:
        """A pod has come over its threshold."""
        self._line(over(pod, value, self.elapsed))

    def tell(self, happening: Happening) -> None:
        """What the daemon has said."""
        if line := told(happening, self.elapsed):
            self._line(line)

    def picture(self, rows: Sequence[Row]) -> None:
        """A bar for each pod, from nothing to its limit, with a mark at the threshold."""
        at = self.elapsed
        self._print(lambda: self._picture(rows, at))

    def summary(self, replaced: Sequence[Replaced], stayed: Sequence[Stayed]) -> None:
        """The two tables."""
        self._print(lambda: self._console.print(Tables(replaced, stayed)))

    def notes(self, notes: Iterable[tuple[str, str | Path]]) -> None:
        """How to look around; never wrapped, so that it can be copied."""
        for name, value in notes:
            self._text(f"{name:<{_WORD}}  {value}", whole=True)

    def good(self, words: str) -> None:
        """A check that holds, or the end of it all."""
        self._hanging("", words, style="bold green")

    def bad(self, words: str) -> None:
        """Why the demo fails."""
        self._hanging("", words, style="bold red")

    def tail(self, log: str) -> None:
        """The end of the daemon's log, as it is."""
        self._text("The daemon's log ends with:")
        self._text(log or "(nothing)", style="dim", whole=True)

    def _give_back(self) -> None:
        if self._screen:
            self._screen.give_back()
        later, self._later = self._later, []
        for one in later:
            one()

    def _print(self, what: Callable[[], None]) -> None:
        """At once, or after the screen has been given back."""
        if self._screen and self._screen.open:
            self._later.append(what)
        else:
            what()

    def _picture(self, rows: Sequence[Row], at: float) -> None:
        glyphs = ASCII if self._console.options.ascii_only else UNICODE
        legend = f"memory; {glyphs.mark} threshold {mebibytes(THRESHOLD)}, right end: limit {mebibytes(LIMIT)}"
        self._now(Line(at, "", legend, "dim"))
        longest = max((len(row.pod) for row in rows), default=0)
        width = max(min(self._console.width - longest - 20, _WIDEST), 10)
        for row in rows:
            over = (row.memory or 0) > THRESHOLD
            share = "" if row.memory is None else f"{row.memory / LIMIT:>4.0%}"
            line = Text(f"  {row.pod:<{longest}} ") + bar(row.memory, width, glyphs)
            line.append(f" {mebibytes(row.memory):>6} {share}")
            line.append(" over" if over else "", style="bold red")
            self._console.print(line, soft_wrap=True)

    def _line(self, line: Line) -> None:
        self.said.append(line)
        self._print(lambda: self._now(line))

    def _now(self, line: Line) -> None:
        self._wrapped(f"{line.at:>{_TIME - 2}.1f} s  {line.word:<{_WORD}}  ", line.words, line.style)

    def _text(self, words: str, *, style: str = "", whole: bool = False) -> None:
        self._print(lambda: self._console.print(Text(words, style), soft_wrap=whole))

    def _hanging(self, head: str, words: str, *, style: str = "") -> None:
        self._print(lambda: self._wrapped(head, words, style))

    def _wrapped(self, head: str, words: str, style: str) -> None:
        """Text beside a heading, wrapped so that the heading's column stays free."""
        room = max(self._console.width - len(head), 20)
        for number, line in enumerate(Text(words, style="" if head else style).wrap(self._console, room)):
            start = Text(head, style=style) if number == 0 else Text(" " * len(head))
            line.rstrip()
            self._console.print(start + line, soft_wrap=True)
