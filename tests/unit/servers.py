"""An HTTP server on loopback that answers as it is told, down to the byte, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

PATIENCE = 10.0
"""Seconds after which a server gives a connection up, so that no test hangs."""
SILENCE = 60.0
"""Seconds that one which says nothing does so: far more than anybody here waits for it."""


@dataclass(frozen=True)
class Request:
    """One request as it came in; header names in small letters."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    raw: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """Without the query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The parameters in the URL."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The parameters in the body."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Any:  # noqa: ANN401 (whatever was sent)
        """The JSON in the body."""
        return json.loads(self.body)


class Connection:
    """What an answer is written to."""

    def __init__(self, sock: socket.socket, closing: threading.Event) -> None:
        self._sock = sock
        self._closing = closing

    def send(self, data: bytes) -> None:
        """Write; whoever has gone does not matter."""
        with contextlib.suppress(OSError):
            self._sock.sendall(data)

    def drip(self, data: bytes, *, every: float) -> None:
        """Write byte by byte with a pause between, until the client has gone or the test is over."""
        for n in range(len(data)):
            if self._closing.wait(every):
                return
            try:
                self._sock.sendall(data[n : n + 1])
            except OSError:
                return

    def hang(self) -> None:
        """Say nothing until the test is over."""
        self._closing.wait(SILENCE)

    def reset(self) -> None:
        """Break the connection off."""
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self._sock.close()


Answer = Callable[[Request, Connection], bytes | None]
"""Gives the bytes of the answer, or writes them itself."""


class Server:
    """Answers each request by the function that ``answer`` is at that moment, and then closes the connection."""

    def __init__(self, answer: Answer, *, context: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.connections = 0
        self._context = context
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def wait_for(self, count: int = 1) -> None:
        """Until so many requests have come: who gives up early may be ahead of what he has sent."""
        end = time.monotonic() + SILENCE
        while len(self.requests) < count:
            assert time.monotonic() < end, f"{len(self.requests)} requests have come, and not {count}"
            time.sleep(0.005)

    def close(self) -> None:
        """End it and every connection."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(PATIENCE)
        try:
            sock = self._context.wrap_socket(plain, server_side=True) if self._context else plain
        except OSError:
            plain.close()
            return
        with sock:
            request = _read(sock)
            if request is None:
                return
            self.requests.append(request)
            connection = Connection(sock, self._closing)
            data = self.answer(request, connection)
            if data is not None:
                connection.send(data)
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_WR)


def _read(sock: socket.socket) -> Request | None:
    raw = b""
    try:
        while b"\r\n\r\n" not in raw:
            part = sock.recv(65536)
            if not part:
                return None
            raw += part
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        missing = int(headers.get("content-length", "0")) - len(body)
        while missing > 0:
            part = sock.recv(65536)
            if not part:
                return None
            body, raw, missing = body + part, raw + part, missing - len(part)
    except OSError:
        return None
    method, target, _ = first.split(" ", 2)
    return Request(method, target, headers, body, raw)


def http(status: int, body: bytes | str | Any = b"", **headers: str) -> bytes:  # noqa: ANN401 (anything as JSON)
    """An answer with its length; a value that is neither bytes nor text is sent as JSON."""
    kind = "text/html"
    if not isinstance(body, bytes | str):
        body, kind = json.dumps(body), "application/json"
    content = body.encode() if isinstance(body, str) else body
    given = {"content-type": kind, "content-length": str(len(content)), "connection": "close"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode() + content


def always(data: bytes) -> Answer:
    """The same answer to everybody."""
    return lambda _request, _connection: data


@contextlib.contextmanager
def serving(answer: Answer, *, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server for as long as the block."""
    server = Server(answer, context=context)
    try:
        yield server
    finally:
        server.close()


def refused_port() -> int:
    """A port on which nobody listens, and which no other test is given meanwhile."""
    return 1
