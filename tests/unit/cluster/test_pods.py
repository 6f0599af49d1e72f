"""The API's pod, trimmed, and refused where it is odd."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.cluster.api import ApiServer
from remediator.cluster.footprint import parse_footprint
from remediator.cluster.pods import Pods, parse_memory, parse_pod, parse_time, pod_path
from remediator.errors import KubernetesOdd
from remediator.model.pods import Container, LivePod, OwnerReference
from tests.unit.cluster.objects import UID, Json, list_of, pod_object
from tests.unit.servers import Server, http

TEN = 1_795_600_800.0
"""2026-11-25T10:00:00Z"""
GI = 1 << 30


def test_everything_that_is_decided_on_is_read() -> None:
    """A pod as the API server gives it, field by field."""
    assert parse_pod(pod_object()) == LivePod(
        namespace="shop",
        name="web-5d4f-abcde",
        uid=UID,
        resource_version="4711",
        phase="Running",
        node="node-1",
        labels={"app": "web", "pod-template-hash": "5d4f"},
        annotations={"example.com/note": "x"},
        controller=OwnerReference("apps/v1", "ReplicaSet", "web-5d4f", "rs-uid"),
        containers=(
            Container("proxy", "p40c1", TEN + 2, 64 << 20, image="proxy:1"),
            Container("app", "c0ffee", TEN + 3, GI, image="app:1", memory_request=GI // 2),
            Container("free", "", None, None, image="free:1", waiting="CrashLoopBackOff: back-off 10s"),
        ),
        created_at=TEN,
        deleted_at=None,
        grace_period=45,
        ready_since=TEN + 5,
        finalizers=("example.com/held",),
        other_owners=("Thing/t",),
        footprint=parse_footprint(pod_object()["spec"]),
    )


def test_a_pod_that_runs_to_an_end() -> None:
    """Its policy is read, and is Always where the API server did not say."""
    pod = pod_object()
    pod["spec"]["restartPolicy"] = "OnFailure"
    assert parse_pod(pod).restart_policy == "OnFailure"
    del pod["spec"]["restartPolicy"]
    assert parse_pod(pod).restart_policy == "Always"


def conditions(pod: Json) -> dict[str, Json]:
    """The pod's conditions by type, to change them in place."""
    return {condition["type"]: condition for condition in pod["status"]["conditions"]}


def test_an_init_container_that_has_ended_is_none() -> None:
    """Its limit is lent to nobody; a native sidecar keeps running and counts."""
    assert [one.name for one in parse_pod(pod_object()).containers] == ["proxy", "app", "free"]


@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_not_ready(status: str) -> None:
    """Only ``True`` is Ready."""
    pod = pod_object()
    conditions(pod)["Ready"]["status"] = status
    assert parse_pod(pod).ready_since is None


def test_ready_without_a_time_is_not_ready() -> None:
    """Since when is not known, so it is as good as not Ready."""
    pod = pod_object()
    del conditions(pod)["Ready"]["lastTransitionTime"]
    assert parse_pod(pod).ready_since is None


def test_terminating() -> None:
    """The API's deletionTimestamp is the end of the grace period."""
    assert parse_pod(pod_object(deletionTimestamp="2026-11-25T10:01:00Z")).deleted_at == TEN + 60


def test_about_to_be_terminated() -> None:
    """A true DisruptionTarget is told in Kubernetes' words; a false one is none."""
    pod = pod_object()
    pod["status"]["conditions"].append(
        {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "evicting"}
    )
    assert parse_pod(pod).disruption_target == "EvictionByEvictionAPI: evicting"
    pod["status"]["conditions"][-1]["status"] = "False"
    assert parse_pod(pod).disruption_target == ""


@pytest.mark.parametrize(
    ("written", "group"),
    [
        ({}, ""),
        ({"schedulingGroup": {"podGroupName": "training"}}, "training"),
        ({"schedulingGroup": None}, ""),
        ({"workloadRef": {"name": "job", "podGroup": "workers"}}, "workers"),
    ],
)
def test_a_member_of_a_pod_group(written: Json, group: str) -> None:
    """By the field of the spec, and by the one that it had in Kubernetes 1.35."""
    made = pod_object()
    made["spec"] |= written
    assert parse_pod(made).pod_group == group


def test_unschedulable() -> None:
    """The scheduler's own words; another reason is none."""
    pod = pod_object()
    conditions(pod)["PodScheduled"] |= {"status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    assert parse_pod(pod).unschedulable == "0/3 nodes"
    conditions(pod)["PodScheduled"]["reason"] = "SchedulingGated"
    assert parse_pod(pod).unschedulable == ""


@pytest.mark.parametrize("owners", [None, [], [{"apiVersion": "v1", "kind": "Thing", "name": "t", "uid": "u"}]])
def test_an_owner_that_does_not_control_is_no_controller(owners: list[Json] | None) -> None:
    """Only ``controller: true`` makes one."""
    assert parse_pod(pod_object(ownerReferences=owners)).controller is None


@pytest.mark.parametrize(
    ("change", "limit"),
    [
        pytest.param({"status": {"limits": {"memory": "2Gi"}}}, 2 * GI, id="resized: the status says what is in force"),
        pytest.param({"status": {}}, None, id="the status says that none is in force"),
        pytest.param({"status": {"limits": {"cpu": "1"}}}, None, id="a limit of something else"),
        pytest.param({"status": None}, GI, id="a server that does not tell: the spec's"),
        pytest.param({"status": None, "spec": {}}, None, id="no limit anywhere"),
        pytest.param({"status": None, "spec": None}, None, id="no resources anywhere"),
        pytest.param({"status": {"limits": {"memory": "0"}}}, None, id="nothing"),
        pytest.param({"status": {"limits": {"memory": "9223372036854771712"}}}, None, id="2^63 less a page"),
    ],
)
def test_the_limit_in_force(change: Json, limit: int | None) -> None:
    """During and after a resize in place the status has the kernel's limit, and the spec what is wished for."""
    pod = pod_object()
    status, spec = pod["status"]["containerStatuses"][0], pod["spec"]["containers"][0]
    status["resources"] = change["status"]
    if "spec" in change:
        spec["resources"] = change["spec"]
    assert next(one for one in parse_pod(pod).containers if one.name == "app").memory_limit == limit


@pytest.mark.parametrize(
    ("change", "request_"),
    [
        pytest.param(
            {"status": {"requests": {"memory": "2Gi"}}}, 2 * GI, id="resized: the status says what is in force"
        ),
        pytest.param({"status": {"limits": {"memory": "2Gi"}}}, None, id="none is in force"),
        pytest.param({"status": None}, GI // 2, id="a server that does not tell: the spec's"),
        pytest.param({"status": None, "spec": {}}, None, id="no request anywhere"),
        pytest.param({"status": {"requests": {"memory": "0"}}}, None, id="nothing"),
    ],
)
def test_the_request_in_force(change: Json, request_: int | None) -> None:
    """As with the limit, the status has what the node has put into force."""
    pod = pod_object()
    pod["status"]["containerStatuses"][0]["resources"] = change["status"]
    if "spec" in change:
        pod["spec"]["containers"][0]["resources"] = change["spec"]
    assert next(one for one in parse_pod(pod).containers if one.name == "app").memory_request == request_


@pytest.mark.parametrize(
    ("spec", "status", "limit"),
    [
        pytest.param({"memory": "2Gi"}, {"memory": "1Gi"}, GI, id="a resize that is pending: the old one"),
        pytest.param({"memory": "2Gi"}, {}, None, id="a limit that is not in force yet"),
        pytest.param({"memory": "2Gi"}, None, 2 * GI, id="a server that does not tell: the spec's"),
        pytest.param({"memory": "2Gi"}, {"memory": str(2**63 - 4096)}, None, id="no limit in the kernel"),
        pytest.param({"cpu": "2"}, {"cpu": "2", "memory": "1Gi"}, None, id="of something else"),
        pytest.param(None, {"memory": "1Gi"}, None, id="the sum of some containers, which limits nothing"),
        pytest.param(None, None, None, id="none"),
    ],
)
def test_the_pods_own_limit_in_force(spec: Json | None, status: Json | None, limit: int | None) -> None:
    """Whether a pod has one is for its spec to say, because the status has sums also where there is none."""
    pod = pod_object()
    if spec is not None:
        pod["spec"]["resources"] = {"limits": spec}
    if status is not None:
        pod["status"]["resources"] = {"limits": status}
    assert parse_pod(pod).memory_limit == limit


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"type": "PodResizeInProgress", "status": "True"}, "PodResizeInProgress"),
        ({"type": "PodResizeInProgress", "status": "True", "reason": "Error", "message": "no"}, "Error: no"),
        ({"type": "PodResizeInProgress", "status": "False", "reason": "Error"}, ""),
        ({"type": "PodResizePending", "status": "True", "reason": "Deferred", "message": "no room"}, ""),
    ],
)
def test_a_resize_that_is_carried_out_is_told_and_a_pending_one_is_not(condition: Json, words: str) -> None:
    """What is pending may stay so for good, and the limits in force don't move meanwhile."""
    pod = pod_object()
    pod["status"]["conditions"].append(condition)
    assert parse_pod(pod).resizing == words


@pytest.mark.parametrize(
    ("word", "words"), [("InProgress", "PodResizeInProgress"), ("Deferred", ""), ("Proposed", ""), ("Infeasible", "")]
)
def test_older_servers_tell_of_a_resize_in_a_field(word: str, words: str) -> None:
    """Before 1.33 one word stood for all states of a resize."""
    pod = pod_object()
    pod["status"]["resize"] = word
    assert parse_pod(pod).resizing == words


@pytest.mark.parametrize("odd", ["many", {"memory": "1Gi"}, ["1Gi"], 1.5e400, "1Gi1", "", True])
@pytest.mark.parametrize("where", ["spec", "status", "container"])
def test_an_odd_quantity_makes_the_pod_odd(odd: object, where: str) -> None:
    """A limit that can't be read is not taken for none."""
    pod = pod_object()
    pod["spec"]["resources"] = {"limits": {"memory": "1Gi"}}
    holder = pod["status"]["containerStatuses"][0] if where == "container" else pod[where]
    holder["resources"] = {"limits": {"memory": odd}, "requests": {"memory": odd}}
    with pytest.raises(KubernetesOdd):
        parse_pod(pod)


@pytest.mark.parametrize(
    ("written", "limit"),
    [
        ("1Gi", GI),
        ("1G", 10**9),
        ("1024", 1024),
        (1024, 1024),
        ("1.5Gi", 3 << 29),
        ("1500m", 1),
        ("1e3", 1000),
        (None, None),
        ("0", None),
        ("-1", None),
        (str(2**60), None),
        (str(2**60 - 1), 2**60 - 1),
        (str(2**64 - 1), None),
    ],
)
def test_limits_in_bytes(written: object, limit: int | None) -> None:
    """Kubernetes quantities, and every way to say that there is no limit."""
    assert parse_memory(written) == limit


@pytest.mark.parametrize("text", ["2026-11-25T10:00:00Z", "2026-11-25T10:00:00.000000Z", "2026-11-25T12:00:00+02:00"])
def test_times_of_the_api(text: str) -> None:
    """Seconds since the epoch, whatever the offset."""
    assert parse_time(text) == TEN
    assert parse_time(None) is None
    assert parse_time("") is None


def test_a_container_that_is_starting_has_no_id() -> None:
    """Between two runs the status still names the last container: it is not the one that runs."""
    free = next(one for one in parse_pod(pod_object()).containers if one.name == "free")
    assert (free.id, free.started_at, free.running) == ("", None, False)


def test_a_pod_that_has_just_been_made() -> None:
    """Without node, status and conditions it is a pod all the same."""
    pod = pod_object()
    pod["status"] = {}
    del pod["spec"]["nodeName"]
    found = parse_pod(pod)
    assert (found.phase, found.node, found.ready_since) == ("", "", None)
    assert not any(one.running for one in found.containers)


@pytest.mark.parametrize("name", ["../secrets/x", "a/b", "a?watch=1", "a#b", "..", "a b", "%2e%2e", "\u00e9"])
def test_a_name_is_one_part_of_a_path(name: str) -> None:
    """It comes from a label in Prometheus, and must not lead to any other object."""
    path = pod_path("shop", name)
    assert path.startswith("/api/v1/namespaces/shop/pods/")
    part = path.removeprefix("/api/v1/namespaces/shop/pods/")
    assert unquote(part) == name
    assert not set(part) & set("/?# ")


NEEDED = [
    ("metadata",),
    ("spec",),
    ("metadata", "name"),
    ("metadata", "namespace"),
    ("metadata", "uid"),
    ("metadata", "resourceVersion"),
    ("metadata", "creationTimestamp"),
    ("metadata", "ownerReferences", 1, "kind"),
    ("metadata", "ownerReferences", 1, "uid"),
    ("spec", "containers"),
    ("spec", "containers", 0, "name"),
    ("status", "containerStatuses", 0, "name"),
    ("status", "conditions", 0, "type"),
]


@pytest.mark.parametrize("path", NEEDED, ids=str)
def test_without_what_every_pod_has_it_is_odd(path: tuple[Any, ...]) -> None:
    """The sentence has the pod's name and what is missing."""
    pod: Any = pod_object()
    node = pod
    for key in path[:-1]:
        node = node[key]
    del node[path[-1]]
    with pytest.raises(KubernetesOdd, match="can't be understood") as caught:
        parse_pod(pod)
    if path not in {("metadata",), ("metadata", "name")}:
        assert "web-5d4f-abcde" in str(caught.value)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 (any JSON)
    """The paths to everything in an object."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    found = []
    for key, value in items:
        found += [(*path, key), *places(value, (*path, key))]
    return found


PLACES = places(pod_object())


@given(removed=st.lists(st.sampled_from(PLACES), min_size=1, max_size=6))
def test_whatever_is_missing_it_is_a_pod_or_odd(removed: list[tuple[Any, ...]]) -> None:
    """Any fields removed: a pod with its UID, or KubernetesOdd, and no other error."""
    pod = pod_object()
    for path in removed:
        node: Any = pod
        try:
            for key in path[:-1]:
                node = node[key]
            del node[path[-1]]
        except (KeyError, IndexError):
            continue
    try:
        found = parse_pod(pod)
    except KubernetesOdd:
        return
    assert found.uid == UID
    assert found.name
    assert found.resource_version


def test_the_pods_of_all_namespaces_come_page_by_page(server: Server, api: ApiServer) -> None:
    """Each page is trimmed before the next one is asked for, so that a large cluster never stands in memory whole."""
    pages = {
        "": list_of(pod_object(namespace="a"), pod_object(namespace="b"), more="next"),
        "next": list_of(pod_object(namespace="c")),
    }
    server.answer = lambda request, _: http(200, pages[request.query.get("continue", "")])
    found = Pods(api).everywhere()
    assert [next(found).namespace, next(found).namespace] == ["a", "b"]
    assert len(server.requests) == 1
    assert [pod.namespace for pod in found] == ["c"]
    assert {request.path for request in server.requests} == {"/api/v1/pods"}


def test_a_namespace_is_one_part_of_a_path(server: Server, api: ApiServer) -> None:
    """A label of a series has named it, which may say anything: not the pods of another one are listed."""
    Pods(api).select("shop/pods?x=", "")
    assert [request.path for request in server.requests] == ["/api/v1/namespaces/shop%2Fpods%3Fx%3D/pods"]
