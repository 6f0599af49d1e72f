"""What a release refuses, what its notes are, and what the published chart says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from release import changelog, chart, versions
from release.errors import ReleaseError
from remediator import __version__
from tests.image.dockerfile import ROOT, instructions

PLACES = (versions.PACKAGE, versions.DOCKERFILE, versions.CHART, versions.CHANGELOG)
CLOSED = """# Changelog

## [Unreleased]

## [0.2.0] - 2026-11-26

### Added

- Surge.

## [0.1.0] - 2026-01-01

- It.
"""


def released(folder: Path, version: str = "0.2.0") -> Path:
    """A tree in which everything is ready for the release of a version."""
    for place in PLACES:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        text = (ROOT / place).read_text("utf-8")
        (folder / place).write_text(CLOSED if place == versions.CHANGELOG else text.replace(__version__, version))
    change(folder, versions.CHANGELOG, "[0.2.0]", f"[{version}]")
    return folder


def change(tree: Path, place: str, before: str, after: str) -> None:
    """Replace a text that is there."""
    text = (tree / place).read_text("utf-8")
    assert before in text
    (tree / place).write_text(text.replace(before, after))


def test_the_tree_says_one_version() -> None:
    """Package, Dockerfile, chart and changelog agree, at any time."""
    assert not versions.problems(ROOT)
    assert set(versions.stated(ROOT).values()) == {__version__}


@pytest.mark.parametrize("version", ["0.2.0", "0.2.0-rc.1"])
def test_a_closed_tree_may_be_released(tmp_path: Path, version: str) -> None:
    """Nothing is found where all is ready, be it a release or a candidate for one."""
    assert not versions.problems(released(tmp_path, version), tag=f"v{version}")
    assert versions.is_prerelease(version) == ("-" in version)


@pytest.mark.parametrize(
    ("place", "before", "after", "said"),
    [
        (versions.PACKAGE, '"0.2.0"', '"0.3.0"', "says '0.2.0', and remediator/__init__.py says '0.3.0'"),
        (versions.PACKAGE, '"0.2.0"', '"0.2"', "write such as 0.2.0 or 0.2.0-rc.1"),
        (versions.DOCKERFILE, "ARG VERSION=0.2.0", "ARG VERSION=0.1.0", "Dockerfile (ARG VERSION) says '0.1.0'"),
        (versions.CHART, "\nversion: 0.2.0", "\nversion: 0.1.0", "Chart.yaml (version) says '0.1.0'"),
        (versions.CHART, "appVersion: 0.2.0", "appVersion: 0.1.0", "Chart.yaml (appVersion) says '0.1.0'"),
        (versions.CHANGELOG, "[0.2.0] - 2026-11-26", "[0.2.0]", "write the day as YYYY-MM-DD"),
        (versions.CHANGELOG, "2026-11-26", "2026-26-11", "write the day as YYYY-MM-DD"),
        (versions.CHANGELOG, "### Added\n\n- Surge.\n\n", "", "has nothing under 0.2.0"),
        (versions.CHANGELOG, "[Unreleased]\n", "[Unreleased]\n\n- More.\n", "has lines under Unreleased"),
        (versions.CHANGELOG, "[0.2.0]", "[0.2.1]", "has no `## [0.2.0] - YYYY-MM-DD`"),
        (versions.CHANGELOG, "[Unreleased]", "[0.3.0]", "begins with 0.3.0"),
    ],
)
def test_a_release_is_refused(tmp_path: Path, place: str, before: str, after: str, said: str) -> None:
    """Each disagreement is named, with the place and the fix."""
    tree = released(tmp_path)
    change(tree, place, before, after)
    found = versions.problems(tree, tag="v0.2.0")
    assert any(said in problem for problem in found), found


@pytest.mark.parametrize("tag", ["v0.1.0", "0.2.0", "v0.2.0-rc.1", "v0.2.0; rm -rf /", ""])
def test_a_tag_that_is_not_the_version_is_refused(tmp_path: Path, tag: str) -> None:
    """A tag says the tree's own version, to the letter."""
    (problem,) = versions.problems(released(tmp_path), tag=tag)
    assert repr(tag) in problem
    assert "v0.2.0" in problem


def test_a_place_that_says_nothing_is_refused(tmp_path: Path) -> None:
    """A line that was renamed must not make the check pass in silence."""
    tree = released(tmp_path)
    change(tree, versions.DOCKERFILE, "ARG VERSION=", "ARG RELEASE=")
    with pytest.raises(ReleaseError, match="Dockerfile has 0 lines"):
        versions.problems(tree, tag="v0.2.0")


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0-rc.1", "0.2.0-rc.0.9"])
def test_a_version_does_not_go_back(tmp_path: Path, version: str) -> None:
    """After a release the tree may say that version or a later one, never one that comes before."""
    tree = released(tmp_path, version)
    change(tree, versions.CHANGELOG, f"[{version}] - 2026-11-26", "[0.2.0-rc.2] - 2026-11-26")
    change(tree, versions.CHANGELOG, "[0.1.0] - ", "[0.0.1] - ")
    (problem,) = versions.problems(tree)
    assert "has 0.2.0-rc.2 released, which comes after" in problem


@pytest.mark.parametrize("version", ["0.2.0-rc.2", "0.2.0-rc.10", "0.2.0-rc.x", "0.2.0", "0.10.0"])
def test_a_version_goes_on(tmp_path: Path, version: str) -> None:
    """Numbers are compared as numbers, and a release comes after its candidates."""
    tree = released(tmp_path, version)
    change(tree, versions.CHANGELOG, f"[{version}] - 2026-11-26", "[0.2.0-rc.2] - 2026-11-26")
    assert not versions.problems(tree)


def test_the_notes_are_that_versions_section() -> None:
    """From its heading to the next one, and nothing of another version."""
    assert changelog.notes(CLOSED, "0.2.0") == "### Added\n\n- Surge."
    assert changelog.notes(CLOSED, "0.1.0") == "- It."
    with pytest.raises(ReleaseError, match=re.escape("no section `## [0.3.0]`")):
        changelog.notes(CLOSED, "0.3.0")


def test_the_published_chart_names_the_image(tmp_path: Path) -> None:
    """Registry and repository are those of the release; every other value, and every other file, is the tree's."""
    made = chart.publishable(ROOT, tmp_path, image="ghcr.io/acme/remediator")
    before, after = (yaml.safe_load((of / "values.yaml").read_text("utf-8")) for of in (ROOT / chart.CHART, made))
    assert after["image"]["registry"] == "ghcr.io"
    assert after["image"]["repository"] == "acme/remediator"
    after["image"] |= {key: before["image"][key] for key in ("registry", "repository")}
    assert after == before
    for path in (ROOT / chart.CHART).rglob("*"):
        if path.is_file() and path.name != "values.yaml":
            assert (made / path.relative_to(ROOT / chart.CHART)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("image", ["remediator", "ghcr.io/Acme/remediator", "ghcr.io/acme/remediator:0.1.0", "a b/c"])
def test_a_name_that_is_no_image_is_refused(tmp_path: Path, image: str) -> None:
    """Registries know small letters only, and the tag is the chart's appVersion."""
    with pytest.raises(ReleaseError, match=re.escape("write such as ghcr.io/owner/remediator")):
        chart.publishable(ROOT, tmp_path, image=image)


def test_values_without_a_place_for_the_image_are_refused(tmp_path: Path) -> None:
    """Renamed values can't make a chart that names no image."""
    shutil.copytree(ROOT / chart.CHART, tmp_path / chart.CHART)
    change(tmp_path, f"{chart.CHART}/values.yaml", "  repository: remediator", "  name: remediator")
    with pytest.raises(ReleaseError, match="image"):
        chart.publishable(tmp_path, tmp_path / "made", image="ghcr.io/acme/remediator")


@pytest.mark.parametrize(
    "path", [ROOT / "Dockerfile", *ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=lambda path: path.name
)
def test_commands_to_paste_name_this_version(path: Path) -> None:
    """An image or a chart that a document tells to build or to pull is the one of this tree."""
    named = re.findall(r"remediator:(\d[\w.-]*)|--version (\d[\w.-]*)", path.read_text("utf-8"))
    assert {version for pair in named for version in pair if version} <= {__version__}


def test_documents_name_the_base_of_the_dockerfile() -> None:
    """A newer Python in the Dockerfile is one in the commands that build from it as well."""
    (base,) = (rest.partition("=")[2].partition("@")[0] for word, rest in instructions()[:1])
    named = re.findall(r"python:3[\w.-]*-slim-\w+", (ROOT / "docs" / "release.md").read_text("utf-8"))
    assert set(named) == {base}
