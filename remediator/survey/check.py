"""``check`` with a server: can this policy file work against this Prometheus, and this cluster?

Each compiled query is asked once. What one policy's questions fail on does not keep the others from being asked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from remediator.detect.prometheus import Prometheus
from remediator.detect.promql import METRICS, compile_queries
from remediator.detect.scope import Scope
from remediator.errors import KubernetesError, MeasurementError, PrometheusError
from remediator.policy import Policy, PolicyFile
from remediator.survey import file, holds, limits, pace, selection, series, workloads
from remediator.survey.ask import Ask, Tell
from remediator.survey.findings import Finding, Kind, merged, warning
from remediator.survey.holds import Gate
from remediator.survey.live import Live
from remediator.survey.pace import Pace
from remediator.survey.selection import Selection

_WHOLE = 0.9999


@dataclass(frozen=True, slots=True)
class Measured:
    """What Prometheus has for one policy.

    ``series`` are those that match before the comparison, of ``pods`` pods; ``compared`` those pods for which there is
    something to compare (of a share: a limit); ``over`` is how many the query names now. ``coverage`` is measured over
    running pods, None where that is not known. ``query`` names the pods that are over.
    """

    policy: str
    series: int
    pods: int
    compared: int
    over: int
    coverage: float | None
    query: str


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found; ``errors`` are the sentences about what could not be told."""

    measured: tuple[Measured, ...] = ()
    pace: Pace | None = None
    findings: tuple[Finding, ...] = ()
    errors: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()


@dataclass(slots=True)
class _Found:
    measured: list[Measured] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)
    pace: Pace | None = None


def survey(
    policies: PolicyFile,
    *,
    scope: Scope,
    prometheus: Prometheus | None,
    live: Live | None,
    at: int,
    tell: Tell,
    pause: Callable[[float], object],
) -> Report:
    """Ask whatever there is to ask. Never raises what a server answers: that is among the errors."""
    found = _Found(findings=file.faults(policies))
    enabled = [policy for policy in policies.policies if policy.enabled]
    namespaces: set[str] = set()
    if prometheus is not None:
        asked = holds.ask_all(Ask(prometheus, at=at, tell=tell), policies.safety)
        found.gates.extend(asked.gates)
        found.findings.extend(asked.findings)
        found.errors.extend(asked.errors)
    if prometheus is not None and enabled:
        ask = Ask(prometheus, at=at, tell=tell)
        try:
            namespaces = _prometheus(ask, policies, enabled, scope, found, pause)
        except (PrometheusError, MeasurementError) as exc:
            found.errors.append(str(exc))
    if live is not None and enabled:
        try:
            live.read(policies, measured=namespaces)
            found.findings.extend(workloads.faults(live, policies))
        except KubernetesError as exc:
            found.errors.append(str(exc))
        found.errors.extend(f"namespace {name}: {why}" for name, why in live.refused.items())
    return Report(tuple(found.measured), found.pace, merged(found.findings), tuple(found.errors), tuple(found.gates))


def _prometheus(
    ask: Ask,
    policies: PolicyFile,
    enabled: Sequence[Policy],
    scope: Scope,
    found: _Found,
    pause: Callable[[float], object],
) -> set[str]:
    """Metric by metric what concerns all of its policies, then each of them; gives the namespaces that are measured."""
    namespaces: set[str] = set()
    for metric in dict.fromkeys(METRICS[policy.signal] for policy in enabled):
        of_metric = [policy for policy in enabled if METRICS[policy.signal] == metric]
        chosen, faults = selection.of_scope(ask, metric, scope)
        found.findings.extend(faults)
        if chosen is None or chosen.emptying:
            # What is left over without these matchers is not what anybody meant; first things first.
            found.measured.extend(Measured(policy.name, 0, 0, 0, 0, None, "") for policy in of_metric)
            continue
        _metric(ask, chosen, policies, of_metric, scope, found, pause)
        rows = ask.rows(f"count by (namespace) ({chosen.selector})")
        namespaces |= {labels.get("namespace", "") for labels, _ in rows} - {""}
    return namespaces


def _metric(
    ask: Ask,
    chosen: Selection,
    policies: PolicyFile,
    enabled: Sequence[Policy],
    scope: Scope,
    found: _Found,
    pause: Callable[[float], object],
) -> None:
    found.pace = at_pace = pace.measure(ask, chosen, scope)
    found.findings.extend(pace.faults(at_pace, scope, enabled))
    found.findings.extend(series.identity(ask, chosen))
    found.findings.extend(series.clusters(ask, chosen, scope))
    found.findings.extend(series.twice(ask, chosen, age=max(policy.max_sample_age for policy in enabled)))
    found.findings.extend(series.limits_twice(ask, scope))
    usable, faults = limits.source(ask, chosen, scope, enabled)
    found.findings.extend(faults)
    stale: list[Policy] = []
    for number, policy in enumerate(enabled, start=1):
        ask.tell(f"policy {number} of {len(enabled)}: {policy.name}")
        try:
            if not _policy(ask, policy, policies, scope, chosen, usable, found):
                stale.append(policy)
        except (PrometheusError, MeasurementError) as exc:
            found.errors.append(f"policy {policy.name}: {exc}")
    late = pace.lateness(ask, chosen, at_pace, enabled, pause=pause)
    found.findings.extend(late)
    explained = {name for one in late for name in one.policies}
    found.findings.extend(pace.stale(policy, at_pace) for policy in stale if policy.name not in explained)


def _policy(
    ask: Ask,
    policy: Policy,
    policies: PolicyFile,
    scope: Scope,
    given: Selection,
    usable: Collection[str],
    found: _Found,
) -> bool:
    """Whether one policy has samples that are young enough, or no series at all, which is told by itself."""
    queries = compile_queries(policy, policies.safety, scope)
    chosen, faults = selection.of_policy(ask, policy, policies.safety, given)
    found.findings.extend(faults)
    if chosen.emptying:
        found.measured.append(Measured(policy.name, 0, 0, 0, 0, None, queries.nominate))
        return True
    over = [labels for labels, _ in ask.rows(queries.nominate)]
    compared = f"count by (namespace,pod) ({queries.level})"
    if queries.pod_limits and ask.number(queries.pod_limits):
        over.extend(labels for labels, _ in ask.rows(queries.nominate_pods))
        compared = f"({compared} or count by (namespace,pod) ({queries.level_of_pods}))"
    measured = Measured(
        policy=policy.name,
        series=int(ask.number(queries.present) or 0),
        pods=ask.count(f"count by (namespace,pod) ({chosen.selector})"),
        compared=ask.count(compared),
        over=len({(labels.get("namespace"), labels.get("pod")) for labels in over}),
        coverage=ask.number(queries.coverage),
        query=queries.nominate,
    )
    found.measured.append(measured)
    if limits.wanted_of(policy) in usable:
        found.findings.extend(limits.without_limit(ask, chosen, queries, policy))
    if measured.coverage is not None and measured.coverage < _WHOLE:
        found.findings.append(_not_all(policy, measured.coverage))
    return bool(ask.number(queries.fresh))


def _not_all(policy: Policy, coverage: float) -> Finding:
    return warning(
        Kind.NOT_ALL_MEASURED,
        where=policy.name,
        what=f"{coverage:.1%} of the running pods that it matches are measured",
        fix="look for nodes whose kubelets are not scraped, or whose series have lost their labels; pods that have "
        "just started are not measured yet",
        policies=[policy.name],
    )
