"""The ConfigMap of the journal and the Lease, as they go over the wire."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from remediator.cluster.api import ApiServer
from remediator.cluster.store import Leases, LeaseState, StoredText, TextStore, micro_time
from remediator.errors import KubernetesOdd, KubernetesRefused
from tests.unit.cluster.objects import status_object
from tests.unit.servers import Server, always, http

MAPS = "/api/v1/namespaces/ops/configmaps"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/ops/leases"


@pytest.fixture
def store(api: ApiServer) -> TextStore:
    """ConfigMaps of the namespace ``ops``."""
    return TextStore(api, namespace="ops", key="journal.json")


@pytest.fixture
def leases(api: ApiServer) -> Leases:
    """The Lease ``remediator`` of the namespace ``ops``."""
    return Leases(api, namespace="ops", name="remediator")


def config_map(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """A ConfigMap as the API gives it."""
    metadata = {"name": "j", "namespace": "ops", "uid": "cm-uid", "resourceVersion": "12"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"journal.json": "text"}, **changes}


def test_a_text_is_read_with_its_version(server: Server, store: TextStore) -> None:
    """What the next write is conditional on."""
    server.answer = always(http(200, config_map()))
    assert store.read("j") == StoredText("cm-uid", "12", "text")
    assert server.requests[0].target == f"{MAPS}/j"


@pytest.mark.parametrize("data", [None, {}, {"other": "x"}])
def test_a_config_map_without_the_key_has_no_text(server: Server, store: TextStore, data: Any) -> None:  # noqa: ANN401
    """That is not an empty one."""
    server.answer = always(http(200, config_map(data=data)))
    assert store.read("j") == StoredText("cm-uid", "12", None)


def test_what_is_not_there_is_none(server: Server, store: TextStore, leases: Leases) -> None:
    """404 is an answer; every other refusal is an error."""
    server.answer = always(http(404, status_object(404)))
    assert store.read("j") is None
    assert leases.read() is None
    server.answer = always(http(403, status_object(403)))
    for read in (lambda: store.read("j"), leases.read):
        with pytest.raises(KubernetesRefused):
            read()


@pytest.mark.parametrize("metadata", [None, {}, {"uid": "u"}, {"resourceVersion": "1"}])
def test_an_odd_config_map_is_odd(server: Server, store: TextStore, metadata: Any) -> None:  # noqa: ANN401
    """Without UID and version nothing can be conditional on it."""
    server.answer = always(http(200, config_map(metadata=metadata)))
    with pytest.raises(KubernetesOdd):
        store.read("j")


TRACKING = re.compile(r"app\.kubernetes\.io/instance|argocd|fluxcd|helm", re.IGNORECASE)


def test_a_new_config_map_carries_no_tracking_labels(server: Server, store: TextStore) -> None:
    """GitOps tools prune what carries theirs."""
    server.answer = always(http(201, config_map()))
    assert store.create("j", "text", timeout=5) == StoredText("cm-uid", "12", "text")
    [request] = server.requests
    assert (request.method, request.target) == ("POST", MAPS)
    assert request.json["data"] == {"journal.json": "text"}
    assert request.json["metadata"]["name"] == "j"
    assert not TRACKING.search(request.body.decode())


def test_an_update_is_of_exactly_that_version(server: Server, store: TextStore) -> None:
    """UID and resourceVersion go along, so that neither another object nor a later version is written over."""
    server.answer = always(http(200, config_map()))
    store.update("j", "new", stored=StoredText("cm-uid", "11", "text"), timeout=5)
    [request] = server.requests
    assert (request.method, request.target) == ("PUT", f"{MAPS}/j")
    assert request.json["metadata"]["uid"] == "cm-uid"
    assert request.json["metadata"]["resourceVersion"] == "11"
    assert request.json["data"] == {"journal.json": "new"}


@pytest.mark.parametrize("text", ["", 'ü\n"\\', "\u2028", "x" * 900_000])
def test_every_text_arrives_as_it_is(server: Server, store: TextStore, text: str) -> None:
    """Line breaks, quotes, what is not ASCII, and large ones."""
    server.answer = lambda request, _: http(201, config_map(data=request.json["data"]))
    assert store.create("j", text, timeout=5).text == text


def lease(**spec: Any) -> dict[str, Any]:  # noqa: ANN401
    """A Lease as the API gives it."""
    return {
        "metadata": {"name": "remediator", "resourceVersion": "7", "annotations": {"a": "b"}},
        "spec": {
            "holderIdentity": "other",
            "leaseDurationSeconds": 30,
            "leaseTransitions": 3,
            "acquireTime": "2026-11-25T10:00:00.000000Z",
            "renewTime": "2026-11-25T10:05:00.000000Z",
            **spec,
        },
    }


def state(**changes: Any) -> LeaseState:  # noqa: ANN401
    """The same as read."""
    usual: dict[str, Any] = {
        "version": "7",
        "holder": "other",
        "duration": 30,
        "transitions": 3,
        "acquired_at": "2026-11-25T10:00:00.000000Z",
        "renewed_at": "2026-11-25T10:05:00.000000Z",
        "annotations": {"a": "b"},
    }
    return LeaseState(**{**usual, **changes})


def test_a_lease_is_read(server: Server, leases: Leases) -> None:
    """With its annotations; what is absent is empty."""
    server.answer = always(http(200, lease()))
    assert leases.read() == state()
    server.answer = always(http(200, {"metadata": {"resourceVersion": "1"}}))
    assert leases.read() == LeaseState("1", "", 0, 0, "", "")
    server.answer = always(http(200, {"spec": {}}))
    with pytest.raises(KubernetesOdd):
        leases.read()


@pytest.mark.parametrize(
    ("previous", "holder", "method", "transitions"),
    [
        (None, "me", "POST", 1),
        (state(), "me", "PUT", 4),
        (state(holder="me"), "me", "PUT", 3),
        (state(holder="me"), "", "PUT", 3),
        (state(holder=""), "me", "PUT", 4),
    ],
)
def test_a_lease_is_written(
    server: Server, leases: Leases, previous: LeaseState | None, holder: str, method: str, transitions: int
) -> None:
    """Made where there is none, else exactly the version that was read; transitions count changes of the holder."""
    server.answer = always(http(200, lease()))
    leases.write(holder=holder, duration=30, previous=previous, annotations=None, timeout=5)
    [request] = server.requests
    assert (request.method, request.target) == (method, LEASES if method == "POST" else f"{LEASES}/remediator")
    metadata, spec = request.json["metadata"], request.json["spec"]
    assert metadata.get("resourceVersion") == (previous.version if previous else None)
    assert metadata["annotations"] == (previous.annotations if previous else {})
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == (holder, 30)
    assert spec["leaseTransitions"] == transitions
    same = previous is not None and previous.holder == holder
    assert (spec["acquireTime"] == "2026-11-25T10:00:00.000000Z") is same
    assert not TRACKING.search(request.body.decode())


def test_an_annotation_is_a_merge_patch_of_one_version(server: Server, leases: Leases) -> None:
    """Whoever holds the Lease keeps it."""
    server.answer = always(http(200, lease()))
    leases.annotate(state(), {"x": "y"}, timeout=5)
    [request] = server.requests
    assert (request.method, request.target) == ("PATCH", f"{LEASES}/remediator")
    assert request.headers["content-type"] == "application/merge-patch+json"
    assert request.json == {"metadata": {"resourceVersion": "7", "annotations": {"x": "y"}}}


@pytest.mark.parametrize("microsecond", [0, 1, 120000, 999999])
def test_a_micro_time_has_six_digits(microsecond: int) -> None:
    """Exactly; the API server refuses others. It is UTC, whatever zone the moment was in."""
    moment = datetime(2026, 11, 25, 12, 0, 0, microsecond, tzinfo=timezone(timedelta(hours=2)))
    assert micro_time(moment) == f"2026-11-25T10:00:00.{microsecond:06}Z"
    assert micro_time(moment.astimezone(UTC)) == micro_time(moment)
