"""What is made once and kept: that it is whole or not there, and that a failure tells what was tried."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from tests.rig import cache
from tests.rig.cache import cache_folder, fetch, keep, run
from tests.rig.errors import ToolError


def test_what_is_kept_is_made_once(tmp_path: Path) -> None:
    """The second who asks gets what the first had made, and both know where it is."""
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "binary").write_text("1")

    folders = [keep(tmp_path / "cache" / "thing", make, what="making a thing", expect="no time") for _ in range(2)]
    assert folders == [tmp_path / "cache" / "thing"] * 2
    assert (folders[0] / "binary").read_text() == "1"
    assert len(made) == 1


def test_two_at_once_make_it_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who comes while it is being made waits for that, is told so, and makes nothing."""
    begun, go_on = threading.Event(), threading.Event()
    made: list[str] = []

    def slow(folder: Path) -> None:
        made.append(folder.name)
        begun.set()
        assert go_on.wait(30)

    first = threading.Thread(target=lambda: keep(tmp_path / "thing", slow, what="making it", expect="no time"))
    first.start()
    assert begun.wait(30)
    second = threading.Thread(target=lambda: keep(tmp_path / "thing", slow, what="making it", expect="no time"))
    second.start()
    said = ""
    while "another run is at it" not in said:
        said += capsys.readouterr().err
        second.join(0.01)
    go_on.set()
    for thread in (first, second):
        thread.join(30)
    assert len(made) == 1


def test_a_failure_leaves_nothing_half_made(tmp_path: Path) -> None:
    """What a failed making has written is not taken for the whole; the next one makes it."""

    def fail(folder: Path) -> None:
        (folder / "half").write_text("")
        msg = "the compiler gave up"
        raise ToolError(msg)

    with pytest.raises(ToolError, match="gave up"):
        keep(tmp_path / "thing", fail, what="making it", expect="no time")
    assert [path.name for path in tmp_path.iterdir()] == ["thing.lock"]
    keep(tmp_path / "thing", lambda folder: (folder / "whole").touch(), what="making it", expect="no time")
    assert [path.name for path in (tmp_path / "thing").iterdir()] == ["whole"]


def test_what_is_incomplete_is_made_anew(tmp_path: Path) -> None:
    """A folder out of which somebody has deleted a binary is replaced whole."""
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "leftover").touch()
    keep(
        tmp_path / "thing",
        lambda folder: (folder / "binary").touch(),
        complete=lambda folder: (folder / "binary").exists(),
        what="making it",
        expect="no time",
    )
    assert [path.name for path in (tmp_path / "thing").iterdir()] == ["binary"]


def test_a_failed_command_shows_its_end(tmp_path: Path) -> None:
    """The error has what was tried, where, how it ended, and the last that it said."""
    command = [sys.executable, "-c", "import sys; print('out'); print('it is broken', file=sys.stderr); sys.exit(3)"]
    with pytest.raises(ToolError) as caught:
        run(command, cwd=tmp_path, env=os.environ, what="building it")
    for part in ("building it: failed", "ended with 3", str(tmp_path), "| out", "| it is broken"):
        assert part in str(caught.value)


def test_a_command_gives_its_output(tmp_path: Path) -> None:
    """What it warns of on standard error is not part of the answer."""
    command = [sys.executable, "-c", "import sys; print('answer'); print('warning', file=sys.stderr)"]
    assert run(command, cwd=tmp_path, env=os.environ, what="asking") == "answer\n"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"REMEDIATOR_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}, "/own"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/remediator"),
        ({"HOME": "/somebody"}, "/somebody/.cache/remediator"),
    ],
)
def test_the_cache_is_where_it_is_wanted(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project's own variable comes before that of the desktops, and that before the home."""
    for name in ("REMEDIATOR_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(expected)


@pytest.mark.parametrize(("fails", "tries"), [(1, 2), (2, 3), (9, 3)])
def test_a_registry_that_fails_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], fails: int, tries: int
) -> None:
    """Two more times, with its words each time; who has failed as often as that is not asked any more."""
    monkeypatch.setattr(cache, "PAUSES", (0, 0))
    asked = tmp_path / "asked"
    script = f"echo once >> {asked}; [ $(wc -l < {asked}) -gt {fails} ] || {{ echo 503 >&2; exit 1; }}; echo answer"
    command = ["sh", "-c", script]
    if fails < tries:
        assert fetch(command, cwd=tmp_path, env=os.environ, what="asking") == "answer\n"
    else:
        with pytest.raises(ToolError, match="asking: failed, sh ended with 1"):
            fetch(command, cwd=tmp_path, env=os.environ, what="asking")
    assert len(asked.read_text().splitlines()) == tries
    assert capfd.readouterr().err.count("| 503") == min(fails, len(cache.PAUSES))
