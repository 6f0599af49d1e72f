"""Waiting for the replacement: by watch, never by sleeping, until the pure rule says that it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from remediator.act.places import why_unfit
from remediator.act.replacement import Ended, Scene, Waiting
from remediator.act.surge import Step, Verdict, verdict
from remediator.cluster.nodes import Nodes
from remediator.cluster.owners import Owners
from remediator.cluster.watch import Gone, Listed, PodWatch, Seen
from remediator.errors import KubernetesError, KubernetesRefused
from remediator.model.pods import LivePod
from remediator.model.remediations import Remediation
from remediator.model.vocabulary import Outcome
from remediator.model.workloads import Workload

LOOK_AGAIN = 10.0
"""Seconds after which the workload itself is read again: its wanted count has no watch (and needs no right to one)."""
_ONCE_MORE = frozenset({Outcome.NOT_READY, Outcome.STUCK_TERMINATING, Outcome.BLOCKED, Outcome.ROLLED_BACK})
"""Endings that time alone gives, or a watch that lags."""
TICK = 0.25
"""Seconds after which a request to stop is seen at the latest."""
_ASK_AGAIN = 2.0
"""Seconds between two looks that a verdict waits for, where the API server does not answer."""
GIVE_UP = 600.0
"""Seconds after which a right to look that is gone is taken for gone for good, as with a namespace that had a Role of
its own: a record that nobody may look after would hold its slot for ever."""


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
        self._complained = ""
        self._refused_since: float | None = None
        self._strangers: dict[str, float] = {}
        self._owner: Workload | None = None
        self._gone_at: float | None = None
        self._why_unfit = ""
        self._list_again_at = 0.0

    def until_over(self, workload: Workload) -> Ended | Step | None:
        """How it ended, or what a surge wants done; None where we are stopping, and the next leader has to wait on."""
        self._owner = workload
        looked_at = self._clock()
        while not self._stopping():
            now = self._clock()
            if now - looked_at >= LOOK_AGAIN:
                self._look()
                looked_at = now
            found = self._assess(now)
            if isinstance(found, Step) or (isinstance(found, Ended) and found.outcome in _ONCE_MORE):
                found = self._look_once_more(found)
            if not isinstance(found, Waiting):
                return found
            self._tell(found)
            change = self._watch.next(min(max(found.until - now, 0.01), TICK))
            while change is not None:
                self._view.apply(change)
                change = self._watch.next(0.0)
        return None

    def _look_once_more(self, found: Ended | Step) -> Verdict:
        """A verdict that time alone has given, or that is acted upon, judged on a fresh list: a watch may lag."""
        if (now := self._clock()) >= self._list_again_at:
            if self._list():
                return self._assess(self._clock())
            # A server that has no answer now is not helped by being asked at each tick.
            now = self._clock()
            self._list_again_at = now + _ASK_AGAIN
        if self._refused_since is None or now - self._refused_since < GIVE_UP:
            return Waiting("its time is over, and it can't be looked at once more", now + TICK)
        why = found.why if isinstance(found, Step) else found.detail
        detail = f"{why}; for {now - self._refused_since:.0f} s nobody may look at it: {self._complained}"
        return Ended(Outcome.FAILED, detail)

    def _assess(self, now: float) -> Verdict:
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
        return verdict(self._record, scene)

    def _list(self) -> bool:
        """Look at the workload and all of its pods; whether there was an answer."""
        try:
            workload = self._owners.read_with(self._record.workload, self._record.breach.uid)
        except KubernetesError as exc:
            self._not_seen(exc)
            return False
        self._refused_since, self._complained = None, ""
        self._owner = workload
        self._view.apply(Listed(workload.pods if workload else ()))
        self._look_at_the_node()
        return True

    def _look(self) -> None:
        """The workload as it is now; what is known while the API server does not answer: silence is no news."""
        if problem := self._watch.problem:
            # No stream is up, so the pods are listed meanwhile: a right that is missing must not cost the whole time.
            self._complain(f"the watch fails: {problem}")
            self._list()
            return
        try:
            self._owner = self._owners.describe(self._record.workload)
        except KubernetesError as exc:
            self._not_seen(exc)
        self._look_at_the_node()

    def _not_seen(self, error: KubernetesError) -> None:
        self._complain(f"can't look at {self._record.workload}: {error}")
        if not is_forbidden(error):
            self._refused_since = None
        elif self._refused_since is None:
            self._refused_since = self._clock()

    def _look_at_the_node(self) -> None:
        """Whether a DaemonSet's pod can come back, once the old one is gone."""
        if self._owner is None or self._gone_at is None or not self._record.workload.is_a("DaemonSet"):
            return
        try:
            self._why_unfit = why_unfit(self._record, self._owner, self._mine().values(), self._nodes)
        except KubernetesError as exc:
            self._complain(f"can't look at node {self._record.breach.node}: {exc}")

    def _mine(self) -> dict[str, LivePod]:
        """The pods that the workload controls, among those that its selector finds; the old one whoever controls it."""
        record = self._record
        return {
            uid: pod
            for uid, pod in self._view.pods.items()
            if uid == record.breach.uid or self._is_controlled(uid, pod)
        }

    def _is_controlled(self, uid: str, pod: LivePod) -> bool:
        if pod.controller is None:
            return False
        was_there = uid in self._record.baseline.pods
        asked = self._strangers.get(pod.controller.uid)
        if asked is not None and self._clock() - asked < LOOK_AGAIN:
            return was_there
        try:
            owner = self._owners.workload_of(pod)
        except KubernetesError as exc:
            self._complain(f"can't tell whose pod {pod.name} is: {exc}")
            owner = None
        if owner is None:
            # Its ReplicaSet is gone, or nobody answers: not to be asked again for each of its pods at each event.
            self._strangers[pod.controller.uid] = self._clock()
            return was_there
        return owner.uid == self._record.workload.uid

    def _complain(self, words: str) -> None:
        if words != self._complained:
            self._complained = words
            self._say(words)

    def _tell(self, waiting: Waiting) -> None:
        if waiting.reason != self._said:
            self._said = waiting.reason
            self._say(waiting.reason)


def is_forbidden(error: KubernetesError) -> bool:
    """Whether it was refused for want of a right."""
    return isinstance(error, KubernetesRefused) and error.forbidden
