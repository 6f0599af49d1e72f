"""The metrics: counters as things happen, and gauges collected from the snapshot, so that no stale series stays."""

from __future__ import annotations

import platform
import threading
from collections.abc import Collection, Iterator

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric

from remediator import __version__
from remediator.model.remediations import Remediation
from remediator.model.vocabulary import Evaluation, Gate, Outcome, Reason
from remediator.observe.state import State

WORKLOADS = 200
"""Workloads that have series of their own: each label value lives as long as the process."""
LATE = 20
"""Workloads of one policy that have a series for their late pods: those with the most."""
_REPLACEMENT = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)
_EVALUATION = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_REQUEST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 30)


class Metrics:
    """All metrics of one process, in a registry of its own."""

    def __init__(self, state: State) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._evaluations = self._counter("evaluations", "Evaluations by how they ended.", "policy", "outcome")
        self._duration = self._histogram("evaluation_duration", "One evaluation.", _EVALUATION, "policy")
        self._vetoes = self._counter("vetoes", "Reasons why a nominated pod was left alone.", "policy", "reason")
        self._remediations = self._counter(
            "remediations", "Remediations by how they ended.", "policy", "namespace", "workload", "action", "outcome"
        )
        self._replacement = self._histogram(
            "replacement_duration", "From the act until the replacement was available.", _REPLACEMENT, "action"
        )
        self._released = self._counter(
            "memory_released_bytes", "Memory of the pods that went, less that of their replacements.", "policy"
        )
        self._prometheus = self._histogram(
            "prometheus_request_duration", "Questions to Prometheus.", _REQUEST, "outcome"
        )
        self._kubernetes = self._histogram(
            "kubernetes_request_duration", "Requests to the API server.", _REQUEST, "verb", "outcome"
        )
        self._lock = threading.Lock()
        self._policies: set[str] | None = None
        self._gone: set[str] = set()
        self._workloads: dict[tuple[str, str], None] = {}
        self.registry.register(_Snapshot(state))

    def keep(self, policies: Collection[str]) -> None:
        """These policies there are now: the series of others disappear."""
        with self._lock:
            for gone in ((self._policies or set()) | self._gone) - set(policies):
                for metric in (self._evaluations, self._duration, self._vetoes, self._remediations, self._released):
                    metric.remove_by_labels({"policy": gone})
            self._policies, self._gone = set(policies), set()

    def _is_there(self, policy: str) -> bool:
        """Whether there is such a policy; what is still told of one that has gone brings no series back."""
        return self._policies is None or policy in self._policies

    def evaluated(self, policy: str, outcome: Evaluation, seconds: float) -> None:
        """An evaluation ended."""
        with self._lock:
            if self._is_there(policy):
                self._evaluations.labels(policy, outcome).inc()
                self._duration.labels(policy).observe(seconds)

    def skipped(self, policy: str) -> None:
        """An evaluation was due while the one before it still ran."""
        with self._lock:
            if self._is_there(policy):
                self._evaluations.labels(policy, Evaluation.SKIPPED).inc()

    def vetoed(self, policy: str, reason: Reason) -> None:
        """A guard said no."""
        with self._lock:
            if self._is_there(policy):
                self._vetoes.labels(policy, reason).inc()

    def settled(self, record: Remediation) -> None:
        """A remediation ended; that of a policy which has gone meanwhile is counted until the next file."""
        breach, workload = record.breach, str(record.workload)
        outcome = record.outcome or Outcome.FAILED
        with self._lock:
            if not self._is_there(breach.policy):
                self._gone.add(breach.policy)
            self._remember(breach.namespace, workload)
            self._remediations.labels(breach.policy, breach.namespace, workload, record.action, outcome).inc()
            if record.after is not None and record.after < breach.value:
                self._released.labels(breach.policy).inc(breach.value - record.after)
        if record.taken_at is not None and record.available_at is not None:
            self._replacement.labels(record.action).observe(record.available_at - record.taken_at)

    def _remember(self, namespace: str, workload: str) -> None:
        """Keep the series of as many workloads as the journal keeps settled records, the latest acted upon."""
        self._workloads.pop((namespace, workload), None)
        self._workloads[namespace, workload] = None
        if len(self._workloads) > WORKLOADS:
            old_namespace, old_workload = next(iter(self._workloads))
            del self._workloads[old_namespace, old_workload]
            self._remediations.remove_by_labels({"namespace": old_namespace, "workload": old_workload})

    def prometheus(self, outcome: str, seconds: float) -> None:
        """Prometheus answered, or not."""
        self._prometheus.labels(outcome).observe(seconds)

    def kubernetes(self, verb: str, outcome: str, seconds: float) -> None:
        """The API server answered, or not."""
        self._kubernetes.labels(verb, outcome).observe(seconds)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"remediator_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"remediator_{name}_seconds", text, labels, buckets=buckets, registry=self.registry)


class _Snapshot:
    """Gauges made anew from the snapshot at each scrape: what is gone has no series."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        now = self._state.now
        yield from self._policies()
        yield _gauge("leader", "1 where this process leads.", float(now.leading))
        # Only the leader has read the journal.
        if now.budget_left is not None:
            in_flight = float(len(now.ledger.in_flight))
            yield _gauge("remediations_in_flight", "Remediations that are not settled.", in_flight)
            left = float(now.budget_left)
            yield _gauge("budget_remaining", "Actions that the cluster-wide budget still allows.", left)
        yield _gauge("policy_reload_success", "1 where the policy file was read well.", float(now.reload_ok))
        if now.reloaded_at is not None:
            yield _gauge("policy_reload_timestamp_seconds", "When a policy file was last taken.", now.reloaded_at)
        breakers = GaugeMetricFamily(
            "remediator_breaker_open", "Workloads from which nothing is taken.", labels=["namespace", "workload"]
        )
        for breaker in now.ledger.breakers.values():
            breakers.add_metric([breaker.workload.namespace, str(breaker.workload)], 1)
        yield breakers
        active = GaugeMetricFamily("remediator_hold_active", "1 where this gate holds all action.", labels=["gate"])
        since = GaugeMetricFamily("remediator_hold_since_timestamp_seconds", "Since when it holds.", labels=["gate"])
        for gate in (*Gate, *now.hold_when):
            active.add_metric([gate], float(gate in now.gates))
            if gate in now.gates:
                since.add_metric([gate], now.gates[gate])
        yield active
        yield since
        info = GaugeMetricFamily("remediator_build_info", "The version that runs.", labels=["version", "python"])
        info.add_metric([__version__, platform.python_version()], 1)
        yield info

    def _policies(self) -> Iterator[Metric]:
        at = GaugeMetricFamily(
            "remediator_last_evaluation_timestamp_seconds", "When it was last evaluated.", labels=["policy"]
        )
        breaching = GaugeMetricFamily("remediator_breaching_pods", "Pods over their threshold.", labels=["policy"])
        coverage = GaugeMetricFamily(
            "remediator_measured_pods_ratio", "Measured pods over running matched pods.", labels=["policy"]
        )
        interval = GaugeMetricFamily(
            "remediator_evaluation_interval_seconds", "Between two evaluations, as scheduled.", labels=["policy"]
        )
        since = GaugeMetricFamily(
            "remediator_schedule_since_timestamp_seconds", "Since when its times are these.", labels=["policy", "by"]
        )
        late = GaugeMetricFamily(
            "remediator_late_pods",
            "Pods that reach their limit before their turn.",
            labels=["policy", "namespace", "workload"],
        )
        for name, state in self._state.now.policies.items():
            for queue in state.late[:LATE]:
                late.add_metric([name, queue.workload.namespace, str(queue.workload)], queue.late)
            if state.evaluated_at is not None:
                at.add_metric([name], state.evaluated_at)
                breaching.add_metric([name], state.breaching)
            if state.coverage is not None:
                coverage.add_metric([name], state.coverage)
        for name, schedule in self._state.now.schedules.items():
            interval.add_metric([name], schedule.pace.interval)
            since.add_metric([name, "change" if schedule.by_change else "start"], schedule.since)
        yield from (at, breaching, coverage, interval, since, late)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"remediator_{name}", text)
    family.add_metric([], value)
    return family
