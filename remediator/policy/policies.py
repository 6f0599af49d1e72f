"""The policy file as the daemon works with it: defaults filled in, expressions compiled, everything frozen.

Durations are in whole seconds, memory in bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from remediator.model.hooks import Hook
from remediator.model.pods import LivePod
from remediator.model.selectors import LabelSelector
from remediator.model.vocabulary import Action, Signal
from remediator.model.workloads import WorkloadRef
from remediator.policy.cron import Cron
from remediator.policy.durations import format_duration
from remediator.policy.patterns import Pattern, any_matches, compiled
from remediator.policy.thresholds import FULL, Threshold
from remediator.policy.windows import Window


@dataclass(frozen=True, slots=True)
class WorkloadMatch:
    """A workload by kind (exactly) and name (an anchored RE2 expression)."""

    kind: str
    name: str
    _name: Pattern = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises ValueError where the name is no expression."""
        object.__setattr__(self, "_name", Pattern(self.name))

    def matches(self, kind: str, name: str) -> bool:
        """Say whether this is the workload."""
        return kind == self.kind and self._name.matches(name)


@dataclass(frozen=True, slots=True)
class Match:
    """Which pods a policy is about: every part has to match, and a part left out matches everything.

    ``namespaces``, ``pods`` and ``containers`` are anchored RE2 expressions, of which one has to match; they
    may be put into PromQL matchers as they are. ``containers`` says what is measured, not whose pod it is.
    """

    namespaces: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    workload: WorkloadMatch | None = None
    selector: LabelSelector | None = None
    _namespaces: tuple[Pattern, ...] = field(init=False, repr=False, compare=False)
    _pods: tuple[Pattern, ...] = field(init=False, repr=False, compare=False)
    _containers: tuple[Pattern, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises ValueError where an expression is not valid."""
        object.__setattr__(self, "_namespaces", compiled(self.namespaces))
        object.__setattr__(self, "_pods", compiled(self.pods))
        object.__setattr__(self, "_containers", compiled(self.containers))

    def matches_namespace(self, namespace: str) -> bool:
        """Say whether pods of this namespace are meant."""
        return not self.namespaces or any_matches(self._namespaces, namespace)

    def matches_pod(self, pod: str) -> bool:
        """Say whether a pod of this name is meant."""
        return not self.pods or any_matches(self._pods, pod)

    def matches_container(self, container: str) -> bool:
        """Say whether a container of this name is measured."""
        return not self.containers or any_matches(self._containers, container)

    def matches_workload(self, kind: str | None, name: str | None) -> bool:
        """Say whether pods of this workload are meant; ``None`` for a pod without a controller."""
        if self.workload is None:
            return True
        return kind is not None and name is not None and self.workload.matches(kind, name)

    def matches_labels(self, labels: Mapping[str, str]) -> bool:
        """Say whether a pod with these labels is meant."""
        return self.selector is None or self.selector.matches(labels)


@dataclass(frozen=True, slots=True)
class CountOrPercent:
    """A number of pods (1 or more), or a percentage of the pods that a workload wants (1 to 100)."""

    value: int
    is_percent: bool = False

    def of(self, wanted: int) -> int:
        """Give the number for a workload that wants so many pods: a percentage rounded down, 1 at least."""
        return max(1, wanted * self.value // FULL) if self.is_percent else self.value

    def __str__(self) -> str:
        return f"{self.value}%" if self.is_percent else str(self.value)


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so many ``actions`` within any ``per`` seconds."""

    actions: int
    per: int


@dataclass(frozen=True, slots=True)
class Safety:
    """What holds for all policies together.

    ``max_breaching`` is a percentage of the measured pods. ``hold_when`` are PromQL expressions, each of which holds
    all action while it gives any series. ``annotations`` lets a workload hold us back by its own threshold, time and
    action; ``foreign_marks`` honours those that it carries for other tools.
    """

    excluded_namespaces: tuple[str, ...]
    max_concurrent: int
    budget: Budget
    max_breaching: int
    hold_when: tuple[str, ...]
    paused: bool
    annotations: bool
    foreign_marks: bool
    _excluded: tuple[Pattern, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises ValueError where an expression is not valid."""
        object.__setattr__(self, "_excluded", compiled(self.excluded_namespaces))

    def excludes(self, namespace: str) -> bool:
        """Say whether pods of this namespace are never touched."""
        return any_matches(self._excluded, namespace)

    def excluding(self, namespace: str) -> Safety:
        """Give the same with one more namespace excluded, by its name: the daemon's own."""
        if self.excludes(namespace):
            return self
        return replace(self, excluded_namespaces=(*self.excluded_namespaces, namespace))


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy with nothing left to be decided.

    Seconds: ``for_seconds``, ``max_sample_age``, ``jitter``, ``cooldown``, ``min_age``, ``ready_timeout``, and
    ``grace_period``, where ``None`` is the pod's own. ``max_per_workload`` is counted for each workload.
    ``emergency`` is a second threshold; who is over both waits neither for a window nor for the cooldown.
    ``pace`` is the time between two evaluations, in seconds, or the times of them. ``windows`` say when it may act;
    none means always.
    ``before`` is called in a pod before it goes, in that order. ``fallback`` is done where a surge is impossible.
    ``line`` is where it begins in its file.
    """

    name: str
    match: Match
    threshold: Threshold
    for_seconds: int
    max_sample_age: int
    pace: int | Cron
    jitter: int
    action: Action
    max_unavailable: CountOrPercent
    cooldown: int
    max_per_workload: Budget
    min_age: int
    ready_timeout: int
    grace_period: int | None
    dry_run: bool
    enabled: bool
    line: int = field(compare=False)
    signal: Signal = Signal.WORKING_SET
    before: tuple[Hook, ...] = ()
    fallback: Action = Action.EVICT
    windows: tuple[Window, ...] = ()
    emergency: Threshold | None = None

    @property
    def when(self) -> str:
        """When it is evaluated, in words."""
        return f"at {self.pace}" if isinstance(self.pace, Cron) else f"every {format_duration(self.pace)}"

    @property
    def interval(self) -> int:
        """The seconds between two evaluations: of a cron, those of its longest pause."""
        return self.pace.longest_pause if isinstance(self.pace, Cron) else self.pace

    def matches(
        self,
        *,
        namespace: str,
        pod: str,
        workload_kind: str | None,
        workload_name: str | None,
        labels: Mapping[str, str],
    ) -> bool:
        """Say whether a live pod is one that this policy is about, enabled or not."""
        return (
            self.match.matches_namespace(namespace)
            and self.match.matches_pod(pod)
            and self.match.matches_workload(workload_kind, workload_name)
            and self.match.matches_labels(labels)
        )


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A whole policy file; the order of the policies is the file's, and counts."""

    policies: tuple[Policy, ...]
    safety: Safety

    def owner(
        self,
        *,
        namespace: str,
        pod: str,
        workload_kind: str | None,
        workload_name: str | None,
        labels: Mapping[str, str],
    ) -> Policy | None:
        """Give the policy that a live pod belongs to: the first, in file order, that matches it.

        The kind and name of the workload are ``None`` for a pod without a controller.
        """
        # A disabled policy still owns its pods, and they are left alone: switching off a lenient policy must
        # not hand its pods to a harsher one further down.
        for policy in self.policies:
            if policy.matches(
                namespace=namespace, pod=pod, workload_kind=workload_kind, workload_name=workload_name, labels=labels
            ):
                return policy
        return None

    def owner_of(self, pod: LivePod, workload: WorkloadRef | None) -> Policy | None:
        """The same for a pod as it was read, and its workload."""
        return self.owner(
            namespace=pod.namespace,
            pod=pod.name,
            workload_kind=workload.kind if workload else None,
            workload_name=workload.name if workload else None,
            labels=pod.labels,
        )

    def named(self, name: str) -> Policy | None:
        """Give the policy of this name."""
        return next((policy for policy in self.policies if policy.name == name), None)
