"""From a policy to PromQL: pure, and escaped, so that no name in a policy can change what is asked.

Only range selectors over stored samples are used: cAdvisor's samples carry their own timestamps, so no staleness
marker is written when a container dies, and an instant query shows it for five more minutes.
Source: https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from remediator.detect.scope import Scope
from remediator.model.vocabulary import Signal
from remediator.policy import Policy, Quantity, Safety, ShareOfLimit, ShareOfRequest

METRICS: Mapping[Signal, str] = {
    Signal.WORKING_SET: "container_memory_working_set_bytes",
    Signal.RSS: "container_memory_rss",
    Signal.USAGE: "container_memory_usage_bytes",
}
_NO_LIMIT = "2^60"
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_LIMIT_IN_FORCE = "container_spec_memory_limit_bytes"
_LIMITS = ("kube_pod_container_resource_limits", "kube_pod_init_container_resource_limits")
_REQUESTS = ("kube_pod_container_resource_requests", "kube_pod_init_container_resource_requests")
_INIT_RUNS = "kube_pod_init_container_status_running"
_POD_LIMIT = "kube_pod_resource_limit"
_POD, _CONTAINER = ("namespace", "pod"), ("namespace", "pod", "container")


@dataclass(frozen=True, slots=True)
class Queries:
    """The queries of one policy.

    ``nominate`` names the pods that may be over; ``level`` is the same before its comparison, so what is compared, for
    every pod. ``fresh`` counts the series with a sample that is young enough, ``pods`` the pods that they are of,
    ``present`` the series that Prometheus shows at all; ``coverage`` is measured over running pods.
    ``nominate_pods`` names those that may be near a limit of the pod as a whole. It costs about half of what
    ``nominate`` does, so it is asked only where ``pod_limits`` counts any; both are empty where the policy has no such
    threshold. ``level_of_pods`` is that one before its comparison.
    """

    nominate: str
    level: str
    fresh: str
    pods: str
    present: str
    coverage: str
    nominate_pods: str = ""
    pod_limits: str = ""
    level_of_pods: str = ""


def compile_queries(policy: Policy, safety: Safety, scope: Scope) -> Queries:
    """The queries of a policy within a scope."""
    selected = series_of(METRICS[policy.signal], policy, safety, scope)
    low = f"min_over_time({selected}[{policy.for_seconds}s])"
    by_container = f"max by (namespace,pod,container) ({low})"
    match policy.threshold:
        case Quantity(bytes=threshold):
            level, over = f"sum by (namespace,pod) ({by_container})", str(threshold)
        case ShareOfLimit(ratio=ratio) | ShareOfRequest(ratio=ratio):
            measure = _limits if isinstance(policy.threshold, ShareOfLimit) else _requests
            level = f"{by_container} / on (namespace,pod,container) {measure(policy, safety, scope)}"
            over = repr(float(ratio))
    recent = f"last_over_time({selected}[{policy.max_sample_age}s])"
    running = _running(policy, safety, scope)
    measured = f"count by (namespace,pod) ({recent})"
    level_of_pods = _level_of_pods(policy, safety, scope) if weighs_pods(policy) else ""
    return Queries(
        nominate=f"{level} > {over}",
        level=level,
        fresh=f"count({recent})",
        pods=f"count({measured})",
        present=f"count({selected})",
        coverage=f"count({measured} and on (namespace,pod) {running}) / count({running})",
        nominate_pods=f"{level_of_pods} > {over}" if level_of_pods else "",
        pod_limits=f"count({_states(_POD_LIMIT, policy, safety, scope)})" if level_of_pods else "",
        level_of_pods=level_of_pods,
    )


def weighs_pods(policy: Policy) -> bool:
    """Whether pods with a limit of their own are measured against it: not where only some containers are meant."""
    return isinstance(policy.threshold, ShareOfLimit) and not policy.match.containers


def samples_query(policy: Policy, scope: Scope, *, namespace: str, pods: Iterable[str]) -> str:
    """The stored samples of the containers of some pods of one namespace, from before the start of ``for`` on."""
    containers = _alternatives("container", policy.match.containers)
    return _samples(scope.selector, policy, scope, namespace=namespace, pods=pods, more=containers)


def own_samples_query(policy: Policy, scope: Scope, *, namespace: str, pods: Iterable[str]) -> str:
    """The same of the pods' own cgroups, each of which holds all of its containers."""
    return _samples(scope.pod_selector, policy, scope, namespace=namespace, pods=pods)


def quoted(text: str) -> str:
    """A PromQL string: backslash, quote and line breaks escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def series_of(metric: str, policy: Policy, safety: Safety, scope: Scope) -> str:
    """The selector of one metric's series of the containers that a policy is about."""
    return f"{metric}{{{_matchers(policy, safety, scope)}}}"


def matchers_of_policy(policy: Policy, safety: Safety) -> tuple[str, ...]:
    """The matchers that a policy and the file's ``safety`` add to those of the scope, one by one."""
    matchers = (*_of_pods(policy, safety), _alternatives("container", policy.match.containers))
    return tuple(filter(None, matchers))


def _of_pods(policy: Policy, safety: Safety, *, namespace: str = "namespace", pod: str = "pod") -> tuple[str, ...]:
    """What both say of pods, under the names that these labels have."""
    return (
        _alternatives(namespace, policy.match.namespaces),
        _alternatives(namespace, safety.excluded_namespaces, operator="!~"),
        _alternatives(pod, policy.match.pods),
    )


def _matchers(policy: Policy, safety: Safety, scope: Scope) -> str:
    return _joined(scope.selector, scope.matchers, *matchers_of_policy(policy, safety))


def _samples(
    selector: str, policy: Policy, scope: Scope, *, namespace: str, pods: Iterable[str], more: str = ""
) -> str:
    names = "|".join(_re2_quoted(pod) for pod in sorted(pods))
    matchers = _joined(selector, scope.matchers, f"namespace={quoted(namespace)}", f"pod=~{quoted(names)}", more)
    return f"{METRICS[policy.signal]}{{{matchers}}}[{policy.for_seconds + scope.largest_gap}s]"


def _limits(policy: Policy, safety: Safety, scope: Scope) -> str:
    """The limits in bytes by namespace, pod and container; of several the lowest, so that no pod is missed.

    kube-state-metrics has the limit of the spec, cAdvisor the one in force: while a resize is pending they differ, and
    where one of the sources is absent the other serves. Which limit counts is for the judge to say.
    """
    in_force = series_of(_LIMIT_IN_FORCE, policy, safety, scope)
    return f"min by (namespace,pod,container) ({_of_spec(_LIMITS, policy, safety, scope)} or {_real(in_force)})"


def _requests(policy: Policy, safety: Safety, scope: Scope) -> str:
    """The requests in bytes by namespace, pod and container: kube-state-metrics alone has them, those of the spec."""
    return f"min by (namespace,pod,container) ({_of_spec(_REQUESTS, policy, safety, scope)})"


def _of_spec(names: Iterable[str], policy: Policy, safety: Safety, scope: Scope) -> str:
    found = " or ".join(_states(name, policy, safety, scope) for name in names)
    return _renamed(_real(f"({found})"), scope, _CONTAINER, fold="min")


def _level_of_pods(policy: Policy, safety: Safety, scope: Scope) -> str:
    """What pods use over their own limits, for pods that have one.

    kube-scheduler gives each pod's limit: its own where it has one, else the sum of its containers', of which some may
    have none. That sum limits nothing, so pods whose limit is just the sum are left out.
    """
    matchers = _joined(scope.pod_selector, scope.matchers, *_of_pods(policy, safety))
    low = f"min_over_time({METRICS[policy.signal]}{{{matchers}}}[{policy.for_seconds}s])"
    of_spec = _renamed(_real(_states(_POD_LIMIT, policy, safety, scope)), scope, _POD, fold="min")
    limits = f"min by (namespace,pod) ({of_spec} or {_real(f'{_LIMIT_IN_FORCE}{{{matchers}}}')})"
    sums = f"max by (namespace,pod) ({of_spec}) == on (namespace,pod) {_sums(policy, safety, scope)}"
    return f"max by (namespace,pod) ({low}) / on (namespace,pod) ({limits} unless on (namespace,pod) ({sums}))"


def _sums(policy: Policy, safety: Safety, scope: Scope) -> str:
    """The limits of the containers that keep running, added up by pod, as kube-scheduler does it."""
    plain, init = (_states(name, policy, safety, scope) for name in _LIMITS)
    labels = ",".join(scope.limits_labels.get(label, label) for label in _CONTAINER)
    runs = _states(_INIT_RUNS, policy, safety, scope, first="")
    each = _renamed(f"({plain} or {init} and on ({labels}) {runs} == 1)", scope, _CONTAINER, fold="max")
    return f"sum by (namespace,pod) (max by (namespace,pod,container) ({each}))"


def _running(policy: Policy, safety: Safety, scope: Scope) -> str:
    """The running pods that the policy's expressions match, by namespace and pod."""
    phases = _states("kube_pod_status_phase", policy, safety, scope, first='phase="Running"')
    return f"count by (namespace,pod) ({_renamed(f'{phases} == 1', scope, _POD, fold='max')})"


def _states(name: str, policy: Policy, safety: Safety, scope: Scope, *, first: str = 'resource="memory"') -> str:
    """The selector of series that tell of objects: under the names that they have for namespace and pod."""
    namespace, pod = (scope.limits_labels.get(ours, ours) for ours in _POD)
    matchers = _joined(first, scope.matchers, *_of_pods(policy, safety, namespace=namespace, pod=pod))
    return f"{name}{{{matchers}}}"


def _real(series: str) -> str:
    """Without what stands for "no limit"."""
    return f"{series} > 0 < {_NO_LIMIT}"


def _renamed(series: str, scope: Scope, labels: Iterable[str], *, fold: str) -> str:
    """The series under the names that the measurements use for these labels.

    First folded by their own names: what told two servers of the same series apart may be one of the labels that are
    overwritten, and twice the same labels are an error.
    """
    theirs = {ours: scope.limits_labels.get(ours, ours) for ours in labels}
    if all(ours == name for ours, name in theirs.items()):
        return series
    found = f"{fold} by ({','.join(theirs.values())}) ({series})"
    for ours, name in theirs.items():
        if ours != name:
            found = f'label_replace({found}, {quoted(ours)}, "$1", {quoted(name)}, "(.*)")'
    return found


def _alternatives(label: str, patterns: Iterable[str], *, operator: str = "=~") -> str:
    """A matcher for any of the regular expressions; Prometheus anchors the whole of it."""
    grouped = "|".join(f"(?:{pattern})" for pattern in patterns)
    return f"{label}{operator}{quoted(grouped)}" if grouped else ""


def _joined(*matchers: str) -> str:
    return ",".join(matcher.strip().strip(",") for matcher in matchers if matcher.strip().strip(","))


def _re2_quoted(name: str) -> str:
    """A name as a regular expression that matches it alone.

    A pod's name holds only letters, digits, dashes and dots, but this one comes from a label, which may hold anything.
    """
    return _SPECIAL.sub(r"\\\g<0>", name)
