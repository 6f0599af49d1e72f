"""Noticing that the policy file has become another one, by looking.

Kubernetes swaps a ConfigMap by renaming the symlink ``..data``. An inotify watch on the file or on the link
sees the first swap and misses the second, because what it watches is gone; looking at where the path leads,
each second, misses none and costs some microseconds.
"""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells one state of a file from another; ``error`` is the errno where there is no file."""

    path: str
    device: int = 0
    inode: int = 0
    changed_ns: int = 0
    modified_ns: int = 0
    size: int = 0
    error: int = 0


class PolicyWatch:
    """Says whether a path still leads to the file that was seen last. Has no thread: the caller looks."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """``path`` need not exist yet."""
        self._path = os.fspath(path)
        self._seen: Fingerprint | None = None

    def changed(self) -> bool:
        """Look, and say whether the file differs from the last look; the first look always does.

        A file that has vanished, or that may no longer be read, has changed as well. Look before loading:
        what changes in between is then seen by the next look.
        """
        now = fingerprint(self._path)
        before, self._seen = self._seen, now
        return now != before


def fingerprint(path: str) -> Fingerprint:
    """Give the state of the file that a path leads to."""
    try:
        real = os.path.realpath(path)
        found = os.stat(real)  # noqa: PTH116  (a pathlib.Path per second and call buys nothing)
    except OSError as exc:
        return Fingerprint(path, error=exc.errno or -1)
    return Fingerprint(
        path=real,
        device=found.st_dev,
        inode=found.st_ino,
        # A change of mode or owner counts: it is how an unreadable file becomes readable.
        changed_ns=found.st_ctime_ns,
        modified_ns=found.st_mtime_ns,
        size=found.st_size,
    )
