"""Following pods by watch: what is lost is listed anew, and a server in trouble is not asked in a loop."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from remediator.cluster import watch as module
from remediator.cluster.api import ApiServer, connect
from remediator.cluster.pods import Pods
from remediator.cluster.watch import Change, Gone, Listed, PodWatch, Seen
from remediator.pulse import Pulse
from tests.unit.cluster.conftest import Told, written
from tests.unit.cluster.objects import Json, list_of, pod_object, status_object
from tests.unit.servers import Connection, Request, Server, http

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


def line(kind: str, item: Json) -> bytes:
    """One event."""
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def bookmark(version: str) -> bytes:
    """The event that moves the version on."""
    return line("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": version}})


class Script:
    """Answers each watch by the next of its parts, and hangs when there are no more."""

    def __init__(self, *watches: bytes | int) -> None:
        self.watches = list(watches)
        self.lists = 0

    def __call__(self, request: Request, connection: Connection) -> bytes | None:
        """As the API server."""
        if "watch" not in request.query:
            self.lists += 1
            return http(200, list_of(pod_object(uid="listed"), version="500"))
        if not self.watches:
            connection.send(HEAD)
            connection.hang()
            return None
        part = self.watches.pop(0)
        return http(part, status_object(part)) if isinstance(part, int) else HEAD + part


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of milliseconds."""
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 0.05)


@pytest.fixture
def server(own_server: Server) -> Server:
    """A watch may ask once more after its test has ended."""
    return own_server


@pytest.fixture
def api(server: Server, tmp_path: Path, told: Told) -> ApiServer:
    """A client of that server."""
    return ApiServer(connect(written(server.url, tmp_path)), observe=told)


@pytest.fixture
def follow(server: Server, api: ApiServer) -> Iterator[Callable[[Script], PodWatch]]:
    """Starts a watch from version 40 on, of a server that answers by a script."""
    with contextlib.ExitStack() as stack:

        def start(script: Script) -> PodWatch:
            server.answer = script
            watch = PodWatch(api, Pods(api), namespace="shop", selector="app in (web)", version="40", pulse=Pulse())
            return stack.enter_context(watch)

        yield start


Follow = Callable[[Script], PodWatch]


def changes(watch: PodWatch, count: int) -> list[Change]:
    """So many changes; fewer only after a minute."""
    found: list[Change] = []
    end = time.monotonic() + 60
    while len(found) < count and time.monotonic() < end:
        change = watch.next(0.05)
        if change is not None:
            found.append(change)
    return found


def watches(server: Server) -> list[dict[str, str]]:
    """The queries of the watches so far."""
    return [request.query for request in server.requests if "watch" in request.query]


def names(some: list[Change]) -> list[tuple[str, str]]:
    """Kind and UID of each change."""
    return [
        (
            type(change).__name__,
            ",".join(pod.uid for pod in (change.pods if isinstance(change, Listed) else [change.pod])),
        )
        for change in some
    ]


def wait_for(server: Server, count: int) -> None:
    """Until there have been so many watches."""
    end = time.monotonic() + 60
    while len(watches(server)) < count and time.monotonic() < end:
        time.sleep(0.005)
    assert len(watches(server)) >= count


def test_events_come_from_the_version_of_the_list_on(server: Server, api: ApiServer) -> None:
    """With the workload's selector and bookmarks, and a time-out of the server's own."""
    server.answer = Script(
        line("ADDED", pod_object(uid="a"))
        + line("MODIFIED", pod_object(uid="b"))
        + line("DELETED", pod_object(uid="c"))
    )
    with PodWatch(api, Pods(api), namespace="shop", selector="app in (web)", version="40", pulse=Pulse()) as watch:
        found = changes(watch, 3)
    assert [type(one) for one in found] == [Seen, Seen, Gone]
    assert names(found) == [("Seen", "a"), ("Seen", "b"), ("Gone", "c")]
    assert watches(server)[0] == {
        "resourceVersion": "40",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "300",
        "labelSelector": "app in (web)",
        "watch": "1",
    }


def test_without_a_selector_all_pods_of_the_namespace_are_watched(server: Server, api: ApiServer) -> None:
    """For owners whose selector can't be read."""
    server.answer = Script()
    with PodWatch(api, Pods(api), namespace="shop", selector="", version="40", pulse=Pulse()):
        wait_for(server, 1)
    assert "labelSelector" not in watches(server)[0]


def test_a_watch_that_ends_goes_on_where_it_was(server: Server, follow: Follow) -> None:
    """From the last event or bookmark, without a new list."""
    script = Script(
        line("ADDED", pod_object(uid="a", resourceVersion="41")) + bookmark("45"),
        line("ADDED", pod_object(uid="b", resourceVersion="46")),
    )
    watch = follow(script)
    assert len(changes(watch, 2)) == 2
    wait_for(server, 3)
    assert [query["resourceVersion"] for query in watches(server)[:3]] == ["40", "45", "46"]
    assert script.lists == 0


@pytest.mark.parametrize("gone", [410, line("ERROR", status_object(410, "too old resource version"))])
def test_a_version_that_is_too_old_is_listed_anew(server: Server, follow: Follow, gone: int | bytes) -> None:
    """As a refusal and as an event: all pods as they are, and a watch from there."""
    script = Script(gone, line("ADDED", pod_object(uid="after", resourceVersion="501")))
    watch = follow(script)
    found = changes(watch, 2)
    assert names(found[-2:]) == [("Listed", "listed"), ("Seen", "after")]
    assert "500" in [query["resourceVersion"] for query in watches(server)]


@pytest.mark.parametrize("trouble", [500, 503, 429, 403, line("ERROR", status_object(500)), b"?\n", b""])
def test_trouble_is_no_reason_to_stop(server: Server, follow: Follow, trouble: int | bytes) -> None:
    """It is asked again, from the same version, with a pause."""
    script = Script(trouble, trouble, line("ADDED", pod_object(uid="a")))
    watch = follow(script)
    assert names(changes(watch, 1)) == [("Seen", "a")]
    assert script.lists == 0
    assert {query["resourceVersion"] for query in watches(server)[:2]} == {"40"}


def test_a_server_that_closes_at_once_is_not_asked_in_a_loop(
    server: Server, api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a pause, and a longer one each time, also after a stream that ended well."""
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.03)
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 1.0)
    server.answer = Script(*[b""] * 1000)
    started = time.monotonic()
    with PodWatch(api, Pods(api), namespace="shop", selector="", version="40", pulse=Pulse()):
        wait_for(server, 4)
        assert time.monotonic() - started > 0.25


def test_no_change_is_none(follow: Follow) -> None:
    """Whoever waits gets on with other things after that many seconds."""
    watch = follow(Script())
    started = time.monotonic()
    assert watch.next(0.05) is None
    assert watch.next(-1) is None
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    "odd", [line("ADDED", {"metadata": {"name": "x"}}), b'{"type":"ADDED","object":"x"}\n', b"{}\n"]
)
def test_an_odd_pod_is_not_taken_for_one(follow: Follow, odd: bytes) -> None:
    """An event that can't be understood is a reason to connect again."""
    watch = follow(Script(odd, line("ADDED", pod_object(uid="a"))))
    assert names(changes(watch, 1)) == [("Seen", "a")]


def test_why_no_stream_is_up_is_known(server: Server, follow: Follow) -> None:
    """In the server's own words while it refuses, and empty once one is up."""
    script = Script(*[403] * 1000)
    watch = follow(script)
    wait_for(server, 2)
    assert watch.problem == "the API server answered 403: no"
    script.watches.clear()
    end = time.monotonic() + 60
    while watch.problem and time.monotonic() < end:
        time.sleep(0.005)
    assert watch.problem == ""


def test_a_watch_that_hangs_is_not_believed(server: Server, api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """No event and no bookmark for too long: it says so, and whoever waits lists instead; its silence is noticed."""
    monkeypatch.setattr(module, "HANGS", 0.3)
    server.answer = Script()
    pulse = Pulse(longest=0.3)
    began = time.monotonic()
    with PodWatch(api, Pods(api), namespace="shop", selector="", version="40", pulse=pulse) as watch:
        early = watch.problem
        assert early == "" or time.monotonic() - began > module.HANGS
        end = time.monotonic() + 60
        while not (watch.problem and pulse.still) and time.monotonic() < end:
            time.sleep(0.005)
        assert re.fullmatch(r"it has been silent for \d+ s", watch.problem)
        assert re.fullmatch(r"the watch of shop has not moved for \d+ s", pulse.still)
    watch._thread.join(60)
    assert pulse.still == ""


def test_leaving_ends_it_at_once(server: Server, api: ApiServer) -> None:
    """Also in the middle of a read."""
    server.answer = Script()
    started = time.monotonic()
    with PodWatch(api, Pods(api), namespace="shop", selector="", version="40", pulse=Pulse()) as watch:
        wait_for(server, 1)
    watch._thread.join(30)
    assert not watch._thread.is_alive()
    assert time.monotonic() - started < 30
