"""Which probe or gate keeps a pod from being Ready."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from remediator.cluster.pods import parse_pod
from remediator.cluster.readiness import why_unready
from remediator.errors import KubernetesOdd
from tests.unit.cluster.objects import Json, pod_object

RUNNING: Json = {"running": {"startedAt": "2026-11-25T10:00:03Z"}}
PROBE: Json = {"httpGet": {"path": "/", "port": 80}}


def words(
    *containers: Json,
    states: dict[str, Json] | None = None,
    sidecars: list[Json] | None = None,
    **more: Any,  # noqa: ANN401
) -> str:
    """Why a pod of these containers is not Ready; they run, and nothing has passed, unless it is said otherwise."""
    named = [{"name": "app", **one} for one in containers] or [{"name": "app"}]
    known = states or {}
    statuses = [{"name": one["name"], "state": RUNNING, **known.get(one["name"], {})} for one in named]
    beside = [{"name": one["name"], "state": RUNNING, **known.get(one["name"], {})} for one in sidecars or ()]
    spec = {"containers": named, "initContainers": sidecars, "readinessGates": more.get("gates")}
    status = {"containerStatuses": statuses, "initContainerStatuses": beside, "conditions": more.get("conditions")}
    return why_unready(spec, status)


@pytest.mark.parametrize(
    ("container", "state", "expected"),
    [
        ({"startupProbe": PROBE, "readinessProbe": PROBE}, {}, "container app: its startup probe has not passed"),
        ({"startupProbe": PROBE}, {"started": False}, "container app: its startup probe has not passed"),
        (
            {"startupProbe": PROBE, "readinessProbe": PROBE},
            {"started": True},
            "container app: its readiness probe has not passed",
        ),
        (
            {"readinessProbe": PROBE},
            {"started": True, "ready": False},
            "container app: its readiness probe has not passed",
        ),
        ({}, {"started": True}, "container app is not ready"),
        ({"readinessProbe": PROBE}, {"ready": True}, ""),
        ({"readinessProbe": PROBE}, {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}, ""),
        ({"readinessProbe": PROBE}, {"state": {"terminated": {"exitCode": 1}}}, ""),
        ({"readinessProbe": PROBE}, {"state": None}, ""),
    ],
)
def test_each_probe(container: Json, state: Json, expected: str) -> None:
    """The startup probe comes first; of a container that does not run its state tells."""
    assert words(container, states={"app": state}) == expected


def test_a_container_without_a_status_says_nothing() -> None:
    """Nothing runs yet."""
    assert why_unready({"containers": [{"name": "app", "readinessProbe": PROBE}]}, {}) == ""


def test_sidecars_are_asked_and_init_containers_are_not() -> None:
    """A native sidecar has probes of its own, and is told before the others; what runs to its end has none."""
    sidecar = {"name": "proxy", "restartPolicy": "Always", "readinessProbe": PROBE}
    assert words({"readinessProbe": PROBE}, sidecars=[sidecar]) == "container proxy: its readiness probe has not passed"
    ready = {"proxy": {"ready": True}, "app": {"ready": True}}
    assert words(sidecars=[sidecar, {"name": "setup"}], states=ready) == ""


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (None, "the readiness gate a/b is not open"),
        ([{"type": "a/b", "status": "False"}], "the readiness gate a/b is not open"),
        ([{"type": "a/b", "status": "True"}], "the readiness gate c/d is not open"),
        ([{"type": "a/b", "status": "True"}, {"type": "c/d", "status": "True"}], ""),
    ],
)
def test_each_gate(conditions: list[Json] | None, expected: str) -> None:
    """Where all containers are ready, the first that is not open."""
    gates = [{"conditionType": "a/b"}, {"conditionType": "c/d"}]
    assert words(states={"app": {"ready": True}}, gates=gates, conditions=conditions) == expected


def test_a_pod_carries_its_reason_only_while_it_is_not_ready() -> None:
    """As it is read."""
    one = pod_object()
    one["spec"]["containers"][0]["readinessProbe"] = PROBE
    one["status"]["containerStatuses"][0]["ready"] = False
    assert parse_pod(one).unready == ""
    unready = copy.deepcopy(one)
    unready["status"]["conditions"][2] |= {"status": "False"}
    unready["status"]["initContainerStatuses"][1]["ready"] = True
    assert parse_pod(unready).unready == "container app: its readiness probe has not passed"


@pytest.mark.parametrize("odd", [{"readinessGates": [{}]}, {"readinessGates": ["a/b"]}, {"containers": [{}]}])
def test_an_odd_pod_is_odd(odd: Json) -> None:
    """Translated like everything else that is wrong with a pod."""
    one = pod_object()
    one["spec"] |= odd
    one["status"]["initContainerStatuses"][1]["ready"] = True
    one["status"]["conditions"][2] |= {"status": "False"}
    with pytest.raises(KubernetesOdd):
        parse_pod(one)
