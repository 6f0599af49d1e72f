"""The changelog, section by section, in the form of Keep a Changelog 1.1.0."""

from __future__ import annotations

import re
from dataclasses import dataclass

from release.errors import ReleaseError

UNRELEASED = "Unreleased"
_HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\S+))?$", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """What one version brought; ``date`` is empty where the heading has none, ``text`` is Markdown."""

    version: str
    date: str
    text: str


def sections(changelog: str) -> list[Section]:
    """The sections in the order of the file, the newest first."""
    headings = list(_HEADING.finditer(changelog))
    ends = [*(heading.start() for heading in headings[1:]), len(changelog)]
    return [
        Section(heading["version"], heading["date"] or "", changelog[heading.end() : end].strip())
        for heading, end in zip(headings, ends, strict=True)
    ]


def notes(changelog: str, version: str) -> str:
    """What that version brought. Raises ReleaseError where it has no section."""
    for section in sections(changelog):
        if section.version == version:
            return section.text
    message = f"CHANGELOG.md has no section `## [{version}]`"
    raise ReleaseError(message)
