"""The table of programs that the tests build, against the modules that they are built from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rig import tools
from tests.rig.errors import ToolError
from tests.rig.golang import find_go


def test_every_module_is_in_the_table() -> None:
    """A module that nobody builds is none that anybody needs, and a program without a module can't be built."""
    assert sorted(path.name for path in tools.MODULES.iterdir()) == sorted(one.name for one in tools.PROGRAMS)


@pytest.mark.parametrize("program", tools.PROGRAMS, ids=lambda program: program.name)
def test_a_program_carries_the_version_of_its_module(program: tools.Program) -> None:
    """What the linker is told is the version that go.mod pins, so that the two can't part."""
    assert program.version[0].isdigit()
    assert "{version}" not in "".join(program.flags)
    assert program.key.startswith(f"{program.name}-")


def test_no_two_programs_have_a_binary_of_one_name() -> None:
    """A binary is asked for by its name, Helm 3 and Helm 4 too."""
    names = [name for program in tools.PROGRAMS for name in program.binaries]
    assert len(set(names)) == len(names)


def test_the_control_plane_is_in_the_table() -> None:
    """What a cluster starts is built by the same table."""
    assert set(tools.CONTROL_PLANE) <= {program.name for program in tools.PROGRAMS}


def test_an_unknown_program_is_named() -> None:
    """A misspelt name is told with the names that there are."""
    with pytest.raises(ToolError, match=r"no such program: hlem; there are kubernetes, etcd, .*helm"):
        tools.ensure("hlem")


def test_a_go_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who lacks a Go learns what was found, what is wanted and how to get it."""
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go1.19.2\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(ToolError, match=r"Go 1\.26\.0 or newer .*/go is 1\.19\.2.*requirements/programs\.txt"):
        find_go((1, 26, 0))
