"""Threads of the real code that stand still at each request until they are answered: one moves at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from remediator.cluster.store import StoredText

DEADLINE = 30.0
"""Seconds; a thread that takes longer to its next request hangs."""
_current = threading.local()


class Killed(BaseException):
    """The process of this thread is gone."""


@dataclass(frozen=True, slots=True)
class ReadJournal:
    """GET of the ConfigMap."""


@dataclass(frozen=True, slots=True)
class WriteJournal:
    """PUT of the ConfigMap, conditional on what is stored."""

    text: str
    stored: StoredText


@dataclass(frozen=True, slots=True)
class ReadPod:
    """GET of a pod."""

    name: str


@dataclass(frozen=True, slots=True)
class ReadOwner:
    """GET of the workload with its pods."""


@dataclass(frozen=True, slots=True)
class Look:
    """The policies, and with them the second look: judge and guards once more."""


@dataclass(frozen=True, slots=True)
class Evict:
    """POST of an eviction."""

    uid: str
    version: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """PATCH of a pod's annotation, whatever its version."""

    uid: str


@dataclass(frozen=True, slots=True)
class Pause:
    """So many seconds; ``late`` while a late request is waited for."""

    seconds: float
    late: bool


@dataclass(frozen=True, slots=True)
class Watch:
    """The next event of a watch."""


Request = ReadJournal | WriteJournal | ReadPod | ReadOwner | Look | Evict | Stamp | Pause | Watch


@dataclass
class Puppet:
    """One thread. ``request`` is what it stands at, None once it is over; ``error`` is what it ended with.

    ``sent`` is whether the eviction that it stands at is on its way, ``late`` whether it waits for late requests, and
    ``waited`` for how many seconds it has done that: in the model one record's time is over, and not that of others.
    """

    body: Callable[[], object]
    request: Request | None = None
    error: BaseException | None = None
    sent: bool = False
    late: bool = False
    waited: float = 0.0
    _answer: object = None
    _turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _still: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def start(self) -> None:
        """Run it to its first request."""
        threading.Thread(target=self._run, daemon=True).start()
        self._wait()

    def answer(self, answer: object) -> None:
        """Answer its request, with an exception to raise it there, and run it to the next one."""
        self._answer, self.sent = answer, False
        self._turn.release()
        self._wait()

    def kill(self) -> None:
        """End it where it stands, as SIGKILL does."""
        while self.request is not None:
            self.answer(Killed())

    def ask(self, request: Request) -> Any:  # noqa: ANN401  each request has its own kind of answer
        """In the thread itself: stand still at a request."""
        self.request = request
        self._still.release()
        self._turn.acquire()
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer

    def _run(self) -> None:
        _current.puppet = self
        try:
            self.body()
        except Killed:
            self.error = None
        except BaseException as exc:  # noqa: BLE001  the driver looks at it
            self.error = exc
        finally:
            self.request = None
            self._still.release()

    def _wait(self) -> None:
        if not self._still.acquire(timeout=DEADLINE):
            message = f"a thread of the real code hangs after {self.request}"
            raise AssertionError(message)


def current() -> Puppet:
    """The puppet whose thread this is."""
    puppet: Puppet = _current.puppet
    return puppet
