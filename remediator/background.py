"""Work whose outcome nobody has to wait for any longer than he wants to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def in_background(call: Callable[[], T], *, name: str) -> Future[T]:
    """Call it in a thread of its own, which keeps no process from ending, and give what becomes of it.

    No time-out of a client holds against name resolution, or a server that sends a byte now and then. Who waits for
    the outcome with a time-out of his own is held up by nothing; the thread goes on until its socket gives up.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as exc:  # noqa: BLE001  handed to the caller, whole
            outcome.set_exception(exc)

    threading.Thread(target=run, name=name, daemon=True).start()
    return outcome
