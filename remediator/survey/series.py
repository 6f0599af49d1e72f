"""Whose series are these? Labels that identify a container, several clusters in one store, and what is there twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from remediator.detect.identity import names_a_cluster
from remediator.detect.promql import quoted
from remediator.detect.scope import Scope
from remediator.survey.ask import Ask, selector, split
from remediator.survey.findings import Finding, Kind, counted, listed, problem, warning
from remediator.survey.selection import Selection

_IDENTITY = ("namespace", "pod", "container", "id", "name")
_REPLICAS = frozenset({"prometheus_replica", "replica", "receive_replica", "__replica__"})
_LOOKED_AT = 20
"""So many series are looked at for the labels that they have."""
_LIMITS = "kube_pod_container_resource_limits"


def identity(ask: Ask, chosen: Selection) -> list[Finding]:
    """Series that no live pod can be told by. Raises PrometheusError, MeasurementError."""
    ask.tell("looking at the labels")
    everything = ask.count(chosen.selector)
    found = [
        problem(
            Kind.NOT_IDENTIFIABLE,
            where=chosen.metric,
            what=f"{counted(without, 'series', 'series')} of {everything:,} have no label {label}: evaluations that "
            "name one of them fail",
            fix=f"mend the relabelling of the kubelets' job that drops {label}",
        )
        for label in ("namespace", "pod")
        if (without := ask.count(selector(chosen.metric, [*chosen.kept, f'{label}=""'])))
    ]
    nobody = ask.count(selector(chosen.metric, [*chosen.kept, 'id=""', 'name=""', 'node=""']))
    if nobody:
        found.append(
            problem(
                Kind.NOT_IDENTIFIABLE,
                where=chosen.metric,
                what=f"{counted(nobody, 'series', 'series')} of {everything:,} have none of the labels id, name and "
                "node, so a live container can't be told from a dead one: their pods are left alone as "
                "replaced-since-sample",
                fix="keep the labels id and name of /metrics/cadvisor, or add node with the name of the pod's node",
            )
        )
    return found


def clusters(ask: Ask, chosen: Selection, scope: Scope) -> list[Finding]:
    """More than one cluster in the store. Raises PrometheusError, MeasurementError."""
    some = ask.rows(f"topk({_LOOKED_AT}, {chosen.selector})")
    found = []
    for label in sorted({label for labels, _ in some for label in labels if names_a_cluster(label)}):
        counts = {labels.get(label, ""): n for labels, n in ask.rows(f"count by ({label}) ({chosen.selector})")}
        if len(counts) < 2:  # noqa: PLR2004
            continue
        choices = [f"{label}={quoted(name)}" for name in sorted(counts) if name]
        example = ",".join((*split(scope.matchers), choices[0]))
        without = f", and {int(counts['']):,} series without that label" if "" in counts else ""
        found.append(
            problem(
                Kind.SEVERAL_CLUSTERS,
                where="REMEDIATOR_MATCHERS",
                what=f"the store holds several clusters: {listed(choices, most=5)}{without}; pods of the same name in "
                "two of them make evaluations fail",
                fix=f"set REMEDIATOR_MATCHERS to the one that the daemon runs in, such as '{example}'",
            )
        )
    return found


def twice(ask: Ask, chosen: Selection, *, age: int) -> list[Finding]:
    """Containers that are there as several series at a time, and the labels in which these differ.

    ``age`` in seconds is how young a sample must be to count. Raises PrometheusError, MeasurementError.
    """
    ask.tell("looking for what is counted twice")
    found = []
    # What has restarted has a new ID; only what agrees in everything that identifies it is there twice.
    groups = f"count by ({','.join(_IDENTITY)}) (last_over_time({chosen.selector}[{age}s])) > 1"
    if number := ask.count(groups):
        example, differing = _example(ask, groups, metric=chosen.metric, kept=chosen.kept)
        if not _only_clusters(differing):
            found.append(_containers_twice(number, example, differing))
    roll_ups = ask.count(selector(chosen.metric, [*chosen.kept, 'container=""']))
    if roll_ups:
        found.append(
            warning(
                Kind.COUNTED_TWICE,
                where="REMEDIATOR_SELECTOR",
                what=f"{counted(roll_ups, 'series', 'series')} without a container are selected: roll-ups of whole "
                "pods, which name pods too many and never count",
                fix='put container!="" into REMEDIATOR_SELECTOR',
            )
        )
    return found


def limits_twice(ask: Ask, scope: Scope) -> list[Finding]:
    """kube-state-metrics scraped twice. Raises PrometheusError, MeasurementError."""
    names = [scope.limits_labels.get(ours, ours) for ours in ("namespace", "pod", "container")]
    kept = ('resource="memory"', *split(scope.matchers))
    groups = f"count by ({','.join([*names, 'uid'])}) ({selector(_LIMITS, kept)}) > 1"
    number = ask.count(groups)
    if not number:
        return []
    example, differing = _example(ask, groups, metric=_LIMITS, kept=kept)
    if _only_clusters(differing):
        return []
    return [
        warning(
            Kind.COUNTED_TWICE,
            where=_LIMITS,
            what=f"the limits of {counted(number, 'container')} are there several times, such as "
            f"{_named(example, names)}: the series differ in {_and(differing)}",
            fix="scrape kube-state-metrics once: remove one of the jobs or ServiceMonitors; nothing is done wrongly "
            "meanwhile, each query only costs more",
        )
    ]


def _containers_twice(number: int, example: Mapping[str, str], differing: Sequence[str]) -> Finding:
    if _REPLICAS & set(differing):
        fix = (
            "let the server in front deduplicate (Thanos: REMEDIATOR_PROMETHEUS_PARAMS="
            '\'{"partial_response":"false","dedup":"true"}\')'
        )
    else:
        fix = (
            f"scrape each kubelet once: remove the leftover Service or job, or keep one of them by "
            f"REMEDIATOR_SELECTOR (which has to differ in {_and(differing)})"
        )
    return warning(
        Kind.COUNTED_TWICE,
        where="container_memory_*",
        what=f"{counted(number, 'container')} are there as several series, such as "
        f"{_named(example, ('namespace', 'pod', 'container'))}: they differ in {_and(differing)}",
        fix=f"{fix}; each container counts once all the same, each query only costs more",
    )


def _example(ask: Ask, groups: str, *, metric: str, kept: Sequence[str]) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """One of the groups, and the labels in which its series differ."""
    labels = next((found for found, _ in ask.rows(f"topk(1, {groups})")), {})
    series = [
        found for found, _ in ask.rows(selector(metric, [*kept, *(f"{k}={quoted(v)}" for k, v in labels.items())]))
    ]
    names = sorted({name for one in series for name in one} - {"__name__"})
    return labels, tuple(name for name in names if len({one.get(name) for one in series}) > 1)


def _only_clusters(differing: Sequence[str]) -> bool:
    """Whether it is two clusters, which is told elsewhere, and nothing twice."""
    return bool(differing) and all(names_a_cluster(label) for label in differing)


def _named(labels: Mapping[str, str], names: Sequence[str]) -> str:
    return "/".join(labels.get(name, "?") for name in names)


def _and(names: Sequence[str]) -> str:
    if len(names) < 2:  # noqa: PLR2004
        return "".join(names) or "nothing that can be seen now"
    return f"{', '.join(names[:-1])} and {names[-1]}"
