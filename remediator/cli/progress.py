"""What is being done, for whoever waits at a terminal; a command that is done within a second says nothing."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner

PATIENCE = 1.0
"""Seconds."""


class Progress:
    """A line on standard error that changes with each call; on anything but a terminal, nothing at all."""

    def __init__(self) -> None:
        self._spinner = Spinner("dots", "asking")
        self._live: Live | None = None
        self._over = not sys.stderr.isatty()
        self._lock = threading.Lock()
        self._timer = threading.Timer(PATIENCE, self._show)
        self._timer.daemon = True

    def __call__(self, words: str) -> None:
        """Say what is being done now."""
        with self._lock:
            self._spinner.update(text=words)

    def __enter__(self) -> Self:
        if not self._over:
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._over = True
            if self._live is not None:
                self._live.stop()

    def _show(self) -> None:
        with self._lock:
            if not self._over:
                # What is written to standard output in the meantime is the result, and stays there.
                self._live = Live(
                    self._spinner,
                    console=Console(file=sys.stderr, highlight=False, markup=False, emoji=False),
                    transient=True,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self._live.start()
