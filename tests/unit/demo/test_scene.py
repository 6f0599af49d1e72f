"""How a pod stands, and why it is left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from demo.cast import MI
from demo.pods import Pod
from demo.reading import Reading
from demo.scene import Mood, Why
from tests.unit.demo.make import AT, left_alone, log, seen, settled, step

BELOW = Reading(at=AT, now={"a": 100.0 * MI})
OVER = Reading(at=AT, now={"a": 400.0 * MI}, peak={"a": 400.0 * MI}, over_since={"a": AT - 4})
FALLEN = Reading(at=AT, now={"a": 100.0 * MI}, peak={"a": 400.0 * MI}, fell_back=frozenset("a"), longest={"a": 4})
POD = Pod("web-1", "a", "web")
LEAVING = Pod("web-1", "a", "web", leaving=True)
STARTING = Pod("web-1", "a", "web", ready=False)


@pytest.mark.parametrize(
    ("lines", "pod", "reading", "mood", "words"),
    [
        ([], POD, BELOW, Mood.QUIET, ""),
        ([], POD, OVER, Mood.OVER, "over for 4 s of 10 s"),
        ([], POD, replace(OVER, at=AT + 6), Mood.OVER, "over for 10 s: a breach"),
        ([], POD, FALLEN, Mood.LEFT_ALONE, "left alone: below-threshold"),
        ([], LEAVING, BELOW, Mood.GOES, "gone"),
        ([], STARTING, Reading(), Mood.STARTS, "new, not Ready yet"),
        ([left_alone("web-1", "a", "opted-out")], POD, OVER, Mood.LEFT_ALONE, "left alone: opted-out"),
        ([left_alone("web-1", "", "recovering")], POD, OVER, Mood.LEFT_ALONE, "left alone: recovering"),
        ([left_alone("web-1", "a", "cooldown", "in-flight")], POD, OVER, Mood.WAITS, "waits: cooldown, in-flight"),
        ([left_alone("web-1", "a", "cooldown")], POD, BELOW, Mood.QUIET, ""),
        ([left_alone("web-1", "a", "opted-out")], LEAVING, OVER, Mood.GOES, "gone"),
        ([step("intended", "web-1", "a")], POD, OVER, Mood.GOES, "about to be evicted"),
        (
            [step("intended", "web-1", "a"), step("taken", "web-1", "a")],
            LEAVING,
            OVER,
            Mood.GOES,
            "evicted, new pod awaited",
        ),
        ([settled("web-0", "z", "web-1")], POD, BELOW, Mood.NEW, "new, available"),
        ([settled("web-0", "z", "web-1")], POD, OVER, Mood.OVER, "over for 4 s of 10 s"),
        ([settled("web-1", "z", "web-1")], POD, BELOW, Mood.NEW, "new, available"),
        ([settled("web-1", "a", "", outcome="called-off")], POD, OVER, Mood.OVER, "over for 4 s of 10 s"),
    ],
)
def test_how_a_pod_stands(
    tmp_path: Path, lines: list[dict[str, Any]], pod: Pod, reading: Reading, mood: Mood, words: str
) -> None:
    """By the log, the API server's word, and its memory."""
    (row,) = seen(log(tmp_path, *lines), reading, pod).rows
    assert (row.mood, row.words) == (mood, words)


def test_a_reason_that_passes_is_shown_only_while_it_is_fresh(tmp_path: Path) -> None:
    """The daemon says it again at each evaluation for as long as it holds."""
    story = log(tmp_path, left_alone("web-1", "a", "cooldown"))
    late = Reading(at=AT + 5, now=OVER.now, over_since=OVER.over_since)
    (row,) = seen(story, late, POD).rows
    assert row.words == "over for 9 s of 10 s"


def test_a_reason_that_passes_does_not_hide_one_that_lasts(tmp_path: Path) -> None:
    """Whichever was said last."""
    story = log(tmp_path, left_alone("web-1", "a", "opted-out"), left_alone("web-1", "a", "concurrency"))
    assert seen(story, OVER, POD).left_alone == (Why("web-1", "opted-out", "the detail"),)


def test_a_pod_that_fell_back_is_left_alone_also_while_it_is_over_again(tmp_path: Path) -> None:
    """With what Prometheus has seen of it: the daemon need not say a word of a pod that it does not find to be over."""
    again = Reading(at=AT, now={"a": 400.0 * MI}, over_since={"a": AT - 1}, fell_back=frozenset("a"), longest={"a": 4})
    found = seen(log(tmp_path), again, POD)
    assert found.rows[0].mood is Mood.OVER
    assert found.left_alone == (
        Why("web-1", "below-threshold", "over for 4 s at most before it fell back; a breach is 10 s without a gap"),
    )


def test_what_is_counted(tmp_path: Path) -> None:
    """Remediations by how far they have come, and what has to be replaced by the cast."""
    story = log(tmp_path, settled("web-1", "a", "web-2"), step("intended", "db-0", "b"), step("taken", "db-0", "b"))
    found = seen(story, Reading(), Pod("web-2", "c", "web"), Pod("db-0", "b", "db"))
    assert (found.in_flight, found.replaced, found.wanted) == (1, 1, 7)
    assert [(row.kind, row.about) for row in found.rows] == [
        ("Deployment", "leaks 4Mi a second"),
        ("StatefulSet", "leaks 4Mi a second"),
    ]
