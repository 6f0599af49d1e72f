"""``remediator plan``: what the daemon would do now, with the caller's own rights, and without doing any of it."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from remediator.cli.options import (
    Kubeconfig,
    Name,
    Namespace,
    PolicyArgument,
    PrometheusUrl,
    ScrapeInterval,
    fail,
    settings_or_exit,
)
from remediator.cli.output import Form, Output, console, write_json
from remediator.cli.progress import Progress
from remediator.cli.table import write
from remediator.cluster.api import ApiServer, connect
from remediator.cluster.orphans import Orphans
from remediator.cluster.removal import Removal
from remediator.detect.prometheus import Prometheus
from remediator.errors import KubernetesError, PolicyError, SettingsError
from remediator.observe.clocks import API_SERVER, PROMETHEUS, Clocks
from remediator.policy import PolicyFile, load
from remediator.settings import Settings
from remediator.survey import ledger
from remediator.survey.ask import Tell
from remediator.survey.lines import OVER, Evaluated, Line, Plan, Verdict
from remediator.survey.live import Live
from remediator.survey.plan import Means, make

NOTHING, WOULD_ACT, COULD_NOT_TELL = 0, 1, 2
_OUTCOMES = {NOTHING: "nothing", WOULD_ACT: "would-act", COULD_NOT_TELL: "could-not-tell"}


def plan(
    *,
    file: PolicyArgument = None,
    prometheus_url: PrometheusUrl = None,
    scrape_interval: ScrapeInterval = None,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
    name: Name = None,
    over: Annotated[bool, typer.Option("--over", help="Show only pods that are over their threshold.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run/--no-dry-run", help="Ask the API server by a dry run about pods that would go.")
    ] = True,
    output: Output = Form.TEXT,
) -> None:
    """Show every pod that the policies match, what it uses, and what would become of it now, with all reasons.

    Nothing is changed. Exit code 0 where nothing would act, 1 where something would, 2 where it could not tell.
    """
    settings = settings_or_exit(
        COULD_NOT_TELL,
        policy=file,
        prometheus_url=prometheus_url,
        scrape_interval=scrape_interval,
        kubeconfig=kubeconfig,
        namespace=namespace,
        name=name,
    )
    try:
        with Progress() as progress:
            policies, made = _make(settings, dry_run=dry_run, tell=progress)
    except (SettingsError, PolicyError, KubernetesError) as exc:
        fail(str(exc), COULD_NOT_TELL)
    code = _code(made)
    shown = [line for line in made.lines if line.verdict in OVER] if over else list(made.lines)
    if output is Form.JSON:
        write_json("plan", _document(settings, policies, made, shown, code))
    else:
        write(console(), policies, made, shown)
    raise typer.Exit(code)


def _make(settings: Settings, *, dry_run: bool, tell: Tell) -> tuple[PolicyFile, Plan]:
    """The policy file and the plan. Raises SettingsError, PolicyError, KubernetesError."""
    access = settings.access
    connection = connect(settings.kubeconfig)
    place = settings.namespace or connection.namespace
    policies = load(settings.policy, sample_interval=settings.sample_interval, own_namespace=place)
    clocks = Clocks()
    api = ApiServer(connection, observe=lambda *_: None, heard=clocks.of(API_SERVER), user_agent="remediator-plan")
    tell("reading the journal")
    account = ledger.read(api, namespace=place, name=settings.name)
    removal = Removal(api, fence=lambda _: None)
    means = Means(
        prometheus=Prometheus(access, observe=lambda *_: None, heard=clocks.of(PROMETHEUS)),
        live=Live(api, nodes=settings.nodes, tell=tell),
        # A dry run changes nothing, so it needs no lease.
        dry_run=(removal, Orphans(api, removal)) if dry_run else None,
        clocks=clocks,
        scope=settings.scope,
        clock=time.time,
        tell=tell,
    )
    return policies, make(policies, means, account)


def _code(made: Plan) -> int:
    if made.errors or made.count(Verdict.COULD_NOT_TELL):
        return COULD_NOT_TELL
    return WOULD_ACT if made.count(Verdict.WOULD_ACT) else NOTHING


def _document(settings: Settings, policies: PolicyFile, made: Plan, shown: list[Line], code: int) -> dict[str, Any]:
    return {
        "file": str(settings.policy),
        "outcome": _OUTCOMES[code],
        "paused": policies.safety.paused,
        "holds": [{"gate": hold.gate, "why": hold.why} for hold in made.holds],
        "counts": {verdict.value: made.count(verdict) for verdict in Verdict},
        "policies": [_policy(one) for one in made.policies],
        "pods": [_line(line) for line in shown],
        "notes": list(made.notes),
        "errors": list(made.errors),
    }


def _policy(one: Evaluated) -> dict[str, Any]:
    return {
        "name": one.policy,
        "outcome": one.outcome,
        "words": one.words,
        "measured_pods": one.pods,
        "nominated_pods": one.nominated,
        "query": one.query or None,
    }


def _line(line: Line) -> dict[str, Any]:
    weight = line.weight
    share = weight.value / weight.limit if weight.value is not None and weight.limit else None
    return {
        "namespace": line.namespace,
        "pod": line.pod,
        "uid": line.uid,
        "node": line.node or None,
        "workload": line.workload or None,
        "only_replica": line.only_replica,
        "policy": line.policy,
        "action": line.action,
        "before": list(line.before),
        "verdict": line.verdict,
        "emergency": line.emergency,
        "reasons": [{"reason": veto.reason, "detail": veto.detail} for veto in line.reasons],
        "words": line.words,
        "container": weight.container or None,
        "value": weight.value,
        "rss": weight.rss,
        "probably_reclaimable": weight.reclaimable,
        "threshold": weight.threshold,
        "threshold_text": line.threshold,
        "limit": weight.limit,
        "share": None if share is None else round(share, 4),
    }
