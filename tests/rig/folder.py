"""The folder that one cluster lives in, and the sweeping of those whose owner was killed."""

import fcntl
import shutil
import tempfile
from io import TextIOWrapper
from pathlib import Path

_PREFIX = "remediator-rig-"
_LOCK = "owner.lock"


class Folder:
    """A fresh folder under the temporary directory, locked for as long as its owner lives.

    The kernel drops the lock with the process, whatever ended it: a folder whose lock is free has no owner any more, and
    the next cluster that starts removes it.
    """

    def __init__(self) -> None:
        sweep()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock: TextIOWrapper | None = (self.path / _LOCK).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Deletes the folder with all that is in it; once is enough, twice does no harm."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def sweep() -> None:
    """Removes the folders that killed owners have left."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            with (path / _LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            # It has an owner, is just being made, or belongs to another user.
            continue
