"""The chart's values against what documents and notes say of them: whoever names one names one that is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from remediator.settings import PREFIX, Settings
from tests.rig import rights
from tests.unit.chart import CHART, DEFAULTS, ROOT, complaints

NOTES = CHART / "templates" / "NOTES.txt"
TEXTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "charts" / "README.md", *CHART.glob("*.md"), NOTES])

_FENCE = re.compile(r"^ *```yaml\n(# values\.yaml\n.*?)^ *```$", re.MULTILINE | re.DOTALL)
_HERE = re.compile(r"cat > values\.yaml <<'(\w+)'\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_SET = re.compile(r"--set(?:-string|-json)? '?([\w.]+)=")
_CODE = re.compile(r"`([^`\n]+)`")
_DOTTED = re.compile(r"(?<![\w./-])([a-zA-Z]+(?:\.[a-zA-Z]+)+)(?![\w/(-])")
_READ = re.compile(r"\.Values((?:\.\w+)+)")
_OTHERS = (
    "prometheus.prometheusSpec.",
    "prometheus.io",
    "prometheus.md",
    "policy.yaml",
    "relay.yaml",
    "prometheus.yml",
    "log.info",
)
"""What begins like a value of ours and is none: kube-prometheus-stack's, hosts, files."""


def is_value(path: str) -> bool:
    """Whether values.yaml has that path, or an open map, the policy or a NAME to fill in somewhere on the way to it."""
    at: Any = DEFAULTS
    for number, key in enumerate(path.split(".")):
        if key.isupper() or (number and (at == {} or path.startswith("policy."))):
            return True
        if not isinstance(at, dict) or key not in at:
            return False
        at = at[key]
    return True


def named(text: str) -> Iterator[str]:
    """The values that a text names: on command lines, and as code where the first word is a value of the chart."""
    yield from _SET.findall(text)
    for code in _CODE.findall(text):
        for path in _DOTTED.findall(code):
            first = path.partition(".")[0]
            if first in DEFAULTS and not path.startswith(_OTHERS) and first not in {"policy", "image"}:
                yield path


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_values_that_are_named_exist(path: Path) -> None:
    """No document, and no note after an installation, tells to set a value that the chart does not have."""
    assert [name for name in named(path.read_text("utf-8")) if not is_value(name)] == []


def test_an_invented_value_would_be_found() -> None:
    """The test above can fail: on a command line and in running text."""
    text = "`helm install --set rbac.node=false`, see `networkPolicy.apiserver.ports` and `rbac.nodes`, `policy.yaml`"
    assert [name for name in named(text) if not is_value(name)] == [
        "rbac.node",
        "rbac.node",
        "networkPolicy.apiserver.ports",
    ]


def test_the_notes_read_values_that_exist() -> None:
    """A misspelt one would be empty, and a condition on it never true."""
    read = {path.removeprefix(".") for path in _READ.findall(NOTES.read_text("utf-8"))}
    assert read
    assert {path for path in read if not is_value(path)} == set()


def examples() -> list[Any]:
    """Each file of values that a document shows, as a parameter named after its place."""
    return [
        pytest.param(yaml.safe_load(found.groups()[-1]), id=f"{path.name}:{text[: found.start()].count(chr(10)) + 1}")
        for path in TEXTS
        for text in [path.read_text("utf-8")]
        for pattern in (_FENCE, _HERE)
        for found in pattern.finditer(text)
    ]


@pytest.mark.parametrize("values", examples())
def test_the_schema_takes_the_values_in_the_documents(values: dict[str, Any]) -> None:
    """Each example is one that `helm install` takes, the policy in it included."""
    assert complaints(values) == []


def test_there_are_examples_of_both_kinds() -> None:
    """Announced ones in documents, and one that a shell writes in the chart's README."""
    names = {example.id.partition(":")[0] for example in examples()}
    assert {"install.md", "prometheus.md", "README.md"} <= names


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_settings_are_described_with_the_values_that_set_them(name: str) -> None:
    """What settings.md calls the value of the chart for a setting is one, and the chart sets it from something."""
    (line,) = (
        line
        for line in (ROOT / "docs" / "settings.md").read_text("utf-8").splitlines()
        if line.startswith(f"| `{PREFIX}{name.upper()}`")
    )
    said = _CODE.findall(line.split("|")[3])
    assert all(is_value(path) for path in said)
    environment = (CHART / "templates" / "_environment.tpl").read_text("utf-8")
    is_set = f'"{name.upper()}"' in environment or f"{PREFIX}{name.upper()}\n" in environment
    # The policy comes as an argument; where it runs and who it is, a pod knows.
    assert is_set == (bool(said) and name != "policy")


def test_the_table_of_rights_is_what_the_manifests_give() -> None:
    """security.md names each right, verb by verb, and none that is not given."""
    table = (ROOT / "docs" / "security.md").read_text("utf-8").partition("\n## Rights\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| ")]
    said = {
        ("" if group == "core" else group, resource.strip(), verb.strip())
        for _, _, group, resources, verbs, _ in rows
        if group != "API group"
        for resource in resources.split(",")
        for verb in verbs.split(",")
    }
    assert said == rights.given()
