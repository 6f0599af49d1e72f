"""Alertmanager's configuration, as the values for kube-prometheus-stack make it, by way of the Prometheus operator."""

from __future__ import annotations

import gzip
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from tests.rig.api import Json
from tests.rig.cluster import Cluster
from tests.rig.helm import Helm
from tests.rig.prometheus_operator import GROUP, Operator
from tests.rig.tools import ensure
from tests.stack.amtool import check
from tests.stack.files import CHANNELS
from tests.stack.secret import CONFIGURATION, Secret, secret

ALERTMANAGERS = f"{GROUP}/alertmanagers"
VERSION = "v0.34.0"
"""What the chart kube-prometheus-stack runs."""

REFUSED: dict[str, Json] = {
    "tracing": {"tracing": {"endpoint": "tempo:4317"}},
    "labels": {"route": {"labels": {"team": "shop"}}},
    "name": {"inhibit_rules": [{"name": "own", "source_matchers": ["a=b"], "target_matchers": ["c=d"]}]},
}
"""What Alertmanager takes and the operator does not know, by the field that it names."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Secret:
    """The files of Alertmanager with every channel."""
    helm = Helm(4, tmp_path_factory.mktemp("helm"))
    return secret(helm, *(f"{channel}.yaml" for channel in CHANNELS), "messages-chinese.yaml", "messages-brief.yaml")


@pytest.fixture
def operator(cluster: Cluster, namespace: str, made: Secret) -> Iterator[str]:
    """An operator with that Alertmanager; its namespace."""
    with Operator(cluster, namespace):
        put(cluster, namespace, made.files)
        cluster.api.create(
            {
                "apiVersion": GROUP,
                "kind": "Alertmanager",
                "metadata": {"name": "main", "namespace": namespace},
                # With a selector, as the chart has it; without one the operator hands the configuration on unread.
                "spec": {
                    "replicas": 1,
                    "version": VERSION,
                    "secrets": ["alertmanager-receivers"],
                    "alertmanagerConfigSelector": {},
                },
            }
        )
        yield namespace


def put(cluster: Cluster, namespace: str, files: Mapping[str, str]) -> None:
    """Has these files in the Secret that the operator reads."""
    found = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "alertmanager-main", "namespace": namespace},
        "data": {name: b64encode(text.encode()).decode() for name, text in files.items()},
    }
    if cluster.api.find("secrets", namespace, "alertmanager-main") is None:
        cluster.api.create(found)
    else:
        cluster.api.patch("secrets", namespace, "alertmanager-main", {"data": found["data"]})


def generated(cluster: Cluster, namespace: str) -> dict[str, str]:
    """What the operator has written for Alertmanager: its configuration in clear, and the files beside it."""
    found = (cluster.api.find("secrets", namespace, "alertmanager-main-generated") or {}).get("data", {})
    whole = {name: b64decode(text) for name, text in found.items()}
    return {
        name.removesuffix(".gz"): (gzip.decompress(text) if name.endswith(".gz") else text).decode()
        for name, text in whole.items()
    }


def refusal(cluster: Cluster, namespace: str) -> str:
    """Why the operator could not reconcile Alertmanager; empty where it could."""
    conditions = cluster.api.get(ALERTMANAGERS, namespace, "main").get("status", {}).get("conditions", [])
    return next(
        (one.get("message", "") for one in conditions if one["type"] == "Reconciled" and one["status"] == "False"), ""
    )


def test_the_operator_takes_it_whole(cluster: Cluster, operator: str, made: Secret) -> None:
    """What Alertmanager gets says the same as what the values say, and has every template."""
    cluster.wait(lambda: generated(cluster, operator), 60, "the operator has written Alertmanager's configuration")
    found = generated(cluster, operator)
    assert yaml.safe_load(found[CONFIGURATION]) == made.configuration
    assert {name: text for name, text in found.items() if name.endswith(".tmpl")} == {
        name: text for name, text in made.files.items() if name.endswith(".tmpl")
    }


def test_what_amtool_takes_may_be_refused(cluster: Cluster, operator: str, made: Secret, tmp_path: Path) -> None:
    """Such a configuration is never applied, and the operator says which field it is: the last one stays."""
    cluster.wait(lambda: generated(cluster, operator), 60, "the operator has written Alertmanager's configuration")
    before = generated(cluster, operator)
    for field, more in REFUSED.items():
        changed = made.configuration
        for key, value in more.items():
            changed[key] = {**changed[key], **value} if isinstance(changed.get(key), dict) else value
        odd = Secret({**made.files, CONFIGURATION: yaml.safe_dump(changed)})
        check(ensure("alertmanager")["amtool"], odd.write(tmp_path))
        put(cluster, operator, odd.files)
        cluster.wait(
            lambda field=field: f"field {field} not found" in refusal(cluster, operator),  # type: ignore[misc]
            60,
            f"the operator refuses {field}",
            seen=lambda: refusal(cluster, operator),
        )
        assert generated(cluster, operator) == before
