"""A program of the rig and the person before it: progress on standard error, and an end by Ctrl-C or SIGTERM."""

import signal
import sys
from types import FrameType


def say(line: str) -> None:
    """One line of progress."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def end_by_signals() -> None:
    """Have both signals raise KeyboardInterrupt; SIGINT as well, since a shell starts background jobs ignoring it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt
