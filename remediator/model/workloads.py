"""Who owns a pod, and what it wants: the facts that the guards and the wait for a replacement need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remediator.model.pods import LivePod
from remediator.model.selectors import LabelSelector

REPLACEABLE = frozenset({"Deployment", "ReplicaSet"})
"""The kinds of workload whose replacement pods this version can tell from the others."""


@dataclass(frozen=True, slots=True)
class WorkloadRef:
    """The workload that cooldowns, limits and breakers are kept for; the UID tells it from its namesakes."""

    kind: str
    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Workload:
    """The workload and its pods, read at one moment.

    ``wanted`` is the number of pods it shall have. ``rollout`` says in one sentence what is being rolled out,
    empty when nothing is. ``owner_uids`` are the controllers whose pods count (a Deployment's: each of its
    ReplicaSets; otherwise the workload itself). ``pods_version`` is the resourceVersion of the list of pods.
    ``creation_failure`` is Kubernetes' own word for why it can't make pods (the condition ReplicaFailure).
    """

    ref: WorkloadRef
    wanted: int
    selector: LabelSelector
    min_ready_seconds: int = 0
    rollout: str = ""
    creation_failure: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    pods: tuple[LivePod, ...] = ()
    pods_version: str = ""

    def available(self, now: float) -> tuple[LivePod, ...]:
        """Its available pods at that moment (seconds since the epoch)."""
        return tuple(pod for pod in self.pods if pod.available(min_ready_seconds=self.min_ready_seconds, now=now))


@dataclass(frozen=True, slots=True)
class DisruptionBudget:
    """A PodDisruptionBudget: ``selector`` is None where it selects nothing.

    ``broken`` carries the message of a ``DisruptionAllowed`` condition with reason SyncFailed: such a budget
    will never allow anything. ``observed`` is False while its controller has not seen its newest form.
    """

    name: str
    selector: LabelSelector | None
    allowed: int
    healthy: int = 0
    desired: int = 0
    broken: str = ""
    observed: bool = True

    def covers(self, pod: LivePod) -> bool:
        """Whether the budget is asked when this pod goes."""
        return self.selector is not None and self.selector.matches(pod.labels)
