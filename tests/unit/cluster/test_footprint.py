"""What one more pod of a spec would want: of its node, its claims, and the quota."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from remediator.cluster.footprint import parse_footprint, parse_quantities
from remediator.model.surge import Footprint

Json = dict[str, Any]


def asking(name: str = "app", *, requests: Json | None = None, limits: Json | None = None, **more: Any) -> Json:  # noqa: ANN401
    """A container."""
    return {"name": name, "resources": {"requests": requests or {}, "limits": limits or {}}, **more}


def test_a_plain_pod_takes_up_nothing_special() -> None:
    """Nothing of the node, no claim, no request."""
    assert parse_footprint({"containers": [{"name": "app"}]}) == Footprint(best_effort=True)


def test_what_it_has_of_its_node_and_of_the_namespace() -> None:
    """The node's network and ports, also of init containers, and the claims that exist beside the pod."""
    spec = {
        "hostNetwork": True,
        "initContainers": [{"name": "init", "ports": [{"containerPort": 1, "hostPort": 81}]}],
        "containers": [{"name": "app", "ports": [{"containerPort": 80}, {"containerPort": 8080, "hostPort": 8080}]}],
        "volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "b", "ephemeral": {}}],
    }
    expected = Footprint(host_network=True, host_ports=(81, 8080), claims=("data",), best_effort=True)
    assert parse_footprint(spec) == expected


@pytest.mark.parametrize(
    ("spec", "best_effort"),
    [
        ({"containers": [asking(requests={"cpu": "0"}, limits={"example.com/gpu": "1"})]}, True),
        ({"containers": [asking(), asking("b", limits={"memory": "1Gi"})]}, False),
        ({"initContainers": [asking("i", requests={"cpu": "1m"})], "containers": [asking()]}, False),
        ({"containers": [asking()], "resources": {"requests": {"memory": "1Gi"}}}, False),
        ({"containers": [asking()], "overhead": {"cpu": "250m"}}, True),
    ],
)
def test_which_quotas_count_it(spec: Json, *, best_effort: bool) -> None:
    """By its class of service, its deadline, and its priority class."""
    assert parse_footprint(spec).best_effort == best_effort
    assert not parse_footprint(spec).ends
    found = parse_footprint({**spec, "activeDeadlineSeconds": 60, "priorityClassName": "high"})
    assert (found.ends, found.priority_class) == (True, "high")


@pytest.mark.parametrize(
    ("spec", "asks"),
    [
        (
            {
                "containers": [
                    asking(requests={"memory": "1Gi", "cpu": "100m"}),
                    asking("b", requests={"memory": "1Gi"}),
                ]
            },
            {"requests.memory": 2 << 30, "requests.cpu": Decimal("0.1")},
        ),
        (
            {
                "initContainers": [asking("i", requests={"memory": "3Gi"})],
                "containers": [asking(requests={"memory": "1Gi"})],
            },
            {"requests.memory": 3 << 30},
        ),
        (
            {
                "initContainers": [
                    asking("sidecar", requests={"memory": "1Gi"}, restartPolicy="Always"),
                    asking("i", requests={"memory": "3Gi"}),
                ],
                "containers": [asking(requests={"memory": "1Gi"})],
            },
            {"requests.memory": 4 << 30},
        ),
        (
            {"resources": {"limits": {"memory": "5Gi"}}, "containers": [asking(limits={"memory": "1Gi", "cpu": "1"})]},
            {"limits.memory": 5 << 30, "limits.cpu": 1},
        ),
        (
            {"overhead": {"memory": "1Gi"}, "containers": [asking(requests={"memory": "1Gi"})]},
            {"requests.memory": 2 << 30},
        ),
    ],
    ids=["sum", "init container", "sidecar before it", "the pod as a whole", "overhead"],
)
def test_what_a_quota_counts(spec: Json, asks: Json) -> None:
    """What runs at the same time, at its highest."""
    assert parse_footprint(spec).asks == asks


def test_what_is_no_quantity_is_an_error() -> None:
    """It can't be compared."""
    with pytest.raises(ValueError, match="many"):
        parse_quantities({"memory": "many"})
