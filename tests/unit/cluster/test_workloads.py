"""What a workload of each kind says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.cluster.api import ApiServer
from remediator.cluster.owners import Owners
from remediator.cluster.pods import Pods
from remediator.cluster.workloads import parse_workload
from remediator.errors import KubernetesOdd
from remediator.model.placement import DAEMON_TOLERATIONS, Placement
from remediator.model.selectors import LabelSelector
from remediator.model.workloads import Revisions, Workload, WorkloadRef
from tests.unit.cluster.objects import Json, deployment_object, replicaset_object
from tests.unit.servers import Server, always, http

STATEFULSET = WorkloadRef("StatefulSet", "shop", "db", "sts-uid", "apps/v1")
DAEMONSET = WorkloadRef("DaemonSet", "shop", "agent", "ds-uid", "apps/v1")
REPLICASET = WorkloadRef("ReplicaSet", "shop", "web-5d4f", "rs-uid", "apps/v1")
DEPLOYMENT = WorkloadRef("Deployment", "shop", "web", "dep-uid", "apps/v1")


def statefulset(spec: Mapping[str, Any] = {}, status: Mapping[str, Any] = {}, **metadata: Any) -> Json:  # noqa: ANN401
    """A StatefulSet of three that rolls nothing out, as the API server gives it."""
    return {
        "metadata": {"name": "db", "uid": "sts-uid", "generation": 2, **metadata},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "db"}},
            "template": {"spec": {"containers": []}},
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            **spec,
        },
        "status": {
            "observedGeneration": 2,
            "replicas": 3,
            "readyReplicas": 3,
            "updatedReplicas": 3,
            "currentReplicas": 3,
            "currentRevision": "db-1",
            "updateRevision": "db-1",
            **status,
        },
    }


def daemonset(spec: Mapping[str, Any] = {}, status: Mapping[str, Any] = {}) -> Json:
    """A DaemonSet on three nodes that rolls nothing out."""
    return {
        "metadata": {"name": "agent", "namespace": "shop", "uid": "ds-uid", "generation": 2},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": {"spec": {"containers": []}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            **spec,
        },
        "status": {
            "observedGeneration": 2,
            "currentNumberScheduled": 3,
            "desiredNumberScheduled": 3,
            "updatedNumberScheduled": 3,
            "numberReady": 3,
            **status,
        },
    }


def held_at(partition: int) -> Json:
    """A rollout that is held above that ordinal."""
    return {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}}


ON_DELETE: Json = {"updateStrategy": {"type": "OnDelete"}}
TWO_REVISIONS = {"currentRevision": "db-1", "updateRevision": "db-2"}

# StatefulSet


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        (STATEFULSET, statefulset()),
        (DAEMONSET, daemonset()),
        (REPLICASET, replicaset_object()),
        (DEPLOYMENT, deployment_object()),
    ],
    ids=lambda one: one.kind if isinstance(one, WorkloadRef) else "",
)
def test_that_it_is_being_deleted_is_seen(ref: WorkloadRef, found: Json) -> None:
    """Of each kind: while a finalizer is waited for it is still there."""
    assert not parse_workload(ref, found).is_ending
    ending = {**found, "metadata": {**found["metadata"], "deletionTimestamp": "2026-11-26T10:00:00Z"}}
    assert parse_workload(ref, ending).is_ending


def test_a_statefulset_is_described() -> None:
    """How many it wants, how it makes them, and from what."""
    assert parse_workload(STATEFULSET, statefulset({"minReadySeconds": 7})) == Workload(
        STATEFULSET,
        wanted=3,
        selector=LabelSelector.parse("app=db"),
        min_ready_seconds=7,
        ordered=True,
        revisions=Revisions("db-1", "db-1"),
    )


@pytest.mark.parametrize(
    ("spec", "ordered"), [({"podManagementPolicy": "Parallel"}, False), ({"podManagementPolicy": "OrderedReady"}, True)]
)
def test_the_order_of_its_pods(spec: Json, *, ordered: bool) -> None:
    """Left out it is OrderedReady, as the API's default has it."""
    assert parse_workload(STATEFULSET, statefulset(spec)).ordered is ordered
    without = statefulset()
    del without["spec"]["podManagementPolicy"]
    assert parse_workload(STATEFULSET, without).ordered


@pytest.mark.parametrize(("ordinals", "first"), [({"start": 5}, 5), ({}, 0), (None, 0)])
def test_where_its_ordinals_start(ordinals: Json | None, first: int) -> None:
    """``ordinals.start``; its partition is counted from there."""
    found = parse_workload(STATEFULSET, statefulset({"ordinals": ordinals, **held_at(2)}, TWO_REVISIONS))
    assert found.first_ordinal == first
    assert found.revisions is not None
    assert found.revisions.partition == first + 2
    assert [found.revisions.of(first + number) for number in range(4)] == ["db-1", "db-1", "db-2", "db-2"]


@pytest.mark.parametrize(
    ("spec", "status", "words"),
    [
        pytest.param({}, TWO_REVISIONS, "revision db-2 is replacing db-1", id="rolling"),
        pytest.param({}, {**TWO_REVISIONS, "updatedReplicas": 3}, "revision db-2 is replacing db-1", id="not complete"),
        pytest.param(held_at(2), {**TWO_REVISIONS, "updatedReplicas": 1}, "", id="held"),
        pytest.param(
            held_at(2), {**TWO_REVISIONS, "updatedReplicas": 0}, "revision db-2 is replacing db-1", id="not held yet"
        ),
        pytest.param(held_at(3), {**TWO_REVISIONS, "updatedReplicas": 0}, "", id="held wholly"),
        pytest.param(held_at(9), {**TWO_REVISIONS, "updatedReplicas": 0}, "", id="held above all"),
        pytest.param(ON_DELETE, {**TWO_REVISIONS, "updatedReplicas": 0}, "", id="OnDelete"),
        pytest.param({"updateStrategy": {}}, TWO_REVISIONS, "revision db-2 is replacing db-1", id="no strategy"),
        pytest.param({}, {}, "", id="nothing"),
        pytest.param({}, {"observedGeneration": 1}, "its controller has seen generation 1 of 2", id="not seen yet"),
    ],
)
def test_what_a_statefulset_rolls_out(spec: Json, status: Json, words: str) -> None:
    """Two revisions, but for those that are kept apart on purpose."""
    assert parse_workload(STATEFULSET, statefulset(spec, status)).rollout == words


def test_on_delete_makes_every_pod_from_the_newest() -> None:
    """Whatever a partition says that is left in it."""
    found = parse_workload(STATEFULSET, statefulset(ON_DELETE, TWO_REVISIONS))
    assert found.revisions is not None
    assert {found.revisions.of(number) for number in range(3)} == {"db-2"}


def test_a_statefulset_without_a_status_is_not_seen_yet() -> None:
    """Nothing is known of it but that."""
    new = statefulset()
    del new["status"]
    found = parse_workload(STATEFULSET, new)
    assert found.rollout == "its controller has seen generation 0 of 2"
    assert found.revisions == Revisions("", "")


@given(
    start=st.integers(0, 3),
    partition=st.integers(0, 4),
    replicas=st.integers(0, 4),
    rolled=st.integers(0, 4),
    on_delete=st.booleans(),
    two=st.booleans(),
)
def test_revisions_are_those_of_the_controller(
    start: int, partition: int, replicas: int, rolled: int, *, on_delete: bool, two: bool
) -> None:
    """By the rule of ``newVersionedStatefulSetPod``: the old one for ordinals below the partition, else the new."""
    status = {"currentRevision": "old", "updateRevision": "new" if two else "old", "updatedReplicas": rolled}
    spec = {"replicas": replicas, "ordinals": {"start": start}, **(ON_DELETE if on_delete else held_at(partition))}
    found = parse_workload(STATEFULSET, statefulset(spec, status))
    assert found.revisions is not None
    for ordinal in range(start, start + replicas):
        old = not on_delete and ordinal < start + partition
        assert found.revisions.of(ordinal) == ("old" if old or not two else "new")
    if not two:
        assert found.rollout == ""
    if two and not on_delete and partition == 0:
        assert found.rollout


# DaemonSet


def test_a_daemonset_is_described() -> None:
    """It wants a pod on each of its nodes."""
    template = {"spec": {"nodeSelector": {"os": "linux"}}}
    assert parse_workload(DAEMONSET, daemonset({"template": template, "minReadySeconds": 3})) == Workload(
        DAEMONSET,
        wanted=3,
        selector=LabelSelector.parse("app=agent"),
        min_ready_seconds=3,
        placement=Placement(node_selector={"os": "linux"}, tolerations=DAEMON_TOLERATIONS),
    )


@pytest.mark.parametrize(
    ("spec", "status", "outdated", "words"),
    [
        ({}, {}, 0, ""),
        ({}, {"updatedNumberScheduled": 1}, 2, "1 of 3 nodes have the newest template"),
        ({}, {"updatedNumberScheduled": None}, 3, "0 of 3 nodes have the newest template"),
        (ON_DELETE, {"updatedNumberScheduled": 1}, 2, ""),
        ({}, {"desiredNumberScheduled": 2}, 0, ""),
        ({}, {"desiredNumberScheduled": 0, "updatedNumberScheduled": 0}, 0, ""),
        ({}, {"observedGeneration": 1}, 0, "its controller has seen generation 1 of 2"),
    ],
)
def test_what_a_daemonset_rolls_out(spec: Json, status: Json, outdated: int, words: str) -> None:
    """Under OnDelete nothing rolls, and what is outdated would be updated by us."""
    found = parse_workload(DAEMONSET, daemonset(spec, status))
    assert (found.outdated, found.rollout) == (outdated, words)


def test_a_daemonset_that_nobody_has_seen_wants_nothing() -> None:
    """Its number is in its status."""
    new = daemonset()
    new["status"] = None
    found = parse_workload(DAEMONSET, new)
    assert (found.wanted, found.rollout) == (0, "its controller has seen generation 0 of 2")


# All of them


def test_the_images_of_a_replicaset_that_nobody_controls() -> None:
    """Those of the containers that its pods keep running."""
    found = replicaset_object()
    template = {
        "initContainers": [
            {"name": "setup", "image": "s:1"},
            {"name": "proxy", "image": "p:1", "restartPolicy": "Always"},
        ],
        "containers": [{"name": "app", "image": "app:1"}],
    }
    found["spec"]["template"] = {"spec": template}
    assert parse_workload(REPLICASET, found).images == {"proxy": "p:1", "app": "app:1"}


@pytest.mark.parametrize(("ref", "found"), [(DEPLOYMENT, deployment_object()), (REPLICASET, replicaset_object())])
def test_pods_in_no_order_and_of_one_template(ref: WorkloadRef, found: Json) -> None:
    """A Deployment and a ReplicaSet have neither ordinals nor revisions."""
    parsed = parse_workload(ref, found)
    assert (parsed.ordered, parsed.revisions, parsed.outdated, parsed.rollout) == (False, None, 0, "")


def test_why_pods_can_not_be_made_and_since_when() -> None:
    """The condition ReplicaFailure where it is true, in Kubernetes' words and with its time."""
    condition = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": "exceeded quota",
        "lastTransitionTime": "2026-11-25T10:00:00Z",
    }
    found = replicaset_object()
    found["status"]["conditions"] = [condition]
    parsed = parse_workload(REPLICASET, found)
    assert parsed.creation_failure == "FailedCreate: exceeded quota"
    assert parsed.creation_failed_at == datetime(2026, 11, 25, 10, tzinfo=UTC).timestamp()
    found["status"]["conditions"] = [{**condition, "status": "False"}]
    parsed = parse_workload(REPLICASET, found)
    assert (parsed.creation_failure, parsed.creation_failed_at) == ("", 0.0)
    found["status"]["conditions"] = [{"type": "ReplicaFailure", "status": "True"}]
    assert parse_workload(REPLICASET, found).creation_failed_at == 0.0


ODD: list[tuple[WorkloadRef, Json]] = [
    (STATEFULSET, {}),
    (STATEFULSET, {"metadata": None}),
    (STATEFULSET, {"metadata": "db"}),
    (STATEFULSET, statefulset() | {"spec": None}),
    (STATEFULSET, statefulset() | {"status": "well"}),
    (STATEFULSET, statefulset({"replicas": "many"})),
    (STATEFULSET, statefulset({"replicas": None})),
    (STATEFULSET, statefulset({"ordinals": {"start": "first"}})),
    (STATEFULSET, statefulset({"ordinals": 5})),
    (STATEFULSET, statefulset({"updateStrategy": "OnDelete"})),
    (STATEFULSET, statefulset(held_at(1) | {"updateStrategy": {"rollingUpdate": {"partition": "half"}}})),
    (STATEFULSET, statefulset(status={"updatedReplicas": "all"})),
    (STATEFULSET, statefulset(status={"observedGeneration": "newest"})),
    (STATEFULSET, statefulset(status={"conditions": [{}]})),
    (STATEFULSET, statefulset({"selector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}})),
    (STATEFULSET, statefulset(generation=None)),
    (DAEMONSET, daemonset() | {"metadata": {"uid": "ds-uid"}, "spec": {}}),
    (DAEMONSET, daemonset({"template": {"spec": {"tolerations": ["all"]}}})),
    (DAEMONSET, daemonset({"template": {"spec": {"affinity": {"nodeAffinity": "near"}}}})),
    (DAEMONSET, daemonset(status={"desiredNumberScheduled": "all"})),
    (REPLICASET, replicaset_object() | {"metadata": {"uid": "rs-uid", "ownerReferences": [{"controller": True}]}}),
    (REPLICASET, replicaset_object() | {"metadata": {"uid": "rs-uid", "ownerReferences": 5}}),
    (DEPLOYMENT, deployment_object() | {"metadata": ["dep-uid"]}),
    (
        DEPLOYMENT,
        deployment_object()
        | {"status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "lastTransitionTime": "noon"}]}},
    ),
]


@pytest.mark.parametrize(("ref", "odd"), ODD)
def test_an_odd_object_is_odd(api: ApiServer, server: Server, ref: WorkloadRef, odd: Json) -> None:
    """Whatever stands in it: one kind of error, which names the workload, and nothing by guess."""
    server.answer = always(http(200, odd))
    with pytest.raises(KubernetesOdd, match=f"{ref} in shop"):
        Owners(api, Pods(api)).describe(ref)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
FIELDS = [
    "spec.replicas",
    "spec.selector",
    "spec.ordinals",
    "spec.updateStrategy",
    "spec.template",
    "spec.minReadySeconds",
]
FIELDS += ["status", "status.conditions", "status.updatedReplicas", "status.observedGeneration", "metadata.generation"]
FIELDS += ["spec", "metadata.annotations", "status.desiredNumberScheduled", "status.currentRevision"]


@given(
    field=st.sampled_from(FIELDS), value=VALUES, ref=st.sampled_from([STATEFULSET, DAEMONSET, REPLICASET, DEPLOYMENT])
)
def test_whatever_stands_in_a_field_is_understood_or_odd(field: str, value: object, ref: WorkloadRef) -> None:
    """No other error comes out of it than those that are translated."""
    objects = {"StatefulSet": statefulset, "DaemonSet": daemonset, "ReplicaSet": replicaset_object}
    found = objects.get(ref.kind, deployment_object)()
    *path, last = field.split(".")
    part = found
    for key in path:
        part = part[key]
    part[last] = value
    try:
        parsed = parse_workload(ref, found)
    except (KeyError, TypeError, ValueError, AttributeError):
        return
    assert isinstance(parsed.wanted, int)
    assert isinstance(parsed.rollout, str)
