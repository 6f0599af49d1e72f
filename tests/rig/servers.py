"""Small HTTP servers of the tests: each connection has a thread of its own, and clients that go away are no news."""

import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

HOST = "127.0.0.1"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
"""The content type of Prometheus's text format."""


class LocalServer(ThreadingHTTPServer):
    """A server on a free port of loopback, by TLS where it has a context; a context manager that ends it."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, handler: Callable[..., BaseHTTPRequestHandler], *, context: ssl.SSLContext | None = None
    ) -> None:
        super().__init__((HOST, 0), handler)
        self.port = int(self.server_address[1])
        self.origin = f"{'https' if context else 'http'}://{HOST}:{self.port}"
        self._context = context
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection; its handshake is left to its own thread."""
        connection, address = super().get_request()
        if self._context is None:
            return connection, address
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away, or was killed, is what tests do."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    """Says nothing in the tests' output."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name is the base class's)
        """Tests look at what the daemon says."""

    def answer(self, content: bytes, content_type: str) -> None:
        """200 with that content."""
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
