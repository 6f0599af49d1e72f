"""The workflows: linted, pinned, and their own steps run as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from remediator import __version__
from tests.image.dockerfile import ROOT, instructions
from tests.rig import tools

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
BIN = Path(sys.executable).parent


def workflow(name: str) -> dict[str, Any]:
    """A workflow; its ``on`` is a plain key, not YAML 1.1's word for true."""
    content: dict[str, Any] = yaml.load((ROOT / ".github" / "workflows" / name).read_text("utf-8"), yaml.BaseLoader)
    return content


def steps(name: str) -> list[dict[str, Any]]:
    """All steps of a workflow."""
    return [step for job in workflow(name)["jobs"].values() for step in job.get("steps", ())]


def test_actionlint_finds_nothing() -> None:
    """Syntax, expressions, types of inputs, needs; and each script by shellcheck."""
    program = tools.ensure("actionlint")["actionlint"]
    command = [str(part) for part in (program, "-shellcheck", BIN / "shellcheck", "-no-color", *WORKFLOWS)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_zizmor_finds_nothing() -> None:
    """No injection by a branch's or a tag's name, no credential left behind, no right too many, no unpinned action."""
    command = [str(BIN / "zizmor"), "--offline", "--quiet", "--no-progress", str(ROOT / ".github")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert not any("zizmor: ignore" in path.read_text("utf-8") for path in WORKFLOWS)


def test_every_action_is_pinned_by_commit() -> None:
    """One commit and one version for each, so that an update changes all its uses."""
    pins: dict[str, set[tuple[str, str]]] = {}
    for path in WORKFLOWS:
        for line in re.findall(r"^\s*(?:- )?uses: (.*)$", path.read_text("utf-8"), re.MULTILINE):
            if line.startswith("./"):
                continue
            found = re.fullmatch(r"([\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", line)
            assert found, line
            pins.setdefault(found[1], set()).add((found[2], found[3]))
    assert pins
    assert all(len(used) == 1 for used in pins.values()), pins


def test_all_tests_run_with_the_images_python() -> None:
    """What CI tests is the Python that is shipped; the other supported ones run the unit tests."""
    shipped = re.match(r"PYTHON_IMAGE=python:(3\.\d+)\.", instructions()[0][1])
    assert shipped is not None
    jobs = workflow("ci.yaml")["jobs"]
    (used,) = (step["with"]["python-version"] for step in jobs["test"]["steps"] if "python-version" in str(step))
    assert used == shipped[1]
    assert {shipped[1], *jobs["unit"]["strategy"]["matrix"]["python"]} >= {"3.11", "3.12", "3.13"}


def test_a_tag_comes_last() -> None:
    """In the release's job of the image: pushed by digest, run on both platforms, signed, and only then named."""
    names = [step.get("name", "") for step in workflow("release.yaml")["jobs"]["image"]["steps"]]
    order = ["Build for both", "Run it on both", "Sign it, then"]
    assert [name for name in names if any(name.startswith(word) for word in order)] == names[-3:]
    build, _, tag = workflow("release.yaml")["jobs"]["image"]["steps"][-3:]
    assert "push-by-digest=true" in build["with"]["outputs"]
    assert "tags" not in build["with"]
    assert tag["run"].index("cosign sign") < tag["run"].index("--tag")


def test_the_image_is_given_each_argument() -> None:
    """The release fills in every argument that the Dockerfile declares, but the one for mirrors, and no other."""
    (build,) = (step for step in steps("release.yaml") if "build-args" in step.get("with", {}))
    given = {line.partition("=")[0] for line in build["with"]["build-args"].splitlines()}
    assert given == {rest.partition("=")[0] for word, rest in instructions() if word == "ARG"} - {"PIP_INDEX_URL"}


# The release's first step, run


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What the first step reads, with the changelog closed for this version."""
    for name in ("release", "charts/remediator"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("remediator/__init__.py", "Dockerfile"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text(f"## [Unreleased]\n\n## [{__version__}] - 2026-11-26\n\n- All of it.\n")
    (tmp_path / ".venv").symlink_to(BIN.parent)
    return tmp_path


def first_step(tree: Path, tag: str) -> tuple[int, dict[str, str], str]:
    """Exit code, outputs and complaints of the step that all others need, as GitHub runs it on that tag."""
    (script,) = (step["run"] for step in steps("release.yaml") if step.get("id") == "names")
    outputs = tree / "outputs"
    outputs.touch()
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=tree,
        env={**os.environ, "GITHUB_REF_NAME": tag, "GITHUB_OUTPUT": str(outputs), "GITHUB_REPOSITORY_OWNER": "Acme"},
        check=False,
        capture_output=True,
        text=True,
    )
    said = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    return done.returncode, said, done.stderr


def test_the_first_step_names_what_is_published(tree: Path) -> None:
    """On the version's own tag it gives the version and names in small letters."""
    assert first_step(tree, f"v{__version__}") == (
        0,
        {"version": __version__, "image": "ghcr.io/acme/remediator", "charts": "ghcr.io/acme/charts"},
        "",
    )


@pytest.mark.parametrize("tag", ["v9.9.9", f"v{__version__}$(touch pwned)", f"v{__version__}; touch pwned"])
def test_the_first_step_refuses_any_other_tag(tree: Path, tag: str) -> None:
    """Nothing is given to the next steps, and a tag's name is never run."""
    code, said, complaint = first_step(tree, tag)
    assert (code, said) == (1, {})
    assert f"is not v{__version__}" in complaint
    assert not (tree / "pwned").exists()


def test_the_notes_say_what_was_published(tree: Path) -> None:
    """The version's section of the changelog, image and chart by digest, and where it says how to verify them."""
    command = [sys.executable, "-m", "release", "notes", __version__, "--image", "IMAGE@D", "--chart", "CHART@D"]
    said = subprocess.run(command, cwd=tree, check=True, capture_output=True, text=True).stdout
    assert said.startswith("- All of it.\n\n### Published\n")
    assert "- image `IMAGE@D`\n- chart `oci://CHART@D`\n" in said
