"""What is generated and committed is what its sources give, and whoever forgets to generate is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from generate import files
from generate.policy import PATH

ROOT = Path(__file__).resolve().parents[2]


def test_nothing_has_drifted() -> None:
    """What needs no other program than Python to be generated is committed as its source gives it."""
    assert files.differing(*sorted(files.MAKERS.keys() - files.NEED_PROGRAMS)) == []


def test_a_file_that_differs_is_named_and_mended(tmp_path: Path) -> None:
    """A missing file and a changed one are complained of by name, with what to run; writing mends both, once."""
    assert files.differing("policy", root=tmp_path) == [f"{PATH} is missing; run make generate"]
    assert files.write("policy", root=tmp_path) == [tmp_path / PATH]
    assert files.differing("policy", root=tmp_path) == []
    assert files.write("policy", root=tmp_path) == []
    written = (tmp_path / PATH).read_text("utf-8")
    (tmp_path / PATH).write_text(written.replace("draft-07", "draft-04"), "utf-8")
    assert files.differing("policy", root=tmp_path) == [f"{PATH} is not what its source gives; run make generate"]
    files.write("policy", root=tmp_path)
    assert (tmp_path / PATH).read_text("utf-8") == written


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [(["--check", "policy"], 0, ""), (["--check", "polcy"], 2, "nothing is called polcy; there are policy")],
)
def test_the_command(arguments: list[str], code: int, said: str) -> None:
    """`python -m generate --check` ends with 0 where all is well, and names what there is to a slip of the pen."""
    command = [sys.executable, "-m", "generate", *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (code, "")
    assert said in run.stderr
