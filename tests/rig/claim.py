"""What one cluster occupies on this machine, a folder and ports, and sweeping up after killed owners."""

import fcntl
import random
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

_PREFIX = "remediator-rig-"
_LOCK = "owner.lock"

# Below the range from which Linux takes the ports of outgoing connections (32768 and up): a component that is
# stopped and started again finds its port free, whoever has connected to something in the meantime.
_PORTS = range(15000, 32000)


class Claim:
    """A fresh folder under the temporary directory, and ports of 127.0.0.1, for as long as the owner lives.

    The kernel drops both claims with the process, whatever ended it. A folder whose lock is free has no owner
    any more, and the next cluster that starts removes it.
    """

    def __init__(self) -> None:
        sweep()
        with _alone():
            self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
            self._lock: TextIOWrapper | None = (self.folder / _LOCK).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._reservations: list[socket.socket] = []

    def ports(self, count: int) -> list[int]:
        """Gives ports that nobody listens on, and that no other claim gives out."""
        chosen = reserved(count)
        self._reservations += chosen.values()
        return list(chosen)

    def release(self) -> None:
        """Deletes the folder with all that is in it and gives the ports back; twice does no harm."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for reservation in self._reservations:
            reservation.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def reserved(count: int) -> dict[int, socket.socket]:
    """Ports that nobody listens on, with what keeps each from being given out again: until it is closed, or we end."""
    chosen: dict[int, socket.socket] = {}
    for port in random.sample(_PORTS, len(_PORTS)):
        if len(chosen) == count:
            break
        # It covers the seconds until the component listens, in which another cluster would find the port free.
        reservation = socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(_name(f"port-{port}"))
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            reservation.close()
            continue
        chosen[port] = reservation
    return chosen


def sweep() -> None:
    """Removes the folders that killed owners have left."""
    with _alone():
        for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            try:
                with (folder / _LOCK).open("r+") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
            except OSError:
                # It has an owner, or belongs to another user.
                continue


@contextmanager
def _alone() -> Iterator[None]:
    """Keeps the others from sweeping while a folder is there and its lock is not yet taken."""
    with socket.socket(socket.AF_UNIX) as turn:
        while True:
            try:
                turn.bind(_name("turn"))
                break
            except OSError:
                time.sleep(0.01)
        yield


def _name(what: str) -> str:
    """A name in Linux's abstract namespace of sockets: to bind it is to hold a lock that needs no file."""
    return f"\0{_PREFIX}{what}"
