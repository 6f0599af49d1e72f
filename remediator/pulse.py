"""Whether what works still moves: each thread says so, and one that has been silent for too long is named.

A leader whose work hangs while its lease is renewed leads in name only, and keeps others from leading.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LONGEST = 120.0
"""Seconds of silence after which work counts as hung: a watch may have none for 75 s, a request takes 35 s at most, and
several threads may wait for one of them."""


class Pulse:
    """What works now, and when it last moved. Safe to use from several threads.

    ``longest`` is how many seconds anything may be silent.
    """

    def __init__(self, *, longest: float = LONGEST, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._longest = longest
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._beats: dict[int | str, tuple[str, float]] = {}

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Watch over this thread while it does that, for example ``review``."""
        me = threading.get_ident()
        self._note(me, what)
        try:
            yield
        finally:
            with self._lock:
                self._beats.pop(me, None)

    def beat(self) -> None:
        """This thread moves: somebody has answered it, or it goes to wait for a time that it knows."""
        me = threading.get_ident()
        with self._lock:
            if me in self._beats:
                self._beats[me] = (self._beats[me][0], self._monotonic())

    def recurred(self, what: str) -> None:
        """What has to come again and again has come: from now on its absence is noticed."""
        self._note(what, what)

    @property
    def still(self) -> str:
        """What does not move any more, and for how long, in words; empty where all does."""
        what, seconds = self._longest_silent
        return f"{what} has not moved for {seconds:.0f} s" if what else ""

    @property
    def hung(self) -> str:
        """The same without the seconds: words that stay while it hangs."""
        what, _ = self._longest_silent
        return f"{what} does not move any more" if what else ""

    @property
    def _longest_silent(self) -> tuple[str, float]:
        now = self._monotonic()
        with self._lock:
            what, since = min(self._beats.values(), key=lambda beat: beat[1], default=("", now))
        return (what, now - since) if now - since >= self._longest else ("", 0.0)

    def _note(self, key: int | str, what: str) -> None:
        with self._lock:
            self._beats[key] = (what, self._monotonic())
