"""Values and names that people give: what YAML takes for a number, keys with nothing behind them, labels of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from tests.chart.charts import CHART, VALUES
from tests.rig.api import Json
from tests.rig.helm import Helm, HelmError, Values

MINIMAL = VALUES["minimal"]
DEFAULTS: Mapping[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
REFERENCES: Mapping[str, Any] = {
    "prometheus": {
        "headers": {"secret": "1e3", "key": "on"},
        "tls": {"ca": {"secret": "0x10"}, "client": {"secret": "007"}},
        "auth": {"basic": {"secret": "123", "usernameKey": "yes"}},
    },
    "priorityClassName": "12",
    "serviceAccount": {"name": "0"},
    "serviceMonitor": {"enabled": True, "namespace": "99"},
    "rbac": {"exec": {"enabled": True, "namespaces": ["8"]}, "actions": ["evict", "surge", "delete"]},
}


@pytest.mark.parametrize(
    "word", ["123", "1e3", "0x10", "0o14", "012", "1-1-1", "2001-12-14", "on", "y", "true", "null"]
)
def test_a_name_that_yaml_takes_for_something_else_stays_text(helm4: Helm, word: str) -> None:
    """Release, namespace, objects and Secrets may be called like a number or a truth value."""
    wrong = []
    values: list[Values] = [MINIMAL, REFERENCES, {"fullnameOverride": word, "nameOverride": word}]
    for found in helm4.template(CHART, values=values, name=word, namespace=word):
        assert found["metadata"].get("namespace", word) in {word, "8", "99"}
        wrong += [path for path, value in _leaves(found) if _is_a_name(path) and not isinstance(value, str)]
    assert wrong == []


def _is_a_name(path: str) -> bool:
    word = r"(name|namespace|secretName|serviceAccountName|priorityClassName|key|(matchN|resourceN)ames\[\d+\])"
    return bool(re.search(rf"\.{word}$|\.(labels|matchLabels|annotations)\.", path))


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 (an object holds anything)
    """Each plain value of an object with the way to it."""
    if isinstance(node, dict):
        for key, inner in node.items():
            yield from _leaves(inner, f"{path}.{key}")
    elif isinstance(node, list):
        for number, inner in enumerate(node):
            yield from _leaves(inner, f"{path}[{number}]")
    else:
        yield path, node


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"admissionPolicy": {"enabled": None}}, "- at '/admissionPolicy': missing property 'enabled'"),
        (
            {"networkPolicy": {"enabled": True, "apiServer": None}},
            "- at '/networkPolicy': missing property 'apiServer'",
        ),
        (
            {"networkPolicy": {"enabled": True, "apiServer": {"ports": None}}},
            "- at '/networkPolicy/apiServer': missing property 'ports'",
        ),
        ({"networkPolicy": {"prometheus": None}}, "- at '/networkPolicy': missing property 'prometheus'"),
        ({"leaderElection": None}, "- at '': missing property 'leaderElection'"),
        ({"http": {"host": None}}, "- at '/http': missing property 'host'"),
    ],
)
def test_a_key_with_nothing_behind_it_takes_no_default_away(helm: Helm, values: Any, said: str) -> None:  # noqa: ANN401
    """What guards, and what the daemon is told, can't be lost by a line that was left empty: its place is named."""
    with pytest.raises(HelmError) as refused:
        helm.template(CHART, values=[MINIMAL, values])
    assert [line for line in refused.value.said.splitlines() if line.startswith("- ")] == [said]


def test_a_policy_with_nothing_behind_it_is_asked_for(helm: Helm) -> None:
    """Without a policy, and without a ConfigMap of one's own, there is nothing to install."""
    with pytest.raises(HelmError, match="policy is empty: write one"):
        helm.template(CHART, values=[MINIMAL, {"policy": None}])


def test_the_way_out_that_an_error_names_is_one(helm: Helm) -> None:
    """Who has a policy of his own is told which actions to name, also for none of them, and Helm takes it so."""
    own = {"existingPolicyConfigMap": "team-policy"}
    with pytest.raises(HelmError) as refused:
        helm.template(CHART, values=[MINIMAL, own])
    ways = re.findall(r"(--set(?:-json)?) '(rbac\.actions=[^']*)'", refused.value.said)
    given = [
        {found["metadata"]["name"].partition("-")[2] for found in helm.template(CHART, values=[MINIMAL, own], more=way)}
        for way in ways
    ]
    assert [{"evict", "surge", "delete"} & names for names in given] == [{"evict"}, set()]


def test_what_is_empty_as_it_comes_may_be_null(helm: Helm) -> None:
    """A map, a list or a text that is empty by default means the same with nothing behind its key."""
    empty = {key: None for key, value in DEFAULTS.items() if value in ("", [], {})}
    assert {"podLabels", "podAnnotations", "commonLabels", "commonAnnotations", "tolerations"} <= set(empty)
    assert helm.template(CHART, values=[MINIMAL, empty]) == helm.template(CHART, values=[MINIMAL])


@pytest.mark.parametrize("label", ["app.kubernetes.io/instance", "remediator.dev/part-of"])
@pytest.mark.parametrize("where", ["commonLabels", "podLabels"])
def test_no_label_may_take_the_place_of_one_that_is_selected_by(helm4: Helm, where: str, label: str) -> None:
    """A label of the user's with the name of one of ours is refused at its place."""
    place = re.escape(label.replace("/", "~1"))
    with pytest.raises(HelmError, match=rf"- at '/{where}/{place}': false schema"):
        helm4.template(CHART, values=[MINIMAL, {where: {label: "mine"}}])


@pytest.mark.parametrize(
    ("names", "twice"),
    [
        (["TZ", "REMEDIATOR_LOG_LEVEL"], "REMEDIATOR_LOG_LEVEL"),
        (["REMEDIATOR_HTTP_ADDRESS"], "REMEDIATOR_HTTP_ADDRESS"),
        (["TZ", "LANG", "TZ"], "TZ"),
    ],
)
def test_no_variable_is_set_twice(helm: Helm, names: list[str], twice: str) -> None:
    """One of the chart's own, or one that is there twice, is refused by its name; a setting without a value is not."""
    one = {"name": "REMEDIATOR_MATCHERS", "value": 'cluster="a"'}
    (deployment,) = helm.template(
        CHART, values=[MINIMAL, {"extraEnv": [one]}], more=["--show-only", "templates/deployment.yaml"]
    )
    assert one in deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    with pytest.raises(HelmError, match=f"extraEnv: {twice} is there twice, or is set by the chart"):
        helm.template(CHART, values=[MINIMAL, {"extraEnv": [{"name": name, "value": "x"} for name in names]}])


def test_daemons_that_must_keep_apart_can_be_replaced_on_as_many_nodes(helm4: Helm) -> None:
    """Where each node has one and none may have two, an old one goes first; else the new one comes first."""

    def strategy(**values: object) -> object:
        rendered = helm4.template(CHART, values=[MINIMAL, values], more=["--show-only", "templates/deployment.yaml"])
        return rendered[0]["spec"].get("strategy")

    assert strategy(replicas=2, antiAffinity="hard") == {"rollingUpdate": {"maxUnavailable": 1}}
    for replicas, antiaffinity in ((1, "hard"), (2, "soft"), (2, "none")):
        assert strategy(replicas=replicas, antiAffinity=antiaffinity) is None


def test_the_pods_default_container_can_be_another(helm4: Helm) -> None:
    """An annotation of the user's goes over ours, and stands there once."""
    key = "kubectl.kubernetes.io/default-container"
    rendered = helm4.render(CHART, values=[MINIMAL, {"podAnnotations": {key: "sidecar"}}])
    assert re.findall(rf"{key}: (\S+)", rendered) == ["sidecar"]


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"image": {"tag": "0.1.0+build"}}, "/image/tag"),
        ({"image": {"registry": "registry.example.com/"}}, "/image/registry"),
        ({"image": {"repository": "re mediator"}}, "/image/repository"),
        ({"nameOverride": "Guard"}, "/nameOverride"),
        ({"fullnameOverride": 'x" || true || "'}, "/fullnameOverride"),
        ({"prometheus": {"url": "https://me:secret@prometheus"}}, "/prometheus/url"),
        ({"prometheus": {"url": "https://prometheus?dedup=true"}}, "/prometheus/url"),
        ({"prometheus": {"timeout": ""}}, "/prometheus/timeout"),
        ({"prometheus": {"scrapeInterval": "0s"}}, "/prometheus/scrapeInterval"),
        ({"leaderElection": {"leaseDuration": "19s"}}, "/leaderElection/leaseDuration"),
        ({"prometheus": {"auth": {"token": {"secret": "a", "key": ""}}}}, "/prometheus/auth/token/key"),
        ({"http": {"host": "::"}}, "/http/host"),
        ({"blackbox": {"image": {"repository": "blackbox exporter"}}}, "/blackbox/image/repository"),
        ({"relay": {"persistence": {"size": "large"}}}, "/relay/persistence/size"),
    ],
)
def test_what_no_pod_would_start_with_is_refused(helm4: Helm, values: Any, place: str) -> None:  # noqa: ANN401
    """Helm names the value, before a pod waits for an image or the daemon for a setting that can't be."""
    with pytest.raises(HelmError, match=rf"- at '{place}': "):
        helm4.template(CHART, values=[MINIMAL, values])


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"blackbox": {"ingress": {"hosts": [""]}}}, "/blackbox/ingress/hosts/0"),
        ({"probes": {"ingresses": {"namespaces": [""]}}}, "/probes/ingresses/namespaces/0"),
        ({"probes": {"services": {"namespaces": [""]}}}, "/probes/services/namespaces/0"),
        ({"events": {"namespaces": ["shop", ""]}}, "/events/namespaces/1"),
        ({"rbac": {"namespaces": [""]}}, "/rbac/namespaces/0"),
    ],
)
def test_an_empty_name_in_a_list_is_not_all_of_them(helm4: Helm, values: Any, place: str) -> None:  # noqa: ANN401
    """What a template of somebody else left empty would be every host, or every namespace."""
    with pytest.raises(HelmError, match=rf"- at '{place}': "):
        helm4.template(CHART, values=[MINIMAL, values])


@pytest.mark.parametrize(
    ("tag", "limited"),
    [
        ("v0.17.2.1", False),
        ("0.17.2_x", False),
        ("v0.20.0.1", True),
        ("0.20.1_x", True),
        ("v0.20.0-.", True),
        ("2026.01.15", True),
        (f"0.19.{'9' * 40}", False),
        (f"{'9' * 40}.1.1", False),
    ],
)
def test_a_tag_that_begins_like_a_version_is_no_error(helm: Helm, tag: str, *, limited: bool) -> None:
    """A registry's own build of mysqld_exporter is judged by its three numbers, whatever stands behind them."""
    mysqld = {"servers": {"shop": {"address": "db.test:3306", "secret": "db"}}, "image": {"tag": tag}}
    rendered = helm.template(CHART, values=[MINIMAL, {"mysqld": mysqld}])
    (container,) = (
        container
        for one in rendered
        if one["kind"] == "Deployment" and one["metadata"]["name"].endswith("-mysqld-shop")
        for container in one["spec"]["template"]["spec"]["containers"]
    )
    assert container["image"].endswith(f":{tag}")
    assert ("--exporter.max_open_connections=1" in container["args"]) == limited


@pytest.mark.parametrize("labels", [{"team.example.com/name": "a"}, {"team-name": "a"}, {"": "a"}])
def test_labels_of_series_are_named_as_prometheus_wants_them(helm4: Helm, labels: Json) -> None:
    """Of one name that it does not take Prometheus would refuse its whole configuration; a value may be any text."""
    probes: dict[str, Any] = {"dns": {"labels": labels}}
    with pytest.raises(HelmError, match=r"- at '/probes/dns/labels'"):
        helm4.template(CHART, values=[MINIMAL, {"probes": probes}])
    probes["dns"] = {"labels": {"team": "ops & \u5c71"}, "enabled": True}
    rendered = helm4.template(CHART, values=[MINIMAL, {"probes": probes, "blackbox": {"enabled": True}}])
    (probe,) = [one for one in rendered if one["kind"] == "Probe"]
    assert probe["spec"]["targets"]["staticConfig"]["labels"]["team"] == "ops & \u5c71"


@pytest.mark.parametrize(
    ("workload", "place"),
    [
        ({"apiGroup": "*", "resource": "secrets"}, "apiGroup"),
        ({"apiGroup": "", "resource": "secrets"}, "apiGroup"),
        ({"apiGroup": "argoproj.io", "resource": "*"}, "resource"),
        ({"apiGroup": "argoproj.io", "resource": "rollouts/status"}, "resource"),
    ],
)
def test_no_workload_is_a_way_to_everything(helm4: Helm, workload: Json, place: str) -> None:
    """What is named as a controller of pods is one kind of one group, and never one of the core's, such as Secrets."""
    with pytest.raises(HelmError, match=rf"- at '/rbac/workloads/0/{place}': "):
        helm4.template(CHART, values=[MINIMAL, {"rbac": {"workloads": [workload]}}])
