"""The PrometheusAlert relay as the chart makes it, and the templates for it. The program itself does not run here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.rig.helm import Helm, HelmError
from tests.stack.beside import CHART, as_helm_has_it, objects, written
from tests.stack.files import read
from tests.stack.messages import LONG, NASTY, alert, message, nasty

FILES = CHART / "files" / "relay"
TEMPLATES = sorted(path.name for path in FILES.glob("*.tmpl"))
ON: dict[str, Any] = {"relay": {"enabled": True, "secret": "relay-conf"}}


@pytest.fixture(scope="module")
def relay(helm: Helm) -> dict[str, Any]:
    """The chart with the relay, and with everything that selects pods."""
    more = {
        "serviceMonitor": {"enabled": True},
        "replicas": 2,
        "events": {"enabled": True, "secret": {"name": "robot"}},
    }
    return objects(helm, {**ON, **more})


def test_it_is_off_by_default(helm: Helm) -> None:
    """Neither the relay nor kube-eventer is there unless somebody asks for it."""
    assert not [name for name in objects(helm, {}) if re.search(r"relay|events", name)]


def test_it_wants_its_secret(helm: Helm) -> None:
    """Without the Secret it would run with the password that everybody knows."""
    with pytest.raises(HelmError, match=r"relay\.enabled needs relay\.secret"):
        objects(helm, {"relay": {"enabled": True}})


def test_its_configuration_is_the_secret_and_nothing_else(relay: dict[str, Any]) -> None:
    """No variable PA_… is set, and none can come from Services of the namespace: sed would put them into app.conf."""
    pod = relay["Deployment/remediator-relay"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert "env" not in container
    assert "envFrom" not in container
    assert pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is False
    (mounted,) = [volume for volume in pod["volumes"] if "secret" in volume]
    assert mounted["secret"]["secretName"] == "relay-conf"


def test_its_volume_is_let_go_before_it_is_taken(relay: dict[str, Any]) -> None:
    """A volume for one node, and the old pod ends before the new one begins."""
    assert relay["Deployment/remediator-relay"]["spec"]["strategy"] == {"type": "Recreate"}
    assert relay["Deployment/remediator-relay"]["spec"]["replicas"] == 1
    assert relay["PersistentVolumeClaim/remediator-relay"]["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_a_claim_that_is_there_is_taken(helm: Helm) -> None:
    """Nobody makes a second one then."""
    values = {"relay": {**ON["relay"], "persistence": {"existingClaim": "kept"}}}
    found = objects(helm, values)
    assert "PersistentVolumeClaim/remediator-relay" not in found
    volumes = found["Deployment/remediator-relay"]["spec"]["template"]["spec"]["volumes"]
    assert [one["persistentVolumeClaim"]["claimName"] for one in volumes if "persistentVolumeClaim" in one] == ["kept"]


def test_only_alertmanager_reaches_it(relay: dict[str, Any]) -> None:
    """Though `networkPolicy.enabled` is false: it knows no password, and calls any address that it is given."""
    policy = relay["NetworkPolicy/remediator-relay"]["spec"]
    (rule,) = policy["ingress"]
    assert rule["from"] == alertmanager_in("remediator")
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {53, 443}
    assert policy["podSelector"]["matchLabels"].items() <= labels(relay["Deployment/remediator-relay"]).items()
    assert relay["Service/remediator-relay"]["spec"]["type"] == "ClusterIP"


def alertmanager_in(namespace: str) -> list[dict[str, Any]]:
    """The one peer of a NetworkPolicy that lets in Alertmanager's pods there."""
    return [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "alertmanager"}},
        }
    ]


@pytest.mark.parametrize(
    ("own", "let_in"),
    [
        ({"alertmanagerNamespace": "monitoring"}, alertmanager_in("monitoring")),
        ({"alertmanagerNamespace": "007"}, alertmanager_in("007")),
        ({"from": None}, alertmanager_in("remediator")),
        ({"from": [{"podSelector": {}}], "alertmanagerNamespace": "monitoring"}, [{"podSelector": {}}]),
    ],
)
def test_alertmanager_is_let_in_from_one_namespace(helm: Helm, own: dict[str, Any], let_in: list[Any]) -> None:
    """A label alone lets in nobody, since anybody may give it to a pod of his; never is it open to all."""
    found = objects(helm, {"relay": {**ON["relay"], "networkPolicy": own}})
    (rule,) = found["NetworkPolicy/remediator-relay"]["spec"]["ingress"]
    assert rule["from"] == let_in


def labels(workload: Mapping[str, Any]) -> dict[str, str]:
    """The labels of a workload's pods."""
    found: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return found


def test_nobody_meets_anothers_pods(relay: dict[str, Any]) -> None:
    """What selects the daemon's pods selects none of these, and the other way round; each selects its own."""
    pods = {name: labels(one) for name, one in relay.items() if name.startswith("Deployment/")}
    assert len(pods) == 3
    for name, one in relay.items():
        kind, _, of = name.partition("/")
        spec = one.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector")
        if kind == "ServiceMonitor" or not selector:
            continue
        wanted = selector.get("matchLabels", selector)
        met = [pod for pod, has in pods.items() if wanted.items() <= has.items()]
        assert met == [f"Deployment/{of}"], name


@pytest.mark.parametrize("channel", ["feishu", "dingtalk", "wecom"])
def test_the_address_for_alertmanager(helm: Helm, channel: str) -> None:
    """It names the channel and the template, and nothing that would be a secret."""
    kind = {"feishu": "fs", "dingtalk": "dd", "wecom": "wx"}[channel]

    def address(**values: str) -> str:
        found = objects(helm, {"relay": {**ON["relay"], "channel": channel, **values}})
        said: str = found["Service/remediator-relay"]["metadata"]["annotations"]["remediator.dev/alertmanager-url"]
        return said

    base = f"http://remediator-relay.remediator.svc:8080/prometheusalert?type={kind}&tpl="
    assert address() == f"{base}prometheus-{kind}"
    assert address(template="our own & more") == f"{base}our+own+%26+more"


def test_the_stacks_file_has_that_address(relay: dict[str, Any]) -> None:
    """`relay.yaml` sends alerts where a release `remediator` takes them."""
    url = relay["Service/remediator-relay"]["metadata"]["annotations"]["remediator.dev/alertmanager-url"]
    for receiver in ("on-call", "critical"):
        assert read("relay.yaml")["alertmanager"]["receivers"][receiver]["webhook_configs"]["relay"]["url"] == url


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_alerts_carry_what_its_templates_read(helm: Helm, enabled: str) -> None:
    """`labels.level` is the severity while the relay is on, and not there while it is off; a description always is."""
    switch = ("--set", f"relay.enabled={enabled}")
    found = objects(helm, {**ON, "rules": {"enabled": True}}, more=switch)
    rules = [
        rule
        for name, one in found.items()
        if name.startswith("PrometheusRule/")
        for group in one["spec"]["groups"]
        for rule in group["rules"]
    ]
    assert len(rules) > 20
    for rule in rules:
        assert rule["labels"].get("level") == (rule["labels"]["severity"] if enabled == "true" else None)
        assert rule["annotations"]["description"]


def test_its_configuration_to_begin_with_holds_no_secret() -> None:
    """Passwords and addresses are left empty, nobody is mentioned, and JSON is read."""
    lines = [line for line in (FILES / "app.conf").read_text("utf-8").splitlines() if line and line[0] != "#"]
    found = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    assert {key: found[key] for key in ("login_password", "fsurl", "ddurl", "wxurl")} == dict.fromkeys(
        ("login_password", "fsurl", "ddurl", "wxurl"), ""
    )
    assert (found["copyrequestbody"], found["dd_isatall"], found["open-hotreload"]) == ("true", "0", "0")


def test_there_are_two_designs_in_two_languages() -> None:
    """Files to paste."""
    assert TEMPLATES == ["brief.en.tmpl", "brief.zh.tmpl", "full.en.tmpl", "full.zh.tmpl"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_says_what_where_and_whether_it_is_over(helm: Helm, tmp_path: Path, template: str) -> None:
    """The state in both words, since the relay chooses the card's colour by `firing` and `resolved` in the text."""
    text = as_helm_has_it((FILES / template).read_text("utf-8"))
    states = {"firing": ("Alert", "告警"), "resolved": ("Alert resolved", "告警恢复")}
    messages = [message(alert(resolved=state == "resolved")) for state in states]
    for (state, words), said in zip(states.items(), written(helm, tmp_path, text, *messages), strict=True):
        assert f"{words[template.endswith('.zh.tmpl')]} ({state}): " in said
        assert "A pod restarts again and again" in said
        assert "shop" in said
        assert "web-1" in said
    if template.startswith("full"):
        assert "(https://runbooks.test/KubePodCrashLooping)" in said
        assert ("2026-01-01T20:00:00" if template.endswith(".zh.tmpl") else "2026-01-01T12:00:00Z") in said


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_text_becomes_a_mention_or_a_link(helm: Helm, tmp_path: Path, template: str) -> None:
    """All three robots read the text as Markdown; an alert without a label or annotation is written as well."""
    text = as_helm_has_it((FILES / template).read_text("utf-8"))
    bare = message(alert() | {"labels": {}, "annotations": {}})
    # YAML, by which the texts come to Helm, has no control characters.
    messages = [message(nasty(bad)) for what, bad in NASTY.items() if what != "control"]
    for said in written(helm, tmp_path, text, bare, *messages):
        assert "<" not in said
        assert "[" not in said


@pytest.mark.parametrize("template", TEMPLATES)
def test_long_texts_are_cut(helm: Helm, tmp_path: Path, template: str) -> None:
    """One alert a message, and WeCom takes 4096 bytes."""
    text = as_helm_has_it((FILES / template).read_text("utf-8"))
    messages = [message(alert(summary=long, description=long)) for long in LONG.values()]
    for said in written(helm, tmp_path, text, *messages):
        assert len(said.encode()) <= 4096
        assert "…" in said
