"""The memory of the pods, as Prometheus has it."""

import re

from demo.reading import Reading
from tests.rig.cluster import Cluster

_WORKING_SET = 'container_memory_working_set_bytes{{namespace="{namespace}",container!="",container!="POD"{more}}}'
# A cgroup has the pod's UID in its path; the systemd driver writes `-` as `_`.
_UID = re.compile(r"pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})")


class Memory:
    """Asks Prometheus for the working sets of a namespace's pods."""

    def __init__(self, cluster: Cluster, *, namespace: str, threshold: int) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._threshold = threshold
        self.reading = Reading()
        """As last read."""

    def read(self) -> list[str]:
        """Reads all pods; gives the UIDs of those that are over for the first time."""
        now: dict[str, float] = {}
        at = self.reading.at
        for sample in self._cluster.query(self._selector()):
            at = sample.time
            if found := _UID.search(sample.labels.get("id", "")):
                uid = found[1].replace("_", "-")
                now[uid] = now.get(uid, 0) + sample.value
        fresh = [uid for uid, value in now.items() if value > self._threshold >= self.reading.peak.get(uid, 0)]
        self.reading = self.reading.followed_by(now, at=at, threshold=self._threshold)
        return fresh

    def first_over(self, pod: str) -> float | None:
        """The time of the first sample over the threshold of a pod of this name; None where there is none.

        Looks back over five minutes; a pod that is gone is found as well.
        """
        chosen = self._selector(f',pod="{pod}"')
        query = f"min_over_time((timestamp({chosen}) and {chosen} > {self._threshold})[5m:1s])"
        return min((sample.value for sample in self._cluster.query(query)), default=None)

    def _selector(self, more: str = "") -> str:
        return _WORKING_SET.format(namespace=self._namespace, more=more)
