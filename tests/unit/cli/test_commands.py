"""The commands: exit codes, and what is said where."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from remediator import __version__
from remediator.cli.main import app

GOOD = """\
policies:
  - name: payments
    match: {namespaces: [payments]}
    threshold: 20Gi
    for: 5m
    enabled: false
  - name: everyone
    threshold: 90% of limit
"""


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of ours from outside."""
    for name in list(os.environ):
        if name.startswith("REMEDIATOR_"):
            monkeypatch.delenv(name)


def call(*arguments: str) -> Result:
    """Call the program with these arguments."""
    return CliRunner().invoke(app, arguments)


def policy_file(folder: Path, content: str = GOOD) -> str:
    """A policy file."""
    file = folder / "policy.yaml"
    file.write_text(content)
    return str(file)


def test_the_version() -> None:
    """One line on standard output."""
    result = call("--version")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"remediator {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [(), ("nonsense",), ("--nonsense",), ("check", "a", "b"), ("run", "--nonsense"), ("resume", "a", "b", "c")],
)
def test_wrong_usage_is_2(arguments: tuple[str, ...]) -> None:
    """Whatever is wrong with it."""
    assert call(*arguments).exit_code == 2


@pytest.mark.parametrize("command", ["run", "check", "resume"])
def test_every_command_explains_itself(command: str) -> None:
    """``--help`` is no error."""
    result = call(command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout


# check


def test_a_policy_file_that_is_right_is_0(tmp_path: Path) -> None:
    """Each policy in one line, and then that the file is right."""
    file = policy_file(tmp_path)
    result = call("check", file)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "payments (disabled): over 20Gi for 5m, looked at every 1m, evict",
        "everyone: over 90% of limit for 2m, looked at every 1m, evict",
        f"{file} is right",
    ]


@pytest.mark.parametrize(
    ("content", "count"),
    [
        ("policies:\n  - name: a\n    threshold: 90%\n", "1 problem to fix"),
        ("policies:\n  - name: A\n    treshold: 20Gi\n", "2 problems to fix"),
        ("policies: [", "1 problem to fix"),
    ],
)
def test_a_policy_file_that_is_wrong_is_1(tmp_path: Path, content: str, count: str) -> None:
    """Each problem with its place on standard error, and how many they are."""
    file = policy_file(tmp_path, content)
    result = call("check", file)
    assert result.exit_code == 1
    assert result.stdout == ""
    *problems, last = result.stderr.splitlines()
    assert last == f"remediator: {count}"
    assert all(problem.startswith(f"remediator: {file}:") for problem in problems)


def test_what_is_wrong_with_the_file_as_json(tmp_path: Path) -> None:
    """One document on standard output, each problem with its place; nothing on standard error."""
    file = policy_file(tmp_path, "policies:\n  - name: a\n    treshold: 20Gi\n")
    result = call("check", file, "--output", "json")
    document = json.loads(result.stdout)
    assert (result.exit_code, result.stderr, document["outcome"]) == (1, "", "to-fix")
    found = [(one["kind"], one["level"], one["where"], one["line"], one["column"]) for one in document["findings"]]
    assert found == [("policy-file", "problem", "policies[0].treshold", 3, 5)]
    assert document["findings"][0]["what"].endswith("write threshold")


SHADOWED = """\
policies:
  - name: everyone
    threshold: 90% of limit
  - name: hands-off
    match: {namespaces: [payments]}
    threshold: 20Gi
    enabled: false
"""


def test_a_policy_that_can_never_be_reached_is_something_to_fix(tmp_path: Path) -> None:
    """Somebody meant these pods to be left alone, and they are not."""
    result = call("check", policy_file(tmp_path, SHADOWED))
    assert result.exit_code == 1
    assert "problem: never-reached at hands-off (line 4)" in result.stdout
    assert "every pod that it matches belongs to everyone (line 2), which comes first" in result.stdout
    assert result.stdout.splitlines()[-1] == "1 problem to fix"


def test_going_past_disruption_budgets_is_a_warning(tmp_path: Path) -> None:
    """It may be meant, so the exit code stays 0; a disabled policy takes nothing."""
    content = "policies:\n  - name: a\n    threshold: 20Gi\n    action: delete\n"
    file = policy_file(tmp_path, content)
    result = call("check", file)
    assert result.exit_code == 0
    assert "warning: past-budgets at a: action" in result.stdout
    assert result.stdout.splitlines()[-1] == f"{file} is right, 1 warning"
    result = call("check", policy_file(tmp_path, content + "    enabled: false\n"))
    assert "past-budgets" not in result.stdout


@pytest.mark.parametrize(
    ("pace", "windows", "missed"),
    [
        ("cron: 30 2 * * *", '{from: "03:00", to: "05:00"}', True),
        ("cron: 0 5 * * *", '{from: "03:00", to: "05:00"}', True),
        ("cron: 0 3 * * *", '{from: "03:00", to: "05:00"}', False),
        ("cron: 0 3 1 1 *", '{from: "03:00", to: "05:00"}', False),
        ("cron: '*/10 2-4 * * mon-fri'", '{days: "sat,sun", from: "00:00", to: "24:00"}', True),
        ("cron: '* * * * *'", '{days: sun, from: "00:00", to: "00:05"}', False),
        ("cron: 0 3 * * *", '{from: "03:00", to: "05:00", timezone: Asia/Shanghai}', True),
        ("every: 1h", '{from: "03:00", to: "03:05"}', False),
    ],
)
def test_a_policy_that_never_looks_while_it_may_act_is_a_problem(
    tmp_path: Path,
    pace: str,
    windows: str,
    missed: bool,  # noqa: FBT001
) -> None:
    """Its ``cron`` and its windows never meet; what is told of it are its windows."""
    file = policy_file(tmp_path, f"policies:\n- {{name: a, threshold: 20Gi, {pace}, windows: [{windows}]}}\n")
    result = call("check", file)
    assert result.exit_code == (1 if missed else 0), result.stdout
    assert ("problem: windows-missed at a: windows" in result.stdout) is missed
    assert "evict, only " in result.stdout


def test_commands_in_pods_are_a_warning(tmp_path: Path) -> None:
    """They need a right that nobody has given yet; hooks are named, and in JSON as well."""
    http, command = "{http: {port: 1, path: /drain}}", "{exec: {container: app, command: [/bin/drain, --now]}}"
    content = "policies:\n  - name: a\n    threshold: 20Gi\n    before: "
    file = policy_file(tmp_path, f"{content}[{http}, {command}]\n")
    result = call("check", file)
    assert result.exit_code == 0
    assert "evict, hooks first: http POST :1/drain, exec /bin/drain in app" in result.stdout
    assert "warning: exec-hooks at a: before" in result.stdout
    (policy,) = json.loads(call("check", file, "--output", "json").stdout)["policies"]
    assert policy["before"] == ["http POST :1/drain", "exec /bin/drain in app"]
    result = call("check", policy_file(tmp_path, f"{content}[{http}]\n"))
    assert "exec-hooks" not in result.stdout


def test_a_kubeconfig_that_is_none_is_could_not_tell(tmp_path: Path) -> None:
    """2, and a sentence."""
    result = call("check", policy_file(tmp_path), "--kubeconfig", str(tmp_path / "none"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "can't reach a cluster" in result.stderr


def test_a_policy_file_that_is_missing_is_something_to_fix(tmp_path: Path) -> None:
    """It is named."""
    result = call("check", str(tmp_path / "none.yaml"))
    assert result.exit_code == 1
    assert "none.yaml" in result.stderr


def test_the_file_comes_from_the_argument_or_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument wins."""
    monkeypatch.setenv("REMEDIATOR_POLICY", policy_file(tmp_path))
    assert call("check").exit_code == 0
    assert call("check", str(tmp_path / "none.yaml")).exit_code == 1


def test_settings_that_are_wrong_are_could_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """2, and a sentence for each."""
    monkeypatch.setenv("REMEDIATOR_SCRAPE_INTERVALL", "1m")
    monkeypatch.setenv("REMEDIATOR_LOG_LEVEL", "loud")
    result = call("check", policy_file(tmp_path))
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 2
    assert "REMEDIATOR_SCRAPE_INTERVALL is no setting" in result.stderr


def test_the_sample_interval_of_the_settings_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ``for`` that is long enough for one interval is too short for another."""
    file = policy_file(tmp_path, "policies:\n  - name: a\n    threshold: 20Gi\n    for: 2m\n")
    assert call("check", file).exit_code == 0
    monkeypatch.setenv("REMEDIATOR_SCRAPE_INTERVAL", "1m")
    result = call("check", file)
    assert result.exit_code == 1
    assert "write 3m or more" in result.stderr


# run


def test_run_without_prometheus_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it needs and how to set it, and 1."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    result = call("run", policy_file(tmp_path), "--kubeconfig", str(tmp_path / "none"))
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("remediator: ")
    assert "Traceback" not in result.stderr


def test_run_with_wrong_settings_is_wrong_usage(tmp_path: Path) -> None:
    """2, before anything is done."""
    result = call("run", policy_file(tmp_path), "--log-level", "loud")
    assert result.exit_code == 2
    assert "REMEDIATOR_LOG_LEVEL" in result.stderr


def test_it_is_a_module_as_well() -> None:
    """``python -m remediator`` is the console script."""
    done = subprocess.run(
        [sys.executable, "-m", "remediator", "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, f"remediator {__version__}\n")
