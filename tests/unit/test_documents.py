"""The documents against the code: what they name exists, what exists is named, and examples do what they say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from pydantic import BaseModel

from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Evaluation, Gate, Outcome, Reason
from remediator.observe.metrics import Metrics
from remediator.observe.state import State
from remediator.policy import PolicyFile, parse, unsupported
from remediator.policy.durations import format_duration
from remediator.policy.fields import (
    BudgetFields,
    DefaultFields,
    ExecFields,
    FileFields,
    HookFields,
    HttpFields,
    MatchFields,
    NamespaceFields,
    PerWorkloadFields,
    PolicyFields,
    SafetyFields,
    WindowFields,
)
from remediator.policy.resolve import TIMEZONE
from remediator.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path for place in ("*.md", "docs/**/*.md", "charts/**/*.md", "deploy/**/*.md") for path in ROOT.glob(place)
)
SAMPLE_INTERVAL = 30
"""Seconds: that of the settings' defaults, which the documents speak of."""

ANNOUNCED = {"values.yaml", "Chart.yaml", "prometheus.yml", "kube-prometheus-stack's values"}
"""What a YAML example may say in its first line that it is."""

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
_LOGGED = {"debug", "info", "warning", "error", "exception"}
_DURATIONS = {"prometheus_timeout", "scrape_interval", "kubelet_interval", "lease_duration"}


@cache
def text(path: Path) -> str:
    """A document."""
    return path.read_text("utf-8")


def document(name: str) -> str:
    """A document of ``docs/``."""
    return text(ROOT / "docs" / name)


def rows(name: str, first_cell: str) -> list[list[str]]:
    """The rows of a document's tables whose first cell holds just that word as code, cell by cell."""
    tables = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in document(name).splitlines()]
    return [cells for cells in tables if cells and f"`{first_cell}`" in cells[0].replace(",", " ").split()]


def fences(language: str) -> list[Any]:
    """Each fenced block of that language, as a parameter named after its place."""
    return [
        pytest.param(block, id=f"{path.relative_to(ROOT)}:{text(path)[: found.start()].count(chr(10)) + 1}")
        for path in DOCUMENTS
        for found in _FENCE.finditer(text(path))
        for given, block in [found.groups()]
        if given == language
    ]


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    prose = _FENCE.sub("", text(path))
    titles = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", title).lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    """Each relative link names a file that is there and, after a ``#``, a heading of it."""
    for link in _LINK.findall(_FENCE.sub("", text(path))):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        found = (path.parent / target).resolve() if target else path
        assert found.exists(), f"{link} leads nowhere"
        assert found.is_relative_to(ROOT), f"{link} leads out of the repository"
        if anchor:
            assert anchor in anchors(found), f"{link}: no such heading"


def test_no_document_is_out_of_reach() -> None:
    """Every page of ``docs/`` is linked from another document."""
    linked = {
        (path.parent / link.partition("#")[0]).resolve()
        for path in DOCUMENTS
        for link in _LINK.findall(text(path))
        if not re.match(r"[a-z]+:", link)
    }
    pages = {path for path in DOCUMENTS if path.is_relative_to(ROOT / "docs")}
    assert pages <= linked


@cache
def functions(path: Path) -> frozenset[str]:
    """The names of the functions that a file of tests defines."""
    tree = ast.parse(path.read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_tests_that_are_named_exist(path: Path) -> None:
    """Whoever says that a test shows something names one that is there."""
    for file, name in _TEST.findall(text(path)):
        assert (ROOT / file).is_file(), file
        assert name in functions(ROOT / file), f"{file} has no {name}"


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_described_with_its_default(name: str) -> None:
    """settings.md has a row for each setting, and the default in it is the one in the code."""
    (cells,) = rows("settings.md", PREFIX + name.upper())
    default = Settings.model_fields[name].get_default(call_default_factory=True)
    shown = format_duration(default) if name in _DURATIONS else default
    shown = str(shown).lower() if isinstance(shown, bool) else shown
    if shown not in {None, ""} if not isinstance(shown, dict) else False:
        assert f"`{shown}`" in cells[3].replace("\\|", "|")
    assert cells[4]


def test_every_setting_that_is_named_exists() -> None:
    """No document speaks of a variable that the program would refuse."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    elsewhere = {"REMEDIATOR_CACHE", "REMEDIATOR_SERVICE_HOST"}
    for path in DOCUMENTS:
        named = set(re.findall(r"\bREMEDIATOR_[A-Z_]*[A-Z]\b", text(path)))
        assert named <= known | elsewhere, path.name


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_explained(reason: Reason) -> None:
    """The runbook says of each reason what it means and what to do; safety.md says when it is asked."""
    cells = max(rows("runbook.md", reason), key=len)
    assert len(cells) == 3
    assert all(cells)
    assert f"`{reason}`" in document("safety.md")


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_names_the_tests_that_show_it(reason: Reason) -> None:
    """safety.md has for each reason a test of the guard alone, and one on a real control plane."""
    (cells,) = rows("safety.md", reason)
    _, alone, real = cells
    assert "tests/unit/" in alone
    assert "tests/cluster/" in real


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_is_explained(outcome: Outcome) -> None:
    """safety.md says of each outcome when it is, and whether it opens the breaker; the runbook what to do."""
    (cells,) = (cells for cells in rows("safety.md", outcome) if len(cells) == 4)
    assert cells[1]
    assert rows("runbook.md", outcome)


@pytest.mark.parametrize("outcome", list(Evaluation))
def test_every_end_of_an_evaluation_has_its_place_in_the_runbook(outcome: Evaluation) -> None:
    """The first table of the runbook leads on from each outcome of an evaluation."""
    assert rows("runbook.md", outcome)


@pytest.mark.parametrize("gate", list(Gate))
def test_every_gate_is_named(gate: Gate) -> None:
    """metrics.md names what can hold all action."""
    (cells,) = rows("metrics.md", "remediator_hold_active")
    assert f"`{gate}`" in cells[3]


def exposed() -> dict[str, set[str]]:
    """The metrics of the program by the names that they have on the wire, with what their kind is."""
    state = State(clock=lambda: 0.0)
    state.reloaded(ok=True)
    state.led(leading=True)
    state.term().recorded(Ledger(), 1)
    families = Metrics(state).registry.collect()
    ours = [family for family in families if family.name.startswith("remediator_")]
    return {family.name + ("_total" if family.type == "counter" else ""): {family.type} for family in ours}


@pytest.mark.parametrize("name", sorted(exposed()))
def test_every_metric_is_described(name: str) -> None:
    """metrics.md has a row for each metric, with its type and a meaning."""
    (cells,) = rows("metrics.md", name)
    assert {cells[1]} == exposed()[name]
    assert cells[3]


def test_every_metric_that_is_named_exists() -> None:
    """No document asks for a series that nobody exposes."""
    known = set(exposed())
    known |= {
        f"{name}_{part}" for name, kinds in exposed().items() if "histogram" in kinds for part in ("bucket", "count")
    }
    for path in DOCUMENTS:
        named = set(re.findall(r"\bremediator_[a-z_]+[a-z]\b", text(path)))
        assert named <= known, path.name


SECTIONS: dict[str, type[BaseModel]] = {
    "": PolicyFields,
    "match.": MatchFields,
    "maxPerWorkload.": PerWorkloadFields,
    "before.": HookFields,
    "before.http.": HttpFields,
    "before.exec.": ExecFields,
    "windows.": WindowFields,
    "safety.": SafetyFields,
    "safety.namespaces.": NamespaceFields,
    "safety.budget.": BudgetFields,
}


def fields() -> Iterator[str]:
    """Every field of the policy file, as the documents write it; a section in itself is none."""
    for prefix, model in SECTIONS.items():
        for name, field in model.model_fields.items():
            key = prefix + (field.alias or name)
            if f"{key}." not in SECTIONS:
                yield key


@pytest.mark.parametrize("field", list(fields()))
def test_every_field_of_the_policy_file_is_described(field: str) -> None:
    """policy.md has a row for each field that is built."""
    assert rows("policy.md", field)


def test_the_sections_of_the_file_are_described() -> None:
    """What stands at the top of the file, and what may be a default."""
    for section in FileFields.model_fields:
        assert rows("policy.md", section)
    assert set(PolicyFields.model_fields) - set(DefaultFields.model_fields) == {"name", "match", "signal"}
    (cells,) = (cells for cells in rows("policy.md", "defaults") if cells[0] == "`defaults`")
    assert "Every field but `name`, `match` and `signal`" in cells[1]


def test_what_is_refused_by_name_is_listed() -> None:
    """The list of what is not built is the code's own."""
    refused = document("policy.md").partition("## Refused by name")[2].partition("\n## ")[0]
    words = unsupported.POLICY_FIELDS
    listed = {word for word in re.findall(r"`([a-zA-Z]+)`", refused) if word != "defaults"}
    assert listed - {"action", "signal", "threshold"} == {str(word) for word in words}


def test_the_defaults_of_policies_are_those_of_the_code() -> None:
    """Each default in policy.md's tables is what a file gets that leaves the field out."""
    file = parse("policies: [{name: web, threshold: 20Gi}]", sample_interval=SAMPLE_INTERVAL)
    policy, safety = file.policies[0], file.safety
    expected = {
        "every": policy.when.removeprefix("every "),
        "timezone": TIMEZONE,
        "jitter": format_duration(policy.jitter),
        "cooldown": format_duration(policy.cooldown),
        "maxPerWorkload.actions": str(policy.max_per_workload.actions),
        "maxPerWorkload.per": format_duration(policy.max_per_workload.per),
        "minAge": format_duration(policy.min_age),
        "readyTimeout": format_duration(policy.ready_timeout),
        "dryRun": str(policy.dry_run).lower(),
        "maxUnavailable": str(policy.max_unavailable),
        "action": policy.action.value,
        "enabled": str(policy.enabled).lower(),
        "safety.maxConcurrent": str(safety.max_concurrent),
        "safety.budget.actions": str(safety.budget.actions),
        "safety.budget.per": format_duration(safety.budget.per),
        "safety.maxBreaching": f"{safety.max_breaching}%",
        "safety.paused": str(safety.paused).lower(),
        "safety.annotations": str(safety.annotations).lower(),
        "safety.foreignMarks": str(safety.foreign_marks).lower(),
        "safety.namespaces.exclude": f"[{', '.join(safety.excluded_namespaces)}]",
    }
    for field, default in expected.items():
        (cells,) = (cells for cells in rows("policy.md", field) if len(cells) == 3)
        assert f"`{default}`" in cells[1], field


@pytest.mark.parametrize("interval", [30, 60])
def test_the_table_of_intervals_is_what_the_loader_does(interval: int) -> None:
    """What prometheus.md says to follow from the sample interval is what a policy gets."""
    column = {30: 1, 60: 2}[interval]
    lines = [line.split("|")[1:-1] for line in document("prometheus.md").splitlines() if "interval" in line]
    said = {cells[0].strip(): cells[column].strip() for cells in lines if len(cells) == 3}
    (policy,) = parse("policies: [{name: web, threshold: 20Gi}]", sample_interval=interval).policies
    assert said["default of `for`: the longer of 2m and 4 intervals"] == format_duration(policy.for_seconds)
    assert said["default of `maxSampleAge`: 2 intervals and 15 s"] == format_duration(policy.max_sample_age)
    shortest = said["shortest `for` that may be written: 3 intervals"]
    parse(f"policies: [{{name: web, threshold: 20Gi, for: {shortest}}}]", sample_interval=interval)


@pytest.mark.parametrize("block", fences("yaml"))
def test_every_policy_in_the_documents_loads(block: str) -> None:
    """Each YAML example is a policy file that the loader takes, or Kubernetes objects, or says what else it is."""
    if block.partition("\n")[0].removeprefix("# ") in ANNOUNCED:
        # Helm and promtool judge these: tests/chart/test_documents.py.
        assert yaml.safe_load(block)
        return
    contents = list(yaml.safe_load_all(block))
    if "apiVersion" in contents[0]:
        assert all(content["apiVersion"] and content["kind"] for content in contents)
        return
    assert isinstance(parse(block, sample_interval=SAMPLE_INTERVAL), PolicyFile)


def test_the_full_example_has_every_field() -> None:
    """The example that says so uses each field that is built, so that a new one is not forgotten."""
    example = document("policy.md").partition("## An example with every field")[2]
    found = _FENCE.search(example)
    assert found is not None
    content = yaml.safe_load(found[2])
    used = {key for policy in content["policies"] for key in policy}
    used |= {f"match.{key}" for policy in content["policies"] for key in policy.get("match", {})}
    used |= {f"maxPerWorkload.{key}" for policy in content["policies"] for key in policy.get("maxPerWorkload", {})}
    hooks = [hook for policy in content["policies"] for hook in policy.get("before", ())]
    used |= {f"before.{key}" for hook in hooks for key in hook}
    used |= {f"before.{kind}.{key}" for hook in hooks for kind in ("http", "exec") for key in hook.get(kind, ())}
    used |= {f"windows.{key}" for policy in content["policies"] for one in policy.get("windows", ()) for key in one}
    used |= {f"safety.{key}" for key in content["safety"]}
    used |= {f"safety.budget.{key}" for key in content["safety"]["budget"]}
    used |= {f"safety.namespaces.{key}" for key in content["safety"]["namespaces"]}
    assert set(fields()) <= used


@pytest.mark.parametrize("block", fences("promql"))
def test_every_query_in_the_documents_parses(block: str) -> None:
    """Queries to paste, separated by empty lines, are PromQL."""
    for query in re.split(r"\n\s*\n", block.strip()):
        promql_parser.parse(query)


def test_the_errors_that_are_shown_are_the_real_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The output of ``check`` in policy.md is what ``check`` writes for such a file."""
    from remediator.cli.main import app  # noqa: PLC0415  no other test needs the command line

    file = tmp_path / "policy.yaml"
    file.write_text("policies:\n- name: web\n  threshold: 20G i\n  minAge: 5\n  Every: 1m\n")
    app(args=["check", str(file)], standalone_mode=False)
    written = capsys.readouterr().err.replace(str(file), "policy.yaml")
    assert written.strip() in document("policy.md")


def logged() -> set[str]:
    """The events that the program logs, read from its source; ``{}`` stands for what is put in."""
    found = set()
    for path in sorted((ROOT / "remediator").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func
            is_log = isinstance(called, ast.Name) and called.id == "log"
            if isinstance(called, ast.Attribute) and called.attr in _LOGGED:
                of = called.value
                name = of.func if isinstance(of, ast.Call) else of
                is_log = getattr(name, "id", getattr(name, "attr", "")) in {"logger", "log", "get_logger"}
            if is_log:
                found |= set(_texts(node.args[0]))
            if isinstance(called, ast.Attribute) and called.attr == "step":
                found |= {f"remediation {said}" for said in _texts(node.args[1])}
    return found


def _texts(node: ast.expr) -> Iterator[str]:
    """The texts that an expression can be: a constant, a choice between two, or one with something at its end."""
    match node:
        case ast.Constant(value=str() as value):
            yield value
        case ast.IfExp(body=one, orelse=other):
            yield from (*_texts(one), *_texts(other))
        case ast.BinOp(left=left):
            yield from _texts(left)


def test_every_log_event_is_described() -> None:
    """logs.md has each event that the source can log, so that one can filter by them."""
    events = logged()
    assert {"evaluation", "left alone", "remediation settled", "remediation intended", "leading"} <= events
    described = document("logs.md")
    assert not {event for event in events if f"`{event}`" not in described and f"`{event}; " not in described}


def test_the_readmes_say_the_same() -> None:
    """The Chinese README has the same sections, tables, commands, examples, links and figures as the English one."""
    english, chinese = text(ROOT / "README.md"), text(ROOT / "README.zh-CN.md")

    def bones(readme: str) -> dict[str, Any]:
        blocks = [
            [line.partition(" #")[0].rstrip() for line in block.splitlines()]
            for language, block in _FENCE.findall(readme)
            if language != "mermaid"
        ]
        links = sorted(link for link in _LINK.findall(readme) if not link.startswith("README"))
        prose = _FENCE.sub("", readme)
        return {
            "headings": [len(level) for level in re.findall(r"^(#+) ", prose, re.MULTILINE)],
            "rows": len(re.findall(r"^\|", prose, re.MULTILINE)),
            "points": len(re.findall(r"^- ", prose, re.MULTILINE)),
            "blocks": blocks,
            "links": links,
            "figures": sorted(re.findall(r"\d+(?:\.\d+)*", prose)),
            "code": sorted(set(re.findall(r"`([^`\n]+)`", prose))),
        }

    assert bones(chinese) == bones(english)


def test_the_changelog_has_an_unreleased_section() -> None:
    """Keep a Changelog's form, with a place for what comes next."""
    assert re.search(r"^## \[Unreleased\]$", text(ROOT / "CHANGELOG.md"), re.MULTILINE)
