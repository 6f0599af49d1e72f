"""Waiting for what comes by itself: with a deadline, and with words where it does not come."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def until(
    condition: Callable[[], T | None],
    what: str,
    seconds: float = 120,
    *,
    every: float = 0.1,
    seen: Callable[[], Any] | None = None,
) -> T:
    """Calls the condition until it gives something that is true, and gives that.

    Fails after so many seconds with "expected within N s: WHAT", and what `seen` gives then. What the condition raises
    is not caught: a refused request is a failure, unless the condition itself expects it.
    """
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            last = f"; there is: {seen()}" if seen is not None else f"; the condition gave {value!r} last"
            msg = f"expected within {seconds:g} s: {what}{last}"
            raise AssertionError(msg)
        time.sleep(every)
    return value
