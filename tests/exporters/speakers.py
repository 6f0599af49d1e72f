"""Servers on loopback that speak as little of a protocol as a probe asks for, rightly or wrongly."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from tests.rig.certificates import Credential
from tests.rig.servers import HOST, Handler, LocalServer

Talk = Callable[[socket.socket], None]
"""One side of a conversation over TCP."""


class _Threaded(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A probe that has heard enough hangs up."""


@contextmanager
def tcp(talk: Talk, *, credential: Credential | None = None) -> Iterator[str]:
    """A server that talks so with each who connects, by TLS where it has a certificate; gives its address."""
    context = None
    if credential:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(credential.certificate, credential.key)

    class Conversation(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection = self.request
            connection.settimeout(30)
            if context is None:
                talk(connection)
                return
            with context.wrap_socket(connection, server_side=True) as secured:
                talk(secured)

    with _Threaded((HOST, 0), Conversation) as server, _serving(server):
        yield f"{HOST}:{server.server_address[1]}"


def saying(line: bytes) -> Talk:
    """Says one line and waits until the other hangs up."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(line + b"\r\n")
        while connection.recv(1024):
            pass

    return talk


def irc(verdict: bytes) -> Talk:
    """An IRC server that wants its ping answered before it gives its verdict on who comes."""

    def talk(connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            # NICK and USER.
            lines.readline()
            lines.readline()
            connection.sendall(b"PING :token-7\r\n")
            if lines.readline().strip() == b"PONG token-7":
                connection.sendall(b":irc.test " + verdict + b" prober :...\r\n")
            lines.readline()

    return talk


@contextmanager
def closed_port() -> Iterator[str]:
    """An address that refuses connections: the port is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        yield f"{HOST}:{taken.getsockname()[1]}"


@contextmanager
def http(*, get: int = 405, post: int = 405) -> Iterator[str]:
    """An HTTP server that answers each method with that status; gives its URL."""

    class Answers(Handler):
        def do_GET(self) -> None:  # noqa: N802
            self._answer(get)

        def do_POST(self) -> None:  # noqa: N802
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer(post)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with web(Answers) as url:
        yield url


@contextmanager
def web(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server with that handler; gives its URL."""
    with LocalServer(handler) as server:
        yield f"http://{HOST}:{server.port}"


@contextmanager
def resolver(records: dict[tuple[str, str], str]) -> Iterator[str]:
    """A DNS server that knows these records by name and type, and no other name; gives its address.

    A name that it knows with another type is answered with NOERROR and nothing.
    """

    class Query(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, connection = self.request
            query = dns.message.from_wire(data)
            (asked,) = query.question
            kind = dns.rdatatype.to_text(asked.rdtype)
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.AA
            if value := records.get((str(asked.name), kind)):
                answer.answer.append(dns.rrset.from_text(asked.name, 30, "IN", kind, value))
            elif str(asked.name) not in {name for name, _ in records}:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            connection.sendto(answer.to_wire(), self.client_address)

    with socketserver.ThreadingUDPServer((HOST, 0), Query) as server, _serving(server):
        yield f"{HOST}:{server.server_address[1]}"


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
