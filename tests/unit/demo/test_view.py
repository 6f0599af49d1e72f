"""The live view at every size."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from demo.bar import ASCII, UNICODE, bar
from demo.cast import LIMIT, THRESHOLD, roles
from demo.scene import Row, Scene
from demo.still import Still, still
from demo.view import View, lines
from tests.unit.demo.make import example

README = Path(__file__).resolve().parents[3] / "README.md"
SIZES = [
    (width, height) for width in (1, 20, 40, 79, 80, 100, 129, 130, 140, 300) for height in (1, 5, 10, 24, 45, 100)
]


def plain(scene: Scene, width: int, height: int) -> list[str]:
    """The view's lines without colours."""
    return [line.plain for line in lines(scene, width=width, height=height, glyphs=UNICODE)]


@pytest.mark.parametrize("scene", [Scene(0.0), example(), example(said=0, left=0)], ids=["empty", "full", "quiet"])
def test_it_never_leaves_the_screen(scene: Scene) -> None:
    """No line is longer than the screen is wide, and there are no more than it is high."""
    for width, height in SIZES:
        found = lines(scene, width=width, height=height, glyphs=UNICODE)
        assert len(found) <= height
        assert [line.plain for line in found if line.cell_len > width] == []


def test_the_usual_size_shows_the_pods_and_the_latest() -> None:
    """Each pod with its memory and how it stands; the counts; what has happened, the newest last."""
    found = plain(example(), 80, 24)
    assert found[0].endswith("31 s")
    assert "policy: evict a pod that is over 384Mi (75% of its limit of 512Mi) for 10 s" in found
    assert found[2].startswith("in flight 1   replaced 2 of 7   left alone 3")
    pods = [line for line in found if " deploy " in line or " ds " in line]
    assert len(pods) == len(example().rows)
    assert "it GOES" in next(line for line in pods if line.startswith("web-…-goesx"))
    assert found[-1] == " 19.0 s  evicted     web-…-pod19 (accepted)"


def test_a_mark_stands_above_all_marks() -> None:
    """The threshold's, in the heading as in each bar."""
    columns = {line.index("┃") for line in plain(example(), 80, 24) if "┃" in line}
    assert len(columns) == 1


def test_more_room_shows_the_reasons_with_all_their_words() -> None:
    """Wrapped where they are longer than the screen is wide."""
    assert "left alone, because" not in plain(example(), 80, 24)
    tall = plain(example(), 80, 45)
    text = " ".join(" ".join(tall[tall.index("left alone, because") :]).split())
    assert text.count("legacy-…-n8tf") == 3
    assert text.count("it has the annotation") == 15


def test_a_wide_screen_shows_whole_names_and_what_the_pods_do() -> None:
    """Where there is room for both and for a bar that is worth it."""
    wide, narrow = plain(example(), 140, 45), plain(example(), 80, 45)
    assert any("web-7c7b945545-quiet" in line and "Deployment" in line and line.endswith("leaks") for line in wide)
    assert not any("7c7b945545" in line or "Deployment" in line for line in narrow)


def test_what_the_rows_show_is_not_said_once_more() -> None:
    """That a pod is over, or waits; and the set-up is over."""
    scene = example()
    said = tuple(replace(line, word=word) for line, word in zip(scene.said, ["set-up", "over", "waits"], strict=False))
    assert "accepted" not in " ".join(plain(replace(scene, said=said), 80, 24))


def test_the_addresses_are_shown_where_somebody_wants_to_look_around() -> None:
    """Below everything, so that they stay where they are; as many as leave room for what happens."""
    scene = replace(example(), notes=tuple((f"note {number}", "its words") for number in range(9)))
    assert plain(scene, 80, 45)[-9:] == [f"note {number}      its words" for number in range(9)]
    small = plain(scene, 80, 24)
    assert 0 < len([line for line in small if line.startswith("note ")]) < 9
    assert len([line for line in small if "evicted" in line]) >= 4


@pytest.mark.parametrize(
    ("value", "drawn"),
    [
        (None, "············┃···"),
        (0, "············┃···"),
        (LIMIT / 16, "█···········┃···"),
        (LIMIT / 32, "▌···········┃···"),
        (THRESHOLD, "████████████┃···"),
        (LIMIT, "████████████┃███"),
        (3 * LIMIT, "████████████┃███"),
    ],
)
def test_a_bar_is_full_at_the_limit(value: float | None, drawn: str) -> None:
    """From nothing to the limit, by eighths, with the mark where the threshold is."""
    assert bar(value, 16, UNICODE).plain == drawn


def test_the_mark_turns_red_when_the_pod_is_over() -> None:
    """So that a pod that has just come over is told from one that is about to."""

    def style(value: float) -> str:
        drawn: Text = bar(value, 16, UNICODE)
        return next(str(span.style) for span in drawn.spans if span.start == 12)

    assert (style(THRESHOLD), style(THRESHOLD + 1)) == ("bold yellow", "bold red")


def test_without_unicode_there_is_none() -> None:
    """On a terminal whose encoding lacks the characters."""
    found = lines(example(), width=80, height=24, glyphs=ASCII)
    assert "\n".join(line.plain for line in found).isascii()


def test_rich_draws_it_as_large_as_the_console() -> None:
    """And as small."""
    for width, height in ((80, 24), (100, 30)):
        console = Console(width=width, height=height, record=True, force_terminal=True)
        with console.capture() as captured:
            console.print(View(example()))
        drawn = captured.get().splitlines()
        assert len(drawn) <= height
        assert "31 s" in drawn[0]


def test_a_still_is_of_the_moment_with_most_to_see(tmp_path: Path) -> None:
    """Some replaced, one in flight, as many as possible left alone; plain text, as on a terminal of the usual size."""
    early = replace(example(), replaced=0, in_flight=3)
    best = example()
    late = replace(example(), replaced=7, in_flight=0)
    kept = Still(tmp_path / "still.txt")
    for scene in (early, best, late):
        kept.offer(scene)
    kept.save()
    text = (tmp_path / "still.txt").read_text("utf-8")
    assert text == f"{still(best)}\n"
    assert "\x1b" not in text


def test_no_still_without_a_scene(tmp_path: Path) -> None:
    """Nothing was seen, so nothing is written."""
    Still(tmp_path / "still.txt").save()
    assert not (tmp_path / "still.txt").exists()


def test_rows_need_no_known_kind() -> None:
    """A custom controller's pods are shown with the name of its kind."""
    scene = Scene(0.0, rows=(Row("x-1", "Rollout", "", None, example().rows[0].mood, ""),))
    assert any("Rollout" in line for line in plain(scene, 80, 24))


def test_the_still_in_the_readme_is_of_this_view_and_this_cast() -> None:
    """Its head is what is drawn today, and its pods are those that are on the stage, with these reasons."""
    (shown,) = re.findall(r"^```text\n(remediator .*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    found = shown.splitlines()
    drawn = plain(example(), 80, 24)
    assert found[1] == drawn[1]
    assert (found[4].split()[:2], found[4].split()[-1]) == (drawn[4].split()[:2], drawn[4].split()[-1])
    of = {"Deployment": "deploy", "StatefulSet": "sts", "DaemonSet": "ds", "Job": "job"}
    pods = found[5 : found.index("", 5)]
    cast = [role for role in roles() for _ in range(role.pods)]
    assert [line.split()[1] for line in pods] == [of[role.kind] for role in cast]
    for role, line in zip(cast, pods, strict=True):
        assert line.startswith(role.workload)
        assert (f"left alone: {role.left_alone}" in line) == (role.left_alone is not None)
