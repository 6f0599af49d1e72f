"""The look at live pods: read them, judge their samples, and ask the guards. Reads only.

The evaluation asks it about all candidates; a transaction asks it once more about its own pod, right before it acts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from remediator.cluster.disruption import DisruptionBudgets
from remediator.cluster.owners import Owners
from remediator.cluster.pods import Pods
from remediator.decide import about_pod, about_workload, policy_and_journal
from remediator.detect.judge import judge
from remediator.detect.prometheus import Prometheus
from remediator.detect.promql import samples_query
from remediator.detect.scope import Scope
from remediator.model.measures import Breach, Series, Veto
from remediator.model.pods import LivePod
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Reason
from remediator.model.workloads import Workload, WorkloadRef
from remediator.policy import Policy, PolicyFile

BATCH = 100
"""Pods in one question for samples: a longer one makes the server compile a larger expression for each series."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a candidate turned out to be; ``pod`` is None where it is gone."""

    pod: LivePod | None
    verdict: Breach | Veto


@dataclass(frozen=True, slots=True)
class Go:
    """No guard objects: the pod as read, its workload, and the pods of that."""

    pod: LivePod
    workload: Workload


@dataclass(frozen=True, slots=True)
class Vetoed:
    """Every reason of the first stage that has any; ``workload`` where it is known."""

    vetoes: tuple[Veto, ...]
    workload: WorkloadRef | None = None

    def __str__(self) -> str:
        return "; ".join(map(str, self.vetoes))


class Examination:
    """Looks at pods with these clients."""

    def __init__(
        self,
        *,
        prometheus: Prometheus,
        pods: Pods,
        owners: Owners,
        budgets: DisruptionBudgets,
        scope: Scope,
        clock: Callable[[], float],
    ) -> None:
        self._prometheus = prometheus
        self._pods = pods
        self._owners = owners
        self._budgets = budgets
        self._scope = scope
        self._clock = clock

    def judged(self, policy: Policy, *, namespace: str, names: Sequence[str], at: int) -> dict[str, Judged]:
        """Each named pod with its verdict, on samples as of that whole second.

        Raises PrometheusError, KubernetesError, MeasurementError.
        """
        found: dict[str, Judged] = {}
        for first in range(0, len(names), BATCH):
            batch = names[first : first + BATCH]
            query = samples_query(policy, self._scope, namespace=namespace, pods=batch)
            series = _by_pod(self._prometheus.matrix(query, at=at))
            for name in batch:
                found[name] = self._judged(policy, namespace, name, series=series.get(name, ()), at=at)
        return found

    def guarded(
        self, breach: Breach, *, pod: LivePod, policy: Policy, policies: PolicyFile, ledger: Ledger
    ) -> Go | Vetoed:
        """Ask all guards, stage by stage. Raises KubernetesError."""
        owner = self._owners.workload_of(pod, fresh=True)
        vetoes = policy_and_journal(
            breach, pod=pod, owner=owner, policy=policy, policies=policies, ledger=ledger, now=self._clock()
        ) or about_pod(breach, pod=pod, owner=owner, policy=policy, now=self._clock())
        if vetoes or owner is None:
            return Vetoed(vetoes, owner)
        workload = self._owners.read(owner)
        if workload is None:
            return Vetoed((Veto(Reason.NO_CONTROLLER, f"{owner} is gone"),), owner)
        vetoes = about_workload(
            pod,
            workload=workload,
            budgets=self._budgets.of(pod.namespace),
            policy=policy,
            ledger=ledger,
            now=self._clock(),
        )
        return Vetoed(vetoes, owner) if vetoes else Go(pod, workload)

    def newest_value(self, policy: Policy, *, pod: LivePod, container: str, at: int) -> float | None:
        """The memory of a new pod as last measured, in bytes; None where it has not been measured yet.

        Of one container, or, with an empty name, the sum. Raises PrometheusError.
        """
        query = samples_query(policy, self._scope, namespace=pod.namespace, pods=[pod.name])
        values: dict[str, float] = {}
        for one in self._prometheus.matrix(query, at=at):
            time, value = one.samples[-1] if one.samples else (0.0, 0.0)
            if time >= pod.created_at and value > 0:
                values[one.labels.get("container", "")] = value
        if container:
            return values.get(container)
        return sum(values.values()) if values else None

    def _judged(self, policy: Policy, namespace: str, name: str, *, series: Sequence[Series], at: int) -> Judged:
        pod = self._pods.read(namespace, name)
        if pod is None:
            return Judged(None, Veto(Reason.GONE, "there is no pod of that name any more"))
        # The record keeps the question about this pod alone: a batch of a hundred names would fill the journal.
        query = samples_query(policy, self._scope, namespace=namespace, pods=[name])
        verdict = judge(series, pod=pod, policy=policy, scope=self._scope, now=at, query=query)
        return Judged(pod, verdict)


def _by_pod(series: Sequence[Series]) -> Mapping[str, list[Series]]:
    found: dict[str, list[Series]] = {}
    for one in series:
        found.setdefault(one.labels.get("pod", ""), []).append(one)
    return found
