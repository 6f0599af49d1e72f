"""From a policy to PromQL: pure, and escaped, so that no name in a policy can change what is asked.

Only range selectors over stored samples are used: cAdvisor's samples carry their own timestamps, so no staleness
marker is written when a container dies, and an instant query shows it for five more minutes.
Source: https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from remediator.detect.scope import Scope
from remediator.policy import Policy, Quantity, Safety, ShareOfLimit

METRIC = "container_memory_working_set_bytes"
_NO_LIMIT = "2^60"
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_LIMIT_IN_FORCE = "container_spec_memory_limit_bytes"
_LIMITS = ("kube_pod_container_resource_limits", "kube_pod_init_container_resource_limits")


@dataclass(frozen=True, slots=True)
class Queries:
    """The queries of one policy.

    ``nominate`` names the pods that may be over; ``level`` is the same before its comparison, so what is compared, for
    every pod. ``fresh`` counts the series with a sample that is young enough, ``pods`` the pods that they are of,
    ``present`` the series that Prometheus shows at all; ``coverage`` is measured over running pods.
    """

    nominate: str
    level: str
    fresh: str
    pods: str
    present: str
    coverage: str


def compile_queries(policy: Policy, safety: Safety, scope: Scope) -> Queries:
    """The queries of a policy within a scope."""
    selected = series_of(METRIC, policy, safety, scope)
    low = f"min_over_time({selected}[{policy.for_seconds}s])"
    by_container = f"max by (namespace,pod,container) ({low})"
    match policy.threshold:
        case Quantity(bytes=threshold):
            level, over = f"sum by (namespace,pod) ({by_container})", str(threshold)
        case ShareOfLimit(ratio=ratio):
            limits = _limits(policy, safety, scope)
            level, over = f"{by_container} / on (namespace,pod,container) {limits}", repr(float(ratio))
    recent = f"last_over_time({selected}[{policy.max_sample_age}s])"
    running = _running(policy, safety, scope)
    measured = f"count by (namespace,pod) ({recent})"
    return Queries(
        nominate=f"{level} > {over}",
        level=level,
        fresh=f"count({recent})",
        pods=f"count({measured})",
        present=f"count({selected})",
        coverage=f"count({measured} and on (namespace,pod) {running}) / count({running})",
    )


def samples_query(policy: Policy, scope: Scope, *, namespace: str, pods: Iterable[str]) -> str:
    """The stored samples of some pods of one namespace, from before the start of ``for`` on."""
    names = "|".join(_re2_quoted(pod) for pod in sorted(pods))
    matchers = _joined(
        scope.selector,
        scope.matchers,
        f"namespace={quoted(namespace)}",
        f"pod=~{quoted(names)}",
        _alternatives("container", policy.match.containers),
    )
    return f"{METRIC}{{{matchers}}}[{policy.for_seconds + scope.range_margin}s]"


def quoted(text: str) -> str:
    """A PromQL string: backslash, quote and line breaks escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def series_of(metric: str, policy: Policy, safety: Safety, scope: Scope) -> str:
    """The selector of one metric's series of the containers that a policy is about."""
    return f"{metric}{{{_matchers(policy, safety, scope)}}}"


def matchers_of_policy(policy: Policy, safety: Safety) -> tuple[str, ...]:
    """The matchers that a policy and the file's ``safety`` add to those of the scope, one by one."""
    matchers = (
        _alternatives("namespace", policy.match.namespaces),
        _alternatives("namespace", safety.excluded_namespaces, operator="!~"),
        _alternatives("pod", policy.match.pods),
        _alternatives("container", policy.match.containers),
    )
    return tuple(filter(None, matchers))


def _matchers(policy: Policy, safety: Safety, scope: Scope) -> str:
    return _joined(scope.selector, scope.matchers, *matchers_of_policy(policy, safety))


def _limits(policy: Policy, safety: Safety, scope: Scope) -> str:
    """The limits in bytes by namespace, pod and container; of several the lowest, so that no pod is missed.

    kube-state-metrics has the limit of the spec, cAdvisor the one in force: while a resize is pending they differ, and
    where one of the sources is absent the other serves. Which limit counts is for the judge to say.
    """
    matchers = _state_matchers('resource="memory"', policy, safety, scope)
    of_spec = _renamed(" or ".join(f"{name}{{{matchers}}}" for name in _LIMITS), scope)
    in_force = series_of(_LIMIT_IN_FORCE, policy, safety, scope)
    return f"min by (namespace,pod,container) (({of_spec} or {in_force}) > 0 < {_NO_LIMIT})"


def _running(policy: Policy, safety: Safety, scope: Scope) -> str:
    """The running pods that the policy's expressions match, by namespace and pod."""
    matchers = _state_matchers('phase="Running"', policy, safety, scope)
    return f"count by (namespace,pod) ({_renamed(f'kube_pod_status_phase{{{matchers}}} == 1', scope)})"


def _state_matchers(first: str, policy: Policy, safety: Safety, scope: Scope) -> str:
    """Matchers for series of kube-state-metrics, under the names that they have for namespace and pod."""
    namespace, pod = (scope.limits_labels.get(ours, ours) for ours in ("namespace", "pod"))
    return _joined(
        first,
        scope.matchers,
        _alternatives(namespace, policy.match.namespaces),
        _alternatives(namespace, safety.excluded_namespaces, operator="!~"),
        _alternatives(pod, policy.match.pods),
    )


def _renamed(series: str, scope: Scope) -> str:
    """The series under the names that the measurements use for namespace, pod and container."""
    for ours, theirs in scope.limits_labels.items():
        if ours != theirs:
            series = f'label_replace({series}, {quoted(ours)}, "$1", {quoted(theirs)}, "(.*)")'
    return series


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
