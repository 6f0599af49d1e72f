"""Is it a mass breach? Asked with few requests: workloads are counted no further than it matters.

Twice: before the named pods are judged, on one pod of each controller as far as names tell, so that a measurement that
has gone wrong costs little; and afterwards on those that were read, exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from remediator.cluster.owners import Owners
from remediator.cluster.pods import Pods
from remediator.decide.mass import WORKLOADS, mass_breach, one_of_each, share_exceeded
from remediator.errors import KubernetesOdd, KubernetesRefused
from remediator.model.measures import Candidate, Veto
from remediator.model.pods import LivePod
from remediator.policy import Safety

_ENOUGH = WORKLOADS + 1
_LOOKS = 3 * _ENOUGH
"""Pods that are looked at beforehand at most: names may mislead, and who may not read one may read none of them."""


class Census:
    """Counts workloads with these clients."""

    def __init__(self, pods: Pods, owners: Owners) -> None:
        self._pods = pods
        self._owners = owners

    def before(self, candidates: Sequence[Candidate], *, measured: int, safety: Safety) -> Veto | None:
        """The veto against all candidates, where a look at some of them is enough for it.

        ``measured`` is the number of measured pods. Raises KubernetesUnreachable.
        """
        named = len(candidates)
        if not share_exceeded(named, measured, safety):
            return None
        some = one_of_each(candidates)
        workloads = self._count(map(self._read, some[:_LOOKS])) if len(some) >= _ENOUGH else 0
        return mass_breach(nominated=named, measured=measured, workloads=workloads, safety=safety)

    def after(
        self, candidates: Sequence[Candidate], live: Iterable[LivePod], *, measured: int, safety: Safety
    ) -> Veto | None:
        """The same, on the candidates' pods that have been read. Raises KubernetesUnreachable."""
        named = len(candidates)
        if not share_exceeded(named, measured, safety):
            return None
        return mass_breach(nominated=named, measured=measured, workloads=self._count(live), safety=safety)

    def _count(self, pods: Iterable[LivePod | None]) -> int:
        """Of how many workloads they are; a pod without a controller is of none."""
        found: set[str] = set()
        for pod in pods:
            if pod is not None and (uid := self._workload(pod)):
                found.add(uid)
            if len(found) >= _ENOUGH:
                break
        return len(found)

    def _read(self, candidate: Candidate) -> LivePod | None:
        try:
            return self._pods.read(candidate.namespace, candidate.pod)
        except (KubernetesRefused, KubernetesOdd):
            # It counts for none here; whoever judges it meets the same error, and tells it.
            return None

    def _workload(self, pod: LivePod) -> str:
        try:
            found = self._owners.workload_of(pod)
        except (KubernetesRefused, KubernetesOdd):
            return pod.controller.uid if pod.controller else ""
        return found.uid if found else ""
