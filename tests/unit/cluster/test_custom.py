"""Workloads of kinds that we don't know: what is read of them where we may, and what is asked where we may not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from remediator.cluster.api import ApiServer
from remediator.cluster.custom import ASK_AGAIN, CustomWorkloads
from remediator.cluster.owners import Owners
from remediator.cluster.pods import Pods
from remediator.errors import KubernetesOdd, KubernetesRefused, KubernetesUnreachable
from remediator.model.selectors import LabelSelector
from remediator.model.workloads import Workload, WorkloadRef
from tests.unit.cluster.conftest import Told
from tests.unit.cluster.leases import Clock
from tests.unit.cluster.objects import Json, list_of, pod_object, status_object
from tests.unit.servers import Connection, Request, Server, always, http

REF = WorkloadRef("CloneSet", "shop", "clones", "cs-uid", "apps.kruise.io/v1alpha1")
GROUP = "/apis/apps.kruise.io/v1alpha1"
ITSELF = f"{GROUP}/namespaces/shop/clonesets/clones"
SCALE = f"{ITSELF}/scale"
CONTROLLER = WorkloadRef("ReplicationController", "shop", "rc", "rc-uid", "v1")
NOTHING = Workload(REF, wanted=None, selector=None)
MISSING = http(404, status_object(404, 'clonesets.apps.kruise.io "clones" not found', name="clones", kind="clonesets"))
NO_SUCH_RESOURCE = http(404, "404 page not found")
FORBIDDEN = http(403, status_object(403, "clonesets is forbidden", name="clones", kind="clonesets"))


def resources(*names: tuple[str, str]) -> Json:
    """What a group has: names and kinds."""
    return {"kind": "APIResourceList", "resources": [{"name": name, "kind": kind} for name, kind in names]}


CLONESETS = resources(
    ("clonesets/status", "CloneSet"),
    ("clonesets", "CloneSet"),
    ("clonesets/scale", "Scale"),
    ("daemonsets", "DaemonSet"),
)


def scale(uid: str = "cs-uid", replicas: Any = 3, selector: Any = "app=clones") -> Json:  # noqa: ANN401
    """The scale of a workload."""
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {"name": "clones", "namespace": "shop", "uid": uid},
        "spec": {} if replicas is None else {"replicas": replicas},
        "status": {"replicas": 3, **({} if selector is None else {"selector": selector})},
    }


def cloneset(uid: str = "cs-uid", **annotations: str) -> Json:
    """The workload itself."""
    metadata = {"name": "clones", "namespace": "shop", "uid": uid}
    return {"kind": REF.kind, "apiVersion": REF.api_version, "metadata": {**metadata, "annotations": annotations}}


def serve(server: Server, answers: Mapping[str, bytes | Json]) -> None:
    """Answer by path; everything else is a resource that does not exist."""

    def answer(request: Request, _connection: Connection) -> bytes:
        found = answers.get(request.path, NO_SUCH_RESOURCE)
        return found if isinstance(found, bytes) else http(200, found)

    server.answer = answer


def asked(server: Server) -> list[str]:
    """The paths that were asked for so far, since the last time."""
    paths, server.requests = [request.path for request in server.requests], []
    return paths


@pytest.fixture
def clock() -> Clock:
    """What the refusals are remembered by."""
    return Clock()


@pytest.fixture
def custom(api: ApiServer, clock: Clock) -> CustomWorkloads:
    """Custom workloads of the server."""
    return CustomWorkloads(api, monotonic=clock)


# Where it may be read


def test_a_custom_workload_is_read_by_its_scale(custom: CustomWorkloads, server: Server) -> None:
    """How many are wanted, its selector and its annotations; the kind's name in paths is asked for once."""
    serve(server, {GROUP: CLONESETS, SCALE: scale(), ITSELF: cloneset(note="x")})
    expected = Workload(REF, wanted=3, selector=LabelSelector.parse("app=clones"), annotations={"note": "x"})
    assert custom.describe(REF) == expected
    assert asked(server) == [GROUP, SCALE, ITSELF]
    assert custom.describe(REF) == expected
    assert asked(server) == [SCALE, ITSELF]


def test_what_its_owners_have_written_on_it_is_seen_by_its_own_right(custom: CustomWorkloads, server: Server) -> None:
    """An opt-out holds where the scale may not be read as well; the scale has no annotations."""
    mark = {"remediator.dev/opt-out": "true"}
    serve(server, {GROUP: CLONESETS, SCALE: FORBIDDEN, ITSELF: cloneset(**mark)})
    for _ in range(2):
        assert custom.describe(REF) == Workload(REF, wanted=None, selector=None, annotations=mark)


def test_that_it_is_being_deleted_is_seen(custom: CustomWorkloads, server: Server) -> None:
    """Its scale does not say so."""
    ending = cloneset()
    ending["metadata"]["deletionTimestamp"] = "2026-11-26T10:00:00Z"
    serve(server, {GROUP: CLONESETS, SCALE: scale(), ITSELF: ending})
    found = custom.describe(REF)
    assert found is not None
    assert found.is_ending


def test_what_may_not_be_seen_of_it_is_not_asked_for_again_and_again(custom: CustomWorkloads, server: Server) -> None:
    """Its scale alone may be read."""
    serve(server, {GROUP: CLONESETS, SCALE: scale(), ITSELF: FORBIDDEN})
    for requests in ([GROUP, SCALE, ITSELF], [GROUP, SCALE], [SCALE]):
        assert custom.describe(REF) == Workload(REF, wanted=3, selector=LabelSelector.parse("app=clones"))
        assert asked(server) == requests


def test_a_replication_controller_is_of_the_core_group(custom: CustomWorkloads, server: Server) -> None:
    """The one group that has no name."""
    path = "/api/v1/namespaces/shop/replicationcontrollers/rc/scale"
    core = resources(
        ("nodes", "Node"),
        ("replicationcontrollers", "ReplicationController"),
        ("replicationcontrollers/scale", "Scale"),
    )
    serve(server, {"/api/v1": core, path: scale("rc-uid", 2, "app=rc")})
    assert custom.describe(CONTROLLER) == Workload(CONTROLLER, wanted=2, selector=LabelSelector.parse("app=rc"))
    assert asked(server)[:2] == ["/api/v1", path]


@pytest.mark.parametrize("selector", [None, ""])
def test_without_a_selector_pods_are_told_by_their_controller(
    custom: CustomWorkloads, server: Server, selector: str | None
) -> None:
    """The author of the kind did not say where it is; an empty one would be every pod's."""
    serve(server, {GROUP: CLONESETS, SCALE: scale(selector=selector)})
    assert custom.describe(REF) == Workload(REF, wanted=3, selector=None)


def test_no_replicas_in_a_scale_are_none(custom: CustomWorkloads, server: Server) -> None:
    """Go leaves a zero out."""
    serve(server, {GROUP: CLONESETS, SCALE: scale(replicas=None)})
    found = custom.describe(REF)
    assert found is not None
    assert found.wanted == 0


def test_names_can_not_lead_elsewhere(custom: CustomWorkloads, server: Server) -> None:
    """Whoever makes a pod writes the name of its owner."""
    serve(server, {GROUP: CLONESETS})
    custom.describe(WorkloadRef("CloneSet", "shop", "../../secrets/key?x=", "uid", REF.api_version))
    assert asked(server)[1] == f"{GROUP}/namespaces/shop/clonesets/..%2F..%2Fsecrets%2Fkey%3Fx%3D/scale"


# Where it is gone


def test_a_workload_that_is_gone_is_none(custom: CustomWorkloads, server: Server) -> None:
    """The API server names the object that it does not find; nothing is remembered of the kind."""
    serve(server, {GROUP: CLONESETS, SCALE: MISSING})
    assert custom.describe(REF) is None
    serve(server, {GROUP: CLONESETS, SCALE: scale()})
    assert custom.describe(REF) is not None


@pytest.mark.parametrize("found", [{SCALE: scale(uid="another")}, {SCALE: scale(), ITSELF: cloneset(uid="another")}])
def test_a_namesake_is_not_it(custom: CustomWorkloads, server: Server, found: Mapping[str, Json]) -> None:
    """Another UID: the one that is meant is gone."""
    serve(server, {GROUP: CLONESETS, **found})
    assert custom.describe(REF) is None


# Where it can't be read


@pytest.mark.parametrize(
    ("answers", "requests"),
    [
        pytest.param({GROUP: FORBIDDEN}, 2, id="discovery is forbidden"),
        pytest.param({GROUP: NO_SUCH_RESOURCE}, 2, id="the group is gone"),
        pytest.param({GROUP: resources()}, 2, id="the kind is gone"),
        pytest.param({GROUP: resources(("clonesets", "CloneSet"))}, 2, id="the kind has no scale"),
        pytest.param({GROUP: {}}, 2, id="an empty group"),
        pytest.param({GROUP: CLONESETS, SCALE: FORBIDDEN}, 4, id="its scale is forbidden"),
        pytest.param({GROUP: CLONESETS, SCALE: NO_SUCH_RESOURCE}, 4, id="its scale is not served"),
    ],
)
def test_what_can_not_be_read_is_not_asked_for_again_and_again(
    custom: CustomWorkloads,
    server: Server,
    clock: Clock,
    told: Told,
    answers: Mapping[str, bytes | Json],
    requests: int,
) -> None:
    """Nothing but its name is known, without a word of trouble; after a while one looks again."""
    serve(server, answers)
    assert custom.describe(REF) == NOTHING
    assert len(asked(server)) == requests
    clock.now += ASK_AGAIN - 1
    assert custom.describe(REF) == NOTHING
    assert asked(server) == []
    assert {words for _, _, words in told.seen} == {""}, "a right that nobody has to give is no trouble"
    clock.now += 1
    serve(server, {GROUP: CLONESETS, SCALE: scale()})
    found = custom.describe(REF)
    assert found is not None
    assert found.wanted == 3


def test_a_refusal_holds_for_its_namespace_and_kind(custom: CustomWorkloads, server: Server) -> None:
    """Rights are given for namespaces: what we may not see there we may see here, and count on."""
    elsewhere = WorkloadRef(REF.kind, "bank", REF.name, "other", REF.api_version)
    there = SCALE.replace("/shop/", "/bank/")
    serve(server, {GROUP: CLONESETS, there: FORBIDDEN, SCALE: scale()})
    assert custom.describe(elsewhere) == Workload(elsewhere, wanted=None, selector=None)
    found = custom.describe(REF)
    assert found is not None
    assert found.wanted == 3


def test_refusals_are_forgotten(custom: CustomWorkloads, server: Server, clock: Clock) -> None:
    """Kinds and namespaces come and go, for as long as we run."""
    serve(server, {GROUP: FORBIDDEN})
    for number in range(50):
        custom.describe(WorkloadRef("CloneSet", f"ns-{number}", "x", "x", REF.api_version))
        clock.now += ASK_AGAIN / 10
    assert len(custom._unreadable) <= 20


def test_a_number_that_its_author_has_left_out(custom: CustomWorkloads, server: Server) -> None:
    """The API server can't make a scale of it, and says so with 500: that is of this object, and no trouble."""
    words = 'Internal error occurred: the spec replicas field ".spec.replicas" does not exist'
    serve(server, {GROUP: CLONESETS, SCALE: http(500, status_object(500, words))})
    assert custom.describe(REF) == NOTHING
    serve(server, {GROUP: CLONESETS, SCALE: scale()})
    found = custom.describe(REF)
    assert found is not None
    assert found.wanted == 3


@pytest.mark.parametrize("code", [401, 429, 500, 503, 504])
@pytest.mark.parametrize("path", [GROUP, SCALE])
def test_a_server_in_trouble_is_an_error_and_not_an_absence(
    custom: CustomWorkloads, server: Server, code: int, path: str
) -> None:
    """Nothing is concluded from it, and nothing remembered."""
    serve(server, {GROUP: CLONESETS, path: http(code, status_object(code))})
    for _ in range(2):
        with pytest.raises(KubernetesRefused):
            custom.describe(REF)
    serve(server, {GROUP: CLONESETS, SCALE: scale()})
    assert custom.describe(REF) is not None


def test_no_answer_is_an_error(custom: CustomWorkloads, server: Server, told: Told) -> None:
    """And one that is told, unlike a refusal."""
    server.answer = lambda _request, connection: connection.reset()
    with pytest.raises(KubernetesUnreachable):
        custom.describe(REF)
    assert told.seen[-1][1] == "unreachable"
    assert told.seen[-1][2]


def test_a_record_without_a_group_can_not_be_asked_for(custom: CustomWorkloads, server: Server) -> None:
    """As an older version has written it."""
    ref = WorkloadRef("CloneSet", "shop", "clones", "cs-uid")
    assert custom.describe(ref) == Workload(ref, wanted=None, selector=None)
    assert asked(server) == []


@pytest.mark.parametrize(
    "answers",
    [
        {GROUP: {"resources": "many"}},
        {GROUP: {"resources": [{}]}},
        {GROUP: {"resources": [{"name": None, "kind": "CloneSet"}]}},
        {GROUP: CLONESETS, SCALE: {}},
        {GROUP: CLONESETS, SCALE: {"metadata": None}},
        {GROUP: CLONESETS, SCALE: scale(), ITSELF: {}},
        {GROUP: CLONESETS, SCALE: scale(), ITSELF: {"metadata": "none"}},
        {GROUP: CLONESETS, SCALE: scale(replicas="many")},
        {GROUP: CLONESETS, SCALE: scale(selector="a in")},
        {GROUP: CLONESETS, SCALE: scale(selector=5)},
        {GROUP: CLONESETS, SCALE: {**scale(), "status": "well"}},
    ],
)
def test_an_odd_answer_is_odd(custom: CustomWorkloads, server: Server, answers: Mapping[str, Json]) -> None:
    """No number is guessed."""
    serve(server, answers)
    with pytest.raises(KubernetesOdd):
        custom.describe(REF)


# With its pods


def test_pods_of_a_workload_without_a_selector_are_those_that_name_it(api: ApiServer, server: Server) -> None:
    """The whole namespace is listed, and each pod says whose it is."""
    mine = pod_object(name="mine", uid="mine")
    mine["metadata"]["ownerReferences"][1] |= {
        "apiVersion": REF.api_version, "kind": REF.kind, "name": REF.name, "uid": REF.uid
    }  # fmt: skip
    other = pod_object(name="other", uid="other", ownerReferences=None)
    serve(server, {GROUP: FORBIDDEN, "/api/v1/namespaces/shop/pods": list_of(mine, other, version="77")})
    found = Owners(api, Pods(api)).read(REF)
    assert found is not None
    assert ([pod.name for pod in found.pods], found.pods_version, found.size) == (["mine"], "77", 1)
    listing = server.requests[-1]
    assert "labelSelector" not in listing.query


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"])
def test_namesakes_of_other_groups_are_custom(api: ApiServer, server: Server, kind: str) -> None:
    """Nobody looks for them in the group of Kubernetes' own."""
    server.answer = always(FORBIDDEN)
    ref = WorkloadRef(kind, "shop", "it", "uid", "example.com/v1")
    assert Owners(api, Pods(api)).describe(ref) == Workload(ref, wanted=None, selector=None)
    assert set(asked(server)) == {"/apis/example.com/v1"}
