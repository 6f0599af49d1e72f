"""How the tests get programs of Debian's packages: installed by root, or named before a test has begun."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.rig import debian
from tests.rig.errors import ToolError

WORKFLOW = Path(__file__).resolve().parents[2] / ".github" / "workflows" / "ci.yaml"

EVERY_PACKAGE = [package.name for package in debian.PACKAGES]

APT_GET = """#!/bin/sh
echo "$@" >> {folder}/asked
[ "$2" = update ] && exit {update}
for program in {programs}; do printf '#!/bin/sh\\n' > {folder}/$program; chmod +x {folder}/$program; done
"""


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without the programs: the folder is all that is on its path, but for the shell's own."""
    monkeypatch.setattr(debian, "_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    return tmp_path


def apt_get(folder: Path, *, update: int = 0, installs: bool = True) -> None:
    """An apt-get that writes down what it is asked for, and brings all programs or none."""
    programs = " ".join(name for package in debian.PACKAGES for name in package.programs) if installs else ""
    file = folder / "apt-get"
    file.write_text(APT_GET.format(folder=folder, update=update, programs=programs))
    file.chmod(0o755)


def test_root_installs_what_is_missing(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One update, one install of all that is missing; the second time there is nothing to do."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    apt_get(bare)
    debian.ensure()
    debian.ensure()
    assert debian.missing() == []
    patience = " ".join(debian.PATIENCE)
    assert (bare / "asked").read_text().splitlines() == [
        f"--quiet update {patience}",
        f"--quiet install --yes --no-install-recommends {' '.join(EVERY_PACKAGE)} {patience}",
    ]


def test_only_what_is_missing_is_installed(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose programs are there is left alone."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    apt_get(bare)
    present, *others = debian.PACKAGES
    for name in present.programs:
        (bare / name).touch(mode=0o755)
    debian.ensure()
    asked = (bare / "asked").read_text()
    assert present.name not in asked
    assert all(package.name in asked for package in others)


@pytest.mark.parametrize("user", [0, 1000])
def test_elsewhere_it_says_what_is_missing_and_the_command(
    bare: Path, monkeypatch: pytest.MonkeyPatch, user: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who is not root, or has no apt-get, is told the programs and how to get them, and nothing is tried."""
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv("PATH", str(bare))
    if user:
        apt_get(bare)
    assert debian.main() == 1
    said = capsys.readouterr().err
    assert "mariadbd" in said
    assert f"sudo apt-get install --no-install-recommends {' '.join(EVERY_PACKAGE)}" in said
    assert not (bare / "asked").exists()


def test_a_failed_install_is_quoted(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """apt-get's own words are the error; and where it says that all is well and it is not, the programs are named."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    apt_get(bare, update=100)
    with pytest.raises(ToolError, match=r"`apt-get --quiet update .*` ended with 100"):
        debian.ensure()
    apt_get(bare, installs=False)
    with pytest.raises(ToolError, match="the tests run mariadbd"):
        debian.ensure()


def test_a_program_that_is_missing_is_named_where_it_is_needed(bare: Path) -> None:
    """A single test that is run without `make test` fails with the package that it lacks, and is not skipped."""
    with pytest.raises(ToolError, match=r"mariadb-install-db.*apt-get install .*mariadb-server-core"):
        debian.program("mariadb-install-db")


def test_the_workflow_installs_all_of_them() -> None:
    """Where the tests run without root, the packages are there before."""
    assert f"apt-get install --yes --no-install-recommends {' '.join(EVERY_PACKAGE)}\n" in WORKFLOW.read_text("utf-8")
