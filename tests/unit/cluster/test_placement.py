"""Where a DaemonSet's pods may be, and which node one of them was made for."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.cluster.placement import made_for, parse_placement
from remediator.cluster.pods import parse_pod
from remediator.errors import KubernetesOdd
from remediator.model.placement import (
    DAEMON_TOLERATIONS,
    HOST_NETWORK_TOLERATION,
    NodeRequirement,
    Placement,
    Toleration,
)
from tests.unit.cluster.objects import Json, pod_object


def affinity(*terms: Json) -> Json:
    """A pod spec with these node selector terms."""
    return {
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    }


def to_node(*names: str) -> Json:
    """The term by which a DaemonSet's controller makes a pod for one node."""
    return {"matchFields": [{"key": "metadata.name", "operator": "In", "values": list(names)}]}


def test_a_template_without_a_word_about_nodes() -> None:
    """What the controller tolerates in its name is added."""
    nothing: list[Json] = [{}, {"affinity": None}, {"affinity": {"podAffinity": {}}}, {"tolerations": None}]
    for spec in nothing:
        assert parse_placement(spec) == Placement(tolerations=DAEMON_TOLERATIONS)


def test_everything_that_a_template_says_of_nodes() -> None:
    """Name, selector, affinity by labels and by name, tolerations."""
    term = {
        "matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}, {"key": "gpu", "operator": "Exists"}]
    }
    spec = {
        **affinity(term, to_node("node-1")),
        "nodeName": "node-1",
        "nodeSelector": {"os": "linux"},
        "tolerations": [
            {"operator": "Exists"},
            {"key": "team", "value": "shop", "effect": "NoSchedule"},
            {"key": "team", "operator": "Exists", "tolerationSeconds": 30},
        ],
    }
    assert parse_placement(spec) == Placement(
        node_name="node-1",
        node_selector={"os": "linux"},
        terms=(
            (NodeRequirement("zone", "In", ("a",)), NodeRequirement("gpu", "Exists")),
            (NodeRequirement("metadata.name", "In", ("node-1",), of_name=True),),
        ),
        tolerations=(
            Toleration("", "Exists"),
            Toleration("team", "Equal", "shop", "NoSchedule"),
            Toleration("team", "Exists"),
            *DAEMON_TOLERATIONS,
        ),
    )


def test_pods_on_the_hosts_network_need_no_other() -> None:
    """One toleration more."""
    found = parse_placement({"hostNetwork": True})
    assert found.tolerations == (*DAEMON_TOLERATIONS, HOST_NETWORK_TOLERATION)


def test_a_wish_is_no_demand() -> None:
    """Preferred affinity keeps no pod away."""
    wish = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {}}]}
    assert parse_placement({"affinity": {"nodeAffinity": wish}}).terms is None


@pytest.mark.parametrize(
    ("spec", "node"),
    [
        ({}, ""),
        ({"nodeName": "node-7"}, "node-7"),
        ({"nodeName": ""}, ""),
        (affinity(to_node("node-1")), "node-1"),
        ({**affinity(to_node("node-1")), "nodeName": "node-7"}, "node-7"),
        (affinity({"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}), ""),
        (affinity(to_node("node-1", "node-2")), ""),
        (affinity({"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["node-1"]}]}), ""),
        (affinity({"matchFields": [{"key": "other", "operator": "In", "values": ["node-1"]}]}), ""),
    ],
)
def test_the_node_that_a_pod_was_made_for(spec: Json, node: str) -> None:
    """As the DaemonSet controller itself reads it: where it is, else the one name that its affinity gives."""
    assert made_for(spec) == node
    one = pod_object()
    one["spec"] = {**one["spec"], "nodeName": "", **spec}
    assert parse_pod(one).node == node


@pytest.mark.parametrize("odd", [{"affinity": ["x"]}, affinity("x"), affinity({"matchFields": [{}]})])  # type: ignore[arg-type]
def test_an_odd_affinity_is_odd(odd: Json) -> None:
    """A pod that can't be understood is not put anywhere by guess."""
    one = pod_object()
    one["spec"] = {**one["spec"], "nodeName": "", **odd}
    with pytest.raises(KubernetesOdd, match="pod web-5d4f-abcde"):
        parse_pod(one)


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        ([], ""),
        ([{"name": "setup", "state": {"waiting": {"reason": "PodInitializing"}}}], ""),
        ([{"name": "setup", "state": {"terminated": {"exitCode": 0}}}], ""),
        ([{"name": "setup", "state": {"waiting": {}}}], ""),
        (
            [
                {"name": "setup", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}},
                {"name": "proxy", "state": {"waiting": {"reason": "PodInitializing"}}},
            ],
            "ImagePullBackOff: no such image",
        ),
    ],
)
def test_what_an_init_container_waits_for(statuses: list[dict[str, Any]], words: str) -> None:
    """Where it is not just its turn."""
    one = pod_object()
    one["status"]["initContainerStatuses"] = statuses
    assert parse_pod(one).initializing == words
