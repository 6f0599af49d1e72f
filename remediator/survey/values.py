"""What a pod uses now, beside what it may: for every matched pod, also for those that no query names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isfinite

from remediator.detect.judge import weighs_the_pod
from remediator.detect.promql import METRICS, series_of
from remediator.detect.scope import Scope
from remediator.model.measures import Breach
from remediator.model.pods import LivePod
from remediator.model.vocabulary import Signal
from remediator.policy import Policy, Quantity, Safety, ShareOfLimit
from remediator.survey.ask import Ask

Memory = Mapping[tuple[str, str], Mapping[str, float]]
"""Bytes by container, by namespace and name of the pod."""


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes; ``container`` is empty where the sum counts. None where it is not known, or where there is none."""

    container: str = ""
    value: float | None = None
    rss: float | None = None
    threshold: float | None = None
    limit: int | None = None

    @property
    def urgency(self) -> tuple[float, float]:
        """As of a breach: nearest to the limit first, then highest over the threshold."""
        value = self.value or 0.0
        return (value / self.limit if self.limit else 0.0, value / self.threshold if self.threshold else 0.0)

    @property
    def reclaimable(self) -> bool:
        """Whether more than half of the value is not resident: page cache, which the kernel takes back when it must."""
        return self.value is not None and self.rss is not None and self.rss < self.value / 2


@dataclass(slots=True)
class Measured:
    """The newest memory of all containers that a policy is about: what it measures, and the resident part of it."""

    values: Memory = field(default_factory=dict)
    rss: Memory = field(default_factory=dict)

    def weigh(self, pod: LivePod, policy: Policy) -> Weight:
        """What counts of a pod for this policy: the sum of its containers, or what is nearest to its limit or request.

        A limit of the pod as a whole is set against the sum, which comes close to what its own cgroup holds.
        """
        key = (pod.namespace, pod.name)
        values, rss = self.values.get(key, {}), self.rss.get(key, {})
        running = [one for one in pod.containers if one.running and one.name in values]
        if not running:
            return Weight()
        limits = [one.memory_limit for one in running]
        whole = Weight(
            value=sum(values[one.name] for one in running),
            rss=sum(rss[one.name] for one in running) if all(one.name in rss for one in running) else None,
            limit=pod.memory_limit or (sum(one for one in limits if one) if all(limits) else None),
        )
        if isinstance(policy.threshold, Quantity):
            return replace(whole, threshold=float(policy.threshold.bytes))
        of_limit = isinstance(policy.threshold, ShareOfLimit)
        each = [
            Weight(
                one.name, values[one.name], rss.get(one.name), float(base * policy.threshold.ratio), one.memory_limit
            )
            for one in running
            if (base := one.memory_limit if of_limit else one.memory_request)
        ]
        if weighs_the_pod(policy, pod) and pod.memory_limit:
            each.append(replace(whole, threshold=float(pod.memory_limit * policy.threshold.ratio)))
        return max(each, key=lambda one: (one.value or 0) / (one.threshold or 1), default=whole)

    def of_breach(self, breach: Breach) -> Weight:
        """What counts of a pod that is over, as it was judged."""
        rss = self.rss.get((breach.namespace, breach.pod), {})
        resident = rss.get(breach.container) if breach.container else sum(rss.values()) if rss else None
        return Weight(breach.container, breach.value, resident, breach.threshold, breach.limit)


def measure(ask: Ask, policy: Policy, safety: Safety, scope: Scope) -> Measured:
    """The newest samples that are young enough for the policy. Raises PrometheusError."""

    def newest(metric: str) -> Memory:
        recent = f"last_over_time({series_of(metric, policy, safety, scope)}[{policy.max_sample_age}s])"
        found: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        for labels, value in ask.rows(f"max by (namespace,pod,container) ({recent})"):
            if isfinite(value):
                found[labels.get("namespace", ""), labels.get("pod", "")][labels.get("container", "")] = value
        return found

    ask.tell(f"policy {policy.name}: reading the memory of its pods")
    return Measured(newest(METRICS[policy.signal]), newest(METRICS[Signal.RSS]))
