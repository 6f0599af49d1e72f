"""The chart with each file of values in `ci`, by both versions of Helm."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.chart.charts import CHART, VALUES
from tests.rig.api import Json
from tests.rig.helm import Helm
from tests.rig.kubeconform import kubeconform

each_values = pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)


@each_values
def test_it_passes_lint(helm: Helm, values: Path) -> None:
    """Helm itself finds no error and no warning in it."""
    helm.lint(CHART, values=[values])


def test_every_object_is_one_that_kubernetes_and_the_operator_know(helm: Helm) -> None:
    """No field of any object is misspelt, misplaced or of a wrong type, and none stands there twice."""
    assert kubeconform({name: helm.render(CHART, values=[path]) for name, path in VALUES.items()}) == []


@each_values
def test_no_object_is_rendered_twice(helm: Helm, values: Path) -> None:
    """Of two objects with one kind, namespace and name, the later would take the place of the earlier."""
    names = [_identity(found) for found in helm.template(CHART, values=[values])]
    assert len(set(names)) == len(names)


@each_values
def test_both_helms_render_the_same(helm3: Helm, helm4: Helm, values: Path) -> None:
    """Who upgrades Helm upgrades nothing in the cluster."""
    renderings = [{_identity(found): found for found in one.template(CHART, values=[values])} for one in (helm3, helm4)]
    assert renderings[0] == renderings[1]


def test_every_template_is_rendered_by_some_values(helm4: Helm) -> None:
    """What no file of values switches on would be judged by nobody."""
    seen: set[str] = set()
    for path in VALUES.values():
        seen |= set(
            re.findall(r"^# Source: remediator/templates/(\S+)$", helm4.render(CHART, values=[path]), re.MULTILINE)
        )
    templates = CHART / "templates"
    assert seen == {str(path.relative_to(templates)) for path in templates.rglob("*.yaml")}


def _identity(found: Json) -> tuple[str, str, str, str]:
    metadata = found["metadata"]
    return found["apiVersion"], found["kind"], metadata.get("namespace", ""), metadata["name"]
