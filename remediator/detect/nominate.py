"""Stage one: which pods may be over. One query over everything names them; it may name a pod too many."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from remediator.detect.promql import Queries
from remediator.errors import MeasurementError
from remediator.model.measures import Candidate
from remediator.policy import Policy


class Asked(Protocol):
    """Who answers instant queries."""

    def vector(self, query: str, *, at: int) -> Sequence[tuple[Mapping[str, str], float]]:
        """The labels and value of each series at that whole second. Raises PrometheusError."""
        ...


def nominated(prometheus: Asked, policy: Policy, queries: Queries, *, at: int) -> tuple[Candidate, ...]:
    """The pods that the queries name, in order of namespace and name. Raises MeasurementError, PrometheusError."""
    asked = [queries.nominate]
    # Nobody with a pod-level limit: then the other question has no answer, and costs as much as if it had one.
    if queries.pod_limits and count(prometheus, queries.pod_limits, at=at):
        asked.append(queries.nominate_pods)
    found = {_candidate(policy, labels, query) for query in asked for labels, _ in prometheus.vector(query, at=at)}
    return tuple(sorted(found, key=lambda one: (one.namespace, one.pod)))


def count(prometheus: Asked, query: str, *, at: int) -> int:
    """How many there are; no answer is none. Raises MeasurementError, PrometheusError."""
    counted = prometheus.vector(query, at=at)
    if not counted:
        return 0
    if not math.isfinite(counted[0][1]):
        message = f"Prometheus counted {counted[0][1]} series: {query}"
        raise MeasurementError(message)
    return int(counted[0][1])


def _candidate(policy: Policy, labels: Mapping[str, str], query: str) -> Candidate:
    namespace, pod = labels.get("namespace", ""), labels.get("pod", "")
    if not namespace or not pod:
        message = f"a series without namespace or pod was named by: {query}"
        raise MeasurementError(message)
    return Candidate(policy.name, namespace, pod)
