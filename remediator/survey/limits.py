"""Where the limits come from: kube-state-metrics and its labels, cAdvisor, and the pods that have none."""

from __future__ import annotations

import json
from collections.abc import Sequence

from remediator.detect.promql import Queries
from remediator.detect.scope import Scope
from remediator.policy import Policy, ShareOfLimit, ShareOfRequest
from remediator.survey.ask import Ask, selector, split
from remediator.survey.findings import Finding, Kind, counted, listed, problem, warning
from remediator.survey.selection import Selection

_OF_SPEC = "kube_pod_container_resource_limits"
_REQUESTS = "kube_pod_container_resource_requests"
_IN_FORCE = "container_spec_memory_limit_bytes"
_OURS = ("namespace", "pod", "container")
_SHOWN = 5


def wanted_of(policy: Policy) -> str:
    """The metric of kube-state-metrics that the policy's threshold is a share of; empty where it is of none."""
    match policy.threshold:
        case ShareOfLimit():
            return _OF_SPEC
        case ShareOfRequest():
            return _REQUESTS
        case _:
            return ""


def source(ask: Ask, chosen: Selection, scope: Scope, policies: Sequence[Policy]) -> tuple[set[str], list[Finding]]:
    """The metrics of limits and requests that can be looked up, of those that the policies need.

    Raises PrometheusError, MeasurementError.
    """
    ask.tell("looking for limits and requests")
    kept = ('resource="memory"', *split(scope.matchers))
    if labels := _labels(ask, scope, kept):
        return set(), labels
    usable: set[str] = set()
    found: list[Finding] = []
    for metric in dict.fromkeys(filter(None, map(wanted_of, policies))):
        in_force = metric == _OF_SPEC and ask.count(selector(_IN_FORCE, chosen.kept)) > 0
        if in_force or ask.count(selector(metric, kept)):
            usable.add(metric)
        else:
            names = [policy.name for policy in policies if wanted_of(policy) == metric]
            found.append(_missing(metric, names, kept, elsewhere=ask.count(selector(metric, kept[:1]))))
    return usable, found


def _missing(metric: str, names: Sequence[str], kept: Sequence[str], *, elsewhere: int) -> Finding:
    if elsewhere:
        return problem(
            Kind.LIMITS_MISSING,
            where="REMEDIATOR_MATCHERS",
            what=f"none of the {elsewhere:,} series {metric} has {','.join(kept[1:])}",
            fix="give the series of kube-state-metrics the same labels as those of the kubelets, or take the matchers "
            "out",
            policies=names,
        )
    if metric == _REQUESTS:
        what = f"there are no series {metric}: a share of the request never names a pod"
        fix = "let Prometheus scrape kube-state-metrics; or write a quantity (20Gi)"
    else:
        what = f"there are neither series {metric} nor {_IN_FORCE}: a share of the limit never names a pod"
        fix = f"let Prometheus scrape kube-state-metrics, or keep cAdvisor's {_IN_FORCE}; or write a quantity (20Gi)"
    return problem(Kind.LIMITS_MISSING, where=metric, what=what, fix=fix, policies=names)


def without_limit(ask: Ask, chosen: Selection, queries: Queries, policy: Policy) -> list[Finding]:
    """The pods of a policy that has a share as threshold, for which there is nothing that it is a share of.

    Raises PrometheusError, MeasurementError.
    """
    measured = f"count by (namespace,pod) (last_over_time({chosen.selector}[{policy.for_seconds}s]))"
    levels = [queries.level]
    if queries.pod_limits and ask.number(queries.pod_limits):
        levels.append(queries.level_of_pods)
    bare = f"({measured} unless on (namespace,pod) ({' or '.join(f'({level})' for level in levels)}))"
    number = ask.count(bare)
    if not number:
        return []
    everything = ask.count(measured)
    spaces = ask.rows(f"topk({_SHOWN}, count by (namespace) ({bare}))")
    places = [
        f"{labels.get('namespace', '?')} ({count:.0f})" for labels, count in sorted(spaces, key=lambda row: -row[1])
    ]
    pods = [
        f"{labels.get('namespace', '?')}/{labels.get('pod', '?')}" for labels, _ in ask.rows(f"topk({_SHOWN}, {bare})")
    ]
    make = problem if number == everything else warning
    what = "limit" if wanted_of(policy) == _OF_SPEC else "request"
    return [
        make(
            Kind.NO_LIMIT,
            where=f"{policy.name}: threshold",
            what=f"without a memory {what}, and so never over {policy.threshold}: {counted(number, 'pod')} of "
            f"{everything:,}; by namespace: {listed(places, most=_SHOWN)}; such as {listed(sorted(pods))}",
            fix=f"set a {what}, or write a policy with a quantity (20Gi) that comes before this one",
            policies=[policy.name],
        )
    ]


def _labels(ask: Ask, scope: Scope, kept: Sequence[str]) -> list[Finding]:
    """Whether kube-state-metrics' own labels are under the names that the settings say."""
    exported = {
        ours: f"exported_{ours}" for ours in _OURS if ask.count(selector(_OF_SPEC, [*kept, f'exported_{ours}!=""']))
    }
    configured = {ours: theirs for ours, theirs in scope.limits_labels.items() if ours != theirs}
    if exported == configured:
        return []
    if exported:
        value = json.dumps(exported, separators=(",", ":"))
        what = (
            f"kube-state-metrics is scraped without honoring its labels: {listed(list(exported.values()))} hold what "
            "namespace, pod and container should, which are kube-state-metrics' own"
        )
        fix = f"scrape it with honor_labels: true, or set REMEDIATOR_LIMITS_LABELS='{value}'"
        return [problem(Kind.LIMITS_LABELS, where="REMEDIATOR_LIMITS_LABELS", what=what, fix=fix)]
    missing = [theirs for theirs in configured.values() if not ask.count(selector(_OF_SPEC, [*kept, f'{theirs}!=""']))]
    if not missing or not ask.count(selector(_OF_SPEC, kept)):
        return []
    return [
        problem(
            Kind.LIMITS_LABELS,
            where="REMEDIATOR_LIMITS_LABELS",
            what=f"no series {_OF_SPEC} has the labels that it names: {listed(missing)}",
            fix="remove REMEDIATOR_LIMITS_LABELS: kube-state-metrics is scraped with its labels honored",
        )
    ]
