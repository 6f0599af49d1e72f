"""The lock files."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def locked(path: Path) -> dict[str, tuple[Requirement, list[str]]]:
    """The requirements of a lock file with their hashes, by name."""
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.strip().startswith("#")]
    entries = re.split(r"\n(?=\S)", "\n".join(lines).replace("\\\n", " "))
    found: dict[str, tuple[Requirement, list[str]]] = {}
    for entry in filter(str.strip, entries):
        hashes = re.findall(r"--hash=(\S+)", entry)
        requirement = Requirement(entry.partition(" --hash")[0].strip())
        found[canonicalize_name(requirement.name)] = (requirement, hashes)
    return found
