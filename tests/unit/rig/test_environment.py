"""A container's environment by the kubelet's rules, on a stand-in for the API server's objects."""

from __future__ import annotations

import base64
from typing import Any, cast

import pytest

from tests.rig.api import Api
from tests.rig.environment import environment, expand
from tests.rig.errors import RigError

Json = dict[str, Any]


class Objects:
    """ConfigMaps and Secrets of one namespace."""

    url = "https://127.0.0.1:6443"

    def __init__(self, **found: dict[str, str]) -> None:
        self._found = found

    def find(self, kind: str, _namespace: str, name: str) -> Json | None:
        """One of them."""
        data = self._found.get(f"{kind}_{name}")
        if data is None:
            return None
        if kind == "secrets":
            data = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        return {"data": data}


def container(pod: Json | None = None, *, objects: Objects | None = None, **spec: Any) -> dict[str, str]:  # noqa: ANN401
    """The environment of a container with this spec."""
    metadata = {"name": "web-1", "namespace": "shop", "labels": {"app": "web"}}
    pod = pod or {"metadata": metadata, "spec": {"enableServiceLinks": False, "nodeName": "node-0"}}
    return environment(cast("Api", objects or Objects()), pod, spec)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("a$(A)b$(A)", "a1b1"),
        ("$(B)", "$(B)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$$$$", "$$"),
        ("$A ${A} $", "$A ${A} $"),
        ("$(A", "$(A"),
        ("$()", "$()"),
        (r"\$(A)", r"\1"),
        ("$é$(A)", "$é1"),
    ],
)
def test_references_are_replaced_and_two_dollars_are_one(text: str, expected: str) -> None:
    """What is no reference to a variable that is known stays as it is."""
    assert expand(text, {"A": "1"}) == expected


def test_env_comes_over_env_from_and_sees_what_was_before_it() -> None:
    """In their order, with a prefix, and a value from a Secret is not looked through for references."""
    found = container(
        objects=Objects(configmaps_more={"A": "1", "B": "2"}, secrets_keys={"A": "3"}, configmaps_one={"k": "$(A)"}),
        envFrom=[
            {"configMapRef": {"name": "more"}},
            {"secretRef": {"name": "keys"}},
            {"prefix": "X_", "configMapRef": {"name": "more"}},
            {"configMapRef": {"name": "missing", "optional": True}},
        ],
        env=[
            {"name": "B", "value": "$(A)-$(C)"},
            {"name": "C", "value": "$(B)"},
            {"name": "D", "valueFrom": {"configMapKeyRef": {"name": "one", "key": "k"}}},
            {"name": "E", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "F", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "G", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "missing", "optional": True}}},
            {"name": "H"},
        ],
    )
    ours = {key: value for key, value in found.items() if not key.startswith("KUBERNETES_")}
    assert ours == {
        "HOSTNAME": "web-1",
        "HOME": "/",
        "A": "3",
        "B": "3-$(C)",
        "C": "3-$(C)",
        "D": "$(A)",
        "E": "web",
        "F": "node-0",
        "H": "",
        "X_A": "1",
        "X_B": "2",
    }
    assert (found["KUBERNETES_SERVICE_HOST"], found["KUBERNETES_SERVICE_PORT"]) == ("127.0.0.1", "6443")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"envFrom": [{"secretRef": {"name": "missing"}}]}, "no secrets/missing in shop"),
        ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "b"}}}]}, "has no key b"),
        ({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nothing"}}}]}, "spec.nothing"),
        ({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]}, "resourceFieldRef"),
    ],
)
def test_what_a_kubelet_would_not_start_is_named(spec: Json, words: str) -> None:
    """A missing object or key, and what the rig does not know, are errors."""
    with pytest.raises(RigError, match=words):
        container(objects=Objects(secrets_keys={"a": "1"}), **spec)


def test_service_links_are_refused() -> None:
    """The rig does not make the variables of Services, so a pod that wants them is no pod for it."""
    pod: Json = {"metadata": {"name": "web-1", "namespace": "shop"}, "spec": {}}
    with pytest.raises(RigError, match="enableServiceLinks"):
        container(pod)
