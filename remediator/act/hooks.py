"""Calls in a pod before it goes: in the one that was just read, by the leader alone, with a deadline that holds."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection, IncompleteRead
from typing import Protocol

from remediator.background import in_background
from remediator.bodies import BodyTooLarge, BodyTooLate, quoted, read_body
from remediator.cluster.api import CONNECT_TIMEOUT, Connection
from remediator.cluster.exec import Command
from remediator.cluster.removal import Fence
from remediator.errors import HookFailed
from remediator.model.hooks import Hook, HttpCall, Scheme
from remediator.model.pods import LivePod
from remediator.policy.durations import format_duration

MAX_BODY = 1 << 20
POLL = 0.2
"""Seconds between two questions whether we are stopping."""
_GOOD = range(200, 300)
_BROKEN = "it broke its answer off"
_GIVEN_UP = "it was given up"


class Call(Protocol):
    """One call, in one thread; another may close it."""

    def __call__(self) -> str:
        """Carry it out, and give its answer in words. Raises HookFailed."""
        ...

    def close(self) -> None:
        """Give it up."""
        ...


@dataclass(frozen=True, slots=True)
class Called:
    """What came of a hook: its answer, or why it failed, in words, after so many ``seconds``."""

    hook: Hook
    words: str
    seconds: float
    failed: bool

    @property
    def told(self) -> dict[str, object]:
        """The fields of its log line."""
        outcome = "failed" if self.failed else "ok"
        seconds = round(self.seconds, 3)
        return {
            "hook": str(self.hook),
            "kind": self.hook.kind,
            "outcome": outcome,
            "seconds": seconds,
            "words": self.words,
        }


class Hooks:
    """Calls hooks: pods by their address, and commands by way of that API server."""

    def __init__(self, connection: Connection, *, fence: Fence) -> None:
        self._connection = connection
        self._fence = fence

    def run(self, hook: Hook, pod: LivePod, *, pause: Callable[[float], object]) -> Called:
        """Call it in that pod, and give what came of it.

        Raises NotLeader, and what ``pause`` raises to say that we are stopping: then the connection is closed, and
        nothing is waited for.
        """
        self._fence(0.0)
        call, started = self._call(hook, pod), time.monotonic()
        try:
            words, failed = _in_time(call, timeout=hook.timeout, pause=pause), False
        except HookFailed as exc:
            words, failed = str(exc), True
        return Called(hook, words, time.monotonic() - started, failed)

    def _call(self, hook: Hook, pod: LivePod) -> Call:
        if isinstance(hook.call, HttpCall):
            return Request(hook.call, pod.ip, timeout=hook.timeout)
        return Command(
            self._connection,
            namespace=pod.namespace,
            pod=pod.name,
            container=hook.call.container,
            command=hook.call.command,
            timeout=hook.timeout,
        )


def _in_time(call: Call, *, timeout: int, pause: Callable[[float], object]) -> str:
    """The answer, if it comes in that many seconds. Raises HookFailed, and what ``pause`` raises."""
    deadline = time.monotonic() + timeout
    outcome = in_background(call, name="hook")
    try:
        while (left := deadline - time.monotonic()) > 0:
            if wait([outcome], min(left, POLL)).done:
                return outcome.result()
            pause(0.0)
    finally:
        call.close()
    message = f"it was not over after {format_duration(timeout)}"
    raise HookFailed(message)


class Request:
    """One request to a pod: nothing is followed, repeated, or sent by way of a proxy."""

    def __init__(self, call: HttpCall, address: str, *, timeout: float) -> None:
        self._call = call
        self._address = address
        self._timeout = timeout
        patience = min(timeout, CONNECT_TIMEOUT)
        self._socket: socket.socket | None = None
        self._closed = False
        if call.scheme is Scheme.HTTPS:
            # As the kubelet's probes: a certificate names no pod's address, and nothing secret is sent.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self._connection: HTTPConnection = HTTPSConnection(address, call.port, timeout=patience, context=context)
        else:
            self._connection = HTTPConnection(address, call.port, timeout=patience)

    def __call__(self) -> str:
        """Ask, and read the whole answer. Raises HookFailed where it is none of 2xx."""
        call = self._call
        if not self._address:
            message = "the pod has no address"
            raise HookFailed(message)
        headers = {"User-Agent": "remediator", "Accept": "*/*", "Connection": "close"}
        if call.content_type:
            headers["Content-Type"] = call.content_type
        try:
            self._connection.connect()
            self._socket = self._connection.sock
            self._socket.settimeout(self._timeout)
            if self._closed:
                raise HookFailed(_GIVEN_UP)
            self._connection.request(call.method, call.path, body=call.body or None, headers=headers)
            with self._connection.getresponse() as response:
                content = read_body(response, deadline=time.monotonic() + self._timeout, cap=MAX_BODY)
                whole = not response.length
        except IncompleteRead as exc:
            raise HookFailed(_BROKEN) from exc
        except (OSError, HTTPException, BodyTooLarge, BodyTooLate) as exc:
            message = quoted(str(exc).encode()) or type(exc).__name__
            raise HookFailed(message) from exc
        finally:
            self._connection.close()
        if not whole:
            raise HookFailed(_BROKEN)
        words = ": ".join(filter(None, (f"it answered {response.status}", quoted(content))))
        if response.status not in _GOOD:
            raise HookFailed(words)
        return words

    def close(self) -> None:
        """Give it up: whoever reads returns, and what was not sent yet is not sent."""
        self._closed = True
        if self._socket is not None:
            with suppress(OSError):
                # (It has ended by itself.)
                self._socket.shutdown(socket.SHUT_RDWR)
