"""What there is to see at one moment: pure, from what was read to what is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from demo.cast import FOR, Role
from demo.pods import Place, Pod
from demo.reading import Reading
from demo.story import Story
from demo.words import Line
from remediator.model.vocabulary import Outcome, Reason

# Seconds for which a reason that passes by itself is shown after it was said: the daemon looks every 2 s.
_FRESH = 3.0


class Mood(Enum):
    """How a pod stands."""

    QUIET = auto()
    OVER = auto()
    WAITS = auto()
    LEFT_ALONE = auto()
    GOES = auto()
    STARTS = auto()
    NEW = auto()


@dataclass(frozen=True)
class Row:
    """One pod: its memory in bytes, None where it has none yet, and how it stands, in a few words."""

    pod: str
    kind: str
    about: str
    memory: float | None
    mood: Mood
    words: str


@dataclass(frozen=True)
class Why:
    """Why a pod is left alone, with the daemon's own words where it has said some."""

    pod: str
    reason: str
    words: str


@dataclass(frozen=True)
class Scene:
    """Everything that is shown at one moment; `elapsed` is seconds since the beginning."""

    elapsed: float
    rows: tuple[Row, ...] = ()
    in_flight: int = 0
    replaced: int = 0
    wanted: int = 0
    """How many have to be replaced."""
    left_alone: tuple[Why, ...] = ()
    said: tuple[Line, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    """What a person needs who wants to look around, with its name."""


def scene(
    places: Sequence[Place],
    *,
    cast: Sequence[Role],
    story: Story,
    reading: Reading,
    elapsed: float,
    said: Sequence[Line],
    notes: Sequence[tuple[str, str]] = (),
) -> Scene:
    """The scene of this moment."""
    roles = {role.workload: role for role in cast}
    rows = []
    reasons = []
    for place in places:
        pod, role = place.pod, roles[place.pod.workload]
        why = why_left_alone(pod.name, pod.uid, story=story, reading=reading)
        mood, words = _standing(pod, story=story, reading=reading, why=why)
        rows.append(Row(pod.name, role.kind, role.about, reading.now.get(pod.uid), mood, words))
        if why is not None and mood is not Mood.GOES:
            reasons.append(why)
    outcomes = [one.outcome for one in story.replacements.values()]
    return Scene(
        elapsed=elapsed,
        rows=tuple(rows),
        in_flight=outcomes.count(None),
        replaced=outcomes.count(Outcome.REPLACED),
        wanted=sum(role.pods for role in cast if role.left_alone is None),
        left_alone=tuple(reasons),
        said=tuple(said),
        notes=tuple(notes),
    )


def why_left_alone(pod: str, uid: str, *, story: Story, reading: Reading) -> Why | None:
    """The daemon's lasting reason; or, where the pod was over and fell back by itself, what Prometheus saw of it."""
    if left := story.left_alone(pod, uid):
        return Why(pod, ", ".join(left.reasons), left.detail)
    if uid in reading.fell_back:
        longest = reading.longest.get(uid, 0)
        words = f"over for {longest:.0f} s at most before it fell back; a breach is {FOR} s without a gap"
        return Why(pod, str(Reason.BELOW_THRESHOLD), words)
    return None


def _standing(pod: Pod, *, story: Story, reading: Reading, why: Why | None) -> tuple[Mood, str]:
    one = story.of(pod.uid)
    if one is not None and (one.outcome is None or pod.leaving):
        return Mood.GOES, "evicted, new pod awaited" if one.evicted_at else "about to be evicted"
    if pod.leaving:
        return Mood.GOES, "gone"
    before = story.replaced_by(pod.name, pod.uid)
    if not pod.ready:
        return Mood.STARTS, "new, not Ready yet"
    if story.left_alone(pod.name, pod.uid) and why:
        return Mood.LEFT_ALONE, f"left alone: {why.reason}"
    if pod.uid in reading.over_since:
        waits = story.waits(pod.name, pod.uid)
        if waits is not None and waits.at > reading.at - _FRESH:
            return Mood.WAITS, f"waits: {', '.join(waits.reasons)}"
        return Mood.OVER, _over(reading.at - reading.over_since[pod.uid])
    if why is not None:
        return Mood.LEFT_ALONE, f"left alone: {why.reason}"
    if before is not None:
        return Mood.NEW, "new, available"
    return Mood.QUIET, ""


def _over(seconds: float) -> str:
    return f"over for {seconds:.0f} s of {FOR} s" if seconds < FOR else f"over for {seconds:.0f} s: a breach"
