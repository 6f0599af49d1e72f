"""Whether the machine lets tests have namespaces: said before anything is built, with what to do about it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.image import namespaces

ROOT = Path(__file__).resolve().parents[3]

UNSHARE = """#!/bin/sh
case "$*" in *{refused}*) echo "unshare: {words}" >&2; exit 1;; esac
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of the PATH, with the programs of util-linux that do nothing."""
    for name in namespaces.NEEDED:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_where_all_is_allowed_nothing_is_said(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is to read a warning that is none."""
    assert machine.exists()
    assert namespaces.why_not() == ""
    assert namespaces.main() == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        ("--user", "unshare failed: Operation not permitted"),
        ("proc", "mount: /proc: permission denied."),
        ("--net", "unshare failed: Operation not permitted"),
    ],
)
def test_what_is_refused_is_said_with_the_tests_that_want_it(
    machine: Path, capsys: pytest.CaptureFixture[str], refused: str, words: str
) -> None:
    """A root of one's own, its /proc, a network: in the kernel's words, with Ubuntu's switch; make goes on."""
    (machine / "unshare").write_text(UNSHARE.format(refused=refused, words=words))
    assert namespaces.main() == 0
    said = capsys.readouterr().err
    assert said.startswith("warning: the tests of the image and of ping will fail: user namespaces are not allowed")
    assert words in said
    assert "kernel.apparmor_restrict_unprivileged_userns=0" in said


@pytest.mark.parametrize("name", namespaces.NEEDED)
def test_a_program_that_is_missing_is_named(machine: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Elsewhere than on Linux there is no unshare, and in small images no setpriv."""
    (machine / name).unlink()
    assert namespaces.main() == 0
    assert f"{name} not found on the PATH; they come with util-linux (Linux only)" in capsys.readouterr().err


@pytest.mark.parametrize("user", [0, 1000])
def test_a_network_of_its_own_is_got_without_root(monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    """By a user namespace, where one is not root already."""
    monkeypatch.setattr(os, "getuid", lambda: user)
    assert ("--map-root-user" in namespaces.network()) == (user != 0)


def test_it_is_said_before_anything_is_built() -> None:
    """`make test` looks for namespaces and MariaDB first, and builds for a quarter of an hour after it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    would = subprocess.run(
        ["make", "--dry-run", "test"], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    ).stdout
    order = [would.index(f"-m {one}") for one in ("tests.image.namespaces", "tests.rig.debian", "tests.rig.tools")]
    assert order == sorted(order)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md"])
def test_who_is_about_to_run_all_tests_reads_of_it(name: str) -> None:
    """What the machine needs beside Python and make is named, and what says how much of it is missing."""
    said = (ROOT / name).read_text("utf-8")
    assert "MariaDB" in said
    assert re.search(r"user\s+namespaces|用户命名空间", said)
    assert "`make packages`" in said
