"""Samples as evidence: whole or with a hole, added up, and how fast they grow; pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

from remediator.detect.scope import Scope
from remediator.policy import Policy

LEAST_SAMPLES = 3
NO_MEMORY = float(1 << 60)
"""Bytes that no container has: a counter of the kernel that falls below zero comes out as nearly 2^64."""


@dataclass(frozen=True, slots=True)
class Track:
    """The samples of one cgroup that lives now, whole, and in order of time."""

    samples: tuple[tuple[float, float], ...]

    def at(self, moment: float) -> float:
        """The latest value at that moment, which is not before the first sample."""
        return self.samples[bisect_right(self.samples, moment, key=itemgetter(0)) - 1][1]


def hole(samples: Sequence[tuple[float, float]], *, start: float, now: float, policy: Policy, scope: Scope) -> str:
    """Why these samples are no whole window from ``start`` until now; empty where they are.

    By times and not by counting: closed ranges (Prometheus 2) have a sample more than left-open ones (3).
    """
    if len(samples) < LEAST_SAMPLES:
        return f"{len(samples)} samples, at least {LEAST_SAMPLES} are needed"
    if any(not math.isfinite(value) or value < 0 for _, value in samples):
        return "a sample is no finite number"
    if (most := max(value for _, value in samples)) >= NO_MEMORY:
        return f"a sample of {most:.0f} bytes is none that memory can have"
    if any(not math.isfinite(time) for time, _ in samples) or any(b <= a for (a, _), (b, _) in pairwise(samples)):
        return "the samples' times are out of order"
    if (age := now - samples[-1][0]) > policy.max_sample_age:
        return f"the newest sample is {age:.0f} s old, {policy.max_sample_age} s are allowed"
    if samples[-1][0] > now + scope.sample_interval:
        return "the newest sample is from the future"
    if (late := samples[0][0] - start) > 0:
        return f"the samples begin {late:.0f} s after the start of `for`"
    gap, at = max((b - a, a) for (a, _), (b, _) in pairwise(samples))
    if gap > scope.largest_gap:
        return f"no samples for {gap:.0f} s, {now - at:.0f} s ago; {scope.largest_gap} s are allowed"
    return ""


def sums(groups: Sequence[Sequence[Track]], start: float) -> list[tuple[float, float]]:
    """At the start of the window and at each sample's time, the sum of each group's latest value.

    Of several series that say the same of one container (a pair of Prometheus servers, a kubelet scraped twice)
    the lowest counts, once. Whole tracks have a sample at or before the start, so each has a value at all times.
    """
    times = {time for same in groups for track in same for time, _ in track.samples if time > start}
    return [(time, sum(min(track.at(time) for track in same) for same in groups)) for time in sorted({start, *times})]


def growth(groups: Sequence[Sequence[Track]], start: float) -> float:
    """Bytes per second that all of them together gain over the window; 0.0 where they gain nothing.

    The slope of the straight line that lies closest to the samples, so that neither the first nor the last one decides.
    A living container that reports 0 for a while has not been measured then, and would look like a leak afterwards.
    """
    return max(0.0, sum(_slope([one for one in sums([same], start) if one[1] > 0]) for same in groups))


def _slope(points: Sequence[tuple[float, float]]) -> float:
    if len(points) < LEAST_SAMPLES:
        return 0.0
    # From the first value on: what is steady has a slope of exactly 0, however many bytes it is.
    base = points[0][1]
    middle = math.fsum(time for time, _ in points) / len(points)
    spread = math.fsum((time - middle) ** 2 for time, _ in points)
    return math.fsum((time - middle) * (value - base) for time, value in points) / spread
