"""What was measured: candidates, samples, and the breach that is made of them, or the reason for none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remediator.model.vocabulary import Reason, Unit


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pod that one query over everything has named; it may be one too many."""

    policy: str
    namespace: str
    pod: str


@dataclass(frozen=True, slots=True)
class Series:
    """A series as Prometheus stored it: all labels, and (seconds since the epoch, bytes) in order of time."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Breach:
    """A live pod that is over its threshold, with everything that "why did it take my pod" asks for.

    ``value`` is the newest value in bytes; ``threshold`` the bytes above which the pod is over (for a share: that share
    of the limit or request in force); ``limit`` the bytes at which the kernel kills, None where nothing is limited;
    ``share`` is value / limit. ``container`` is empty where the sum over all containers counts, or the pod as a whole.
    It was over since ``over_since`` at least: the start of the window that was judged. ``growth`` is how much it gained
    over that window, in bytes a second; 0.0 where it gained nothing. In an ``emergency`` it was over the policy's
    second, higher threshold as well, for as long.
    """

    policy: str
    namespace: str
    pod: str
    uid: str
    node: str
    container: str
    value: float
    threshold: float
    threshold_text: str
    limit: int | None
    unit: Unit
    query: str
    sample_time: float
    over_since: float
    growth: float = 0.0
    emergency: bool = False

    @property
    def share(self) -> float | None:
        """The value as a share of the limit in force; None where there is no limit."""
        return self.value / self.limit if self.limit else None

    @property
    def where(self) -> str:
        """What is over, for people: a share without a container's name is that of the pod's own limit."""
        if self.container:
            return f"container {self.container}"
        return "the pod as a whole" if "%" in self.threshold_text else "the sum of its containers"

    @property
    def sentence(self) -> str:
        """What is over what, for people."""
        share = "" if self.share is None else f", {self.share:.0%} of {self.limit}"
        return f"{self.where} uses {self.value:.0f} bytes{share}; {self.threshold_text} is {self.threshold:.0f}"

    @property
    def urgency(self) -> tuple[float, float]:
        """The larger, the more urgent: nearest to the limit first, then highest over the threshold."""
        return (self.share or 0.0, self.value / self.threshold)


@dataclass(frozen=True, slots=True)
class Veto:
    """One reason to leave a pod alone, with one sentence for people."""

    reason: Reason
    detail: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
