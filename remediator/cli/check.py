"""``remediator check``: is the policy file right, and can it work against this Prometheus and this cluster?"""

from __future__ import annotations

import time
from typing import Any

import typer

from remediator.cli.options import (
    Kubeconfig,
    Namespace,
    PolicyArgument,
    PrometheusUrl,
    ScrapeInterval,
    fail,
    settings_or_exit,
)
from remediator.cli.output import Form, Output, console, indented, write_json
from remediator.cli.progress import Progress
from remediator.cluster.api import ApiServer, connect
from remediator.detect.prometheus import Prometheus
from remediator.errors import KubernetesError, PolicyError, SettingsError
from remediator.policy import Policy, PolicyFile, load
from remediator.policy.durations import format_duration
from remediator.settings import Settings
from remediator.survey.ask import Tell
from remediator.survey.check import Measured, Report, survey
from remediator.survey.findings import Finding, Kind, Level, counted
from remediator.survey.live import Live

RIGHT, TO_FIX, COULD_NOT_TELL = 0, 1, 2
_OUTCOMES = {RIGHT: "right", TO_FIX: "to-fix", COULD_NOT_TELL: "could-not-tell"}


def check(
    *,
    file: PolicyArgument = None,
    prometheus_url: PrometheusUrl = None,
    scrape_interval: ScrapeInterval = None,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
    output: Output = Form.TEXT,
) -> None:
    """Name everything that is wrong with a policy file; with a Prometheus, also what keeps it from working there.

    With a kubeconfig, the workloads that it is about are looked at as well. Exit code 0; 1 where something is to fix;
    2 where it could not tell.
    """
    settings = settings_or_exit(
        COULD_NOT_TELL,
        policy=file,
        prometheus_url=prometheus_url,
        scrape_interval=scrape_interval,
        kubeconfig=kubeconfig,
        namespace=namespace,
    )
    try:
        policies = load(settings.policy, sample_interval=settings.sample_interval, own_namespace=settings.namespace)
    except PolicyError as exc:
        _refuse(settings, exc, output)
    try:
        with Progress() as progress:
            report = _ask(settings, policies, progress)
    except (SettingsError, KubernetesError) as exc:
        fail(str(exc), COULD_NOT_TELL)
    problems = sum(1 for one in report.findings if one.level is Level.PROBLEM)
    code = COULD_NOT_TELL if report.errors else TO_FIX if problems else RIGHT
    if output is Form.JSON:
        write_json("check", _document(settings, policies, report, code))
    else:
        _write(settings, policies, report)
    raise typer.Exit(code)


def _ask(settings: Settings, policies: PolicyFile, tell: Tell) -> Report:
    prometheus = None
    if settings.prometheus_url:
        prometheus = Prometheus(settings.access, observe=lambda *_: None)
    live = _cluster(settings, tell) if settings.kubeconfig else None
    return survey(
        policies,
        scope=settings.scope,
        prometheus=prometheus,
        live=live,
        at=int(time.time()),
        tell=tell,
        pause=time.sleep,
    )


def _cluster(settings: Settings, tell: Tell) -> Live:
    """The cluster of the kubeconfig. Raises SettingsError."""
    api = ApiServer(connect(settings.kubeconfig), observe=lambda *_: None, user_agent="remediator-check")
    return Live(api, nodes=settings.nodes, tell=tell)


def _refuse(settings: Settings, error: PolicyError, output: Form) -> None:
    """End with every problem of a file that can't be read."""
    count = len(error.problems)
    if output is Form.JSON:
        findings = [
            {
                "kind": Kind.POLICY_FILE,
                "level": Level.PROBLEM,
                "where": one.path,
                "what": one.message,
                "fix": "",
                "policies": [],
                "line": one.line,
                "column": one.column,
            }
            for one in error.problems
        ]
        document = {
            "file": str(settings.policy),
            "outcome": _OUTCOMES[TO_FIX],
            "policies": [],
            "holds": [],
            "findings": findings,
        }
        write_json("check", {**document, "sample_interval": None, "newest_sample_age": None, "errors": []})
        raise typer.Exit(TO_FIX)
    fail(f"{error}\n{counted(count, 'problem')} to fix", TO_FIX)


def _document(settings: Settings, policies: PolicyFile, report: Report, code: int) -> dict[str, Any]:
    measured = {one.policy: one for one in report.measured}
    return {
        "file": str(settings.policy),
        "outcome": _OUTCOMES[code],
        "sample_interval": report.pace.interval if report.pace else None,
        "newest_sample_age": report.pace.youngest if report.pace else None,
        "policies": [_policy(policy, measured.get(policy.name)) for policy in policies.policies],
        "holds": [{"gate": one.name, "expression": one.expression, "holds": one.holds} for one in report.gates],
        "findings": [_finding(one) for one in report.findings],
        "errors": list(report.errors),
    }


def _policy(policy: Policy, measured: Measured | None) -> dict[str, Any]:
    return {
        "name": policy.name,
        "enabled": policy.enabled,
        "dry_run": policy.dry_run,
        "threshold": policy.threshold.text,
        "emergency": policy.emergency.text if policy.emergency else None,
        "for_seconds": policy.for_seconds,
        "when": policy.when,
        "windows": [str(window) for window in policy.windows],
        "action": policy.action,
        "before": list(map(str, policy.before)),
        "series": measured.series if measured else None,
        "pods": measured.pods if measured else None,
        "compared_pods": measured.compared if measured else None,
        "over_pods": measured.over if measured else None,
        "coverage": measured.coverage if measured else None,
        "query": measured.query if measured else None,
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "level": one.level,
        "where": one.where,
        "what": one.what,
        "fix": one.fix,
        "policies": list(one.policies),
        "line": None,
        "column": None,
    }


def _write(settings: Settings, policies: PolicyFile, report: Report) -> None:
    out = console()
    measured = {one.policy: one for one in report.measured}
    for policy in policies.policies:
        out.print(_summary(policy))
        if one := measured.get(policy.name):
            indented(out, _counts(one))
    for gate in report.gates:
        state = {True: "holds all action now", False: "does not hold now", None: "could not be asked"}[gate.holds]
        out.print(f"{gate.name} {state}: {gate.expression}")
    if report.pace is not None and report.pace.interval is not None:
        youngest = "" if report.pace.youngest is None else f", the newest is {report.pace.youngest:.0f} s old"
        out.print(f"a sample every {report.pace.interval:.0f} s{youngest}")
    for finding in report.findings:
        colour = "bold red" if finding.level is Level.PROBLEM else "bold yellow"
        out.print()
        out.print(f"{finding.level}: {finding.kind}", style=colour, end="")
        out.print(f" at {finding.where}{_of(finding)}")
        indented(out, finding.what)
        indented(out, f"do: {finding.fix}")
    for error in report.errors:
        out.print()
        out.print("could not tell", style="bold red", end="")
        out.print(f": {error}")
    if report.findings or report.errors:
        out.print()
    out.print(_verdict(settings, report))


def _summary(policy: Policy) -> str:
    state = "" if policy.enabled else " (disabled)"
    state += " (dry run)" if policy.dry_run else ""
    windows = f", only {'; '.join(map(str, policy.windows))}" if policy.windows else ""
    hooks = f", hooks first: {', '.join(map(str, policy.before))}" if policy.before else ""
    return (
        f"{policy.name}{state}: over {policy.threshold.text} for {format_duration(policy.for_seconds)}, "
        f"looked at {policy.when}, {policy.action}{windows}{hooks}"
    )


def _counts(one: Measured) -> str:
    words = f"{counted(one.series, 'series', 'series')} of {counted(one.pods, 'pod')}"
    if one.compared != one.pods:
        words += f", {one.compared:,} of them can be compared"
    return f"{words}, {one.over:,} over now"


def _of(finding: Finding) -> str:
    """The policies that it bears on, where the place does not say so already."""
    others = [name for name in finding.policies if not finding.where.startswith(name)]
    return f" ({', '.join(others)})" if others else ""


def _verdict(settings: Settings, report: Report) -> str:
    problems = sum(1 for one in report.findings if one.level is Level.PROBLEM)
    warnings = len(report.findings) - problems
    also = f", {counted(warnings, 'warning')}" if warnings else ""
    if report.errors:
        return f"could not tell everything: {counted(problems, 'problem')} to fix so far{also}"
    if problems:
        return f"{counted(problems, 'problem')} to fix{also}"
    return f"{settings.policy} is right{also}"
