"""What is understood of the daemon's log."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from demo.cast import MI
from demo.story import LeftAlone, Looked, Step, Story, Trouble
from demo.words import Line, over, told
from remediator.model.vocabulary import Outcome
from tests.unit.demo.make import AT, TIME, left_alone, log, settled, step


def said(folder: Path, *lines: dict[str, object]) -> list[Line]:
    """What is told of a log with these lines."""
    file = folder / "one.log"
    file.write_bytes(b"".join(orjson.dumps({"time": TIME, "level": "info", **line}) + b"\n" for line in lines))
    return [line for happening in Story(file).read() if (line := told(happening, 3.0))]


def test_a_remediation_is_followed_to_its_end(tmp_path: Path) -> None:
    """Who, when, by whom, and with which memory before and after."""
    story = log(
        tmp_path,
        step("intended", "web-1", "a"),
        step("taken", "web-1", "a", words="accepted"),
        step("available", "web-1", "a", replacement="web-2"),
        settled("web-1", "a", "web-2"),
    )
    one = story.of("a")
    assert one is not None
    assert (one.pod, one.evicted_at, one.available_at) == ("web-1", AT, AT)
    assert (one.before, one.after, one.outcome, one.replacement) == (400 * MI, 70 * MI, Outcome.REPLACED, "web-2")
    assert story.replaced_by("web-2", "c") == one
    assert story.replaced_by("web-3", "d") is None


def test_a_pod_is_not_its_own_successor(tmp_path: Path) -> None:
    """A StatefulSet's new pod has the name of the old one, and another UID."""
    story = log(tmp_path, settled("db-1", "old", "db-1"))
    assert story.replaced_by("db-1", "old") is None
    assert story.replaced_by("db-1", "new") is not None


def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    """A line that is not whole yet is left for the next time; what is no object of ours is passed over."""
    file = tmp_path / "log"
    story = Story(file)
    assert story.read() == []
    line = orjson.dumps({"event": "evaluation", "outcome": "ok", "series": 12, "time": TIME, "level": "info"})
    file.write_bytes(b"Traceback (most recent call last):\n[1]\n" + line)
    assert story.read() == []
    with file.open("ab") as more:
        more.write(b"\n")
    assert story.read() == [Looked(12)]
    assert story.read() == []


def test_what_is_said_again_and_again_is_told_once(tmp_path: Path) -> None:
    """A chronic reason at each evaluation; another reason is news again."""
    again = left_alone("web-1", "a", "opted-out")
    story = Story(tmp_path / "log")
    lines = [again, again, left_alone("web-1", "a", "paused"), again]
    (tmp_path / "log").write_bytes(
        b"".join(orjson.dumps({"time": TIME, "level": "info", **line}) + b"\n" for line in lines)
    )
    found = [one.reasons for one in story.read() if isinstance(one, LeftAlone)]
    assert found == [("opted-out",), ("paused",)]


@pytest.mark.parametrize(
    ("line", "word", "words"),
    [
        (
            {"event": "evaluation", "outcome": "ok", "series": 12},
            "looks",
            "the daemon's first evaluation measures 12 containers",
        ),
        (step("intended", "web-1", "a"), "decides", "to evict web-1: 400Mi, over 75% of limit for 10 s"),
        (step("taken", "web-1", "a", words="accepted"), "evicted", "web-1 (accepted)"),
        (step("available", "web-1", "a", replacement="web-2"), "available", "web-2, unknown after the eviction"),
        (settled("web-1", "a", "web-2"), "replaced", "web-1 by web-2: 400Mi before, 70Mi after"),
        (settled("web-1", "a", "", outcome="not-ready"), "ended", "web-1: not-ready, "),
        (step("inherited", "web-1", "a", words="after a break"), "inherited", "web-1: after a break"),
        (step("evict", "web-1", "a", words="HTTP 429"), "evict", "web-1: HTTP 429"),
        (left_alone("web-1", "a", "opted-out"), "left alone", "web-1 at 400Mi: opted-out (the detail)"),
        (
            left_alone("web-1", "a", "in-flight", "cooldown"),
            "waits",
            "web-1 at 400Mi: in-flight, cooldown (the detail)",
        ),
        (
            left_alone("db-1", "", "replaced-since-sample", detail="another pod of that name, /kubepods.slice/x.scope"),
            "left alone",
            "db-1: replaced-since-sample (another pod of that name)",
        ),
        (
            {"event": "remediation left in flight", "level": "warning", "remediation_id": "a", "pod": "web-1"},
            "daemon",
            "remediation left in flight: remediation_id: a, pod: web-1",
        ),
        ({"event": "held", "level": "error", "error": "it is gone"}, "daemon", "held: error: it is gone"),
    ],
)
def test_each_kind_of_line_is_told_in_its_own_words(
    tmp_path: Path, line: dict[str, object], word: str, words: str
) -> None:
    """One word for what it is about, and a sentence."""
    (found,) = said(tmp_path, line)
    assert (found.at, found.word, found.words) == (3.0, word, words)


@pytest.mark.parametrize(
    "line",
    [
        {"event": "evaluation", "outcome": "no-data", "series": 0},
        {"event": "leading"},
        step("waiting", "web-1", "a", words="1 of 3 is available"),
        step("evict", "web-1", "a", words=""),
        left_alone("web-1", "", "gone"),
    ],
)
def test_what_tells_a_person_nothing_is_not_told(tmp_path: Path, line: dict[str, object]) -> None:
    """The way from one thing to the next, and pods that have gone before their samples."""
    assert said(tmp_path, line) == []


def test_a_warning_is_told_once(tmp_path: Path) -> None:
    """The same words again are no news."""
    warning = {"event": "evaluation skipped", "level": "warning", "why": "the one before it still runs"}
    file = tmp_path / "log"
    file.write_bytes((orjson.dumps({"time": TIME, **warning}) + b"\n") * 3)
    assert Story(file).read() == [Trouble("evaluation skipped", "why: the one before it still runs")]


def test_a_pod_over_its_threshold_is_told_with_what_follows() -> None:
    """It is no breach yet."""
    assert over("web-1", 390 * MI, 3.0).words == "web-1 at 390Mi; a breach if that lasts 10 s"


def test_the_first_step_is_the_decision(tmp_path: Path) -> None:
    """It has not been evicted, and has no outcome."""
    file = tmp_path / "log"
    file.write_bytes(orjson.dumps({"time": TIME, "level": "info", **step("intended", "web-1", "a")}) + b"\n")
    (found,) = Story(file).read()
    assert isinstance(found, Step)
    assert (found.about.evicted_at, found.about.outcome) == (None, None)
