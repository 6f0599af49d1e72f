"""One remediation, from intent to settlement: every step leaves the journal able to tell a successor what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from remediator.act import ledger as changes
from remediator.act.examine import Go, Vetoed
from remediator.act.intent import baseline
from remediator.act.means import Means
from remediator.act.replacement import Ended
from remediator.act.waiting import GIVE_UP, Wait, is_forbidden
from remediator.cluster.api import READ_TIMEOUT
from remediator.cluster.removal import Answer, Taken
from remediator.cluster.watch import PodWatch
from remediator.errors import KubernetesError, MeasurementError, PrometheusError
from remediator.model.pods import LivePod
from remediator.model.remediations import Ledger, Remediation
from remediator.model.vocabulary import EVICTION_IN_PROGRESS, Outcome, Reason
from remediator.model.workloads import Workload
from remediator.policy import Policy

LATE = READ_TIMEOUT + 60.0
"""Seconds after which a request that was sent can't be carried out any more: its time-out, and the API server's own
limit for a request."""
TRIES = 3
DETAIL = 1000
"""Characters of a server's words that the journal keeps."""
SUSPECTS = 3
"""Pods whose events are asked for, each with one request."""
SKEW = 60.0
"""Seconds that the clocks of those who write events may be behind ours."""
_MAY_BE_INTERCEPTED = frozenset({Answer.OVERLOAD, Answer.FORBIDDEN, Answer.REFUSED})
_SOMEBODY_ELSE = frozenset({Reason.GONE, Reason.TERMINATING, Reason.REPLACED_SINCE_SAMPLE})

T = TypeVar("T")


class Stopping(Exception):
    """The term ends: what is in flight is left to the next leader, as the journal has it."""


class Claimed(Exception):
    """The new pod has settled another record."""


class NoRight(Exception):
    """Every look was refused for so long that the right to look is gone for good."""


class Transaction:
    """Carries one record that is in the journal to its end."""

    def __init__(
        self, record: Remediation, *, policy: Policy | None, means: Means, inherited: bool, first: Go | None = None
    ) -> None:
        """``first`` is what the first look saw, where it was ours."""
        self._record = record
        self._first = first
        self._policy = policy
        self._means = means
        # A request that we don't know of may still be under way, by a leader before us or by ourselves.
        self._sent = inherited
        self._sent_at = means.clock()
        self._seen: Workload | None = None

    def run(self) -> Remediation:
        """Carry it out, wait, settle. Raises Stopping, NotLeader, JournalError, KubernetesError from the journal."""
        try:
            if self._record.taken_at is None:
                self._take()
            if self._record.outcome is None:
                self._wait()
        except NoRight as exc:
            self._settle(Outcome.FAILED, f"what became of it can't be seen any more: {exc}")
        return self._record

    # Taking away

    def _take(self) -> None:
        """Until the pod is taken, or the record is settled."""
        words = ""
        for attempt in range(1, TRIES + 1):
            if (self._sent or attempt > 1) and self._gone():
                return self._somebody_took_it()
            if self._sent and (words := self._intercepted()):
                return self._taken(words)
            go = self._look_in_peace()
            if go is None:
                return None
            taken = self._send(go)
            words = taken.words
            self._means.voice.step(
                self._record, str(self._record.action), answer=taken.answer.name.lower(), words=words
            )
            if taken.answer is Answer.ACCEPTED:
                return self._taken("accepted", go.workload)
            if taken.answer in _MAY_BE_INTERCEPTED and (intercepted := self._intercepted()):
                return self._taken(intercepted, go.workload)
            if self._final(taken, attempt, go.pod):
                return None
            self._rest(taken)
        return self._call_off(f"{TRIES} requests were not carried out, the last one with the answer: {words}")

    def _look_in_peace(self) -> Go | None:
        """The second look, fresh when it is acted on: what the server wants to be left in peace for comes before."""
        while True:
            self._pause(self._means.removal.pause)
            go = self._look_again()
            # Another transaction may have been told so while we looked.
            if go is None or self._means.removal.pause <= 0:
                return go

    def _send(self, go: Go) -> Taken:
        # The look may have taken long: a term that has ended meanwhile sends nothing more.
        self._pause(0.0)
        taken = self._means.removal.take(
            self._record.action,
            namespace=go.pod.namespace,
            name=go.pod.name,
            uid=self._record.breach.uid,
            resource_version=go.pod.resource_version,
            grace_period=self._record.terms.grace_period,
        )
        if taken.may_have_landed:
            self._sent, self._sent_at = True, self._means.clock()
        return taken

    def _final(self, taken: Taken, attempt: int, pod: LivePod) -> bool:
        """Whether the answer ends the record."""
        match taken.answer:
            case Answer.BUDGET:
                self._call_off(self._with_budgets(taken.words, pod), Outcome.BLOCKED)
            case Answer.CONTENTION if attempt > 1:
                self._call_off(self._with_budgets(taken.words, pod), Outcome.BLOCKED)
            case Answer.FORBIDDEN | Answer.REFUSED:
                self._call_off(taken.words, Outcome.FAILED)
            case _:
                return False
        return True

    def _with_budgets(self, words: str, pod: LivePod) -> str:
        """The refusal with the names of the pod's budgets: that there are two, the API server says without them."""
        try:
            names = self._means.examination.budgets_of(pod)
        except KubernetesError as exc:
            return f"{words}; which budgets cover it can't be read: {exc}"
        return f"{words}; it is covered by PodDisruptionBudget {', '.join(names)}" if names else words

    def _rest(self, taken: Taken) -> None:
        # After an overload the pause comes first, so that the look is fresh when the request is sent.
        seconds = {Answer.CONTENTION: 1.0, Answer.UNKNOWN: 1.0}.get(taken.answer, self._means.removal.pause)
        self._pause(seconds)

    def _intercepted(self) -> str:
        """What the pod says of a slower end that the refused eviction has begun; empty where it says nothing."""
        pod = self._instance()
        if pod is None or EVICTION_IN_PROGRESS not in pod.annotations:
            return ""
        return f"intercepted: the pod has the annotation {EVICTION_IN_PROGRESS}"

    def _gone(self) -> bool:
        """Whether somebody, perhaps we, has taken the pod: gone, replaced under its name, or terminating."""
        pod = self._instance()
        return pod is None or pod.terminating

    def _instance(self) -> LivePod | None:
        """The pod that was measured, as it is now; None where it is gone, or another one has its name."""
        breach = self._record.breach
        pod = self._persist(lambda: self._means.pods.read(breach.namespace, breach.pod))
        return pod if pod is not None and pod.uid == breach.uid else None

    def _somebody_took_it(self) -> None:
        if self._sent:
            self._taken("by a request whose answer was lost")
        else:
            self._settle(Outcome.SUPERSEDED, "somebody else took the pod")

    def _taken(self, words: str, workload: Workload | None = None) -> None:
        self._record = replace(self._record, taken_at=self._means.clock())
        self._seen = workload
        self._means.voice.step(self._record, "taken", words=words)

    def _look_again(self) -> Go | None:
        """Judge and guards once more, on fresh samples: where they disagree with the first, nothing is done."""
        record, policy = self._record, self._means.policies().named(self._record.breach.policy)
        if policy is None:
            self._call_off(f"policy {record.breach.policy} is gone")
            return None
        self._policy = policy
        try:
            go = self._second_opinion(policy)
        except (PrometheusError, KubernetesError, MeasurementError) as exc:
            self._call_off(f"the second look failed: {exc}")
            return None
        if isinstance(go, Vetoed):
            taken = any(veto.reason in _SOMEBODY_ELSE for veto in go.vetoes) and self._gone()
            if taken:
                self._somebody_took_it()
            else:
                self._call_off(str(go))
            return None
        if words := _withdrawn(record, go.policy):
            self._call_off(words)
            return None
        fresh = baseline(go, self._means.clock())
        if fresh.pods != record.baseline.pods:
            self._record = replace(record, baseline=fresh)
            self._means.journal.update(lambda ledger: changes.changed(ledger, self._record))
        self._record = replace(self._record, baseline=fresh)
        return go

    def _second_opinion(self, policy: Policy) -> Go | Vetoed:
        return self._means.examination.confirmed(
            self._record.breach,
            policy=policy,
            policies=self._means.policies(),
            ledger=changes.without(self._means.journal.current(), self._record.id),
            first=self._first,
        )

    def _call_off(self, why: str, outcome: Outcome = Outcome.CALLED_OFF) -> None:
        """Nothing more is sent. A request that is still under way is waited for before the record is dropped."""
        if self._sent:
            self._means.voice.step(self._record, "waiting", words=f"a late request may still arrive; {why}")
            while not self._gone():
                left = self._sent_at + self._means.late - self._means.clock()
                if left <= 0:
                    return self._settle(outcome, why)
                self._pause(min(left, 5.0))
            return self._somebody_took_it()
        return self._settle(outcome, why)

    # Waiting and settling

    def _wait(self) -> None:
        record = self._record
        workload = self._seen or self._persist(lambda: self._means.owners.read(record.workload))
        if workload is None:
            return self._settle(Outcome.OWNER_GONE, f"{record.workload} is gone")
        while True:
            with PodWatch(
                self._means.api,
                self._means.pods,
                namespace=record.workload.namespace,
                selector=record.baseline.selector,
                version=workload.pods_version,
            ) as watch:
                wait = Wait(
                    record,
                    owners=self._means.owners,
                    watch=watch,
                    pods=workload.pods,
                    clock=self._means.clock,
                    nodes=self._means.nodes,
                    claimed=lambda: changes.claimed(self._means.journal.ledger, record),
                    stopping=lambda: self._means.pause(0.0),
                    say=lambda words: self._means.voice.step(self._record, "waiting", words=words),
                )
                ended = wait.until_over(workload)
            if ended is None:
                raise Stopping
            if ended.outcome is Outcome.NOT_READY:
                ended = self._in_their_words(ended)
            try:
                return self._ended(ended)
            except Claimed:
                # Another record was settled with that pod at the same moment: look on, from the same list.
                self._record = record

    def _in_their_words(self, ended: Ended) -> Ended:
        """What Kubernetes reports about the workload and its new pods, which the reason alone does not have."""
        record, workload = self._record, self._record.workload
        # A ReplicaSet that has an owner is what can't make pods, and what the revision names.
        maker = "" if workload.is_a("ReplicaSet", "StatefulSet", "DaemonSet") else record.baseline.revision
        about = filter(None, [workload.uid, maker, *ended.suspects[:SUSPECTS]])
        try:
            words = self._means.events.warnings(workload.namespace, about, since=record.intended_at - SKEW)
        except KubernetesError as exc:
            words = (f"events can't be read: {exc}",)
        return replace(ended, detail="; ".join([ended.detail, *(one for one in words if one not in ended.detail)]))

    def _ended(self, ended: Ended) -> None:
        """Settle the record. Raises Claimed where its new pod has settled another one."""
        if ended.replacement is not None:
            self._record = replace(
                self._record,
                available_at=self._means.clock(),
                replacement=ended.replacement.name,
                replacement_uid=ended.replacement.uid,
            )
            self._means.voice.step(self._record, "available", replacement=ended.replacement.name)
            self._record = replace(self._record, after=self._memory_after(ended.replacement))
        self._settle(ended.outcome, ended.detail)

    def _memory_after(self, pod: LivePod) -> float | None:
        """The new pod's memory, looked at once it is measured; None where that takes too long or fails."""
        if self._policy is None:
            return None
        deadline = self._means.clock() + 3 * self._means.sample_interval + 5
        while self._means.clock() < deadline:
            try:
                value = self._means.examination.newest_value(
                    self._policy, pod=pod, container=self._record.breach.container, at=int(self._means.clock())
                )
            except PrometheusError as exc:
                self._means.voice.step(self._record, "waiting", words=f"memory of the new pod is not known: {exc}")
                return None
            if value is not None:
                return value
            self._pause(max(0.5, self._means.sample_interval / 2))
        return None

    def _settle(self, outcome: Outcome, detail: str) -> None:
        detail = detail if len(detail) <= DETAIL else f"{detail[:DETAIL]} … ({len(detail)} characters in all)"
        record = replace(self._record, outcome=outcome, detail=detail, settled_at=self._means.clock())

        def change(ledger: Ledger) -> Ledger:
            if record.replacement_uid and record.replacement_uid in changes.claimed(ledger, record):
                raise Claimed
            return changes.settled(ledger, record)

        self._persist(lambda: self._means.journal.update(change), settling=True)
        self._record = record
        self._means.voice.settled(record)

    def _persist(self, call: Callable[[], T], *, settling: bool = False) -> T:
        """Ask until there is an answer: what was begun is not dropped because the API server is away.

        Raises NoRight where nothing but refusals came for long, unless ``settling``: nothing comes after that.
        """
        wait, refused_since = 0.5, None
        while True:
            try:
                return call()
            except KubernetesError as exc:
                self._means.voice.step(self._record, "waiting", words=str(exc))
                refused_since = (refused_since or self._means.clock()) if is_forbidden(exc) else None
                if refused_since and not settling and self._means.clock() - refused_since >= GIVE_UP:
                    raise NoRight(str(exc)) from exc
            wait = min(wait * 2, 10.0)
            self._pause(wait)

    def _pause(self, seconds: float) -> None:
        if self._means.pause(seconds):
            raise Stopping


def _withdrawn(record: Remediation, policy: Policy) -> str:
    """Why the policy, as it holds for the pod now, does not ask for this act any more; empty where it does."""
    if policy.dry_run:
        return f"policy {policy.name} is on trial now"
    if policy.action is not record.action:
        return f"policy {policy.name} says {policy.action} now, and no longer {record.action}"
    return ""
