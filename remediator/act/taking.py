"""Taking the pod away: hooks, the second look, the request, and what its answer means."""

from __future__ import annotations

from dataclasses import replace

from remediator.act import ledger as changes
from remediator.act.carried import Carried
from remediator.act.intent import baseline
from remediator.act.looks import Go, Vetoed
from remediator.act.means import Means
from remediator.act.surging import Surge
from remediator.act.surroundings import is_fresh
from remediator.cluster.api import READ_TIMEOUT
from remediator.cluster.removal import Answer, Taken
from remediator.errors import KubernetesError, MeasurementError, PrometheusError
from remediator.model.hooks import Hook, OnFailure
from remediator.model.pods import LivePod
from remediator.model.remediations import Ledger, Remediation
from remediator.model.surge import is_orphan
from remediator.model.vocabulary import EVICTION_IN_PROGRESS, Action, Outcome, Reason
from remediator.model.workloads import Workload
from remediator.policy import Policy, PolicyFile

LATE = READ_TIMEOUT + 60.0
"""Seconds after which a request that was sent can't be carried out any more: its time-out, and the API server's own
limit for a request."""
TRIES = 3
_LOOKS = 3
"""Times that everything is looked at before an attempt, where that takes so long that it is not new any more."""
_MAY_BE_INTERCEPTED = frozenset({Answer.OVERLOAD, Answer.FORBIDDEN, Answer.REFUSED})
_SOMEBODY_ELSE = frozenset({Reason.GONE, Reason.TERMINATING, Reason.REPLACED_SINCE_SAMPLE})


class Taking(Carried):
    """A record on its way from intent to the pod's end, or to its own.

    ``_seen`` is the workload with its pods as they were right before the act, None where it has to be read anew.
    """

    def __init__(
        self, record: Remediation, *, policy: Policy | None, means: Means, inherited: bool, first: Go | None = None
    ) -> None:
        """``first`` is what the first look saw, where it was ours."""
        super().__init__(record, policy=policy, means=means)
        self._first = first
        self._inherited = inherited
        # A request that we don't know of may still be under way, by a leader before us or by ourselves.
        self._sent = inherited
        self._begun_at = self._sent_at = means.monotonic()
        self._seen: Workload | None = None
        self._is_out = False
        self._surge = Surge(means)

    def _take(self) -> None:
        """Until the pod is taken, or the record is settled."""
        words = ""
        for attempt in range(1, TRIES + 1):
            if (self._sent or attempt > 1) and self._gone():
                return self._somebody_took_it()
            if self._sent and (words := self._intercepted()):
                return self._taken(words)
            if attempt == 1 and not self._hooked():
                return None
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

    def _hooked(self) -> bool:
        """Whether the act goes on: without hooks, or after them, where the pod would have gone before.

        A successor runs them again, because nobody knows how far its predecessor came.
        """
        policy = self._means.policies().named(self._record.breach.policy)
        if policy is None or not policy.before:
            return True
        go = self._look_again()
        if go is not None and go.breach.emergency:
            self._means.voice.step(self._record, "waiting", words="for no hook: it is an emergency")
            return True
        # What hooks do to the world only a new look can see.
        self._first = None
        return go is not None and all(self._passed(hook) for hook in go.policy.before)

    def _passed(self, hook: Hook) -> bool:
        """Run one hook in the very pod that was measured; False where the record is settled by what came of it."""
        pod = self._instance()
        if pod is None or pod.terminating:
            self._somebody_took_it()
            return False
        self._means.voice.step(self._record, "waiting", words=f"the hook {hook}")
        called = self._means.hooks.run(hook, pod, pause=self._means.rest)
        self._means.voice.step(self._record, "hook", **called.told)
        # It names the pod by its address, or by its name: it has reached this one if that is still there.
        if self._gone():
            self._somebody_took_it()
            return False
        if called.failed and hook.on_failure is OnFailure.ABORT:
            self._call_off(f"the hook {hook} failed: {called.words}")
            return False
        return True

    def _look_in_peace(self) -> Go | None:
        """The second look, fresh when it is acted on: what the server wants to be left in peace for comes before."""
        while True:
            self._means.rest(self._means.removal.pause)
            go = self._look_again()
            # Another transaction may have been told so while we looked.
            if go is None or self._means.removal.pause <= 0:
                return go

    def _send(self, go: Go) -> Taken:
        # The look may have taken long: a term that has ended meanwhile sends nothing more.
        self._means.rest(0.0)
        if self._record.action is Action.SURGE:
            taken = self._surge.take_out(self._record, go)
        else:
            taken = self._means.removal.take(
                self._record.action,
                namespace=go.pod.namespace,
                name=go.pod.name,
                uid=self._record.breach.uid,
                resource_version=go.pod.resource_version,
                grace_period=self._record.terms.grace_period,
            )
        if taken.may_have_landed:
            self._sent, self._sent_at = True, self._means.monotonic()
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
        self._means.rest(seconds)

    def _intercepted(self) -> str:
        """What the pod says of a slower end that the refused eviction has begun; empty where it says nothing."""
        pod = self._instance()
        if pod is None or EVICTION_IN_PROGRESS not in pod.annotations:
            return ""
        return f"intercepted: the pod has the annotation {EVICTION_IN_PROGRESS}"

    def _gone(self) -> bool:
        """Whether somebody, perhaps we, has taken the pod: gone, replaced under its name, terminating, or taken out."""
        pod = self._instance()
        self._is_out = pod is not None and is_orphan(pod.labels)
        return pod is None or pod.terminating or self._is_out

    def _stamp(self) -> bool:
        """Let every request that was sent before fail: all of them carry the resourceVersion that the pod has now.

        Only where the policies make use of the right to change pods; else such requests are waited for. What was
        carried out before shows on the pod.
        """
        if not any(policy.action is Action.SURGE for policy in self._means.policies().policies):
            return False
        breach = self._record.breach
        taken = self._means.orphans.stamp(
            namespace=breach.namespace, name=breach.pod, uid=breach.uid, epoch=self._means.journal.ledger.epoch
        )
        self._means.voice.step(self._record, "stamped", answer=taken.answer.name.lower(), words=taken.words)
        return taken.answer is Answer.ACCEPTED

    def _somebody_took_it(self) -> None:
        if self._sent or self._is_out:
            self._taken("by a request whose answer was lost")
        else:
            self._settle(Outcome.SUPERSEDED, "somebody else took the pod")

    def _taken(self, words: str, workload: Workload | None = None) -> None:
        self._record = replace(self._record, taken_at=self._means.clock())
        is_out = self._record.action is Action.SURGE
        # A pod that was taken out has changed since it was listed with the others.
        self._seen = None if is_out else workload
        self._means.voice.step(self._record, "taken out" if is_out else "taken", words=words)

    def _look_again(self) -> Go | None:
        """Judge and guards once more, on fresh samples: where they disagree with the first, nothing is done.

        What the policy file and the journal say, a kill switch, a breaker, what else is in flight, may change while
        somebody is waited for.
        """
        name = self._record.breach.policy
        for _ in range(_LOOKS):
            begun, policies = self._means.clock(), self._means.policies()
            if (policy := policies.named(name)) is None:
                self._call_off(f"policy {name} is gone")
                return None
            self._policy = policy
            try:
                others = self._others()
                found = self._second_opinion(policy, policies, others)
                is_new = is_fresh(begun, self._means.clock()) or (
                    (self._means.policies(), self._others()) == (policies, others)
                )
            except (PrometheusError, KubernetesError, MeasurementError) as exc:
                self._call_off(f"the second look failed: {exc}")
                return None
            go = self._agreed(found)
            if go is None or (self._noted(go) and is_new):
                return go
        self._call_off("what has to be known of it changes faster than it can be looked at")
        return None

    def _others(self) -> Ledger:
        """The journal without this record and what it has spent. Raises JournalError, KubernetesError, NotLeader."""
        return changes.without(self._means.journal.current(), self._record.id)

    def _second_opinion(self, policy: Policy, policies: PolicyFile, others: Ledger) -> Go | Vetoed:
        return self._means.examination.confirmed(
            self._record.breach,
            policy=policy,
            policies=policies,
            holds=lambda: self._means.holds(policies),
            ledger=others,
            first=self._first,
        )

    def _agreed(self, found: Go | Vetoed) -> Go | None:
        """The leave to act; None where there is none, and the record is settled."""
        if isinstance(found, Vetoed):
            taken = any(veto.reason in _SOMEBODY_ELSE for veto in found.vetoes) and self._gone()
            if taken:
                self._somebody_took_it()
            else:
                self._call_off(str(found))
            return None
        if words := _withdrawn(self._record, found):
            self._call_off(words)
            return None
        return found

    def _noted(self, go: Go) -> bool:
        """Write down which pods there were before; whether what was seen is still as good as new after that."""
        record = self._record
        beside = self._others().in_flight_of(record.workload.uid)
        fresh = baseline(go, now=self._means.clock(), beside=beside)
        self._record = replace(record, baseline=fresh)
        if fresh.pods == record.baseline.pods:
            return True
        self._means.journal.update(lambda ledger: changes.changed(ledger, self._record))
        return is_fresh(go.world.read_at, self._means.clock())

    def _call_off(self, why: str, outcome: Outcome = Outcome.CALLED_OFF) -> None:
        """Nothing more is sent. A request that is still under way is waited for before the record is dropped."""
        if self._sent:
            self._means.voice.step(self._record, "waiting", words=f"a late request may still arrive; {why}")
            self._wait_for_late_ones()
            if self._gone():
                return self._somebody_took_it()
        return self._settle(outcome, why)

    def _wait_for_late_ones(self) -> None:
        """Until the pod is gone, or no request can be carried out any more that we or a leader before us have sent."""
        if self._inherited:
            # Its lease may have been taken from it before it ran out: then it goes on until it notices.
            self._look_until(self._begun_at + self._means.late - LATE)
        # It sends nothing more now, and nor do we: what is under way fails once the pod has changed.
        if not self._stamp():
            self._look_until(self._sent_at + self._means.late)

    def _look_until(self, moment: float) -> None:
        """Wait for that moment, or until the pod is gone, by a clock that nobody sets."""
        while not self._gone() and (left := moment - self._means.monotonic()) > 0:
            self._means.rest(min(left, 5.0))


def _withdrawn(record: Remediation, go: Go) -> str:
    """Why the policy, as it holds for the pod now, does not ask for this act any more; empty where it does."""
    policy = go.policy
    if policy.dry_run:
        return f"policy {policy.name} is on trial now"
    if policy.action is not record.action:
        return str(go.instead or f"policy {policy.name} says {policy.action} now, and no longer {record.action}")
    return ""
