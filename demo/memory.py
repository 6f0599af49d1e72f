"""The memory of the pods, as Prometheus has it."""

from tests.rig.cluster import Cluster

_WORKING_SET = 'container_memory_working_set_bytes{{namespace="{namespace}",container!="",container!="POD"{more}}}'


class Memory:
    """Asks Prometheus for the working sets of a namespace's pods, in bytes, and remembers the highest."""

    def __init__(self, cluster: Cluster, *, namespace: str, threshold: int) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._threshold = threshold
        self.now: dict[str, float] = {}
        """Bytes as last read, by the pod's name."""
        self.peak: dict[str, float] = {}
        """The highest that was read, of pods that are gone as well."""

    def read(self) -> list[str]:
        """Reads all pods; gives the names of those that are over for the first time."""
        samples = self._cluster.query(f"sum by (pod) ({self._selector()})")
        self.now = {sample.labels["pod"]: sample.value for sample in samples}
        fresh = [pod for pod, value in sorted(self.now.items()) if value > self._threshold >= self.peak.get(pod, 0)]
        for pod, value in self.now.items():
            self.peak[pod] = max(value, self.peak.get(pod, 0))
        return fresh

    def over_since(self, pod: str) -> float | None:
        """The time (Unix seconds) of the pod's first sample over the threshold; None where there is none.

        Looks back over five minutes; a pod that is gone is found as well.
        """
        chosen = self._selector(f',pod="{pod}"')
        query = f"min_over_time((timestamp({chosen}) and {chosen} > {self._threshold})[5m:1s])"
        return min((sample.value for sample in self._cluster.query(query)), default=None)

    def _selector(self, more: str = "") -> str:
        return _WORKING_SET.format(namespace=self._namespace, more=more)
