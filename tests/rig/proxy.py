"""A proxy that breaks what passes through it: between the daemon and the API server, or Prometheus.

Faults that can't be provoked on the real servers come from here; all else is passed on byte for byte.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.rig.servers import Handler, LocalServer

_PATIENCE = 600.0
"""Seconds for which a request is held back at most: longer than any test waits."""
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def is_(self, method: str, end: str) -> bool:
        """Whether it is that method on a path that ends so, whatever its query."""
        return self.method == method and urlsplit(self.path).path.endswith(end)


@dataclass(frozen=True)
class Respond:
    """Answer this: instead of asking the server, or, with ``forwarded``, in place of what it has answered."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    forwarded: bool = False


@dataclass(frozen=True)
class Cut:
    """Close the connection: without asking the server, or after it has acted but before the answer is passed on.

    ``first`` is called right before.
    """

    forwarded: bool
    first: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Drip:
    """Answer 200 and then a byte a second, for ever; with ``headers`` the header itself drips."""

    headers: bool = False


@dataclass(frozen=True)
class Hang:
    """Accept, and answer nothing; with ``forwarded`` the server is asked all the same."""

    forwarded: bool = False


@dataclass(frozen=True)
class Late:
    """Pass it on when the event is set and not before, whether the client still waits or not.

    ``passed`` is set when the server has answered.
    """

    release: threading.Event
    passed: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Edited:
    """Pass the answer on line by line: each as ``edit`` gives it back, left out where it gives none.

    The connection is closed where ``edit`` gives None. It may take its time: a line comes later then. So are the
    events of a watch delayed, swallowed, doubled and made up.
    """

    edit: Callable[[bytes], Sequence[bytes] | None]


Fault = Respond | Cut | Drip | Hang | Late | Edited


class Proxy:
    """Listens on loopback and passes on to ``upstream``; ``fault`` decides for each request what goes wrong.

    Give ``ca_file`` for an https upstream, and ``serving`` where clients have to come by TLS; what they send as
    credentials is passed on.
    """

    def __init__(self, upstream: str, *, ca_file: Path | None = None, serving: ssl.SSLContext | None = None) -> None:
        self._upstream = urlsplit(upstream)
        self._context = ssl.create_default_context(cafile=str(ca_file)) if ca_file else None
        self.fault: Callable[[Request], Fault | None] = lambda _request: None
        self.ahead = 0
        """Seconds by which the dates of the server's answers are made later."""
        self.requests: list[Request] = []
        self._closing = threading.Event()
        proxy = self

        class Passing(Handler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException):
                    self.close_connection = True

            def _serve(self) -> None:
                proxy._serve(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  http.server's names

        self._server = LocalServer(Passing, context=serving)
        self.url = self._server.origin

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.__exit__(kind, error, trace)

    def redirect(self, upstream: str) -> None:
        """Pass on to another server from now on."""
        self._upstream = urlsplit(upstream)

    def once(self, matches: Callable[[Request], object], fault: Fault) -> threading.Event:
        """Break the next request that matches, and only that; the event is set when it has come."""
        came = threading.Event()
        lock = threading.Lock()

        def decide(request: Request) -> Fault | None:
            with lock:
                if came.is_set() or not matches(request):
                    return None
                came.set()
            return fault

        self.fault = decide
        return came

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        request = Request(handler.command, handler.path, handler.rfile.read(length), dict(handler.headers))
        self.requests.append(request)
        match self.fault(request):
            case None:
                self._forward(handler, request, answer=True)
            case Drip(headers):
                self._drip(handler, headers=headers)
            case Respond(forwarded=True) | Cut(forwarded=True) | Hang(forwarded=True) as fault:
                self._forward(handler, request, answer=False)
                self._answer(handler, fault)
            case Respond() | Cut() | Hang() as fault:
                self._answer(handler, fault)
            case Edited() as edited:
                self._forward(handler, request, answer=True, edited=edited)
            case Late(release, passed):
                if release.wait(_PATIENCE):
                    self._forward(handler, request, answer=False)
                    passed.set()
                _close(handler)

    def _answer(self, handler: BaseHTTPRequestHandler, fault: Respond | Cut | Hang) -> None:
        match fault:
            case Respond(status, body, headers):
                handler.send_response(status)
                for key, value in {"Content-Type": "application/json", **headers}.items():
                    handler.send_header(key, value)
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)
            case Cut(first=first):
                first()
                _close(handler)
            case Hang():
                self._closing.wait(_PATIENCE)
                _close(handler)

    def _forward(
        self, handler: BaseHTTPRequestHandler, request: Request, *, answer: bool, edited: Edited | None = None
    ) -> None:
        host, port = self._upstream.hostname or "", self._upstream.port
        connection = (
            http.client.HTTPSConnection(host, port, context=self._context)
            if self._context
            else http.client.HTTPConnection(host, port)
        )
        try:
            headers = {key: value for key, value in handler.headers.items() if key.lower() not in _HOP}
            connection.request(request.method, self._upstream.path + request.path, request.body or None, headers)
            response = connection.getresponse()
            if not answer:
                response.read()
                return
            # Not with the date of our own that ``send_response`` puts in.
            handler.send_response_only(response.status)
            for key, value in response.getheaders():
                if key.lower() not in _HOP:
                    handler.send_header(key, self._later(value) if key.lower() == "date" else value)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            for part in _edited(response, edited) if edited else _parts(response):
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                handler.wfile.flush()
            handler.wfile.write(b"0\r\n\r\n")
        except OSError:
            # The server is away, or the client: either sees a connection that ends.
            _close(handler)
        finally:
            connection.close()

    def _later(self, date: str) -> str:
        return format_datetime(parsedate_to_datetime(date) + timedelta(seconds=self.ahead), usegmt=True)

    def _drip(self, handler: BaseHTTPRequestHandler, *, headers: bool) -> None:
        start = b"HTTP/1.1 200 OK\r\nX-Slow: " if headers else b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{"
        handler.wfile.write(start)
        while not self._closing.wait(0.5):
            handler.wfile.write(b" ")
            handler.wfile.flush()
        _close(handler)


def _parts(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while part := response.read1(65536):
        yield part


def _edited(response: http.client.HTTPResponse, edited: Edited) -> Iterator[bytes]:
    """The lines of an answer as they are given back. Raises ConnectionError where the connection is to be closed."""
    rest = b""
    for part in _parts(response):
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            instead = edited.edit(line)
            if instead is None:
                message = "the test closes it"
                raise ConnectionAbortedError(message)
            yield from (one + b"\n" for one in instead)


def _close(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    try:
        handler.connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Closed already.
        return
