"""A proxy that breaks what passes through it: between the daemon and the API server, or Prometheus.

Faults that can't be provoked on the real servers come from here; all else is passed on byte for byte.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.rig.servers import HOST, Handler, LocalServer

_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    body: bytes

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


Fault = Respond | Cut | Drip | Hang | Late


class Proxy:
    """Listens on loopback and passes on to ``upstream``; ``fault`` decides for each request what goes wrong.

    Give ``ca_file`` for an https upstream; what the client sends as credentials is passed on.
    """

    def __init__(self, upstream: str, *, ca_file: Path | None = None) -> None:
        self._upstream = urlsplit(upstream)
        self._context = ssl.create_default_context(cafile=str(ca_file)) if ca_file else None
        self.fault: Callable[[Request], Fault | None] = lambda _request: None
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

        self._server = LocalServer(Passing)
        self.url = f"http://{HOST}:{self._server.port}"

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.__exit__(kind, error, trace)

    def once(self, matches: Callable[[Request], bool], fault: Fault) -> threading.Event:
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
        request = Request(handler.command, handler.path, handler.rfile.read(length))
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
            case Late(release, passed):
                if release.wait(120):
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
                self._closing.wait(120)
                _close(handler)

    def _forward(self, handler: BaseHTTPRequestHandler, request: Request, *, answer: bool) -> None:
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
            handler.send_response(response.status)
            for key, value in response.getheaders():
                if key.lower() not in _HOP:
                    handler.send_header(key, value)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            while part := response.read1(65536):
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                handler.wfile.flush()
            handler.wfile.write(b"0\r\n\r\n")
        except OSError:
            # The server is away, or the client: either sees a connection that ends.
            _close(handler)
        finally:
            connection.close()

    def _drip(self, handler: BaseHTTPRequestHandler, *, headers: bool) -> None:
        start = b"HTTP/1.1 200 OK\r\nX-Slow: " if headers else b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{"
        handler.wfile.write(start)
        while not self._closing.wait(0.5):
            handler.wfile.write(b" ")
            handler.wfile.flush()
        _close(handler)


def _close(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    try:
        handler.connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Closed already.
        return
