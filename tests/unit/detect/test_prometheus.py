"""Prometheus as a client sees it, with everything that can be wrong with an answer."""

from __future__ import annotations

import base64
import gzip
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.detect import prometheus as module
from remediator.detect.prometheus import Access, Prometheus
from remediator.errors import PrometheusError, PrometheusPartial, PrometheusRefused, PrometheusUnreachable
from remediator.model.clocks import Reading
from remediator.model.measures import Series
from tests.rig.certificates import Authority, strict_context
from tests.unit.servers import Answer, Connection, Request, Server, always, http, refused_port, serving

AT = 1_800_000_000
ONE = [{"metric": {"pod": "web-0"}, "value": [AT, "5"]}]
RANGE = [{"metric": {"pod": "web-0"}, "values": [[AT - 15.25, "5"], [AT, "1e+09"]]}]


def success(result: Any = ONE, kind: str = "vector", **more: Any) -> bytes:  # noqa: ANN401
    """A good answer with that result."""
    return http(200, {"status": "success", "data": {"resultType": kind, "result": result}, **more})


class Told:
    """What the observer was told."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[str, str]] = []

    def __call__(self, outcome: str, seconds: float, words: str) -> None:
        """One question has ended."""
        assert seconds >= 0
        self.outcomes.append((outcome, words))


Ask = Callable[..., Prometheus]


@pytest.fixture
def told() -> Told:
    """The observer of the fixture ``ask``."""
    return Told()


@pytest.fixture
def server() -> Iterator[Server]:
    """A Prometheus that answers well until it is told otherwise."""
    with serving(always(success())) as running:
        yield running


@pytest.fixture
def prometheus(server: Server, told: Told) -> Prometheus:
    """A client of it."""
    return Prometheus(Access(server.url, timeout=10), observe=told)


@pytest.fixture
def hasty(server: Server, told: Told, monkeypatch: pytest.MonkeyPatch) -> Prometheus:
    """A client of it that waits a second at most."""
    monkeypatch.setattr(module, "CONNECT_TIMEOUT", 0.2)
    return Prometheus(Access(server.url, timeout=0.3), observe=told)


def fails(prometheus: Prometheus, error: type[PrometheusError] = PrometheusError, query: str = "up") -> str:
    """The sentence with which a question fails."""
    with pytest.raises(PrometheusError) as caught:
        prometheus.vector(query, at=AT)
    assert isinstance(caught.value, error), caught.value
    text = str(caught.value)
    assert prometheus.address in text, "the sentence says where"
    assert "\n" not in text
    assert "object at 0x" not in text
    assert len(text) < 500
    return text


# Good answers


def test_a_vector_comes_with_labels_and_numbers(prometheus: Prometheus, told: Told) -> None:
    """Values are text on the wire and numbers here; the observer is told of a good answer."""
    assert prometheus.vector("up", at=AT) == [({"pod": "web-0"}, 5.0)]
    assert told.outcomes == [("ok", "")]


def test_a_matrix_comes_with_the_stored_times(server: Server, prometheus: Prometheus) -> None:
    """Sample times keep their fractions."""
    server.answer = always(success(RANGE, "matrix"))
    assert prometheus.matrix("up[1m]", at=AT) == [Series({"pod": "web-0"}, ((AT - 15.25, 5.0), (AT, 1e9)))]


def test_the_date_of_an_answer_tells_of_its_servers_clock(server: Server, told: Told) -> None:
    """Also that of a refusal; without a date nothing is told."""
    heard: list[Reading] = []
    prometheus = Prometheus(Access(server.url, timeout=10), observe=told, heard=heard.append)
    prometheus.vector("up", at=AT)
    assert heard == []
    server.answer = lambda *_: http(503, b"", date=format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True))
    fails(prometheus)
    (reading,) = heard
    assert 3590 < reading.low < reading.high < 3610


def test_an_empty_answer_is_an_answer(server: Server, prometheus: Prometheus) -> None:
    """No series is not an error: what it means is for others to say."""
    server.answer = always(success([]))
    assert prometheus.vector("up", at=AT) == []
    assert prometheus.matrix("up[1m]", at=AT) == []


@pytest.mark.parametrize(
    ("written", "value"), [("NaN", "nan"), ("+Inf", "inf"), ("-Inf", "-inf"), ("1e+09", "1000000000.0")]
)
def test_values_that_are_no_numbers_come_through(
    server: Server, prometheus: Prometheus, written: str, value: str
) -> None:
    """NaN and the infinities are for the judge to refuse, not for the client to lose."""
    server.answer = always(success([{"metric": {}, "value": [AT, written]}]))
    assert str(prometheus.vector("up", at=AT)[0][1]) == value


def test_infos_without_partial_data_are_harmless(server: Server, prometheus: Prometheus) -> None:
    """Prometheus 3 remarks on metric types and names; that takes nothing from the answer."""
    infos = ['PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "x"']
    server.answer = always(success(infos=infos, warnings=[], isPartial=False))
    assert prometheus.vector("up", at=AT)


def test_a_compressed_answer_is_read(server: Server, prometheus: Prometheus) -> None:
    """A proxy may compress; the content is what counts."""
    content = success().partition(b"\r\n\r\n")[2]
    server.answer = always(http(200, gzip.compress(content), content_encoding="gzip"))
    assert prometheus.vector("up", at=AT) == [({"pod": "web-0"}, 5.0)]


def test_an_answer_in_chunks_is_read(server: Server, prometheus: Prometheus) -> None:
    """An answer without a length, in chunks, is whole when its last chunk has come."""
    content = success().partition(b"\r\n\r\n")[2]
    parts = [content[:10], content[10:]]
    chunks = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts) + b"0\r\n\r\n"
    server.answer = always(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert prometheus.vector("up", at=AT)


# The request


def test_the_names_of_alerts_are_those_of_the_rules(server: Server, told: Told) -> None:
    """Asked by GET, which is all that rules are given to, with the parameters of a tenant; recording rules are none."""
    rules = [{"name": "KubeAPIDown", "type": "alerting"}, {"name": "Watchdog", "type": "alerting"}]
    groups = [{"name": "a", "rules": rules}, {"name": "b", "rules": []}]
    server.answer = always(http(200, {"status": "success", "data": {"groups": groups}}))
    prometheus = Prometheus(Access(f"{server.url}/prometheus", params={"tenant": "a"}), observe=told)
    assert prometheus.alerts() == {"KubeAPIDown", "Watchdog"}
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/prometheus/api/v1/rules")
    assert request.query == {"tenant": "a", "type": "alert"}
    assert told.outcomes == [("ok", "")]


@pytest.mark.parametrize("data", [None, [], {}, {"groups": [1]}, {"groups": [{"rules": [{}]}]}, {"groups": None}])
def test_odd_rules_are_refused(server: Server, prometheus: Prometheus, data: object) -> None:
    """Whoever answers something else has no rules that one could rely on."""
    server.answer = always(http(200, {"status": "success", "data": data}))
    with pytest.raises(PrometheusRefused, match="its rules are not what was asked for"):
        prometheus.alerts()


def test_the_query_is_in_the_body(server: Server, prometheus: Prometheus) -> None:
    """Long queries don't fit into a URL: whatever its length, it is a POST with the query in the body."""
    query = f'x{{pod=~"{"|".join(f"web-{n}" for n in range(20_000))}"}}'
    prometheus.vector(query, at=AT)
    [request] = server.requests
    assert request.method == "POST"
    assert request.target == "/api/v1/query"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.form["query"] == query


def test_times_are_whole_seconds(server: Server, prometheus: Prometheus) -> None:
    """A managed store returns nothing where a time has a fraction."""
    prometheus.vector("up", at=AT)
    assert server.requests[0].form["time"] == "1800000000"


def test_every_character_of_a_query_arrives(server: Server, prometheus: Prometheus) -> None:
    """Ampersands, plus signs, percent signs, line breaks and what is not ASCII are the same on the other side."""
    query = 'a{b=~"c|d&e=f+g%20h\\\\.é😀\n"} > 2^60'
    prometheus.vector(query, at=AT)
    assert server.requests[0].form["query"] == query


def test_parameters_and_headers_are_sent_with_each_request(server: Server, told: Told) -> None:
    """Thanos' and Mimir's settings go along, and can't take the place of the question."""
    access = Access(
        server.url,
        timeout=10,
        headers={"X-Scope-OrgID": "tenant-1", "Accept": "application/json"},
        params={"partial_response": "false", "dedup": "true", "query": "other", "time": "0"},
    )
    client = Prometheus(access, observe=told)
    for _ in range(2):
        client.vector("up", at=AT)
    for request in server.requests:
        assert request.headers["x-scope-orgid"] == "tenant-1"
        assert request.form["partial_response"] == "false"
        assert request.form["dedup"] == "true"
        assert (request.form["query"], request.form["time"]) == ("up", str(AT))
    assert len(server.requests) == 2


def test_the_server_is_told_of_the_deadline(server: Server, told: Told) -> None:
    """A question that we don't wait for any more is ended by the server as well."""
    Prometheus(Access(server.url, timeout=7), observe=told).vector("up", at=AT)
    assert server.requests[0].form["timeout"] == "7s"


@pytest.mark.parametrize("spelling", ["", "/", "//", "/api/v1", "/api/v1/", "/api/v1/query", "/graph", " "])
@pytest.mark.parametrize("prefix", ["", "/prometheus", "/a/b"])
def test_every_spelling_of_the_url_works(server: Server, told: Told, prefix: str, spelling: str) -> None:
    """With a path and without, with slashes, copied from the browser or from Grafana."""
    client = Prometheus(Access(server.url + prefix + spelling, timeout=10), observe=told)
    assert client.vector("up", at=AT)
    assert server.requests[0].target == f"{prefix}/api/v1/query"
    assert client.address == server.url + prefix


def test_the_password_is_sent_and_read_anew(server: Server, told: Told, tmp_path: Path) -> None:
    """Basic authentication with a password from a file."""
    secret = tmp_path / "password"
    secret.write_text("first\n")
    client = Prometheus(Access(server.url, timeout=10, username="me", password_file=secret), observe=told)
    client.vector("up", at=AT)
    secret.write_text("second")
    client.vector("up", at=AT)
    assert [request.headers["authorization"] for request in server.requests] == [
        "Basic bWU6Zmlyc3Q=",
        "Basic bWU6c2Vjb25k",
    ]


def test_a_rotated_token_is_used_at_once(server: Server, told: Told, tmp_path: Path) -> None:
    """The token file is read for each request: one that was read at start is refused an hour later."""
    token = tmp_path / "token"
    client = Prometheus(Access(server.url, timeout=10, token_file=token), observe=told)
    for text in ("one\n", "two"):
        token.write_text(text)
        client.vector("up", at=AT)
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize("content", [None, "", " \n", "a\nb", "tok\x00en", "t\u00f8ken\u2013", b"\xff\xfe"])
def test_a_token_that_can_t_be_read_is_one_clear_sentence(
    server: Server, told: Told, tmp_path: Path, content: str | bytes | None
) -> None:
    """A missing, empty or broken token file is named, with what to do, and nothing is asked without it."""
    token = tmp_path / "token"
    if content is not None:
        token.write_bytes(content if isinstance(content, bytes) else content.encode())
    client = Prometheus(Access(server.url, timeout=10, token_file=token), observe=told)
    with pytest.raises(PrometheusError) as caught:
        client.vector("up", at=AT)
    text = str(caught.value)
    assert str(token) in text
    assert "\n" not in text
    assert "credential file" in text
    assert not server.requests
    assert told.outcomes[0][0] == "error"


# Bad answers

HTML = "<html><head><title>504 Gateway Time-out</title></head><body>\n<h1>nginx</h1></body></html>"


def error(words: str, kind: str = "bad_data") -> dict[str, str]:
    """The body of Prometheus' own refusals."""
    return {"status": "error", "errorType": kind, "error": words}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("body", [error("no luck", "execution"), HTML, ""], ids=["json", "html", "empty"])
def test_a_refusal_names_the_status_and_what_was_said(
    server: Server, prometheus: Prometheus, told: Told, status: int, body: object
) -> None:
    """Whatever the form of the error, the sentence has its status and its words, and it is asked once only."""
    server.answer = always(http(status, body))
    text = fails(prometheus, PrometheusRefused)
    assert str(status) in text
    assert ("execution: no luck" if isinstance(body, dict) else "504 Gateway" if body else "empty body") in text
    assert len(server.requests) == 1, "no silent retries"
    assert told.outcomes == [("refused", text)]


@pytest.mark.parametrize(("status", "words"), [(401, "does not accept our credentials"), (403, "does not allow us")])
def test_401_and_403_are_named_as_such(server: Server, prometheus: Prometheus, status: int, words: str) -> None:
    """Credentials are a different problem from a connection."""
    server.answer = always(http(status, HTML))
    with pytest.raises(PrometheusRefused, match=words) as caught:
        prometheus.vector("up", at=AT)
    assert caught.value.status == status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/elsewhere", "http://127.0.0.1:1/login", "//", "http://[", "\xff"])
def test_redirects_are_not_followed(server: Server, prometheus: Prometheus, status: int, location: str) -> None:
    """A login page is no Prometheus: the redirect is named, and the credentials are sent to nobody else."""
    head = f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    server.answer = always(head.encode("latin-1"))
    assert "redirects" in fails(prometheus, PrometheusRefused)
    assert len(server.requests) == 1


def test_an_endless_redirect_is_not_read(server: Server, hasty: Prometheus) -> None:
    """A redirect whose body never ends is held to the deadline like every answer."""

    def answer(_request: Request, connection: Connection) -> None:
        connection.send(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n")
        connection.drip(b"x" * 3000, every=0.02)

    server.answer = answer
    started = time.monotonic()
    fails(hasty)
    assert time.monotonic() - started < 30
    server.wait_for(1)


@pytest.mark.parametrize(
    "more",
    [
        {"warnings": ["fetch: store unavailable"]},
        {"warnings": "results may be incomplete"},
        {"isPartial": True},
        {"infos": ["PromQL info: results are partial"]},
        {"infos": ["Incomplete data"]},
        {"infos": ["results truncated due to limit"]},
        {"warnings": {"a": 1}},
        {"warnings": 5},
    ],
)
def test_a_partial_answer_is_no_answer(
    server: Server, prometheus: Prometheus, told: Told, more: dict[str, Any]
) -> None:
    """Thanos' warnings, VictoriaMetrics' ``isPartial`` and infos that tell of missing data fail the question."""
    server.answer = always(success(**more))
    text = fails(prometheus)
    assert told.outcomes[0][1] == text


def test_a_partial_answer_says_what_is_missing(server: Server, prometheus: Prometheus, told: Told) -> None:
    """The server's own words are in the sentence."""
    server.answer = always(success(warnings=["store 10.0.0.9 unavailable"], isPartial=True))
    text = fails(prometheus, PrometheusPartial)
    assert "store 10.0.0.9 unavailable; isPartial is true" in text
    assert told.outcomes[0][0] == "partial"


GARBAGE: list[Any] = [
    b"",
    b"\0\1\2",
    b"{",
    HTML,
    "null",
    "[]",
    "5",
    '"success"',
    {},
    {"status": "success"},
    {"status": "success", "data": None},
    {"status": "success", "data": []},
    {"status": "success", "data": {}},
    {"status": "success", "data": {"result": None}},
    {"status": "success", "data": {"result": {}}},
    {"status": "Success", "data": {"result": []}},
    {"data": {"resultType": "vector", "result": []}},
    {"status": "error", "data": {"result": []}},
    error("something"),
    {"status": "error", "errorType": 5, "error": {"a": "b"}},
]


@pytest.mark.parametrize("body", GARBAGE, ids=lambda body: str(body)[:40])
def test_a_200_that_is_no_answer_is_refused(server: Server, prometheus: Prometheus, body: object) -> None:
    """``status: error`` in a 200, a login page, an empty body: none of them is an empty vector."""
    server.answer = always(http(200, body))
    fails(prometheus, PrometheusRefused)


ODD_RESULTS: list[Any] = [
    [AT, "5"],
    ["a"],
    [None],
    [[]],
    [{}],
    [{"metric": {}}],
    [{"metric": {}, "value": None}],
    [{"metric": {}, "value": []}],
    [{"metric": {}, "value": [AT]}],
    [{"metric": {}, "value": "55"}],
    [{"metric": {}, "value": [AT, None]}],
    [{"metric": {}, "value": [AT, "five"]}],
    [{"metric": {}, "value": [AT, []]}],
    [{"metric": {}, "value": [AT, "1", "2"]}],
    [{"metric": {}, "value": {"0": AT, "1": "5"}}],
    [{"metric": {}, "values": [[AT, "5"]]}],
    [{"metric": {}, "histogram": [AT, {"count": "5"}]}],
    [{"metric": [], "value": [AT, "5"]}],
    [{"metric": "x", "value": [AT, "5"]}],
    [{"metric": {"pod": 5}, "value": [AT, "5"]}],
    [{"metric": {"pod": None}, "value": [AT, "5"]}],
    [{"value": [AT, "5"]}],
]


@pytest.mark.parametrize("result", ODD_RESULTS, ids=str)
def test_a_result_of_another_type_is_refused(
    server: Server, prometheus: Prometheus, told: Told, result: list[Any]
) -> None:
    """A scalar, a string, a matrix or a histogram where a vector was asked for is not read as one."""
    server.answer = always(success(result, "scalar"))
    text = fails(prometheus, PrometheusRefused)
    assert told.outcomes == [("refused", text)], "an odd answer is not counted as a good one"


@pytest.mark.parametrize(
    "values",
    [
        None,
        {},
        "x",
        5,
        [None],
        [[]],
        [[AT]],
        ["15"],
        [[AT, "x"]],
        [["x", "5"]],
        [[None, "5"]],
        [{"0": 1}],
        [[AT, "5", 1]],
    ],
    ids=str,
)
def test_odd_samples_are_refused(server: Server, prometheus: Prometheus, values: object) -> None:
    """A range whose samples are no pairs of time and value is refused as a whole."""
    server.answer = always(success([{"metric": {}, "values": values}], "matrix"))
    with pytest.raises(PrometheusRefused):
        prometheus.matrix("up[1m]", at=AT)


def test_a_vector_is_no_matrix(server: Server, prometheus: Prometheus) -> None:
    """Where a range was asked for, one value a series is no answer."""
    server.answer = always(success(ONE))
    with pytest.raises(PrometheusRefused):
        prometheus.matrix("up[1m]", at=AT)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["metric", "value", "values", "pod", "0"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    body=st.dictionaries(
        st.sampled_from(["status", "data", "warnings", "infos", "isPartial", "error", "errorType"]),
        JSON | st.just("success") | st.fixed_dictionaries({"result": JSON | st.lists(JSON, max_size=2)}),
    ),
    status=st.sampled_from([200, 200, 200, 204, 302, 400, 503]),
)
def test_whatever_comes_it_is_an_answer_or_our_error(body: dict[str, Any], status: int) -> None:
    """No JSON at all makes the client fail with anything but a PrometheusError."""
    answer.set(http(status, {"status": "success", **body}))
    for ask in (answer.client.vector, answer.client.matrix):
        said = ""
        try:
            found: object = ask("up", at=AT)
        except PrometheusError as exc:
            found, said = [], str(exc)
        assert isinstance(found, list)
        assert "\n" not in said


class _Shared:
    """One server for all examples of a property: starting one for each takes longer than the question."""

    def __init__(self) -> None:
        self._server: Server | None = None
        self._data = b""

    def set(self, data: bytes) -> None:
        """What it answers from now on."""
        self._data = data

    @property
    def client(self) -> Prometheus:
        """A client of it."""
        if self._server is None:
            self._server = Server(lambda _request, _connection: self._data)
        return Prometheus(Access(self._server.url, timeout=5), observe=lambda *_: None)

    def close(self) -> None:
        """End it."""
        if self._server is not None:
            self._server.close()


answer = _Shared()


@pytest.fixture(autouse=True, scope="module")
def _shared_server_ends() -> Iterator[None]:
    """Ends the shared server with the module."""
    yield
    answer.close()


# Connections


def test_a_server_that_is_away_is_named(told: Told) -> None:
    """A refused connection is one sentence, at once and without a retry."""
    url = f"http://127.0.0.1:{refused_port()}"
    started = time.monotonic()
    text = fails(Prometheus(Access(url, timeout=10), observe=told), PrometheusUnreachable)
    assert "Connection refused" in text
    assert time.monotonic() - started < 4
    assert told.outcomes == [("unreachable", text)]


def test_a_name_that_nobody_has_is_named(told: Told) -> None:
    """A misspelt host is an unreachable Prometheus."""
    fails(Prometheus(Access("http://prometheus.invalid:9090", timeout=3), observe=told), PrometheusUnreachable)


CONTENT = success().partition(b"\r\n\r\n")[2]


def hang(_request: Request, connection: Connection) -> None:
    """Take the question and say nothing."""
    connection.hang()


def drip_headers(_request: Request, connection: Connection) -> None:
    """A byte of the headers now and then."""
    connection.drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: 1\r\n" * 200, every=0.02)


def drip_body(_request: Request, connection: Connection) -> None:
    """A byte of the body now and then."""
    connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
    connection.drip(b" " * 2000, every=0.02)


def drip_length(_request: Request, connection: Connection) -> None:
    """A byte of a body of known length now and then."""
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n")
    connection.drip(b" " * 2000, every=0.02)


def half(_request: Request, connection: Connection) -> None:
    """Half of an answer, and then nothing."""
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n{")
    connection.hang()


@pytest.mark.parametrize("slow", [hang, drip_headers, drip_body, drip_length, half])
def test_the_deadline_holds_for_the_whole_answer(server: Server, hasty: Prometheus, told: Told, slow: Answer) -> None:
    """Silence and dripping, in headers and body: nobody waits longer than the time-out and a connection's."""
    server.answer = slow
    started = time.monotonic()
    text = fails(hasty, PrometheusUnreachable)
    assert time.monotonic() - started < 30
    assert "0.3 s" in text or "timed out" in text
    assert told.outcomes == [("unreachable", text)]
    server.wait_for(1)
    assert len(server.requests) == 1


def test_unanswered_questions_don_t_pile_up(server: Server, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that were given up go on in their threads; a few of them at most."""
    monkeypatch.setattr(module, "CONNECT_TIMEOUT", 0.5)
    server.answer = drip_headers
    # Longer than a machine stands still: a socket that gives up frees its place.
    client = Prometheus(Access(server.url, timeout=4), observe=told)
    with ThreadPoolExecutor(12) as asking:
        list(asking.map(lambda _: fails(client, PrometheusUnreachable), range(12)))
    server.wait_for(8)
    assert len(server.requests) == 8
    assert sum("8 requests are unanswered" in words for _, words in told.outcomes) == 4


def test_questions_for_which_there_is_no_thread_take_no_place(
    server: Server, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has reached its limit of threads for a while goes on afterwards."""
    client = Prometheus(Access(server.url), observe=told)
    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", no_thread)
        for _ in range(12):
            assert "can't start new thread" in fails(client, PrometheusUnreachable)
    assert client.vector("up", at=AT)


def no_thread(_: threading.Thread) -> None:
    """As Python says it."""
    message = "can't start new thread"
    raise RuntimeError(message)


def cut(_request: Request, connection: Connection) -> None:
    """Take the question and break off."""
    connection.reset()


def close(_request: Request, _connection: Connection) -> bytes:
    """Take the question and hang up."""
    return b""


def truncated(_request: Request, _connection: Connection) -> bytes:
    """Less than was promised."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + CONTENT


def truncated_chunks(_request: Request, _connection: Connection) -> bytes:
    """A chunk that ends too early, after what would be a whole answer."""
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + f"{len(CONTENT):x}\r\n".encode() + CONTENT


def broken_gzip(_request: Request, _connection: Connection) -> bytes:
    """Said to be compressed and is not."""
    return http(200, CONTENT, content_encoding="gzip")


def no_http(_request: Request, _connection: Connection) -> bytes:
    """Another protocol."""
    return b"SSH-2.0-OpenSSH_9.2\r\n"


@pytest.mark.parametrize("broken", [cut, close, truncated, truncated_chunks, broken_gzip, no_http])
def test_a_broken_answer_is_no_answer(server: Server, prometheus: Prometheus, broken: Answer) -> None:
    """Less than the whole answer counts for nothing, and the question is not asked again behind our back."""
    server.answer = broken
    fails(prometheus, PrometheusUnreachable)
    assert len(server.requests) == 1
    assert server.connections == 1


def test_a_truncated_gzip_is_no_answer(server: Server, prometheus: Prometheus) -> None:
    """A compressed answer without its end is refused."""
    server.answer = always(http(200, gzip.compress(CONTENT)[:-12], content_encoding="gzip"))
    fails(prometheus)


@pytest.mark.parametrize("compressed", [False, True])
def test_an_answer_beyond_the_cap_is_given_up(
    server: Server, prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch, *, compressed: bool
) -> None:
    """A query that matches too much does not fill our memory, compressed or not."""
    monkeypatch.setattr(module, "MAX_BODY", 1 << 20)
    body = b" " * (4 << 20)
    server.answer = always(http(200, gzip.compress(body), content_encoding="gzip") if compressed else http(200, body))
    text = fails(prometheus, PrometheusUnreachable)
    assert "1048576 bytes" in text
    assert "matches too much" in text


def test_a_large_answer_below_the_cap_is_read(server: Server, told: Told) -> None:
    """Ten thousand series are an answer like any other."""
    many = [{"metric": {"pod": f"web-{n}", "namespace": "shop"}, "value": [AT, "5"]} for n in range(10_000)]
    server.answer = always(success(many))
    assert len(Prometheus(Access(server.url, timeout=10), observe=told).vector("up", at=AT)) == 10_000


# TLS and the environment


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    """Two certificate authorities, of which the first signs."""
    return Authority(tmp_path_factory.mktemp("ca")), Authority(tmp_path_factory.mktemp("other"))


@pytest.fixture
def secure(authorities: tuple[Authority, Authority]) -> Iterator[Server]:
    """A Prometheus behind TLS."""
    credential = authorities[0].serving(f"prometheus-{time.monotonic_ns()}", hosts=("127.0.0.1",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(credential.certificate, credential.key)
    with serving(always(success()), context=context) as running:
        yield running


def test_a_certificate_is_checked_against_the_ca_file(
    secure: Server, told: Told, authorities: tuple[Authority, Authority]
) -> None:
    """The authority of the setting is believed, no other one is, and without a setting this one isn't."""
    good, other = authorities
    access = Access(secure.url, timeout=3, ca_file=good.certificate)
    assert Prometheus(access, observe=told).vector("up", at=AT)
    for wrong in (replace(access, ca_file=other.certificate), replace(access, ca_file=None)):
        assert "certificate verify failed" in fails(Prometheus(wrong, observe=told), PrometheusUnreachable)


def test_an_authority_without_key_identifiers_is_believed_on_every_python(
    secure: Server, told: Told, authorities: tuple[Authority, Authority], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The context is ours, not that of a library, which since Python 3.13 refuses what Go's programs believe."""
    monkeypatch.setattr("urllib3.connection.create_urllib3_context", strict_context)
    assert Prometheus(Access(secure.url, timeout=3, ca_file=authorities[0].certificate), observe=told).vector(
        "up", at=AT
    )


def test_a_name_that_the_certificate_does_not_have_is_refused(
    secure: Server, told: Told, authorities: tuple[Authority, Authority]
) -> None:
    """The right authority is not enough: the server must be the one that was asked for."""
    url = secure.url.replace("127.0.0.1", "localhost")
    text = fails(Prometheus(Access(url, timeout=3, ca_file=authorities[0].certificate), observe=told))
    assert "certificate verify failed: Hostname mismatch" in text


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_ca_bundles_of_the_environment_are_ignored(
    secure: Server, told: Told, authorities: tuple[Authority, Authority], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """``requests`` would let them override the setting, in both directions."""
    good, other = authorities
    monkeypatch.setenv(variable, str(other.certificate))
    access = Access(secure.url, timeout=3, ca_file=good.certificate)
    assert Prometheus(access, observe=told).vector("up", at=AT)
    monkeypatch.setenv(variable, str(good.certificate))
    fails(Prometheus(replace(access, ca_file=other.certificate), observe=told), PrometheusUnreachable)


def test_proxies_and_netrc_of_the_environment_are_ignored(
    server: Server, told: Told, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither sends our questions elsewhere nor adds somebody's password to them."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{refused_port()}")
    assert Prometheus(Access(server.url, timeout=10), observe=told).vector("up", at=AT)
    assert "authorization" not in server.requests[0].headers


def test_a_ca_file_that_is_missing_is_named(secure: Server, told: Told, tmp_path: Path) -> None:
    """The file is in the sentence."""
    missing = tmp_path / "none.crt"
    text = fails(Prometheus(Access(secure.url, timeout=10, ca_file=missing), observe=told))
    assert str(missing) in text


def test_a_client_certificate_that_is_missing_is_named(
    secure: Server, told: Told, tmp_path: Path, authorities: tuple[Authority, Authority]
) -> None:
    """The file is in the sentence."""
    missing = tmp_path / "none.crt"
    access = Access(secure.url, timeout=10, ca_file=authorities[0].certificate, cert_file=missing)
    assert str(missing) in fails(Prometheus(access, observe=told))


# Secrets

SECRETS = {"header": "h-5ecret-x", "param": "p-5ecret-x", "token": "t-5ecret-x", "password": "w-5ecret-x"}


def secretive(url: str, folder: Path, *, basic: bool) -> Access:
    """Access with every kind of secret."""
    (folder / "token").write_text(SECRETS["token"])
    (folder / "password").write_text(SECRETS["password"])
    return Access(
        url,
        timeout=10,
        token_file=None if basic else folder / "token",
        username="me" if basic else "",
        password_file=folder / "password" if basic else None,
        headers={"X-Scope-OrgID": SECRETS["header"]},
        params={"tenant": SECRETS["param"]},
    )


def echo(request: Request, _connection: Connection) -> bytes:
    """A server that says what it was sent, as proxies do."""
    return http(500, request.raw.partition(b"\r\n")[2][:3000])


def echo_json(request: Request, _connection: Connection) -> bytes:
    """The same as an error of Prometheus."""
    return http(400, error(f"can't use {request.form['tenant']} with {request.headers}"))


def echo_warning(request: Request, _connection: Connection) -> bytes:
    """The same in a warning."""
    return success(warnings=[f"{request.form['tenant']} {request.headers.get('x-scope-orgid')}"])


@pytest.mark.parametrize("basic", [False, True])
@pytest.mark.parametrize(
    "reply", [always(success()), always(http(401, "no")), always(b"?"), hang, cut, echo, echo_json, echo_warning]
)
def test_secrets_are_never_told(
    server: Server,
    told: Told,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    reply: Answer,
    *,
    basic: bool,
) -> None:
    """No token, password, header or parameter is in an error, in a log at debug level, or in what is observed."""
    monkeypatch.setattr(module, "CONNECT_TIMEOUT", 0.2)
    caplog.set_level(logging.DEBUG)
    access = replace(secretive(server.url, tmp_path, basic=basic), timeout=0.3 if reply is hang else 10)
    server.answer = reply
    text = repr(access)
    try:
        Prometheus(access, observe=told).vector("up", at=AT)
    except PrometheusError as exc:
        chained: BaseException | None = exc
        while chained is not None:
            text += f"{chained!s} {chained!r}"
            chained = chained.__cause__ or chained.__context__
    server.wait_for(1)
    text += caplog.text + str(told.outcomes)
    assert base64.b64encode(f"me:{SECRETS['password']}".encode()).decode() not in text
    assert not [name for name, secret in SECRETS.items() if secret in text]


@pytest.mark.parametrize("value", ["h-5ecret-x\n", "a\r\nX-Other: h-5ecret-x", "h-5ecret-x\u2013", " h-5ecret-x"])
def test_a_header_that_can_t_be_sent_is_refused_without_its_value(server: Server, told: Told, value: str) -> None:
    """A line break in a tenant's name is one sentence that names the header and keeps its value to itself."""
    access = Access(server.url, timeout=10, headers={"X-Scope-OrgID": value})
    text = fails(Prometheus(access, observe=told))
    assert "X-Scope-OrgID" in text
    assert "h-5ecret-x" not in text
    assert not server.requests
