"""The environments of their own, against the lock files that they are made from."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.rig import cache, environments
from tests.rig.cache import cache_folder
from tests.rig.environments import LOCKS, NAMES, environment
from tests.rig.errors import ToolError


def test_every_lock_of_a_program_is_made_by_make_lock() -> None:
    """What `make lock` locks from an .in file are Go and kubectl, and the environments; nothing else has one."""
    found = re.search(r"for name in (.+); do \\\n\t  uv pip compile", (LOCKS.parent / "Makefile").read_text("utf-8"))
    assert found is not None
    names = sorted(path.stem for path in LOCKS.glob("*.in"))
    assert sorted(found[1].split()) == names == sorted(["programs", *NAMES])


@pytest.mark.parametrize("name", NAMES)
def test_the_program_is_pinned_and_locked_as_pinned(name: str) -> None:
    """The version that the .in file asks for is the one that the lock has."""
    wanted = (LOCKS / f"{name}.in").read_text("utf-8").strip()
    assert re.fullmatch(rf"{name}==[\d.]+", wanted)
    assert f"{wanted} \\\n    --hash=sha256:" in (LOCKS / f"{name}.txt").read_text("utf-8")


def test_an_environment_without_a_lock_is_refused() -> None:
    """Nothing is installed that is not locked, and the file that is missing is named."""
    with pytest.raises(ToolError, match=r"requirements/chekov\.txt to install chekov from"):
        environment("chekov")


def test_only_what_the_lock_has_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a hash is missing pip installs nothing, and nothing is kept."""
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "loose.txt").write_text("no-such-package==1\n")
    monkeypatch.setattr(environments, "LOCKS", tmp_path / "locks")
    monkeypatch.setenv("REMEDIATOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "PAUSES", ())
    with pytest.raises(ToolError, match=r"(?s)installing loose .*ended with.*hash"):
        environment("loose")
    assert [path.name for path in (cache_folder() / "environments").iterdir() if path.suffix != ".lock"] == []


def test_it_is_made_once_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment is found where the first call put it, with a Python of the version that made it."""
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "nothing.txt").write_text("# no packages\n")
    monkeypatch.setattr(environments, "LOCKS", tmp_path / "locks")
    monkeypatch.setenv("REMEDIATOR_CACHE", str(tmp_path / "cache"))
    python = environment("nothing")
    before = python.parent.stat().st_mtime_ns
    assert environment("nothing") == python
    assert python.parent.stat().st_mtime_ns == before
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert (python.parents[1] / "lib" / version / "site-packages" / "pip").is_dir()
