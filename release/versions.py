"""Whether all that says a version says the same one, and, at a release, that of the tag.

Each place is read as text, as those who use it read it: nothing of the package is imported.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from release.changelog import UNRELEASED, Section, sections
from release.errors import ReleaseError

PACKAGE, DOCKERFILE, CHART, CHANGELOG = (
    "remediator/__init__.py",
    "Dockerfile",
    "charts/remediator/Chart.yaml",
    "CHANGELOG.md",
)
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(?P<pre>[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*))?")
"""Semantic Versioning 2.0.0, without build metadata: a tag of an image can't have a ``+``."""


def stated(root: Path) -> dict[str, str]:
    """What each place says, by its name. Raises ReleaseError where a place says nothing."""
    chart = yaml.safe_load((root / CHART).read_text("utf-8"))
    return {
        f"{PACKAGE} (__version__)": _found(root, PACKAGE, r'^__version__ = "([^"]*)"$'),
        f"{DOCKERFILE} (ARG VERSION)": _found(root, DOCKERFILE, r"^ARG VERSION=(\S+)$"),
        f"{CHART} (version)": str(chart.get("version", "")),
        f"{CHART} (appVersion)": str(chart.get("appVersion", "")),
    }


def problems(root: Path, *, tag: str | None = None) -> list[str]:
    """What doesn't agree, one sentence each, the fix included; none where a release may be made, or work goes on.

    ``tag`` is that of the release, such as ``v0.1.0``; without one the changelog need not be closed. Raises
    ReleaseError where a place says no version at all.
    """
    places = stated(root)
    (_, version), *_ = places.items()
    found = [
        f"{place} says {said!r}, and {PACKAGE} says {version!r}: make them the same"
        for place, said in places.items()
        if said != version
    ]
    if not _VERSION.fullmatch(version):
        found.append(f"{version!r} is no version of Semantic Versioning; write such as 0.2.0 or 0.2.0-rc.1")
        return found
    if tag is not None and tag != f"v{version}":
        found.append(
            f"the tag {tag!r} is not v{version}: change {PACKAGE} and the others, or tag that commit v{version}"
        )
    written = sections((root / CHANGELOG).read_text("utf-8"))
    found += _of_changelog(written, version) if tag is None else _of_release(written, version)
    return found


def is_prerelease(version: str) -> bool:
    """Whether it has a part after a hyphen, such as ``0.2.0-rc.1``."""
    found = _VERSION.fullmatch(version)
    return found is not None and found["pre"] is not None


def _found(root: Path, place: str, pattern: str) -> str:
    found = re.findall(pattern, (root / place).read_text("utf-8"), re.MULTILINE)
    if len(found) != 1:
        message = f"{place} has {len(found)} lines like {pattern}; one is needed, because a release reads it"
        raise ReleaseError(message)
    return str(found[0])


def _of_changelog(written: list[Section], version: str) -> Iterator[str]:
    if not written or written[0].version != UNRELEASED:
        yield f"{CHANGELOG} does not begin with `## [{UNRELEASED}]`: add it, so that what comes next has a place"
    released = [section.version for section in written if section.version != UNRELEASED]
    if released and version not in released and _order(version) < _order(released[0]):
        yield f"{CHANGELOG} has {released[0]} released, which comes after {version}: raise {PACKAGE}"


def _of_release(written: list[Section], version: str) -> Iterator[str]:
    by_version = {section.version: section for section in written}
    if (unreleased := by_version.get(UNRELEASED)) is not None and unreleased.text:
        yield f"{CHANGELOG} has lines under {UNRELEASED}, which the release would miss: move them to {version}"
    section = by_version.get(version)
    if section is None:
        yield f"{CHANGELOG} has no `## [{version}] - YYYY-MM-DD`: give what stands under {UNRELEASED} that heading"
        return
    if not section.text:
        yield f"{CHANGELOG} has nothing under {version}: say what it brings"
    if not _is_date(section.date):
        yield f"{CHANGELOG} dates {version} {section.date!r}: write the day as YYYY-MM-DD"
    newest = next(one.version for one in written if one.version != UNRELEASED)
    if newest != version:
        yield f"{CHANGELOG} begins with {newest}: put {version} first, or release {newest}"


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _order(version: str) -> tuple[object, ...]:
    """What versions compare by; of a pre-release's parts, numbers come before words (SemVer 2.0.0, item 11)."""
    core, _, pre = version.partition("-")
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".")] if pre else []
    return (*(int(part) for part in core.split(".")), not pre, parts)
