"""Kubernetes' own words for what went wrong: the latest warnings, each once, and none from before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from remediator.cluster.api import ApiServer
from remediator.cluster.events import LATEST, Events
from remediator.errors import KubernetesOdd, KubernetesRefused
from tests.unit.cluster.conftest import Told
from tests.unit.cluster.objects import Json, list_of, status_object
from tests.unit.servers import Request, Server, always, http

SINCE = datetime(2026, 11, 25, 10, tzinfo=UTC).timestamp()


def event(note: str, reason: str = "FailedCreate", **times: Any) -> Json:  # noqa: ANN401
    """An event as an aggregating recorder writes it, unless other times are given."""
    seen = times or {"deprecatedLastTimestamp": "2026-11-25T10:05:00Z"}
    return {"metadata": {"creationTimestamp": "2026-11-25T09:00:00Z"}, "reason": reason, "note": note, **seen}


@pytest.fixture
def events(api: ApiServer) -> Events:
    """The events of the server."""
    return Events(api)


def told(events: Events, server: Server, *some: Json, uids: tuple[str, ...] = ("uid-1",)) -> tuple[str, ...]:
    """What is told of these."""
    server.answer = always(http(200, list_of(*some)))
    return events.warnings("shop", uids, since=SINCE)


def test_only_warnings_about_the_object_are_asked_for(events: Events, server: Server) -> None:
    """By its UID: namesakes of the past have events as well; one question for each object."""
    assert told(events, server, event("exceeded quota"), uids=("uid-1", "uid-2")) == ("FailedCreate: exceeded quota",)
    assert [request.path for request in server.requests] == ["/apis/events.k8s.io/v1/namespaces/shop/events"] * 2
    selectors = [request.query["fieldSelector"] for request in server.requests]
    assert selectors == ["regarding.uid=uid-1,type=Warning", "regarding.uid=uid-2,type=Warning"]


def test_nothing_is_asked_about_nobody(events: Events, server: Server) -> None:
    """No object, no question."""
    assert told(events, server, uids=()) == ()
    assert server.requests == []


def test_each_is_told_once_in_the_order_of_its_objects(events: Events, server: Server) -> None:
    """The workload, what makes its pods, and each pod may all complain of the same."""
    by_uid = {
        "a": [event("quota"), event("quota", deprecatedLastTimestamp="2026-11-25T10:06:00Z")],
        "b": [event("no node", "FailedScheduling"), event("quota")],
    }

    def answer(request: Request, _connection: object) -> bytes:
        uid = request.query["fieldSelector"].partition(",")[0].removeprefix("regarding.uid=")
        return http(200, list_of(*by_uid[uid]))

    server.answer = answer
    assert events.warnings("shop", ["a", "b"], since=SINCE) == ("FailedCreate: quota", "FailedScheduling: no node")


@pytest.mark.parametrize(
    "times",
    [
        {"series": {"lastObservedTime": "2026-11-25T10:07:00.000001Z"}, "eventTime": "2026-11-25T09:30:00.000000Z"},
        {"deprecatedLastTimestamp": "2026-11-25T10:07:00Z", "eventTime": None},
        {"eventTime": "2026-11-25T10:07:00.500000Z"},
        {"eventTime": None, "deprecatedLastTimestamp": None, "metadata": {"creationTimestamp": "2026-11-25T10:07:00Z"}},
    ],
)
def test_when_an_event_was_seen_last(events: Events, server: Server, times: Json) -> None:
    """A series has its own time, an old recorder another field, a single event the time of its making."""
    late, earlier = event("late", **times), [event(f"early-{n}") for n in range(LATEST)]
    assert told(events, server, late, *earlier)[-1] == "FailedCreate: late"
    before = event("before", **{**times, "series": None, "eventTime": None, "deprecatedLastTimestamp": None})
    before["metadata"] = {"creationTimestamp": "2026-11-25T09:59:59Z"}
    assert told(events, server, before) == ()


def test_fractions_of_a_second_count(events: Events, server: Server) -> None:
    """As text ``10:05:00.9Z`` would come before ``10:05:00Z``."""
    some = [event("b", eventTime="2026-11-25T10:05:00.900000Z"), event("a", eventTime="2026-11-25T10:05:00Z")]
    assert told(events, server, *some) == ("FailedCreate: a", "FailedCreate: b")


def test_only_the_latest_are_told(events: Events, server: Server) -> None:
    """The last ones, the newest at the end, in whatever order they came."""
    some = [event(str(n), eventTime=f"2026-11-25T10:0{n}:00Z") for n in (4, 1, 6, 2, 5, 3)]
    assert told(events, server, *some) == ("FailedCreate: 4", "FailedCreate: 5", "FailedCreate: 6")


def test_what_was_seen_last_before_the_act_is_about_something_else(events: Events, server: Server) -> None:
    """An hour of events is kept; a quota that was full then is no reason now."""
    old = event("old", deprecatedLastTimestamp="2026-11-25T09:59:00Z")
    assert told(events, server, old, event("new")) == ("FailedCreate: new",)


def test_words_that_are_missing_are_left_out(events: Events, server: Server) -> None:
    """An event needs neither a reason nor a note."""
    bare = {**event(""), "reason": None, "note": None}
    assert told(events, server, bare, event("  padded \n")) == (": ", "FailedCreate: padded")


@pytest.mark.parametrize(
    "odd", [{}, {"metadata": None}, event("x", eventTime="noon"), event("x") | {"note": 5}, event("x", series="long")]
)
def test_an_odd_event_is_odd(events: Events, server: Server, odd: Json) -> None:
    """Whoever asked goes on without."""
    with pytest.raises(KubernetesOdd, match="an event in shop"):
        told(events, server, odd)


def test_a_right_that_is_missing_is_told(events: Events, server: Server, told: Told) -> None:
    """It is an error for the one who asks, and seen by whoever observes."""
    server.answer = always(http(403, status_object(403, "events.events.k8s.io is forbidden")))
    with pytest.raises(KubernetesRefused, match="forbidden"):
        events.warnings("shop", ["uid-1"], since=SINCE)
    assert told.seen[-1][:2] == ("list", "403")
