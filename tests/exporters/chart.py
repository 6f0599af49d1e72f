"""The chart as a user gets it who switches exporters and probes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.rig.api import Json
from tests.rig.helm import Helm

CHART = Path(__file__).resolve().parents[2] / "charts" / "remediator"

RELEASE = "shop"
NAMESPACE = "monitoring"

_NEEDED = {"prometheus": {"url": "http://prometheus.test:9090"}}


def rendered(
    helm: Helm, values: Mapping[str, Any], *, release: str = RELEASE, namespace: str = NAMESPACE
) -> list[Json]:
    """The objects of the chart with these values. Raises `HelmError` where it refuses them."""
    return helm.template(CHART, values=[_NEEDED, values], name=release, namespace=namespace)


def of_kind(objects: list[Json], kind: str, name: str = "") -> list[Json]:
    """The objects of a kind whose names end so."""
    return [one for one in objects if one["kind"] == kind and one["metadata"]["name"].endswith(name)]


def the(objects: list[Json], kind: str, name: str) -> Json:
    """The one object of a kind whose name ends so."""
    (found,) = of_kind(objects, kind, name)
    return found


def modules(helm: Helm, blackbox: Mapping[str, Any] | None = None) -> str:
    """The file of modules, as text, for the default values and what is said of ``blackbox`` beside them."""
    values = {"blackbox": {"enabled": True, **(blackbox or {})}}
    text: str = the(rendered(helm, values), "ConfigMap", "-blackbox")["data"]["modules.yaml"]
    return text


def default_modules() -> dict[str, Json]:
    """The modules as ``values.yaml`` has them."""
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    found: dict[str, Json] = values["blackbox"]["modules"]
    return found
