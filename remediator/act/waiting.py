"""Waiting for the replacement: by watch, never by sleeping, until the pure rule says that it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from remediator.act.places import why_unfit
from remediator.act.replacement import Ended, Scene, Waiting, assess
from remediator.cluster.nodes import Nodes
from remediator.cluster.owners import Owners
from remediator.cluster.watch import Gone, Listed, PodWatch, Seen
from remediator.errors import KubernetesError
from remediator.model.pods import LivePod
from remediator.model.remediations import Remediation
from remediator.model.vocabulary import Outcome
from remediator.model.workloads import Workload

LOOK_AGAIN = 10.0
"""Seconds after which the workload itself is read again: its wanted count has no watch (and needs no right to one)."""
_AFTER_TIME = frozenset({Outcome.NOT_READY, Outcome.STUCK_TERMINATING, Outcome.BLOCKED})
TICK = 1.0
"""Seconds after which a request to stop is seen at the latest."""


@dataclass
class _View:
    """The workload's pods as the watch has shown them so far."""

    pods: dict[str, LivePod] = field(default_factory=dict)

    def apply(self, change: Seen | Gone | Listed) -> None:
        match change:
            case Seen(pod):
                self.pods[pod.uid] = pod
            case Gone(pod):
                self.pods.pop(pod.uid, None)
            case Listed(pods):
                self.pods = {pod.uid: pod for pod in pods}


class Wait:
    """One wait, from a list of pods on."""

    def __init__(
        self,
        record: Remediation,
        *,
        owners: Owners,
        watch: PodWatch,
        pods: Iterable[LivePod],
        claimed: Callable[[], frozenset[str]],
        clock: Callable[[], float],
        nodes: Nodes,
        stopping: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        self._record = record
        self._owners = owners
        self._watch = watch
        self._view = _View({pod.uid: pod for pod in pods})
        self._claimed = claimed
        self._clock = clock
        self._nodes = nodes
        self._stopping = stopping
        self._say = say
        self._said = ""
        self._owner: Workload | None = None
        self._gone_at: float | None = None
        self._why_unfit = ""

    def until_over(self, workload: Workload) -> Ended | None:
        """How it ended; None where we are stopping, and the next leader has to wait on."""
        self._owner = workload
        looked_at = self._clock()
        while not self._stopping():
            now = self._clock()
            if now - looked_at >= LOOK_AGAIN:
                self._look()
                looked_at = now
            verdict = self._assess(now)
            if isinstance(verdict, Ended):
                if verdict.outcome not in _AFTER_TIME:
                    return verdict
                if (ended := self._look_once_more()) is not None:
                    return ended
                verdict = Waiting("its time is over, and it can't be looked at once more", now + TICK)
            self._tell(verdict)
            change = self._watch.next(min(max(verdict.until - now, 0.01), TICK))
            while change is not None:
                self._view.apply(change)
                change = self._watch.next(0.0)
        return None

    def _look_once_more(self) -> Ended | None:
        """A verdict that time alone has given, judged on a fresh list: a watch that lags is no reason for it.

        None where there is no answer, or another verdict.
        """
        if not self._list():
            return None
        verdict = self._assess(self._clock())
        return verdict if isinstance(verdict, Ended) else None

    def _assess(self, now: float) -> Ended | Waiting:
        mine = self._mine()
        if self._record.breach.uid in mine:
            self._gone_at = None
        elif self._gone_at is None:
            self._gone_at = now
        scene = Scene(
            workload=self._owner,
            pods=mine,
            claimed=self._claimed(),
            now=now,
            gone_at=self._gone_at,
            unfit=self._why_unfit,
        )
        return assess(self._record, scene)

    def _list(self) -> bool:
        """Look at the workload and all of its pods; whether there was an answer."""
        try:
            workload = self._owners.read(self._record.workload)
        except KubernetesError as exc:
            self._tell(Waiting(f"can't look at {self._record.workload}: {exc}", 0.0))
            return False
        self._owner = workload
        self._view.apply(Listed(workload.pods if workload else ()))
        self._look_at_the_node()
        return True

    def _look(self) -> None:
        """The workload as it is now; what is known while the API server does not answer: silence is no news."""
        if problem := self._watch.problem:
            # No stream is up, so the pods are listed meanwhile: a right that is missing must not cost the whole time.
            self._say(f"the watch fails: {problem}")
            self._list()
            return
        try:
            self._owner = self._owners.describe(self._record.workload)
        except KubernetesError as exc:
            self._say(f"can't look at {self._record.workload}: {exc}")
        self._look_at_the_node()

    def _look_at_the_node(self) -> None:
        """Whether a DaemonSet's pod can come back, once the old one is gone."""
        if self._owner is None or self._gone_at is None or not self._record.workload.is_a("DaemonSet"):
            return
        try:
            self._why_unfit = why_unfit(self._record, self._owner, self._mine().values(), self._nodes)
        except KubernetesError as exc:
            self._say(f"can't look at node {self._record.breach.node}: {exc}")

    def _mine(self) -> dict[str, LivePod]:
        """The pods that the workload controls, among those that its selector finds."""
        found = {}
        for uid, pod in self._view.pods.items():
            try:
                owner = self._owners.workload_of(pod)
            except KubernetesError as exc:
                self._say(f"can't tell whose pod {pod.name} is: {exc}")
                continue
            if uid in self._record.baseline.pods or (owner and owner.uid == self._record.workload.uid):
                found[uid] = pod
        return found

    def _tell(self, waiting: Waiting) -> None:
        if waiting.reason != self._said:
            self._said = waiting.reason
            self._say(waiting.reason)
