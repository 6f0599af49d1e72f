"""``plan`` without a cluster: what is written for people and as JSON, exit codes, and what it says when it can't."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from remediator.cli import check as check_command
from remediator.cli import plan as plan_command
from remediator.cli import table
from remediator.cli.main import app
from remediator.model.measures import Veto
from remediator.model.vocabulary import Action, Evaluation, Reason
from remediator.settings import read_settings
from remediator.survey.check import Measured, Report
from remediator.survey.findings import Kind, Level, problem
from remediator.survey.lines import Evaluated, Line, Plan, Verdict
from remediator.survey.pace import Pace
from remediator.survey.values import Weight
from tests.unit.make import policies

MI = 1 << 20
DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "commands.md").read_text("utf-8")
PAUSED = Veto(Reason.PAUSED, "safety.paused is true")
WEIGHT = Weight("app", 240.0 * MI, 210.0 * MI, 205.0 * MI, 256 * MI)


def line(**changes: Any) -> Line:  # noqa: ANN401 (as many types as it has fields)
    """A pod that would be evicted."""
    usual = Line(
        namespace="shop",
        pod="web-5d4f-abcde",
        uid="uid",
        node="node-1",
        workload="Deployment/web",
        policy="everyone",
        action=Action.EVICT,
        threshold="80% of limit",
        weight=WEIGHT,
        verdict=Verdict.WOULD_ACT,
    )
    return replace(usual, **changes)


def plan(*lines: Line, **changes: Any) -> Plan:  # noqa: ANN401
    """A plan with these lines."""
    usual = Plan(lines, (Evaluated("everyone", Evaluation.OK, pods=len(lines), nominated=1, query="q"),))
    return replace(usual, **changes)


def written(made: Plan, *, width: int = 0, **safety: Any) -> str:  # noqa: ANN401
    """What is written on a terminal of that width; without, what goes into a pipe."""
    out = io.StringIO()
    terminal = width > 0
    console = Console(
        file=out,
        width=width or 100_000,
        force_terminal=terminal,
        color_system=None,
        highlight=False,
        markup=False,
        soft_wrap=not terminal,
    )
    table.write(console, policies(**safety), made, made.lines)
    return out.getvalue()


EVERY = plan(
    line(only_replica=True),
    line(pod="web-5d4f-fghij", verdict=Verdict.WAITS, reasons=(Veto(Reason.IN_FLIGHT, "web-5d4f-abcde is first"),)),
    line(
        pod="a-very-long-name-of-a-pod-that-nobody-would-choose-by-hand-7fbcf4596c-xzp7n",
        workload="Deployment/a-very-long-name-of-a-pod-that-nobody-would-choose-by-hand",
        verdict=Verdict.LEFT_ALONE,
        reasons=(PAUSED, Veto(Reason.DISRUPTION_BUDGET, "PodDisruptionBudget web allows no disruption: 1 of 1")),
    ),
    line(pod="below", verdict=Verdict.BELOW, weight=replace(WEIGHT, value=64.0 * MI, rss=20.0 * MI)),
    line(pod="free", verdict=Verdict.BELOW, weight=replace(WEIGHT, threshold=None, limit=None, container="")),
    line(pod="new", verdict=Verdict.NOT_MEASURED, weight=Weight()),
    line(pod="odd", verdict=Verdict.COULD_NOT_TELL, words='admission webhook "w.x" does not support dry run'),
    line(pod="big", weight=Weight("", 31.0 * 1024 * MI, 30.0 * 1024 * MI, 30.0 * 1024 * MI, 33_000_000_000)),
)


@pytest.mark.parametrize("width", [80, 100, 140, 160, 240])
def test_it_fits_the_terminal(width: int) -> None:
    """No line is longer than the terminal is wide, and nothing is left out."""
    text = written(EVERY, width=width)
    assert max(map(len, text.splitlines())) <= width
    plain = re.sub(r"\s+", "", text)
    for one in EVERY.lines:
        for part in (one.pod, one.workload, one.policy, table.verdict_of(one), *table.because(one)):
            # A long name is folded, and in columns another column's words stand between its parts.
            if width == 80 or len(part) < 40:
                assert re.sub(r"\s+", "", part) in plain, part


def test_in_a_pipe_it_is_a_line_for_each_pod() -> None:
    """With all that is said of it, and without escape codes."""
    text = written(EVERY)
    rows = text.splitlines()
    assert "\x1b" not in text
    assert len([row for row in rows if "  shop  " in row]) == len(EVERY.lines)
    (waits,) = [row for row in rows if row.startswith("waits its turn")]
    assert waits.endswith("once those above have begun; in-flight: web-5d4f-abcde is first")
    assert rows[-1] == (
        "8 pods: 2 to act on, 1 waiting their turn, 1 left alone, 2 below, 1 not measured, 1 not to be told"
    )


def test_no_limit_is_never_a_number() -> None:
    """The four spellings of none are one word."""
    (free,) = [row for row in written(EVERY).splitlines() if " free " in row]
    assert "no limit" in free
    assert table.limit_of(Weight(limit=256 * MI)) == "256Mi"
    assert table.limit_of(Weight(limit=33_000_000_000)) == "30.7 GiB", "not all of its digits"


def test_cache_that_is_probably_reclaimable_is_said() -> None:
    """Where the resident part is less than half of what is measured."""
    words = list(table.because(line(weight=replace(WEIGHT, rss=60.0 * MI))))
    assert words == ["RSS is 60 MiB of 240 MiB: probably reclaimable cache"]
    assert list(table.because(line(weight=replace(WEIGHT, rss=None)))) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, True),
        ({"verdict": Verdict.WAITS}, True),
        ({"verdict": Verdict.BELOW}, False),
        ({"action": Action.NOTIFY}, False),
    ],
)
def test_what_comes_with_going_is_said_where_it_would_go(changes: dict[str, Any], said: bool) -> None:  # noqa: FBT001
    """The way out of the outage is named, and hooks in their order."""
    hooks = ("http POST :8080/drain", "exec /bin/flush in app")
    words = list(table.because(line(only_replica=True, before=hooks, **changes)))
    assert ("only replica, down until the new one is Ready; action: surge makes the new one first" in words) is said
    assert ("hooks first: http POST :8080/drain, exec /bin/flush in app" in words) is said


def test_an_emergency_has_no_hooks() -> None:
    """Nothing is waited for."""
    words = list(table.because(line(before=("http POST :8080/drain",), emergency=True)))
    assert words == ["an emergency: no window, no cooldown and no hook is waited for"]


def test_an_only_replica_is_none_where_the_new_pod_is_made_first() -> None:
    """Nobody is missing then."""
    assert list(table.because(line(only_replica=True, action=Action.SURGE))) == []


@pytest.mark.parametrize(
    ("weight", "shown"),
    [
        (Weight(), ""),
        (Weight(value=5.0), ""),
        (Weight(value=0.0, threshold=8.0, limit=10), "░░░░░░░░┊░"),
        (Weight(value=5.0, threshold=8.0, limit=10), "█████░░░┊░"),
        (Weight(value=5.5, threshold=8.0, limit=10), "█████▌░░┊░"),
        (Weight(value=9.0, threshold=8.0, limit=10), "█████████░"),
        (Weight(value=99.0, threshold=8.0, limit=10), "██████████"),
        (Weight(value=4.0, threshold=8.0), "█████░░░░┊"),
        (Weight(value=1.0, threshold=10.0, limit=10), "█░░░░░░░░┊"),
    ],
)
def test_the_bar(weight: Weight, shown: str) -> None:
    """The value in the whole width of the limit, with the threshold across it; without a limit, of the threshold."""
    assert table.bar(weight, 10) == shown


@pytest.mark.parametrize(
    ("action", "words"),
    [(Action.EVICT, "would evict"), (Action.DELETE, "would delete"), (Action.NOTIFY, "would report")],
)
def test_what_would_be_done_is_named(action: Action, words: str) -> None:
    """A report takes nothing, and a deletion asks no budget."""
    assert table.verdict_of(line(action=action)) == words


def test_a_paused_file_says_what_it_holds_back() -> None:
    """How many pods have no other reason to stay."""
    held = plan(
        line(verdict=Verdict.LEFT_ALONE, reasons=(PAUSED,)),
        line(verdict=Verdict.LEFT_ALONE, reasons=(PAUSED, Veto(Reason.COOLDOWN, "c"))),
    )
    assert "1 pod would be considered without it" in written(held, paused=True)
    assert "paused" not in written(plan()).lower()


def test_what_went_wrong_is_told_once() -> None:
    """A policy's failure, notes, and what could not be told; a plan without pods says so."""
    failed = Evaluated("everyone", Evaluation.NO_DATA, "the selector matches no series")
    made = plan(
        policies=(failed,), notes=("no journal",), errors=("policy everyone: the selector matches no series", "x: 403")
    )
    assert written(made).splitlines() == [
        "policy everyone: no-data: the selector matches no series",
        "note: no journal",
        "could not tell: x: 403",
        "0 pods: none is matched",
    ]


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (plan(), 0),
        (plan(line(verdict=Verdict.BELOW), line(verdict=Verdict.LEFT_ALONE)), 0),
        (plan(line()), 1),
        (plan(line(), line(verdict=Verdict.WAITS)), 1),
        (plan(line(), line(verdict=Verdict.COULD_NOT_TELL)), 2),
        (plan(line(), errors=("x",)), 2),
    ],
)
def test_the_exit_code(made: Plan, code: int) -> None:
    """Could not tell comes before would act, and that before nothing."""
    assert plan_command._code(made) == code


# Documents


def keys(value: object) -> set[str]:
    """Every name of a field in a JSON document."""
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in keys(inner)}
    return {key for inner in value for key in keys(inner)} if isinstance(value, list) else set()


def test_every_field_of_the_json_is_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    """commands.md names each field that is written, under its command."""
    monkeypatch.delenv("REMEDIATOR_POLICY", raising=False)
    settings = read_settings({})
    planned = plan_command._document(settings, policies(), replace(EVERY, notes=("n",)), [line(reasons=(PAUSED,))], 0)
    planned["counts"] = {}
    report = Report(
        (Measured("everyone", 1, 1, 1, 1, 1.0, "q"),), Pace(1, 1, 1), (problem(Kind.STALE, where="", what="", fix=""),)
    )
    checked = check_command._document(settings, policies(), report, 0)
    sections = dict(re.findall(r"^`(check|plan)`:\n\n(.*?)\n\n", DOCUMENT, re.MULTILINE | re.DOTALL))
    for name, document in (("plan", planned), ("check", checked)):
        named = {word.removesuffix("[]") for word in re.findall(r"`([a-z_]+(?:\[\])?)`", sections[name])}
        assert keys(document) <= named


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_finding_is_documented(kind: Kind) -> None:
    """With its level and what it names."""
    (row,) = [row for row in DOCUMENT.splitlines() if row.startswith(f"| `{kind}` |")]
    assert any(level in row for level in Level)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_is_documented(verdict: Verdict) -> None:
    """In a row of its own."""
    assert f"| `{verdict}` |" in DOCUMENT


# Where it can't


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no Prometheus: set --prometheus-url"),
        (("--prometheus-url", "http://127.0.0.1:1", "--kubeconfig", "/nowhere"), "can't reach a cluster"),
    ],
)
def test_without_what_it_needs_it_says_so(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    """2, one sentence, and nothing on standard output."""
    file = tmp_path / "policy.yaml"
    file.write_text("policies: [{name: everyone, threshold: 80% of limit}]")
    result = CliRunner().invoke(app, ["plan", str(file), *arguments], env={"REMEDIATOR_PROMETHEUS_URL": ""})
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
