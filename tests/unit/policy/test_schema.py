"""The JSON Schema of the policy file: closed, readable, and never stricter than the loader."""

from __future__ import annotations

import ast
import copy
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import re2
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from remediator.errors import PolicyError
from remediator.policy import PolicyFile, json_schema, parse, source
from remediator.policy.nodes import plain
from remediator.policy.schema import DIALECT

ROOT = Path(__file__).resolve().parents[3]
ROOTS_OF_TEXT = (ROOT / "tests", ROOT / "demo")

_FENCE = re.compile(r"^ *```yaml\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
ODD = [
    *(" ", "  ", "\t", "\n", "\r", "\x0b", "\x1f", "\x85", "\xa0", "\u2028", "\u3000", "\0", "\ufeff"),
    *("0", "00", "1", "9", "٣", "²", "+", "-", ".", ".0", "%", "/", "*", "@", "=", "?", "#", "m", "Ki", "i", "É"),
]
OTHERS: list[object] = [0, 1, 3.0, 2.5, -1, 10**6, True, False, "", " ", "1", "true", [], [""], ["a"], {}, {"a": 1}]


def _pattern(_: object, pattern: str, instance: object, __: object) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not re2.search(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


@cache
def validator() -> Any:  # noqa: ANN401 (jsonschema has no type for what `extend` makes)
    """The schema with patterns as Helm reads them: RE2, which knows fewer blanks and digits than Python."""
    return extend(Draft7Validator, {"pattern": _pattern})(json_schema())  # type: ignore[no-untyped-call]


def complaints(document: object) -> list[str]:
    """What the schema says against a document."""
    return [f"{error.json_path}: {error.message}" for error in validator().iter_errors(document)]


def loaded(document: object) -> PolicyFile | None:
    """What the loader makes of a document; None where it refuses it. JSON is YAML as well."""
    try:
        return parse(json.dumps(document), sample_interval=30)
    except PolicyError:
        return None


def objects(node: object, path: str = "$") -> list[tuple[str, dict[str, Any]]]:
    """Every part of a schema that describes a mapping, with its path."""
    found = [(path, node)] if isinstance(node, dict) and node.get("type") == "object" else []
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return found + [part for key, value in inner for part in objects(value, f"{path}.{key}")]


def test_the_schema_knows_every_key_and_no_null() -> None:
    """It is plain JSON of its dialect, closed at every level, and has no references to break when embedded."""
    schema = json_schema()
    Draft7Validator.check_schema(schema)
    assert Draft7Validator.META_SCHEMA["$id"] == DIALECT
    assert json.loads(json.dumps(schema)) == schema
    text = json.dumps(schema)
    assert "$ref" not in text
    assert "null" not in text
    policy = schema["properties"]["policies"]["items"]
    assert policy["required"] == ["name"]
    assert set(policy["properties"]) - set(schema["properties"]["defaults"]["properties"]) == {
        "name",
        "match",
        "signal",
    }
    assert all(node["additionalProperties"] is False for _, node in objects(schema))


def test_each_field_says_what_it_is_for() -> None:
    """Every key has a sentence for an editor to show, and every value a type."""
    for path, node in objects(json_schema()):
        for key, field in node["properties"].items():
            assert field["description"].endswith("."), f"{path}.{key}"
            assert field["type"], f"{path}.{key}"
            assert len(field["description"]) < 250, f"{path}.{key}"


def defaults() -> Iterator[Any]:
    """Each default that the schema names, as a document that writes it and one that does not."""
    schema = json_schema()["properties"]
    bare: dict[str, Any] = {"policies": [{"name": "a", "threshold": "1Gi"}]}
    hook: dict[str, Any] = {"http": {"port": 1, "path": "/"}}
    for key, field in schema["defaults"]["properties"].items():
        if "default" in field:
            yield pytest.param({**bare, "defaults": {key: field["default"]}}, bare, id=key)
    for key, field in schema["safety"]["properties"].items():
        if "default" in field:
            yield pytest.param({**bare, "safety": {key: field["default"]}}, bare, id=f"safety.{key}")
        for inner, part in field.get("properties", {}).items():
            yield pytest.param({**bare, "safety": {key: {inner: part["default"]}}}, bare, id=f"safety.{key}.{inner}")
    hooked = {"policies": [{**bare["policies"][0], "before": [hook]}]}
    hooks = schema["defaults"]["properties"]["before"]["items"]["properties"]
    for key in ("timeout", "onFailure"):
        timed = {"policies": [{**bare["policies"][0], "before": [{**hook, key: hooks[key]["default"]}]}]}
        yield pytest.param(timed, hooked, id=f"before.{key}")
    for key in ("method", "scheme"):
        call = {"http": {**hook["http"], key: hooks["http"]["properties"][key]["default"]}}
        yield pytest.param({"policies": [{**bare["policies"][0], "before": [call]}]}, hooked, id=f"before.http.{key}")
    per_workload = schema["defaults"]["properties"]["maxPerWorkload"]["properties"]
    for key, field in per_workload.items():
        written = {**bare, "defaults": {"maxPerWorkload": {key: field["default"]}}}
        yield pytest.param(written, bare, id=f"maxPerWorkload.{key}")
    signal = schema["policies"]["items"]["properties"]["signal"]["default"]
    yield pytest.param({"policies": [{**bare["policies"][0], "signal": signal}]}, bare, id="signal")


@pytest.mark.parametrize(("written", "left_out"), list(defaults()))
def test_a_default_is_what_leaving_it_out_means(written: dict[str, Any], left_out: dict[str, Any]) -> None:
    """To write a default that the schema names changes nothing."""
    assert loaded(written) is not None
    assert loaded(written) == loaded(left_out)


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (
            "threshold",
            ["20Gi", "1.5G", "90% of limit", "97.5 % of limit"],
            ["20G i", "90%", "20", "2e10", "20GB", "5m"],
        ),
        ("for", ["90s", "2m", "1h30m", "1d"], ["90", "1.5h", "1h 30m", ""]),
        ("cron", ["0 2 * * *", "*/5 1-5 * * mon-fri"], ["0 2 * *", "@daily", "0 0 2 * * *", "0 2 ? * mon"]),
        ("maxUnavailable", ["25%", "100%", "50 %", 1], ["0%", "101%", "x", 0, 10_001]),
        ("emergency", ["20Gi", "97.5% of limit"], ["97%", "20"]),
        ("name", ["iot-server", "a", "0"], ["Iot", "-a", "a-", "a" * 64]),
        ("action", ["surge"], ["Surge", "restart", True]),
        ("before", [[]], [[{}], {}, [{"http": {"port": 1}}], [{"http": {"port": 1, "path": "x"}}]]),
        ("windows", [[{"from": "22:00", "to": "24:00"}]], [[], [{"from": "22:00"}], [{"from": "1:00", "to": "02:00"}]]),
    ],
)
def test_the_plain_mistakes_are_refused(field: str, good: list[object], bad: list[object]) -> None:
    """The notations that the loader takes pass, and what people write instead of them does not."""
    policy = {"name": "a", "threshold": "20Gi"}
    assert [value for value in good if complaints({"policies": [{**policy, field: value}]})] == []
    assert [value for value in bad if not complaints({"policies": [{**policy, field: value}]})] == []


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({}, "$: 'policies' is a required property"),
        ({"policies": []}, "$.policies: "),
        ({"policies": [{"threshold": "1Gi"}]}, "$.policies[0]: 'name' is a required property"),
        ({"policies": [{"name": "a"}]}, "$.policies[0]: 'threshold' is a required property"),
        ({"defaults": {"for": "5m"}, "policies": [{"name": "a"}]}, "$.policies[0]: 'threshold' is a required property"),
        (
            {"policies": [{"name": "a", "threshold": "1Gi", "every": "1m", "cron": "0 2 * * *"}]},
            "False schema does not allow '0 2 * * *'",
        ),
        ({"policies": [{"name": "a", "threshold": 20}]}, "$.policies[0].threshold: 20 is not of type 'string'"),
        ({"policies": [{"name": "a", "threshold": "1Gi", "Every": "1m"}]}, "$.policies[0]: Additional properties are"),
        ({"policies": [{"name": "a", "threshold": "1Gi", "windows": [{"from": 1, "to": "02:00"}]}]}, ".from: 1 is not"),
        ({"policies": None}, "$.policies: None is not of type 'array'"),
    ],
)
def test_a_complaint_names_the_place(document: object, where: str) -> None:
    """What is missing, unknown or of another type is one complaint, at the place where it is to be mended."""
    said = complaints(document)
    assert len(said) == 1
    assert where in said[0]


def test_a_threshold_may_come_from_the_defaults() -> None:
    """A policy without a threshold passes where the defaults have one."""
    assert complaints({"defaults": {"threshold": "90% of limit"}, "policies": [{"name": "a"}]}) == []


def policy_texts() -> Iterator[Any]:
    """Every text in the documents, manifests, tests and demo that has policies in it, by its place."""
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for block in _FENCE.findall(path.read_text("utf-8")):
            yield pytest.param(block, id=path.name)
    for path in ROOT.glob("deploy/**/*.yaml"):
        for manifest in yaml.safe_load_all(path.read_text("utf-8")):
            if text := (manifest.get("data") or {}).get("policy.yaml"):
                yield pytest.param(text, id=str(path.relative_to(ROOT)))
    for root in ROOTS_OF_TEXT:
        for path in sorted(root.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and "policies:" in node.value:
                    yield pytest.param(node.value, id=f"{path.relative_to(ROOT)}:{node.lineno}")


def test_what_loads_passes() -> None:
    """Each policy file in the documents, manifests, tests and demo that the loader takes passes the schema."""
    passed = 0
    for case in policy_texts():
        (text,) = case.values
        try:
            parse(str(text), sample_interval=30)
        except PolicyError:
            continue
        assert complaints(plain(source.read(str(text), file="policy.yaml")[0])) == [], case.id
        passed += 1
    assert passed > 20


@cache
def full_example() -> dict[str, Any]:
    """The example of policy.md that has every field."""
    text = (ROOT / "docs" / "policy.md").read_text("utf-8").partition("## An example with every field")[2]
    found = _FENCE.search(text)
    assert found is not None
    document: dict[str, Any] = yaml.safe_load(found[1])
    return document


def leaves(node: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all values in a document, lists and mappings among them."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return ([path] if path else []) + [leaf for key, value in inner for leaf in leaves(value, (*path, key))]


def changed(path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """The full example with another value at a path."""
    document = copy.deepcopy(full_example())
    at: Any = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return document


def value_at(path: tuple[str | int, ...]) -> object:
    """What the full example has there."""
    at: Any = full_example()
    for step in path:
        at = at[step]
    found: object = at
    return found


PATHS = st.sampled_from(leaves(full_example()))


@settings(max_examples=150)
@given(path=PATHS, at=st.integers(0, 40), cut=st.integers(0, 2), scraps=st.lists(st.sampled_from(ODD), max_size=2))
def test_what_the_schema_refuses_the_loader_refuses(
    path: tuple[str | int, ...], at: int, cut: int, scraps: list[str]
) -> None:
    """Texts that are nearly right, with other blanks, digits and signs in them, pass wherever the loader takes them."""
    value = value_at(path)
    text = value if isinstance(value, str) else json.dumps(value)
    at = min(at, len(text))
    document = changed(path, text[:at] + "".join(scraps) + text[at + cut :])
    assert not complaints(document) or loaded(document) is None


@pytest.mark.parametrize("path", leaves(full_example()), ids=lambda path: ".".join(map(str, path)))
def test_a_value_of_another_kind(path: tuple[str | int, ...]) -> None:
    """So do numbers, lists and mappings in the place of each value, and each value in a list, or left out."""
    value = value_at(path)
    for other in [*OTHERS, [value], str(value), {"a": value}]:
        document = changed(path, other)
        assert not complaints(document) or loaded(document) is None, f"{other!r}: {complaints(document)}"
    document = changed(path, value)
    holder: Any = document
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    assert not complaints(document) or loaded(document) is None, complaints(document)
