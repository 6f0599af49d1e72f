"""What has happened, in words: one line for each thing, and how values are written."""

import re
from dataclasses import dataclass

from demo.cast import FOR, MI
from demo.story import Happening, LeftAlone, Looked, Replacement, Step, Trouble
from remediator.model.vocabulary import Outcome

# A cgroup's path in a sentence of the daemon's: two lines that tell a person nothing.
_CGROUP = re.compile(r",? /kubepods\S*")


@dataclass(frozen=True)
class Line:
    """A line of what has happened: when, one word for what it is about, and the sentence."""

    at: float
    """Seconds since the beginning."""
    word: str
    words: str
    style: str = ""


def over(pod: str, value: float, at: float) -> Line:
    """A pod has come over its threshold."""
    return Line(at, "over", f"{pod} at {mebibytes(value)}; a breach if that lasts {FOR} s", "yellow")


def told(happening: Happening, at: float) -> Line | None:
    """What the daemon has said; None for what is only the way from one thing to the next."""
    match happening:
        case Looked(series):
            return Line(at, "looks", f"the daemon's first evaluation measures {series} containers", "cyan")
        case LeftAlone():
            return _left_alone(happening, at)
        case Step():
            return _step(happening, at)
        case Trouble(event, words):
            return Line(at, "daemon", f"{event}: {words}", "yellow")


def mebibytes(value: float | None) -> str:
    """Memory, as the manifests write it."""
    return "unknown" if value is None else f"{value / MI:.0f}Mi"


def seconds(value: float | None) -> str:
    """A time."""
    return "unknown" if value is None else f"{value:.1f} s"


def between(start: float | None, end: float | None) -> float | None:
    """The time from one moment to another, where both are known."""
    return None if start is None or end is None else end - start


def _left_alone(one: LeftAlone, at: float) -> Line:
    memory = "" if one.value is None else f" at {mebibytes(one.value)}"
    words = f"{one.pod}{memory}: {', '.join(one.reasons)} ({_CGROUP.sub('', one.detail)})"
    return Line(at, "waits", words, "bright_blue") if one.waits else Line(at, "left alone", words, "bold magenta")


def _step(step: Step, at: float) -> Line | None:
    one = step.about
    match step.name:
        case "intended":
            why = f"{mebibytes(one.before)}, over {one.threshold_text} for {FOR} s"
            return Line(at, "decides", f"to evict {one.pod}: {why}", "bold")
        case "taken":
            return Line(at, "evicted", f"{one.pod} ({step.words})", "bold red")
        case "available":
            took = seconds(between(one.evicted_at, one.available_at))
            return Line(at, "available", f"{one.replacement}, {took} after the eviction", "green")
        case "settled":
            return _settled(one, at)
        case "waiting":
            return None
        case "evict" if not step.words:
            return None
        case name:
            return Line(at, name, f"{one.pod}: {step.words}", "yellow")


def _settled(one: Replacement, at: float) -> Line:
    if one.outcome is Outcome.REPLACED:
        memory = f"{mebibytes(one.before)} before, {mebibytes(one.after)} after"
        return Line(at, "replaced", f"{one.pod} by {one.replacement}: {memory}", "bold green")
    return Line(at, "ended", f"{one.pod}: {one.outcome}, {one.detail}", "bold red")
