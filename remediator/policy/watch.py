"""Noticing that the policy file has become another one, by looking.

Kubernetes swaps a ConfigMap by renaming the symlink ``..data``. An inotify watch on the file or on the link
sees the first swap and misses the second, because what it watches is gone; looking at where the path leads
misses none that lasts until the next look, and costs some microseconds.

A swap is whole in one step, so what a new path leads to is read at once. A file that is written in place, or is away,
is believed only when two looks agree: half a file may be valid, and lack just the line that holds everything back; and
in the middle of a swap there may be no file for a moment.
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

    def is_same_file(self, other: Fingerprint) -> bool:
        """Whether it is that very file, if perhaps with another content."""
        return (self.path, self.device, self.inode, self.error) == (other.path, other.device, other.inode, other.error)


class PolicyWatch:
    """Says when the file that a path leads to is one to be read. Has no thread: the caller looks, again and again."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """``path`` need not exist yet."""
        self._path = os.fspath(path)
        self._seen: Fingerprint | None = None
        self._read: Fingerprint | None = None

    def changed(self) -> bool:
        """Look, and say whether there is something to be read; the first look always says so.

        A file that has vanished, or that may no longer be read, is something to be read as well. Look before
        reading: what changes in between is then seen by the next look.
        """
        now, before = fingerprint(self._path), self._seen
        self._seen = now
        if now == self._read:
            return False
        is_swapped = before is None or (not now.error and now.path != before.path)
        if not is_swapped and now != before:
            return False
        self._read = now
        return True

    def is_torn(self) -> bool:
        """Whether what was just read has been written in place meanwhile; then it counts as not read."""
        now = fingerprint(self._path)
        torn = self._read is not None and now != self._read and now.is_same_file(self._read)
        if torn:
            self._read = None
        return torn

    def is_past(self) -> bool:
        """Whether there is already something else to be read than what was just read."""
        return fingerprint(self._path) != self._read


def fingerprint(path: str) -> Fingerprint:
    """Give the state of the file that a path leads to."""
    try:
        real = os.path.realpath(path)
        found = os.stat(real)  # noqa: PTH116  (a pathlib.Path per look and call buys nothing)
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
