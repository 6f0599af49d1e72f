"""Calling a hook: what is sent, what counts as success, and a deadline that holds against whatever answers."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from remediator.act.hooks import MAX_BODY, Called, Hooks
from remediator.cluster.api import connect
from remediator.errors import NotLeader
from remediator.model.hooks import ExecCall, Hook, HttpCall, Method, Scheme
from tests.rig.certificates import Authority
from tests.unit import make
from tests.unit.cluster.conftest import written
from tests.unit.servers import Answer, Connection, Request, Server, always, http, refused_port, serving

POD = make.pod(ip="127.0.0.1")


def lead(_timeout: float) -> None:
    """The lease is ours."""


def go_on(_seconds: float) -> None:
    """Nobody is stopping."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A pod that answers."""
    with serving(always(http(204))) as running:
        yield running


@pytest.fixture
def hooks(server: Server, tmp_path: Path) -> Hooks:
    """The API server is where the pod is."""
    return Hooks(connect(written(server.url, tmp_path)), fence=lead)


def call(hooks: Hooks, port: int, **changes: object) -> Called:
    """Ask the pod; the changes are those of the call."""
    timeout = changes.pop("timeout", 20)
    asked = HttpCall(**{"port": port, "path": "/drain", **changes})  # type: ignore[arg-type]
    return hooks.run(Hook(asked, timeout=int(str(timeout))), POD, pause=go_on)


def test_the_pod_is_asked_by_its_address(hooks: Hooks, server: Server) -> None:
    """Method, path with query, body and its kind as written; nothing of ours that is secret."""
    called = call(hooks, server.port, path="/drain?why=memory", body=b'{"a": 1}', content_type="application/json")
    assert (called.words, called.failed) == ("it answered 204", False)
    (request,) = server.requests
    assert (request.method, request.target, request.body) == ("POST", "/drain?why=memory", b'{"a": 1}')
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept-encoding": "identity",
        "user-agent": "remediator",
        "accept": "*/*",
        "connection": "close",
        "content-type": "application/json",
        "content-length": "8",
    }


def test_a_get_has_no_body(hooks: Hooks, server: Server) -> None:
    """Nor does it say of what kind that would be."""
    server.answer = always(http(200, "draining\n took 3 s"))
    called = call(hooks, server.port, method=Method.GET)
    assert called.words == "it answered 200: draining took 3 s"
    assert called.told == {
        "hook": f"http GET :{server.port}/drain",
        "kind": "http",
        "outcome": "ok",
        "seconds": round(called.seconds, 3),
        "words": called.words,
    }
    (request,) = server.requests
    assert (request.method, request.body) == ("GET", b"")
    assert "content-type" not in request.headers


def test_https_asks_for_no_name_in_the_certificate(hooks: Hooks, tmp_path: Path) -> None:
    """No certificate names the address of a pod; a self-made one will do."""
    signed = Authority(tmp_path).serving("pod", hosts=("pod.example.com",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed.certificate, signed.key)
    with serving(always(http(200)), context=context) as running:
        assert not call(hooks, running.port, scheme=Scheme.HTTPS).failed
        refused = call(hooks, running.port)
    assert refused.failed, "that server speaks no plain HTTP"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http(500, "no\n memory \x1b[31mleft"), "it answered 500: no memory [31mleft"),
        (http(404), "it answered 404"),
        (http(302, location="http://127.0.0.1:1/"), "it answered 302"),
        (http(304), "it answered 304"),
        (http(503, "x" * 5000), f"it answered 503: {'x' * 300} …"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "it broke its answer off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "it broke its answer off"),
        (http(200, "x" * (MAX_BODY + 1)), f"the answer is larger than {MAX_BODY} bytes"),
        (b"", "Remote end closed connection without response"),
        (b"hello\r\n\r\n", "hello"),
    ],
)
def test_what_is_not_a_whole_2xx_has_failed(hooks: Hooks, server: Server, answer: bytes, words: str) -> None:
    """In the pod's own words, on one line and not a long one; nothing is followed, and nobody is asked twice."""
    server.answer = always(answer)
    called = call(hooks, server.port)
    assert (called.failed, called.told["outcome"]) == (True, "failed")
    assert called.words == words
    assert server.connections == 1


def test_nobody_there_has_failed(hooks: Hooks) -> None:
    """Nobody listens, or the pod has no address."""
    assert "Connection refused" in call(hooks, refused_port()).words
    nowhere = hooks.run(Hook(HttpCall(1, "/")), make.pod(), pause=go_on)
    assert (nowhere.words, nowhere.failed) == ("the pod has no address", True)


def drip_body(_request: Request, connection: Connection) -> None:
    """200, and then a byte now and then."""
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    connection.drip(b"x" * 1000, every=0.05)


def drip_headers(_request: Request, connection: Connection) -> None:
    """Not even the header comes to its end."""
    connection.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000, every=0.05)


def hang(_request: Request, connection: Connection) -> None:
    """Nothing."""
    connection.hang()


@pytest.mark.parametrize("answer", [drip_body, drip_headers, hang])
def test_the_deadline_holds_for_the_whole_answer(hooks: Hooks, server: Server, answer: Answer) -> None:
    """Against a server that drips as well as against one that says nothing."""
    server.answer = answer
    called = call(hooks, server.port, timeout=1)
    assert called.failed
    # By whichever deadline is first: that of the hook, of a read, or of the body.
    assert called.words in {"it was not over after 1s", "timed out", "the answer was not whole in time"}
    assert 0.9 < called.seconds < 30


def test_the_deadline_of_a_command_holds(hooks: Hooks, server: Server) -> None:
    """An API server that says nothing holds nobody up."""
    server.answer = hang
    called = hooks.run(Hook(ExecCall("app", ("sleep", "60")), timeout=1), POD, pause=go_on)
    assert called.failed
    assert 0.9 < called.seconds < 30


class Stopped(Exception):
    """We are told to stop."""


@pytest.mark.parametrize("asked", [HttpCall(0, "/"), ExecCall("app", ("sleep", "60"))])
def test_who_is_told_to_stop_waits_for_nothing(hooks: Hooks, server: Server, asked: HttpCall | ExecCall) -> None:
    """The connection is closed at once, so that the pod knows as well."""
    arrived, closed = threading.Event(), threading.Event()

    def wait_for_the_end(_request: Request, connection: Connection) -> None:
        arrived.set()
        connection._sock.settimeout(60)
        assert connection._sock.recv(1) == b""
        closed.set()

    def stop(_seconds: float) -> None:
        if arrived.is_set():
            raise Stopped

    server.answer = wait_for_the_end
    hook = Hook(HttpCall(server.port, "/") if isinstance(asked, HttpCall) else asked, timeout=60)
    started = time.monotonic()
    with pytest.raises(Stopped):
        hooks.run(hook, POD, pause=stop)
    assert closed.wait(30)
    assert time.monotonic() - started < 30


def test_who_does_not_lead_calls_nothing(server: Server, tmp_path: Path) -> None:
    """A hook is no write to the cluster, and changes something all the same."""

    def fence(_timeout: float) -> None:
        message = "the lease is held by somebody else"
        raise NotLeader(message)

    hooks = Hooks(connect(written(server.url, tmp_path)), fence=fence)
    for asked in (HttpCall(server.port, "/"), ExecCall("app", ("ls",))):
        with pytest.raises(NotLeader):
            hooks.run(Hook(asked), POD, pause=go_on)
    assert server.connections == 0
