"""The chart's values.schema.json: made from comments, closed, and with room for what charts are given from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import re2
import yaml
from jsonschema import Draft7Validator

from generate import values
from generate.errors import GenerateError
from generate.forms import FORMS
from remediator.policy.durations import parse_duration
from remediator.settings import SHORTEST_LEASE
from tests.unit.chart import CHART, SCHEMA, complaints


@pytest.mark.parametrize("path", sorted((CHART / "ci").glob("*-values.yaml")), ids=lambda path: path.stem)
def test_the_values_that_the_chart_is_tried_with_pass(path: Path) -> None:
    """What each file under ci/ writes is allowed."""
    assert complaints(yaml.safe_load(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "over",
    [
        {},
        {"global": {"imageRegistry": "registry.example.com"}, "enabled": True},
        {"policy": {"safety": {"paused": True}}},
        {"policy": {"defaults": {"action": "surge", "cooldown": "1h"}}},
        {"podSecurityContext": {"runAsUser": None, "fsGroup": 1000}},
        {"resources": {"limits": {"memory": "1Gi", "cpu": 2}, "requests": None}},
        {"podLabels": {"team": "sre"}, "podAnnotations": {"example.com/json": '{"a": 1}'}},
        {"extraEnv": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]},
        {"affinity": {"podAntiAffinity": {}}, "nodeSelector": {"kubernetes.io/arch": "arm64"}},
        {"rbac": {"actions": ["evict"], "namespaces": ["team-a", "team-b"]}},
    ],
    ids=json.dumps,
)
def test_what_people_may_write(over: object) -> None:
    """Free maps are free, an umbrella chart's keys are let in, and the policy may be written in parts."""
    assert complaints(over) == []


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"repilcas": 2}, "$: Additional properties are not allowed ('repilcas' was unexpected)"),
        ({"image": {"digets": ""}}, "$.image: Additional properties are not allowed"),
        ({"replicas": "2"}, "$.replicas: '2' is not of type 'integer'"),
        ({"replicas": -1}, "$.replicas: -1 is less than the minimum of 0"),
        ({"image": {"pullPolicy": "always"}}, "$.image.pullPolicy: 'always' is not one of"),
        ({"image": {"digest": "sha256:12"}}, "$.image.digest: 'sha256:12' does not match"),
        ({"prometheus": {"url": "prometheus:9090"}}, "$.prometheus.url: 'prometheus:9090' does not match"),
        ({"prometheus": {"timeout": 30}}, "$.prometheus.timeout: 30 is not of type 'string'"),
        ({"prometheus": {"params": {"dedup": True}}}, "$.prometheus.params.dedup: True is not of type 'string'"),
        ({"podLabels": {"version": 1.5}}, "$.podLabels.version: 1.5 is not of type 'string'"),
        ({"commonLabels": {"stage": "pro duction"}}, "$.commonLabels.stage: 'pro duction' does not match"),
        ({"extraEnv": [{"name": "A", "value": 1}]}, "$.extraEnv[0].value: 1 is not of type 'string'"),
        ({"extraEnv": [{"name": "A", "vlaue": "1"}]}, "$.extraEnv[0]: Additional properties are not allowed"),
        ({"podSecurityContext": {"runAsNonRooot": True}}, "$.podSecurityContext: Additional properties are not"),
        ({"securityContext": {"capabilities": {"drop": "ALL"}}}, "$.securityContext.capabilities.drop: 'ALL' is not"),
        ({"rbac": {"actions": ["evict", "restart"]}}, "$.rbac.actions[1]: 'restart' is not one of"),
        ({"rbac": {"namespaces": ["team-.*"]}}, "$.rbac.namespaces[0]: 'team-.*' does not match"),
        ({"policy": {"safty": {}}}, "$.policy: Additional properties are not allowed ('safty' was unexpected)"),
        ({"policy": {"policies": []}}, "$.policy.policies: "),
        ({"policy": {"policies": None}}, "$.policy: 'policies' is a required property"),
        (
            {"policy": {"policies": [{"name": "a", "threshold": "20G i"}]}},
            "$.policy.policies[0].threshold: '20G i' does not match",
        ),
        (
            {"policy": {"policies": [{"name": "a", "threshold": "1Gi", "windows": [{"from": 60, "to": "05:00"}]}]}},
            "$.policy.policies[0].windows[0].from: 60 is not of type 'string'",
        ),
    ],
    ids=json.dumps,
)
def test_what_is_refused(over: object, said: str) -> None:
    """A slip of the pen is one complaint, at its place; so is a number where text is meant."""
    (complaint,) = complaints(over)
    assert complaint.startswith(said)


@pytest.mark.parametrize(("form", "least"), [("time", 1), ("lease", SHORTEST_LEASE)])
def test_durations_that_the_daemon_would_not_start_with_are_refused(form: str, least: int) -> None:
    """Each form takes what is long enough, in whatever units it is written, and nothing else."""
    pattern = re2.compile(FORMS[form]["pattern"])
    numbers = ("", "0", "00", "1", "9", "10", "19", "020", "20", "59", "100")
    written = {
        f"{day}{hour}{minute}{number}{number and 's'}"
        for day in ("", "0d", "1d")
        for hour in ("", "00h", "02h")
        for minute in ("", "0m", "1m", "010m")
        for number in numbers
    } - {""}
    assert {text for text in written if pattern.fullmatch(text)} == {
        text for text in written if parse_duration(text) >= least
    }
    for text in ("", "s", "20", "-20s", "20s ", "1m 20s", "20s1m", "20S", "20.5s", "20000ms", "1w"):
        assert not pattern.fullmatch(text), text


def test_the_policy_is_that_of_the_loader() -> None:
    """The schema of `policy` is the policy file's whole one, with the chart's text."""
    policy = {key: value for key, value in SCHEMA["properties"]["policy"].items() if key != "description"}
    assert policy == {key: value for key, value in FORMS["policy"].items() if key != "description"}


def test_every_mapping_is_closed_or_says_what_it_holds() -> None:
    """No object of the schema is open by oversight: it has properties and nothing else, or says what it is free for."""

    def look(node: Any, path: str) -> None:  # noqa: ANN401 (a schema holds anything)
        if isinstance(node, dict):
            if "properties" in node and node.get("type") == "object" and not path.endswith("extraVolumes.items"):
                assert node.get("additionalProperties") is False, path
            for key, inner in node.items():
                look(inner, f"{path}.{key}")

    look({key: value for key, value in SCHEMA["properties"].items() if key != "policy"}, "")
    assert SCHEMA["additionalProperties"] is False


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_form_is_a_schema_whose_patterns_all_engines_read(name: str) -> None:
    """Each shared form is a schema of draft 7, and its patterns are Go's as well."""
    Draft7Validator.check_schema(FORMS[name])

    def look(node: Any) -> None:  # noqa: ANN401
        if isinstance(node, dict):
            if isinstance(node.get("pattern"), str):
                re2.compile(node["pattern"])
            for inner in node.values():
                look(inner)

    look(FORMS[name])


def test_comments_become_a_schema() -> None:
    """Types come from values, keywords from `@schema`, texts from `--`; what is shared is put in its place."""
    made = values.schema(
        """\
# About the chart.

web:
  # @schema minimum: 1
  # @schema maximum: 10
  # -- How many,
  # in words.
  # @default -- as many as there are nodes
  replicas: 2
# @schema $ref: port, minimum: 1024
# -- A port.
port: 8080
# @schema type: [integer, "null"]
# -- A user.
user: null
# @schema items: {$ref: name}, minItems: 0
# -- Names.
names: []
# @schema additionalProperties: {type: string}
open:
  # -- A key of ours.
  ours: ""
""",
        file="values.yaml",
        chart="web",
    )
    assert made["title"] == "Values of the chart web"
    assert made["properties"]["web"] == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "replicas": {
                "type": "integer",
                "default": 2,
                "minimum": 1,
                "maximum": 10,
                "description": "How many, in words.",
            }
        },
        "required": ["replicas"],
    }
    # What is empty may be missing: nothing is lost by it. A mapping with keys is looked into, and may not.
    assert made["required"] == ["web", "port", "open"]
    assert made["properties"]["port"] == {**FORMS["port"], "default": 8080, "minimum": 1024, "description": "A port."}
    assert made["properties"]["user"] == {"type": ["integer", "null"], "description": "A user."}
    assert made["properties"]["names"]["items"] == FORMS["name"]
    assert made["properties"]["open"]["additionalProperties"] == {"type": "string"}
    assert made["properties"]["open"]["properties"]["ours"] == {"type": "string", "description": "A key of ours."}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1", "values.yaml:1: a has no description; write `# -- What it is for.` above it"),
        ("# -- A.\n\na: 1", "values.yaml:3: a has no description"),
        ("# -- A.\na: []", "values.yaml:2: a list does not say what its items are"),
        ("# -- A.\na: {}", "values.yaml:2: an empty mapping does not say what it may hold"),
        ("# -- A.\na: null", "values.yaml:2: null does not say what else it may be"),
        ("# @schema minimun: 1\n# -- A.\na: 1", "values.yaml:1: JSON Schema has no keyword minimun"),
        ("# @schema {\n# -- A.\na: 1", "values.yaml:1: `{` can't be read"),
        ("# @schema $ref: prot\n# -- A.\na: 1", "values.yaml:3: there is no form prot; there are affinity"),
        ("# @schema minimum: 2\n# -- A.\na: 1", "values.yaml:3: a: its own schema refuses the default: 1 is less"),
        ("# @schema minimum: many\n# -- A.\na: 1", "values.yaml:3: what is said of a is no JSON Schema"),
        ("# -- A.\n# @schema minimum: 1\na: 1", "values.yaml:2: `# @schema` has to stand above `# --`"),
        ("- a", "values.yaml: values are a mapping"),
    ],
)
def test_a_fault_in_the_comments_is_named(text: str, fault: str) -> None:
    """What can't become a schema stops the generating, with the line and what to write."""
    with pytest.raises(GenerateError) as refused:
        values.schema(text, file="values.yaml", chart="web")
    assert str(refused.value).startswith(fault)
