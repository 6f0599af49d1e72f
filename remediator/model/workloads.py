"""Who owns a pod, and what it wants: the facts that the guards and the wait for a replacement need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remediator.model.placement import Placement
from remediator.model.pods import LivePod
from remediator.model.selectors import LabelSelector


@dataclass(frozen=True, slots=True)
class WorkloadRef:
    """The workload that cooldowns, limits and breakers are kept for; the UID tells it from its namesakes.

    ``api_version`` is that of the owner reference which led to it, empty in records of an older version.
    """

    kind: str
    namespace: str
    name: str
    uid: str
    api_version: str = field(default="", compare=False)

    def is_a(self, *kinds: str) -> bool:
        """Whether it is one of these kinds of Kubernetes' own; other projects have kinds of the same names."""
        return self.kind in kinds and self.api_version.partition("/")[0] in {"", "apps"}

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Revisions:
    """Which revision a StatefulSet makes each of its pods from.

    Source: https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#update-strategies
    """

    current: str
    update: str
    partition: int = 0
    on_delete: bool = False

    def of(self, ordinal: int) -> str:
        """The revision that a new pod of this ordinal would be made from."""
        return self.current if ordinal < self.partition and not self.on_delete else self.update


@dataclass(frozen=True, slots=True)
class Workload:
    """The workload and its pods, read at one moment.

    ``wanted`` is the number of pods it shall have, None where that can't be read: then as many as there are.
    ``selector`` is None where it can't be read: then the pods are told by their controller alone. ``rollout`` says in
    one sentence what is being rolled out, empty when nothing is. ``creation_failure`` is Kubernetes' own word for why
    it can't make pods (the condition ReplicaFailure), which holds since ``creation_failed_at``. ``never_more`` says why
    it must not have a pod more than it wants (its strategy), empty where it may. ``is_ending`` is true once it was
    deleted and only waits for finalizers. ``outside`` are the pods that were taken out of its ReplicaSet.
    ``pods_version`` is the resourceVersion of the list of pods.

    Of a StatefulSet: ``ordered`` (``OrderedReady``) makes no pod before all lower ordinals are Ready, ``first_ordinal``
    is where its ordinals start, and ``revisions`` what it makes its pods from. Of a DaemonSet: ``outdated`` is how many
    nodes lack a pod of the newest template, and ``placement`` which nodes it has pods on. Of a ReplicaSet that nobody
    controls: ``images`` are those of its template, by container.
    """

    ref: WorkloadRef
    wanted: int | None
    selector: LabelSelector | None
    min_ready_seconds: int = 0
    rollout: str = ""
    creation_failure: str = ""
    creation_failed_at: float = 0.0
    never_more: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    is_ending: bool = False
    pods: tuple[LivePod, ...] = ()
    outside: tuple[LivePod, ...] = ()
    pods_version: str = ""
    ordered: bool = False
    first_ordinal: int = 0
    revisions: Revisions | None = None
    outdated: int = 0
    placement: Placement = field(default_factory=Placement)
    images: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many pods it shall have: as wanted, else those that it has and that have not ended."""
        if self.wanted is not None:
            return self.wanted
        return sum(1 for pod in self.pods if not pod.finished and not pod.terminating)

    def available(self, now: float) -> tuple[LivePod, ...]:
        """Its available pods at that moment (seconds since the epoch)."""
        return tuple(pod for pod in self.pods if pod.available(min_ready_seconds=self.min_ready_seconds, now=now))


def ordinal(pod: str) -> int | None:
    """The number at the end of the name of a StatefulSet's pod; None where there is none."""
    number = pod.rpartition("-")[2]
    return int(number) if number.isdecimal() else None


@dataclass(frozen=True, slots=True)
class DisruptionBudget:
    """A PodDisruptionBudget: ``selector`` is None where it selects nothing.

    ``broken`` carries the message of a ``DisruptionAllowed`` condition with reason SyncFailed: such a budget
    will never allow anything. ``observed`` is False while its controller has not seen its newest form.
    ``expected`` is the number of pods that it covers, and ``desired`` how many of them have to be healthy.
    ``always_allows_unready`` is the unhealthyPodEvictionPolicy AlwaysAllow: it is not asked about a pod that is not
    Ready.
    """

    name: str
    selector: LabelSelector | None
    allowed: int
    healthy: int = 0
    desired: int = 0
    expected: int = 0
    broken: str = ""
    observed: bool = True
    always_allows_unready: bool = False

    def covers(self, pod: LivePod) -> bool:
        """Whether the budget is asked when this pod goes."""
        return self.selector is not None and self.selector.matches(pod.labels)
