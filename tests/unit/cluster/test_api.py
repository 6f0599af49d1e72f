"""One request to the API server is sent once, and its end is an answer or one of our errors."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from remediator.cluster import api as module
from remediator.cluster.api import ApiServer, connect
from remediator.errors import KubernetesError, KubernetesOdd, KubernetesRefused, KubernetesUnreachable, SettingsError
from remediator.model.clocks import Reading
from tests.unit.cluster.conftest import TOKEN, Told, written
from tests.unit.cluster.objects import list_of, status_object
from tests.unit.servers import Answer, Connection, Request, Server, always, http, refused_port

POD = "/api/v1/namespaces/shop/pods/web-0"


def delete(api: ApiServer) -> object:
    """A write that must never be sent twice."""
    return api.write("delete", "DELETE", POD, {"kind": "DeleteOptions"}, timeout=module.READ_TIMEOUT)


def get(api: ApiServer) -> object:
    """A read."""
    return api.get(POD)


def listed(api: ApiServer) -> object:
    """A list."""
    return api.list("/api/v1/pods")


ALL = pytest.mark.parametrize("call", [delete, get, listed])
Call = Callable[[ApiServer], object]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads give up after a moment."""
    monkeypatch.setattr(module, "READ_TIMEOUT", 0.4)
    for method in (ApiServer._json, ApiServer.get):
        monkeypatch.setattr(method, "__kwdefaults__", {**(method.__kwdefaults__ or {}), "timeout": 0.4})


# Requests


def test_a_request_carries_the_token_and_says_who_asks(server: Server, api: ApiServer) -> None:
    """And asks for JSON."""
    server.answer = always(http(200, {"kind": "Pod"}))
    assert api.get(POD, {"a": "b c"}) == {"kind": "Pod"}
    [request] = server.requests
    assert (request.method, request.path, request.query) == ("GET", POD, {"a": "b c"})
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"] == "remediator"


def test_the_date_of_an_answer_tells_of_the_servers_clock(server: Server, tmp_path: Path) -> None:
    """Also that of a refusal and of a watch; without a date nothing is told."""
    heard: list[Reading] = []
    api = ApiServer(connect(written(server.url, tmp_path)), observe=lambda *_: None, heard=heard.append)
    server.answer = always(http(200, {"kind": "Pod"}))
    api.get(POD)
    assert heard == []
    early = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    server.answer = always(http(404, status_object(404), date=early))
    assert api.find(POD) is None
    server.answer = always(http(200, b"", date=early))
    list(api.watch("/api/v1/pods", {}, silence=5))
    assert [-3610 < reading.low < reading.high < -3590 for reading in heard] == [True, True]


@pytest.mark.parametrize("kind", ["application/json", "application/merge-patch+json"])
def test_a_write_names_the_type_of_its_body(server: Server, api: ApiServer, kind: str) -> None:
    """The client would send JSON-patch for any body of a PATCH."""
    server.answer = always(http(200, {}))
    api.write("patch", "PATCH", POD, {"metadata": {"uid": "u"}}, content_type=kind)
    assert server.requests[0].headers["content-type"] == kind
    assert server.requests[0].json == {"metadata": {"uid": "u"}}


def test_a_list_is_read_page_by_page(server: Server, api: ApiServer) -> None:
    """Until there is no token for another page; the version is the list's."""
    pages = {"": list_of({"n": 1}, {"n": 2}, more="t1"), "t1": list_of({"n": 3}, more="t2"), "t2": list_of({"n": 4})}
    server.answer = lambda request, _: http(200, pages[request.query.get("continue", "")])
    items, version = api.list("/api/v1/pods", {"labelSelector": "app in (web)"})
    assert [item["n"] for item in items] == [1, 2, 3, 4]
    assert version == "100"
    assert {request.query["limit"] for request in server.requests} == {"500"}
    assert {request.query["labelSelector"] for request in server.requests} == {"app in (web)"}


@pytest.mark.parametrize("empty", [[], None])
def test_an_empty_list_is_a_list(server: Server, api: ApiServer, empty: list[object] | None) -> None:
    """Go writes an absent list as null."""
    server.answer = always(http(200, {**list_of(), "items": empty}))
    assert api.list("/api/v1/pods") == ([], "100")


# Faults


def cut(_request: Request, connection: Connection) -> None:
    """Take the request and break off."""
    connection.reset()


def close(_request: Request, _connection: Connection) -> bytes:
    """Take the request and hang up."""
    return b""


def half(_request: Request, _connection: Connection) -> bytes:
    """Less than was promised."""
    return b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"kind"'


def hang(_request: Request, connection: Connection) -> None:
    """Take the request and say nothing."""
    connection.hang()


def drip_body(_request: Request, connection: Connection) -> None:
    """A byte of the body now and then."""
    connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
    connection.drip(b" " * 2000, every=0.02)


def no_http(_request: Request, _connection: Connection) -> bytes:
    """Another protocol."""
    return b"SSH-2.0-OpenSSH_9.2\r\n"


@ALL
@pytest.mark.parametrize("fault", [cut, close, half, hang, drip_body, no_http])
@pytest.mark.usefixtures("hasty")
def test_a_request_without_an_answer_is_sent_once(
    server: Server, api: ApiServer, told: Told, call: Call, fault: Answer
) -> None:
    """Whether it was carried out is unknown, and nobody asks again behind our back: a replacement would be deleted."""
    server.answer = fault
    started = time.monotonic()
    with pytest.raises(KubernetesUnreachable) as caught:
        call(api)
    assert time.monotonic() - started < 30
    server.wait_for(1)
    assert len(server.requests) == 1
    assert server.connections == 1
    text = str(caught.value)
    assert server.url in text
    assert "\n" not in text
    assert "object at 0x" not in text
    assert [(outcome, words) for _, outcome, words in told.seen] == [("unreachable", text)]


@ALL
@pytest.mark.parametrize(
    ("status", "retry_after"),
    [
        *((status, None) for status in (400, 401, 403, 404, 409, 410, 422, 429, 500, 502, 503, 504)),
        *((status, seconds) for status in (413, 429, 503) for seconds in ("0", "1")),
    ],
)
def test_a_refusal_is_an_answer_and_is_not_repeated(
    server: Server, api: ApiServer, told: Told, call: Call, status: int, retry_after: str | None
) -> None:
    """429 and 503 with ``Retry-After`` included: the client would repeat those without telling."""
    headers = {"retry_after": retry_after} if retry_after else {}
    server.answer = always(http(status, status_object(status, "the reason"), **headers))
    with pytest.raises(KubernetesRefused, match=f"answered {status}: the reason") as caught:
        call(api)
    assert caught.value.status.code == status
    assert caught.value.status.retry_after == (int(retry_after) if retry_after else None)
    assert len(server.requests) == 1
    assert told.seen[0][1:] == (str(status), str(caught.value))


def test_what_a_refusal_says_is_kept(server: Server, api: ApiServer) -> None:
    """Reason, kind and causes of the Status object: only they tell one 429 from another."""
    body = status_object(
        429, "Cannot evict", "TooManyRequests", kind="pods", causes=[{"reason": "DisruptionBudget", "message": "x"}]
    )
    server.answer = always(http(429, body, retry_after="10"))
    with pytest.raises(KubernetesRefused) as caught:
        delete(api)
    status = caught.value.status
    assert (status.reason, status.kind, status.causes) == ("TooManyRequests", "pods", (("DisruptionBudget", "x"),))
    assert status.retry_after == 10


@pytest.mark.parametrize(
    "body",
    [b"", b"<html><h1>502 Bad Gateway</h1></html>", b"null", b"[]", b"5", b'{"details": null}', b"{", b"\xff\xfe"],
)
def test_a_refusal_that_is_no_status_is_a_refusal(server: Server, api: ApiServer, body: bytes) -> None:
    """A proxy in between answers as it likes."""
    server.answer = always(http(502, body))
    with pytest.raises(KubernetesRefused) as caught:
        get(api)
    assert caught.value.status.code == 502


@pytest.mark.parametrize("header", ["", "soon", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_an_odd_retry_after_is_none(server: Server, api: ApiServer, header: str) -> None:
    """Only whole seconds are taken at their word."""
    server.answer = always(http(429, status_object(429), retry_after=header))
    with pytest.raises(KubernetesRefused) as caught:
        get(api)
    assert caught.value.status.retry_after is None


@pytest.mark.parametrize("location", ["/elsewhere", "http://127.0.0.1:1/"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(server: Server, api: ApiServer, status: int, location: str) -> None:
    """Neither a write nor a token goes to anybody else."""
    server.answer = always(http(status, b"", location=location))
    with pytest.raises(KubernetesRefused) as caught:
        delete(api)
    assert caught.value.status.code == status
    assert len(server.requests) == 1


@ALL
@pytest.mark.parametrize("body", [b"", b"<html>login</html>", b"null", b"[]", b'"x"', b"5", b"{", b"\xff"])
def test_a_200_with_rubbish_is_odd(server: Server, api: ApiServer, call: Call, body: bytes) -> None:
    """A login page is no pod and no empty list."""
    server.answer = always(http(200, body))
    with pytest.raises(KubernetesOdd, match=r"is no (JSON|object)"):
        call(api)
    assert len(server.requests) == 1


def test_a_body_beyond_the_cap_is_given_up(server: Server, api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer without end does not fill our memory."""
    monkeypatch.setattr(module, "MAX_BODY", 1 << 16)
    server.answer = always(http(200, b" " * (1 << 18)))
    with pytest.raises(KubernetesUnreachable, match="larger than 65536 bytes"):
        get(api)


def test_a_server_that_is_away_is_named(tmp_path: Path, kubeconfig: Path, server: Server, told: Told) -> None:
    """A refused connection is one sentence, at once."""
    url = f"http://127.0.0.1:{refused_port()}"
    kubeconfig.write_text(kubeconfig.read_text().replace(server.url, url))
    started = time.monotonic()
    with pytest.raises(KubernetesUnreachable, match=url):
        get(ApiServer(connect(kubeconfig), observe=told))
    assert time.monotonic() - started < 4


def test_a_connection_that_was_closed_meanwhile_is_no_error(server: Server, api: ApiServer) -> None:
    """The server closes after each answer: the next request gets a connection of its own."""
    server.answer = always(http(200, {"kind": "Pod"}))
    for _ in range(3):
        api.get(POD)
    assert len(server.requests) == 3


def test_every_failure_is_a_kubernetes_error(server: Server, api: ApiServer) -> None:
    """No other module knows urllib3 or ApiException."""
    answers: list[Any] = [
        cut,
        close,
        half,
        no_http,
        always(http(500)),
        always(http(200, b"?")),
        always(b"HTTP/1.1 x\r\n"),
    ]
    for answer in answers:
        server.answer = answer
        with pytest.raises(KubernetesError):
            get(api)


@pytest.mark.usefixtures("hasty")
def test_the_token_is_never_told(server: Server, api: ApiServer, told: Told, caplog: pytest.LogCaptureFixture) -> None:
    """Not in an error, not in a log at debug level, not in what is observed."""
    caplog.set_level(logging.DEBUG)
    text = ""
    for answer in (cut, hang, always(http(401, status_object(401, "Unauthorized"))), always(http(200, b"?"))):
        server.answer = answer
        with pytest.raises(KubernetesError) as caught:
            get(api)
        chained: BaseException | None = caught.value
        while chained is not None:
            text += f"{chained!s} {chained!r}"
            chained = chained.__cause__ or chained.__context__
    assert TOKEN not in text + caplog.text + str(told.seen)


# A watch


def event(kind: str, name: str) -> bytes:
    """One line of a watch."""
    return f'{{"type":"{kind}","object":{{"metadata":{{"name":"{name}"}}}}}}\n'.encode()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


def test_a_watch_gives_each_event_whole(server: Server, api: ApiServer) -> None:
    """However the lines are cut on their way."""
    data = event("ADDED", "a") + b"\n" + event("MODIFIED", "b") + event("DELETED", "c")

    def answer(_request: Request, connection: Connection) -> None:
        connection.send(HEAD)
        for n in range(0, len(data), 7):
            connection.send(data[n : n + 7])

    server.answer = answer
    stream = api.watch("/api/v1/pods", {"resourceVersion": "5"}, silence=1)
    assert [(kind, item["metadata"]["name"]) for kind, item in stream] == [
        ("ADDED", "a"), ("MODIFIED", "b"), ("DELETED", "c")
    ]  # fmt: skip
    assert server.requests[0].query == {"resourceVersion": "5", "watch": "1"}


def test_a_watch_that_is_silent_is_dead(server: Server, api: ApiServer) -> None:
    """After so many seconds without a byte it ends with an error."""

    def answer(_request: Request, connection: Connection) -> None:
        connection.send(HEAD + event("ADDED", "a"))
        connection.hang()

    server.answer = answer
    events = iter(api.watch("/api/v1/pods", {}, silence=0.3))
    assert next(events)[0] == "ADDED"
    with pytest.raises(KubernetesUnreachable, match="the watch on the API server"):
        next(events)


@pytest.mark.parametrize("rubbish", [b"?\n", b"[]\n", b"null\n"])
def test_a_watch_with_rubbish_in_it_is_odd(server: Server, api: ApiServer, rubbish: bytes) -> None:
    """A line that is no event ends it."""
    server.answer = always(HEAD + event("ADDED", "a") + rubbish)
    with pytest.raises(KubernetesOdd):
        list(api.watch("/api/v1/pods", {}, silence=1))


def test_a_watch_that_is_cut_in_a_line_gives_no_half_event(server: Server, api: ApiServer) -> None:
    """What has no end of line has not come."""
    server.answer = always(HEAD + event("ADDED", "a") + event("ADDED", "b")[:-5])
    found = [item["metadata"]["name"] for _, item in api.watch("/api/v1/pods", {}, silence=1)]
    assert found == ["a"]


def test_a_refused_watch_is_a_refusal(server: Server, api: ApiServer, told: Told) -> None:
    """410 tells that the version is too old."""
    server.answer = always(http(410, status_object(410, "too old")))
    with pytest.raises(KubernetesRefused) as caught:
        api.watch("/api/v1/pods", {}, silence=1)
    assert caught.value.status.code == 410
    assert told.seen == [("watch", "410", str(caught.value))]


def test_a_watch_can_be_stopped_from_outside(server: Server, api: ApiServer) -> None:
    """A read that waits returns, and that is no error."""

    def answer(_request: Request, connection: Connection) -> None:
        connection.send(HEAD + event("ADDED", "a"))
        connection.hang()

    server.answer = answer
    stream = api.watch("/api/v1/pods", {}, silence=60)
    started = time.monotonic()
    for _ in stream:
        stream.stop()
    assert time.monotonic() - started < 30
    stream.stop()


# Credentials


def test_the_namespace_is_that_of_the_context(kubeconfig: Path, server: Server) -> None:
    """Without one it is ``default``."""
    connection = connect(kubeconfig)
    assert (connection.namespace, connection.host) == ("ops", server.url)
    kubeconfig.write_text(kubeconfig.read_text().replace("    namespace: ops\n", ""))
    assert connect(kubeconfig).namespace == "default"


@pytest.mark.parametrize("content", [None, "", "[]", "{}", "apiVersion: v1\nkind: Config\ncurrent-context: no\n"])
def test_a_kubeconfig_that_can_t_be_used_is_one_sentence(tmp_path: Path, content: str | None) -> None:
    """The file is named, and what to set."""
    file = tmp_path / "config"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match="can't reach a cluster by kubeconfig") as caught:
        connect(file)
    assert str(file) in str(caught.value)


def test_outside_a_cluster_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a kubeconfig only a pod's own service account serves."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(SettingsError, match="REMEDIATOR_KUBECONFIG"):
        connect(None)
