"""Reading a response body under a deadline and a cap, whoever the client library is, and quoting from it.

A time-out of ``requests`` and ``urllib3`` is per socket read: a server that sends a byte now and then
holds the caller for ever. Here the whole body has one deadline.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Body(Protocol):
    """A raw body, as urllib3 gives it."""

    def read1(self, amt: int, /) -> bytes:
        """What has arrived, at most this many bytes; empty at the end."""
        ...


class BodyTooLate(Exception):
    """The body was not whole by the deadline."""


class BodyTooLarge(Exception):
    """The body has more bytes than it may have."""


def read_body(body: Body, *, deadline: float, cap: int, monotonic: Callable[[], float] = time.monotonic) -> bytes:
    """The whole body; ``deadline`` on the monotonic clock in seconds, ``cap`` in bytes.

    Raises BodyTooLate and BodyTooLarge; errors of the socket pass through.
    """
    parts: list[bytes] = []
    size = 0
    while part := body.read1(1 << 20):
        size += len(part)
        if size > cap:
            message = f"the answer is larger than {cap} bytes"
            raise BodyTooLarge(message)
        if monotonic() > deadline:
            message = "the answer was not whole in time"
            raise BodyTooLate(message)
        parts.append(part)
    return b"".join(parts)


def quoted(content: bytes, *, longest: int = 300, end: bool = False) -> str:
    """What somebody else's program says, fit for a sentence of ours: one printable line, and not a long one.

    It keeps the beginning, or the ``end`` where that tells more.
    """
    text = " ".join(content.decode("utf-8", "replace").split())
    text = "".join(char for char in text if char.isprintable())
    if len(text) <= longest:
        return text
    return f"… {text[-longest:]}" if end else f"{text[:longest]} …"
