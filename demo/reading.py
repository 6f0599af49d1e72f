"""The memory of all pods at one moment, and what it was until then: pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reading:
    """All by the pod's UID; bytes, and Unix seconds."""

    at: float = 0.0
    """When it was read."""
    now: Mapping[str, float] = field(default_factory=dict)
    peak: Mapping[str, float] = field(default_factory=dict)
    """The highest that was read, of pods that are gone as well."""
    over_since: Mapping[str, float] = field(default_factory=dict)
    """When a pod that is over now was first read as over."""
    fell_back: frozenset[str] = frozenset()
    """Those that were over, and came back by themselves."""
    longest: Mapping[str, float] = field(default_factory=dict)
    """The seconds for which a pod was over at most, without being read as below in between."""

    def followed_by(self, now: Mapping[str, float], *, at: float, threshold: float) -> "Reading":
        """The next one."""
        over = {uid: self.over_since.get(uid, at) for uid, value in now.items() if value > threshold}
        return Reading(
            at=at,
            now=now,
            peak={**self.peak, **{uid: max(value, self.peak.get(uid, 0)) for uid, value in now.items()}},
            over_since=over,
            fell_back=self.fell_back | (self.over_since.keys() & now.keys() - over.keys()),
            longest={**self.longest, **{uid: max(at - since, self.longest.get(uid, 0)) for uid, since in over.items()}},
        )
