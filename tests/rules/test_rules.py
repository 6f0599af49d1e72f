"""Each alert of the chart, by promtool: see ``cases.py`` for the cases, and ``cases/`` for what they are."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rig.tools import ensure
from tests.rules import chart
from tests.rules.cases import KINDS, ON_ABSENCE, Case, elsewhere, every_case, fired, run, told
from tests.rules.chart import ALERTS, LANGUAGES

# So that promtool runs once, not once in each worker.
pytestmark = pytest.mark.xdist_group("promtool")

_ACTION = re.compile(r"\{\{.*?\}\}")
_TOLD = re.compile(r"Annotations:(\{.*\})")
_PAIR = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*")')


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What promtool finds wrong with each case."""
    every = [*every_case(), *elsewhere()]
    return run([(case, fired(case)) for case in every], "en", tmp_path_factory.mktemp("cases"))


@pytest.mark.parametrize("case", every_case(), ids=str)
def test_case(case: Case, found: Mapping[str, str]) -> None:
    """At that time exactly the named alerts fire, with exactly those labels."""
    assert not found[str(case)], found[str(case)]


def test_series_of_others_fire_nothing(found: Mapping[str, str]) -> None:
    """What fires an alert does not where it happens to another job, or in the namespace of another daemon."""
    assert not {str(case): found[str(case)] for case in elsewhere() if found[str(case)]}
    tried = {case.alert for case in elsewhere()}
    assert set(ALERTS) - tried == {*ON_ABSENCE, "GrafanaMemoryHigh"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_case_of_each_kind(alert: str, kind: str) -> None:
    """No alert goes without a case that fires it, one that does not, and one on the border."""
    its = [case for case in every_case() if case.alert == alert and case.kind == kind]
    assert its
    if kind == "fires":
        assert all(case.labels for case in its)
    if kind == "silent":
        assert not any(case.labels for case in its)


@pytest.mark.parametrize("alert", ALERTS)
def test_no_alert_loses_its_namespace(alert: str) -> None:
    """Alerts are routed and grouped by ``namespace``: each that fires in a case has one."""
    assert all("namespace" in labels for case in every_case() if case.alert == alert for labels in case.labels)


def test_every_case_is_of_an_alert() -> None:
    """No case speaks of an alert that is gone, and no two have one name."""
    assert {case.alert for case in every_case()} == set(ALERTS)
    assert {case.kind for case in every_case()} == set(KINDS)
    assert len({str(case) for case in every_case()}) == len(every_case())


@pytest.mark.parametrize("language", LANGUAGES)
def test_promtool_takes_the_rules(language: str, tmp_path: Path) -> None:
    """Every group is a rule file without a finding of promtool's, doubled rules and label names included."""
    for one in chart.render("--set", f"rules.language={language}", values=chart.every_group()):
        file = tmp_path / f"{one['metadata']['name']}.yaml"
        file.write_text(yaml.safe_dump(one["spec"], allow_unicode=True), "utf-8")
        command = [str(ensure("prometheus")["promtool"]), "check", "rules", "--lint=all", "--lint-fatal", str(file)]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stdout + said.stderr


@pytest.fixture(scope="session", params=LANGUAGES)
def quoted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The language, and what promtool quotes of the alerts that fire in each case that fires."""
    tests = [(case, told(case)) for case in every_case() if case.kind == "fires"]
    return {"language": request.param, "said": run(tests, request.param, tmp_path_factory.mktemp(request.param))}


@pytest.mark.parametrize("case", [case for case in every_case() if case.kind == "fires"], ids=str)
def test_the_texts_of_a_firing_alert_are_whole(case: Case, quoted: dict[str, Any]) -> None:
    """As Prometheus expands them: no error, no label that the alert has not, and all words of the template."""
    texts = [
        {key: yaml.safe_load(value) for key, value in _PAIR.findall(one)}
        for one in _TOLD.findall(quoted["said"][str(case)])
    ]
    assert len(texts) == len(case.labels)
    templates = chart.rules(quoted["language"], case.setting)[case.alert]["annotations"]
    for text in texts:
        assert set(text) == {"summary", "description", "runbook_url"}
        for key, template in templates.items():
            assert re.fullmatch(_ACTION.sub("(?:(?!<error|<no value>).)+?", _escaped(template)), text[key]), text[key]


def _escaped(template: str) -> str:
    """A template whose words are meant literally, and whose actions are left as they are."""
    words, actions = _ACTION.split(template), [*_ACTION.findall(template), ""]
    return "".join(re.escape(word) + action for word, action in zip(words, actions, strict=True))
