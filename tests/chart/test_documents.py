"""What the documents tell to install, by both versions of Helm; and the Prometheus configuration that they show."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.charts import CHART
from tests.rig.api import Json
from tests.rig.helm import Helm, HelmError
from tests.rig.tools import ensure

ROOT = CHART.parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "charts" / "README.md", *CHART.glob("*.md")])

_FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"helm (?:install|upgrade) (.*)")
_URL = "http://prometheus-operated.monitoring.svc:9090"


def fences(language: str, announced: str = "") -> list[Any]:
    """Each fenced block of a language that announces itself in its first line, as a parameter named after its place."""
    return [
        pytest.param(block, id=f"{path.name}:{text[: found.start()].count(chr(10)) + 1}")
        for path in DOCUMENTS
        for text in [path.read_text("utf-8")]
        for found in _FENCE.finditer(text)
        for given, block in [found.groups()]
        if given == language and block.startswith(announced)
    ]


def commands() -> list[Any]:
    """Each `helm install` and `helm upgrade` of our chart in the documents, continued lines too, as its arguments."""
    return [
        pytest.param(words, id=f"{block.id}:{number}")
        for block in fences("sh")
        for number, line in enumerate(block.values[0].replace("\\\n", " ").splitlines())
        for found in [_COMMAND.fullmatch(line.strip().removesuffix("> rendered.txt").strip())]
        if found
        for words in [shlex.split(found[1], comments=True)]
        if any(word.endswith("charts/remediator") for word in words)
    ]


def pod_security(objects: list[Json]) -> Json:
    """The security context of the one Deployment's pods."""
    (deployment,) = (found for found in objects if found["kind"] == "Deployment")
    context: Json = deployment["spec"]["template"]["spec"]["securityContext"]
    return context


@pytest.mark.parametrize("block", fences("yaml", "# values.yaml\n"))
def test_values_in_the_documents_render(helm: Helm, block: str) -> None:
    """Each example is enough by itself, and neither schema nor template refuses it."""
    assert helm.template(CHART, values=[yaml.safe_load(block)])


def test_values_with_a_slip_of_the_pen_would_not(helm: Helm) -> None:
    """The test above can fail: without the URL, and with Roles that a policy does not fit."""
    with pytest.raises(HelmError, match=r"prometheus\.url is not set"):
        helm.template(CHART, values=[{"replicas": 2}])
    with pytest.raises(HelmError, match="is about all namespaces"):
        helm.template(CHART, values=[{"prometheus": {"url": _URL}, "rbac": {"namespaces": ["shop"]}}])


@pytest.mark.parametrize("words", commands())
def test_commands_in_the_documents_set_what_the_chart_knows(helm: Helm, words: list[str]) -> None:
    """Each `--set` is taken, together with the URL where a file of values stands for it."""
    valued = {"--set", "--namespace", "-n", "-f", "--values", "--version"}
    flags = [word for word in words if word.startswith("-")]
    assert set(flags) <= valued | {"--install", "--create-namespace", "--dry-run=server", "--reuse-values"}
    after = dict(enumerate(words[:-1], start=1))
    name, chart = (word for at, word in enumerate(words) if word not in flags and after.get(at) not in valued)
    # A released chart is this one.
    assert chart == "oci://ghcr.io/OWNER/charts/remediator" or (ROOT / chart).resolve() == CHART
    given = [word.replace("DIGEST", "0" * 64) for at, word in enumerate(words) if after.get(at) == "--set"]
    more = [part for one in given for part in ("--set", one)]
    assert helm.template(CHART, name=name, values=[{"prometheus": {"url": _URL}}], more=more)


@pytest.mark.parametrize("words", [one for one in commands() if "rules.enabled=true" in one.values[0]])
def test_who_switches_alerts_on_has_the_daemon_scraped(helm4: Helm, words: list[str]) -> None:
    """Each documented command for PrometheusRules makes the ServiceMonitor too, for the same Prometheus."""
    more = [part for before, word in itertools.pairwise(words) if before == "--set" for part in (before, word)]
    rendered = helm4.template(CHART, values=[{"prometheus": {"url": _URL}}], more=more)
    release = {
        one["kind"]: one["metadata"]["labels"].get("release")
        for one in rendered
        if one["kind"] in {"PrometheusRule", "ServiceMonitor"}
    }
    if "rules.kind=ConfigMap" in words:
        assert release == {}
    else:
        assert release == {"PrometheusRule": "YOUR-PROMETHEUS-RELEASE", "ServiceMonitor": "YOUR-PROMETHEUS-RELEASE"}


def test_there_are_commands_in_the_documents() -> None:
    """So that the tests above don't pass for want of examples."""
    assert len(commands()) >= 4
    assert len(fences("yaml", "# values.yaml\n")) >= 10


def test_as_a_dependency_its_values_are_below_its_name(helm: Helm, tmp_path: Path) -> None:
    """With the Chart.yaml of install.md: values reach it, `global` is let through, and it can be switched off."""
    platform = umbrella(tmp_path, {})
    helm.run("dependency", "build", str(platform))
    values = {"global": {"anything": 1}, "remediator": {"enabled": True, "prometheus": {"url": _URL}, "replicas": 2}}
    names = {
        (found["kind"], found["metadata"]["name"]) for found in helm.template(platform, values=[values], name="all")
    }
    assert {("Deployment", "all-remediator"), ("PodDisruptionBudget", "all-remediator")} <= names
    assert helm.template(platform, values=[{"remediator": {"enabled": False}}], name="all") == []


def test_null_takes_an_id_away_also_from_a_dependency(helm: Helm, tmp_path: Path) -> None:
    """By a file of values with both; in the values.yaml of the chart around it with Helm 3 alone: see install.md."""
    nulls = {"runAsUser": None, "runAsGroup": None, "fsGroup": None}
    values = {"remediator": {"enabled": True, "prometheus": {"url": _URL}, "podSecurityContext": nulls}}
    platform = umbrella(tmp_path, values)
    helm.run("dependency", "build", str(platform))
    assert not set(nulls) & set(pod_security(helm.template(platform, values=[values])))
    assert bool(set(nulls) & set(pod_security(helm.template(platform)))) == (helm.version == 4)


def umbrella(tmp_path: Path, values: Json) -> Path:
    """A chart around ours, by the example of install.md, with these values of its own."""
    (block,) = (block.values[0] for block in fences("yaml", "# Chart.yaml\n"))
    described = yaml.safe_load(block)
    described["dependencies"][0]["repository"] = f"file://{CHART}"
    platform = tmp_path / "platform"
    (platform / "templates").mkdir(parents=True)
    (platform / "Chart.yaml").write_text(yaml.safe_dump(described), "utf-8")
    (platform / "values.yaml").write_text(yaml.safe_dump(values), "utf-8")
    return platform


@pytest.mark.parametrize("block", fences("yaml", "# prometheus.yml\n"))
def test_prometheus_takes_the_configuration(block: str, tmp_path: Path) -> None:
    """Nothing is wrong with what a plain Prometheus is told to scrape."""
    file = tmp_path / "prometheus.yml"
    # promtool looks for the files of a pod's account.
    file.write_text(block.replace("/var/run/secrets/kubernetes.io/serviceaccount", str(tmp_path)), "utf-8")
    (tmp_path / "token").touch()
    command = [str(ensure("prometheus")["promtool"]), "check", "config", "--lint=all", "--lint-fatal", str(file)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def notes(helm4: Helm, *flags: str) -> str:
    """What Helm 4 prints after an installation of `night-watch` in `ops`; Helm 3 wants a cluster for this."""
    place = ("install", "night-watch", str(CHART), "--dry-run=client", "-n", "ops")
    return helm4.run(*place, "--set", f"prometheus.url={_URL}", *flags).partition("\nNOTES:\n")[2]


def test_the_notes_name_what_was_installed(helm4: Helm) -> None:
    """Whatever the release is called, each command names its objects and its namespace."""
    kubectl = [line.strip() for line in notes(helm4).splitlines() if line.strip().startswith("kubectl")]
    assert kubectl
    assert all("-n ops " in line for line in kubectl)
    assert all("night-watch" in line for line in kubectl)


def test_the_notes_say_how_alerts_are_switched_on(helm4: Helm) -> None:
    """Who has no rules is told the values for them, with the operator and without; who has some is not."""
    said = notes(helm4)
    assert all(name in said for name in ("rules.enabled", "rules.labels", "rules.kind to ConfigMap", "docs/alerts.md"))
    assert "rules.labels" not in notes(helm4, "--set", "rules.enabled=true")


@pytest.mark.parametrize(
    ("given", "warned"),
    [
        ("rules.enabled=true", True),
        ("rules.enabled=true,rules.kind=ConfigMap", True),
        ("rules.enabled=true,rules.alerts.RemediatorDown.severity=page", True),
        ("rules.enabled=true,rules.alerts.RemediatorDown.enabled=false", False),
        ("rules.enabled=true,rules.remediator.enabled=false,rules.etcd.enabled=true", False),
        ("rules.enabled=true,serviceMonitor.enabled=true", False),
        ("rules.enabled=false", False),
    ],
)
def test_the_notes_warn_of_an_alert_that_nothing_ends(helm4: Helm, given: str, *, warned: bool) -> None:
    """Rules about a daemon whom the chart has nobody scrape: RemediatorDown is named, with the job that it wants."""
    said = notes(helm4, "--set", given)
    assert ("the alert RemediatorDown will fire" in said) == warned
    assert ('namespace="ops",job="remediator"' in said) == warned


def test_the_notes_warn_of_the_daemons_own_token_without_tls(helm4: Helm) -> None:
    """A token that the API server takes too is not to be sent in the clear; one for another audience may be."""
    own = "prometheus.auth.serviceAccountToken"
    assert _URL.startswith("http:")
    assert "goes to Prometheus without TLS" in notes(helm4, "--set", f"{own}.enabled=true")
    for safe in (f"{own}.audience=thanos", "prometheus.url=https://prometheus"):
        assert "without TLS" not in notes(helm4, "--set", f"{own}.enabled=true,{safe}")


@pytest.mark.parametrize(
    ("named", "given", "warned"),
    [
        ("[shop, mq]", "[mq]", True),
        ("[shop, mq]", "[mq, shop, more]", False),
        ("shop", "[shop]", False),
        ('["team-.*"]', "[team-a]", True),
        ("[]", "[shop]", True),
        ("[shop]", "[]", True),
    ],
)
def test_the_notes_warn_of_exec_hooks_without_their_right(
    helm4: Helm, tmp_path: Path, named: str, given: str, *, warned: bool
) -> None:
    """A policy whose commands would be refused in some of its namespaces is named, and no other."""
    match = "" if named == "[]" else f"match: {{namespaces: {named}}}, "
    hooks = "before: [{exec: {container: a, command: [b]}}]"
    file = tmp_path / "values.yaml"
    file.write_text(
        f"policy: {{policies: [{{name: drained, {match}threshold: 1Gi, {hooks}}}, {{name: other, threshold: 1Gi}}]}}\n"
        f"rbac: {{exec: {{enabled: {str(given != '[]').lower()}, namespaces: {given}}}}}\n"
    )
    said = notes(helm4, "--values", str(file))
    assert ("WARNING: drained: `exec` hooks" in said) == warned
    assert "WARNING: other" not in said
