"""Commands by websocket: what is asked for, and what counts as the end of a command."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from remediator.cluster.api import Connection, connect
from remediator.cluster.exec import Command
from remediator.errors import HookFailed
from tests.unit.cluster.conftest import TOKEN, written
from tests.unit.cluster.objects import Json, status_object
from tests.unit.servers import Answer, Request, Server, always, http, serving

STDOUT, STDERR, STATUS, CLOSE = 1, 2, 3, 255
SUCCESS: Json = {"metadata": {}, "status": "Success"}
FAILURE: Json = {
    "metadata": {},
    "status": "Failure",
    "message": "command terminated with non-zero exit code: exit status 3",
    "reason": "NonZeroExitCode",
    "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
}
NOT_TOLD = "the connection ended before the command's exit code was told"
MISSING = "the right to `create` and `get` pods/exec is missing (rbac.exec in the chart's values, or deploy/exec)"


def frame(opcode: int, content: bytes) -> bytes:
    """One frame as a server sends it."""
    size = len(content)
    length = bytes([size]) if size < 126 else b"\x7e" + struct.pack("!H", size) if size < 1 << 16 else b""
    return bytes([0x80 | opcode]) + (length or b"\x7f" + struct.pack("!Q", size)) + content


def upgraded(*messages: tuple[int, bytes | Json], protocol: str = "v5.channel.k8s.io", close: bool = True) -> Answer:
    """Switch protocols, say these on their channels, and close."""

    def answer(request: Request, _connection: object) -> bytes:
        key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        head = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
        )
        said = [
            frame(2, bytes([channel]) + (content if isinstance(content, bytes) else json.dumps(content).encode()))
            for channel, content in messages
        ]
        return head.encode() + b"".join(said) + (frame(8, struct.pack("!H", 1000)) if close else b"")

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    """An API server."""
    with serving(upgraded((STATUS, SUCCESS))) as running:
        yield running


@pytest.fixture
def connection(server: Server, tmp_path: Path) -> Connection:
    """The way to it."""
    return connect(written(server.url, tmp_path))


def run(connection: Connection) -> str:
    """Run a command."""
    return Command(
        connection, namespace="shop", pod="web-0", container="app", command=("/bin/drain", "-m a&b"), timeout=30
    )()


def failure(connection: Connection) -> str:
    """Why it failed."""
    with pytest.raises(HookFailed) as failed:
        run(connection)
    return str(failed.value)


def test_the_command_is_asked_for(connection: Connection, server: Server) -> None:
    """Of the pod by its name, in that container, word by word, with our token, and both protocols."""
    assert run(connection) == "exit code 0"
    (request,) = server.requests
    assert request.target == (
        "/api/v1/namespaces/shop/pods/web-0/exec"
        "?container=app&command=%2Fbin%2Fdrain&command=-m+a%26b&stdout=true&stderr=true"
    )
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["user-agent"] == "remediator"
    assert request.headers["sec-websocket-protocol"] == "v5.channel.k8s.io,v4.channel.k8s.io"
    assert "origin" not in request.headers


def test_a_server_that_knows_only_the_older_protocol_will_do(connection: Connection, server: Server) -> None:
    """What is sent on its channels is the same."""
    server.answer = upgraded((STDOUT, b"drained\n"), (STATUS, SUCCESS), protocol="v4.channel.k8s.io")
    assert run(connection) == "exit code 0: drained"


@pytest.mark.parametrize("order", [1, -1])
def test_the_exit_code_and_the_end_of_what_it_wrote(connection: Connection, server: Server, order: int) -> None:
    """The end of stderr, whichever of the two comes first; channels that were closed say nothing."""
    said: list[tuple[int, bytes | Json]] = [
        (STDOUT, b"x" * 70_000),
        (STDERR, b"a" * 9000),
        (STDERR, b" no\n\x07peers  left\n"),
        (STATUS, FAILURE),
    ]
    first, last = (said, []) if order > 0 else ([said[-1]], said[:-1])
    server.answer = upgraded(*first, (CLOSE, bytes([STDOUT])), (CLOSE, b""), *last)
    words = failure(connection)
    assert words.startswith("exit code 3: … aaaa")
    assert words.endswith("aa no peers left")
    assert len(words) < 330


def test_a_command_that_could_not_be_started_is_quoted(connection: Connection, server: Server) -> None:
    """Then there is no exit code, and the runtime's words."""
    message = "error executing command in container: exec: /bin/drain: no such file"
    server.answer = upgraded((STATUS, {"status": "Failure", "reason": "InternalError", "message": message}))
    assert failure(connection) == message


def test_a_server_that_does_not_close_is_not_waited_for(connection: Connection, server: Server) -> None:
    """Once the exit code is told."""
    closing = upgraded((STATUS, SUCCESS), close=False)

    def answer(request: Request, there: object) -> None:
        there.send(closing(request, there))  # type: ignore[attr-defined, arg-type]
        there.hang()  # type: ignore[attr-defined]

    server.answer = answer
    assert run(connection) == "exit code 0"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (upgraded((STDOUT, b"half")), NOT_TOLD),
        (upgraded((STDOUT, b"half"), close=False), NOT_TOLD),
        (upgraded((STATUS, b"fine!")), "its end can't be understood: fine!"),
        (upgraded((STATUS, {"code": 0})), 'its end can\'t be understood: {"code": 0}'),
        (upgraded((STATUS, [])), "its end can't be understood: []"),  # type: ignore[arg-type]
        (upgraded((STATUS, SUCCESS), protocol="channel.k8s.io"), "the API server could not be asked for it: "),
        (always(http(200, "hello")), "the API server answered 200: hello"),
        (always(b""), "the API server could not be asked for it: "),
        (always(http(302, location="http://127.0.0.1:1/")), "the API server could not be asked for it: "),
        (always(http(502, "<html>bad gateway")), "the API server answered 502: <html>bad gateway"),
    ],
)
def test_what_tells_no_exit_code_has_failed(connection: Connection, server: Server, answer: Answer, words: str) -> None:
    """Nothing is taken for a success that does not say so, nothing is followed, and no token is in any words."""
    server.answer = answer
    said = failure(connection)
    assert said.startswith(words)
    assert TOKEN not in said
    assert server.connections == 1


@pytest.mark.parametrize("verb", ["create", "get"])
def test_a_right_that_is_missing_is_named(connection: Connection, server: Server, verb: str) -> None:
    """With the server's own words, and where the rule is."""
    message = f'pods "web-0" is forbidden: User "me" cannot {verb} resource "pods/exec" in API group ""'
    server.answer = always(http(403, {**status_object(403), "message": message}))
    assert failure(connection) == f"the API server answered 403: {message}; {MISSING}"


def test_a_webhooks_refusal_is_no_missing_right(connection: Connection, server: Server) -> None:
    """Nobody is sent to mend rules that are right."""
    message = 'admission webhook "no.exec" denied the request: not in production'
    server.answer = always(http(403, {**status_object(403), "message": message}))
    assert failure(connection) == f"the API server answered 403: {message}"
