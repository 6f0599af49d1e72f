"""The live view: a scene in, lines of text out, as many and as long as there is room for."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from demo.bar import ASCII, UNICODE, Glyphs, bar, mark_at
from demo.cast import FOR, LIMIT, PERCENT, THRESHOLD
from demo.scene import Mood, Row, Scene
from demo.words import Line, mebibytes

_STYLES = {
    Mood.QUIET: "dim",
    Mood.OVER: "yellow",
    Mood.WAITS: "bright_blue",
    Mood.LEFT_ALONE: "magenta",
    Mood.GOES: "bold red",
    Mood.STARTS: "cyan",
    Mood.NEW: "bold green",
}
# Columns for the memory and for the words about a pod, and from how many columns on names are whole and it is also said
# what the pods do.
_MEMORY, _WORDS, _WIDE = 6, 29, 130
_SHORTEST_BAR, _LONGEST_BAR = 8, 60
# Lines that are kept for what has happened, before anything but the pods is shown.
_SAID = 5
# What the rows show as well, and better.
_ALSO_IN_ROWS = frozenset({"set-up", "over", "waits"})
# As kubectl abbreviates them.
_ABBREVIATED = {"Deployment": "deploy", "StatefulSet": "sts", "DaemonSet": "ds", "Job": "job"}
# A Deployment's pod: its name, the hash of its template, and five characters of its own.
_HASHED = re.compile(r"\b([a-z]+)-[a-z0-9]{8,10}-([a-z0-9]{5})\b")


@dataclass(frozen=True)
class View:
    """The view of a scene, of the size of whatever it is printed on."""

    scene: Scene

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """For rich."""
        glyphs = ASCII if options.ascii_only else UNICODE
        height = options.height or options.max_height
        yield Text("\n").join(lines(self.scene, width=options.max_width, height=height, glyphs=glyphs))


def lines(scene: Scene, *, width: int, height: int, glyphs: Glyphs) -> list[Text]:
    """The view: at most so many lines, none of them longer than `width`.

    The pods come first, then what has happened, the newest last. Where there is more room, the reasons with all their
    words stand between the two, and what is needed to look around below them.
    """
    columns = _Columns.of(scene.rows, width, glyphs)
    top = [*_head(scene, width), Text(), columns.heading(), *map(columns.row, scene.rows)]
    free = height - len(top) - _SAID
    notes = [Text(f"{name:<10}  {value}") for name, value in scene.notes[: max(free - 1, 0)]]
    notes = [Text(), *notes] if notes else []
    reasons = _reasons(scene, width, glyphs)
    if len(reasons) > free - len(notes):
        reasons = []
    said = _said(scene.said, width, glyphs, room=height - len(top) - len(reasons) - len(notes) - 1)
    whole = [*top, *reasons, *([Text(), *said] if said else []), *notes]
    return [_fitted(line, width, glyphs) for line in whole[:height]]


def _head(scene: Scene, width: int) -> list[Text]:
    title = Text.assemble(("remediator ", "bold"), ("real daemon, real control plane, simulated pods", "dim"))
    over = f"{mebibytes(THRESHOLD)} ({PERCENT}% of its limit of {mebibytes(LIMIT)})"
    policy = f"policy: evict a pod that is over {over} for {FOR} s"
    counts = Text.assemble(
        ("in flight ", "dim"),
        (str(scene.in_flight), "bold red" if scene.in_flight else "bold"),
        ("   replaced ", "dim"),
        (
            f"{scene.replaced} of {scene.wanted}" if scene.replaced <= scene.wanted else str(scene.replaced),
            "bold green",
        ),
        ("   left alone ", "dim"),
        (str(len(scene.left_alone)), "bold magenta"),
    )
    return [
        _apart(title, Text(f"{scene.elapsed:.0f} s", "bold"), width),
        Text(policy),
        _apart(counts, Text("Ctrl-C ends it", "dim"), width),
    ]


def _apart(left: Text, right: Text, width: int) -> Text:
    return left + Text(" " * max(width - left.cell_len - right.cell_len, 1)) + right


def _reasons(scene: Scene, width: int, glyphs: Glyphs) -> list[Text]:
    """Each pod that is left alone with the whole reason; nothing where there is none."""
    if not scene.left_alone:
        return []
    longest = max(len(_short(why.pod, width, glyphs)) for why in scene.left_alone)
    found = [Text(), Text("left alone, because", "bold")]
    for why in scene.left_alone:
        head = Text.assemble(f"{_short(why.pod, width, glyphs):<{longest}} ", (why.reason, "magenta"), ": ")
        found += _hanging(head, _short(why.words, width, glyphs), width, indent=longest + 1)
    return found


def _hanging(head: Text, words: str, width: int, *, indent: int) -> Iterator[Text]:
    """Text behind a heading, broken between words into lines that begin under it."""
    line = head
    for word in words.split():
        fits = line.cell_len + len(word) <= width
        if not fits and line.cell_len > indent:
            yield line
            line = Text(" " * indent)
        line = line + Text(f"{word} ")
    yield line


def _said(said: Sequence[Line], width: int, glyphs: Glyphs, *, room: int) -> list[Text]:
    """The latest of what has happened, as far as there is room for whole sentences."""
    found: list[Text] = []
    for line in reversed([line for line in said if line.word not in _ALSO_IN_ROWS]):
        head = Text.assemble((f"{line.at:>5.1f} s  ", "dim"), (f"{line.word:<10}  ", line.style))
        sentence = [*_hanging(head, _short(line.words, width, glyphs), width, indent=head.cell_len)]
        if len(sentence) + len(found) > room:
            break
        found = [*sentence, *found]
    return found


def _short(words: str, width: int, glyphs: Glyphs) -> str:
    """Without the hashes in pods' names, where there is no room for them; they tell nothing here."""
    return words if width >= _WIDE else _HASHED.sub(rf"\1-{glyphs.dots}-\2", words)


def _fitted(line: Text, width: int, glyphs: Glyphs) -> Text:
    line.rstrip()
    if line.cell_len <= width:
        return line
    cut = line[: max(width - len(glyphs.dots), 0)]
    return cut + Text(glyphs.dots)


def _kind(row: Row, width: int) -> str:
    return row.kind if width >= _WIDE else _ABBREVIATED.get(row.kind, row.kind)


@dataclass(frozen=True)
class _Columns:
    """How the width is shared out."""

    width: int
    pod: int
    kind: int
    bar: int
    about: int
    glyphs: Glyphs

    @classmethod
    def of(cls, rows: Sequence[Row], width: int, glyphs: Glyphs) -> "_Columns":
        pod = max((len(_short(row.pod, width, glyphs)) for row in rows), default=3)
        kind = max((len(_kind(row, width)) for row in rows), default=2)
        about = max((len(row.about) for row in rows), default=0) if width >= _WIDE else 0
        taken = pod + 1 + kind + 1 + 1 + _MEMORY + 1 + _WORDS + (about + 2 if about else 0)
        return cls(width, pod, kind, min(max(width - taken, _SHORTEST_BAR), _LONGEST_BAR), about, glyphs)

    def heading(self) -> Text:
        """Above the rows, with the mark above all marks."""
        mark = mark_at(self.bar)
        limit = f"{'limit':>{self.bar - mark - 1}}" if self.bar - mark > len("limit") else ""
        picture = Text(f"{'threshold':>{mark}.{mark}}{self.glyphs.mark}{limit}")
        return self._line("pod", "of", picture, "memory", Text(), "")

    def row(self, row: Row) -> Text:
        """A pod's line."""
        return self._line(
            _short(row.pod, self.width, self.glyphs),
            _kind(row, self.width),
            bar(row.memory, self.bar, self.glyphs),
            "" if row.memory is None else mebibytes(row.memory),
            Text(row.words, _STYLES[row.mood]),
            row.about,
        )

    def _line(self, pod: str, kind: str, picture: Text, memory: str, words: Text, about: str) -> Text:
        picture.pad_right(max(self.bar - picture.cell_len, 0))
        line = Text(f"{pod:<{self.pod}} {kind:<{self.kind}} ") + picture + Text(f" {memory:>{_MEMORY}} ") + words
        if self.about:
            line.pad_right(max(_WORDS + 2 - words.cell_len, 0))
            line.append(about, "dim")
        return line
