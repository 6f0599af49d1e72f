"""Ctrl-C and its relatives: the first one ends the demo in order, those after it can't disturb that."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Turns the first SIGINT, SIGTERM or SIGHUP into `KeyboardInterrupt` in the main thread, and ignores the rest."""

    def __init__(self) -> None:
        self.number: signal.Signals | None = None
        """The signal that came; None while none has."""
        self._held = 0
        self._closed = False

    def install(self) -> None:
        """From now on; a SIGHUP that is ignored, as nohup has it, stays so."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # SIGINT in any case: a shell starts background jobs with it ignored.
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            signal.signal(number, self._came)

    def check(self) -> None:
        """Raises `KeyboardInterrupt` where a signal has come, and whoever was running then has swallowed it."""
        if self.number is not None and not (self._held or self._closed):
            raise KeyboardInterrupt

    def close(self) -> None:
        """Everything is being ended anyway: a signal that comes now is only noted."""
        self._closed = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """For a step that must not be left half-way: a signal that comes in it counts at its end."""
        self.hold()
        try:
            yield
        finally:
            self.release()
        self.check()

    def hold(self) -> None:
        """Until `release` a signal that comes is only noted."""
        self._held += 1

    def release(self) -> None:
        """The end of `hold`; `check` tells whether a signal has come meanwhile."""
        self._held -= 1

    def _came(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.number is None:
            self.number = signal.Signals(number)
            if not (self._held or self._closed):
                raise KeyboardInterrupt
