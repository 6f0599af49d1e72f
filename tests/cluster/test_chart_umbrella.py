"""The chart as a dependency of somebody's own: under another name, switched by a condition, with values from above."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.chart.charts import CHART
from tests.cluster.conftest import NewRelease, policies
from tests.cluster.releases import pace
from tests.rig.cluster import Cluster
from tests.rig.helm import Helm, HelmError

Json = dict[str, Any]


def umbrella(folder: Path, helm: Helm, *, values: Json, alias: str = "") -> Path:
    """A chart that depends on this one, packed into it by Helm."""
    chart = folder / "team"
    chart.mkdir()
    name = alias or "remediator"
    dependency = {
        "name": "remediator",
        "version": "*",
        "repository": f"file://{CHART}",
        "condition": f"{name}.enabled",
        **({"alias": alias} if alias else {}),
    }
    # JSON is YAML.
    about = {"apiVersion": "v2", "name": "team", "version": "1.0.0", "dependencies": [dependency]}
    (chart / "Chart.yaml").write_text(json.dumps(about))
    (chart / "values.yaml").write_text(json.dumps(values))
    helm.run("dependency", "update", "--skip-refresh", str(chart))
    return chart


@pytest.mark.parametrize("alias", ["", "leaks"])
def test_it_is_installed_with_values_from_above_and_its_daemon_runs(
    cluster: Cluster, namespace: str, new_release: NewRelease, each_helm: Helm, tmp_path: Path, alias: str
) -> None:
    """Both Helms, by its own name and by another: `global` does no harm, and null takes ids away, from wherever."""
    own = pace(cluster.prometheus_url, policy=policies(namespace), enabled=True)
    own["podSecurityContext"] = dict.fromkeys(["runAsUser", "runAsGroup"])
    key = alias or "remediator"
    chart = umbrella(tmp_path, each_helm, values={key: own, "global": {"imageRegistry": "x"}}, alias=alias)
    release = new_release(name="team", fullname=f"team-{key}", by=each_helm)
    release.install({key: {"podSecurityContext": {"fsGroup": None}}}, chart=chart)
    (daemon,) = release.installed.rolled_out()
    daemon.wait_for("evaluation", policy=f"in-{namespace}")
    security = daemon.pod["spec"]["securityContext"]
    assert security == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert release.refused() == []


def test_its_condition_switches_all_of_it_off(helm4: Helm, tmp_path: Path) -> None:
    """With `enabled: false` nothing is rendered, and without a Prometheus nothing is asked for."""
    chart = umbrella(tmp_path, helm4, values={"remediator": {"enabled": False}})
    assert helm4.template(chart, name="team") == []


def test_its_schema_holds_below_a_parent(helm4: Helm, tmp_path: Path) -> None:
    """A misspelt value is an error that names it, wherever it was set."""
    chart = umbrella(tmp_path, helm4, values={"remediator": {"prometheus": {"urll": "http://prometheus:9090"}}})
    with pytest.raises(HelmError, match="urll"):
        helm4.template(chart, name="team")
