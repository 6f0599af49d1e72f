"""The policy in the chart's values: what Helm refuses, and that it arrives in the ConfigMap as it was written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from remediator.model.hooks import HttpCall
from remediator.policy import parse
from tests.rig.helm import Helm, HelmError

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "remediator"
EXEC = ("--set", "rbac.exec.enabled=true", "--set", "rbac.exec.namespaces={team-a}")
_FENCE = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def policy_of(helm: Helm, values: str, folder: Path, *arguments: str) -> str:
    """The policy file in the ConfigMap that the chart renders with these values. Raises `HelmError`."""
    given = folder / "values.yaml"
    given.write_text(values, "utf-8")
    more = ["--set", "prometheus.url=http://prometheus.test:9090", "--show-only", "templates/policy.yaml", *arguments]
    (config_map,) = helm.template(CHART, values=[given], more=more)
    text: str = config_map["data"]["policy.yaml"]
    return text


def indented(text: str) -> str:
    """A policy file as the value `policy`."""
    return "policy:\n" + "".join(f"  {line}\n" for line in text.splitlines())


def test_the_policy_arrives_as_it_was_written(helm: Helm, tmp_path: Path) -> None:
    """The documents' example with every field means the same in the ConfigMap as in a file."""
    found = _FENCE.search((ROOT / "docs" / "policy.md").read_text("utf-8").partition("## An example with every")[2])
    assert found is not None
    arrived = parse(policy_of(helm, indented(found[1]), tmp_path, *EXEC), sample_interval=30)
    straight = parse(found[1], sample_interval=30)
    assert arrived.safety == straight.safety
    # Which line a policy stands on is another one.
    assert [{**vars_of(one), "line": 0} for one in arrived.policies] == [
        {**vars_of(one), "line": 0} for one in straight.policies
    ]


def vars_of(policy: Any) -> dict[str, Any]:  # noqa: ANN401
    """The fields of a frozen policy."""
    return {name: getattr(policy, name) for name in policy.__dataclass_fields__}


TEXTS = [
    *("yes", "no", "on", "off", "y", "n", "true", "null", "~", "Null", "", " ", "1", "01", "0x10", "0o14", "0b1"),
    *("1e3", "1_000", ".5", "5.", "+1", "-1", ".inf", ".NaN", "22:00", "1:20:30", "2001-12-14", "<<", "=", "!x", "&a"),
    *("*a", "@a", "`a`", "%a", "- a", "? a", ": a", "a: b", "a #b", "#a", "{a}", "[a]", "|", ">", "'", '"', "\\", "$a"),
    *(
        "${a}",
        "{{ .Values.x }}",
        "{{`{{`}}",
        "\t",
        "a\nb",
        "a\n",
        "\na",
        "é",
        "雪",
        "\U0001f600",
        "x" * 300,
        "a\u00a0b",
    ),
]


def test_odd_texts_arrive_byte_for_byte(helm: Helm, tmp_path: Path) -> None:
    """What YAML could take for something else, and Helm's own braces, come out of the ConfigMap as they went in."""
    policy = {"name": "a", "threshold": "1Gi", "before": [{"http": {"port": 1, "path": "/", "body": TEXTS}}]}
    text = policy_of(helm, json.dumps({"policy": {"policies": [policy]}}, ensure_ascii=False), tmp_path)
    (hook,) = parse(text, sample_interval=30).policies[0].before
    assert isinstance(hook.call, HttpCall)
    assert json.loads(hook.call.body) == TEXTS


def test_parts_of_the_policy_keep_the_rest(helm: Helm, tmp_path: Path) -> None:
    """To write `safety` alone leaves the chart's own policies; to write policies replaces them all."""
    paused = parse(policy_of(helm, "policy: {safety: {paused: true}}", tmp_path), sample_interval=30)
    assert paused.safety.paused
    assert [policy.name for policy in paused.policies] == ["everyone"]
    other = parse(policy_of(helm, "policy: {policies: [{name: web, threshold: 1Gi}]}", tmp_path), sample_interval=30)
    assert [policy.name for policy in other.policies] == ["web"]
    timed = parse(
        policy_of(
            helm, "policy: {policies: [{name: web, threshold: 1Gi, windows: [{from: 22:00, to: 05:00}]}]}", tmp_path
        ),
        sample_interval=30,
    )
    assert str(timed.policies[0].windows[0]) == "every day 22:00-05:00 (UTC)"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("repilcas: 2", "- at '': additional properties 'repilcas' not allowed"),
        ("extraEnv: [{name: A, value: 1}]", "- at '/extraEnv/0/value': got number, want string"),
        ("policy: {safty: {}}", "- at '/policy': additional properties 'safty' not allowed"),
        ("policy: {policies: null}", "- at '/policy': missing property 'policies'"),
        ("policy: {policies: [{name: a}]}", "- at '/policy/policies/0': missing property 'threshold'"),
        (
            "policy: {policies: [{name: a, threshold: 20}]}",
            "- at '/policy/policies/0/threshold': got number, want string",
        ),
        (
            "policy: {policies: [{name: a, threshold: 1Gi, action: restart}]}",
            "- at '/policy/policies/0/action': value must be one of 'evict', 'surge', 'delete', 'notify'",
        ),
        (
            "policy: {policies: [{name: a, threshold: 1Gi, every: 1m, cron: 0 2 * * *}]}",
            "- at '/policy/policies/0/cron': false schema",
        ),
    ],
)
def test_helm_refuses_a_slip_of_the_pen(helm: Helm, tmp_path: Path, values: str, said: str) -> None:
    """A wrong value stops Helm with one line that names its place."""
    with pytest.raises(HelmError) as refused:
        policy_of(helm, values, tmp_path)
    assert [line for line in refused.value.said.splitlines() if line.startswith("- ")] == [said]


def test_helm_lets_in_what_an_umbrella_chart_gives(helm: Helm, tmp_path: Path) -> None:
    """`global` and `enabled` are no errors."""
    assert policy_of(helm, "{global: {a: {b: 1}}, enabled: true}", tmp_path)
