"""The tests' own Helm, on a small chart: it renders, lints, and tells in Helm's words what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rig import tools
from tests.rig.helm import Helm, HelmError

CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
data:
  kubernetes: {{ .Capabilities.KubeVersion.Version | quote }}
  monitors: {{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1/ServiceMonitor" | quote }}
  text: {{ .Values.text | quote }}
  other: {{ required "other is required" .Values.other | quote }}
"""


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A chart of one ConfigMap."""
    folder = tmp_path / "small"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("{apiVersion: v2, name: small, version: 1.0.0, icon: file:///icon.svg}")
    (folder / "values.yaml").write_text("text: default\nother: default\n")
    (folder / "templates" / "configmap.yaml").write_text(CONFIG_MAP)
    return folder


def test_values_arrive_in_their_order_byte_for_byte(helm: Helm, chart: Path, tmp_path: Path) -> None:
    """A file's values go over the chart's, and later ones over the file's, whatever characters they have."""
    file = tmp_path / "values.yaml"
    file.write_text("text: of the file\nother: of the file\n")
    nasty = "$HOME ${x} \"quoted\" 'single' back\\slash {{ braces }} \u96ea\n2nd line"
    (found,) = helm.template(chart, values=[file, {"text": nasty}], name="odd", namespace="there")
    assert found["data"] == {
        "kubernetes": f"v{tools.program('kubernetes').version}",
        "monitors": "false",
        "text": nasty,
        "other": "of the file",
    }
    assert found["metadata"] == {"name": "odd", "namespace": "there"}


def test_a_cluster_can_be_told_to_have_more_kinds(helm: Helm, chart: Path) -> None:
    """Templates see the API versions that the test says are there."""
    (found,) = helm.template(chart, apis=["monitoring.coreos.com/v1/ServiceMonitor"])
    assert found["data"]["monitors"] == "true"


def test_an_error_carries_helms_own_words(helm: Helm, chart: Path) -> None:
    """A value that a template requires is named as the template names it."""
    with pytest.raises(HelmError, match="other is required") as caught:
        helm.template(chart, values=[{"other": None}])
    assert "configmap.yaml" in caught.value.said


def test_lint_finds_what_would_not_install(helm: Helm, chart: Path) -> None:
    """A sound chart passes; an API version that this Kubernetes has no more does not, nor does a warning."""
    assert "0 chart(s) failed" in helm.lint(chart)
    (chart / "templates" / "cron.yaml").write_text(
        "{apiVersion: batch/v1beta1, kind: CronJob, metadata: {name: old}, spec: {schedule: '@daily'}}"
    )
    with pytest.raises(HelmError, match=r"batch/v1beta1.*unavailable in v1\.25"):
        helm.lint(chart)


def test_nothing_of_the_machines_own_helm_is_read(
    helm: Helm, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Neither the variables of whoever runs the tests nor their cluster reach Helm."""
    monkeypatch.setenv("HELM_NAMESPACE", "elsewhere")
    monkeypatch.setenv("HELM_KUBEAPISERVER", "https://127.0.0.1:1")
    monkeypatch.setenv("KUBECONFIG", "/theirs")
    told = dict(line.split("=", 1) for line in helm.run("env").splitlines())
    assert told["HELM_NAMESPACE"] == '"default"'
    assert told["HELM_KUBEAPISERVER"] == '""'
    homes = {told[f"HELM_{name}_HOME"].strip('"') for name in ("CACHE", "CONFIG", "DATA")}
    assert len(homes) == 3
    assert all(Path(home).is_relative_to(tmp_path_factory.getbasetemp()) for home in homes)


def test_the_version_is_the_one_that_was_asked_for(helm: Helm) -> None:
    """Helm says of itself what the module is that it was built from."""
    program = tools.program({3: "helm3", 4: "helm"}[helm.version])
    assert helm.run("version", "--template", "{{ .Version }}") == f"v{program.version}"
