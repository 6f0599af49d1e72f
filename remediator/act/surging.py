"""Carrying out what a surge wants: take the pod out, evict it once it is replaced, or put it back."""

from __future__ import annotations

from remediator.act import note
from remediator.act.looks import Go
from remediator.act.means import Means
from remediator.act.replacement import Ended
from remediator.act.surge import Do, Step
from remediator.act.waiting import GIVE_UP
from remediator.cluster.removal import Answer, Taken
from remediator.model.remediations import Remediation
from remediator.model.vocabulary import Action, Outcome

_PACE = 60.0
"""Seconds between two evictions that a disruption budget refuses, where the policy is gone or has no pace."""
_REFUSED = 10.0
"""Seconds between two requests that are refused for another reason."""


class Surge:
    """One surge. Nothing of it is remembered that the cluster does not show: a successor goes on from the pod."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._said = ""
        self._refused_since: float | None = None

    def take_out(self, record: Remediation, go: Go) -> Taken:
        """Take the pod out of its ReplicaSet. Raises NotLeader."""
        text = note.write(record, go.pod, home=self._means.home)
        return self._means.orphans.take_out(go.pod, owner=record.workload, note=text, epoch=self._epoch)

    def carry_out(self, record: Remediation, step: Step) -> Ended | None:
        """Do it; None where the wait goes on. Raises NotLeader, KubernetesError, Stopping."""
        if step.do is Do.PUT_BACK:
            written = note.read(step.orphan)
            if written is None:
                why = "what is written on it to put it back can't be read"
                return self._left(step, why, remedy="delete it, or give it the hash label of its ReplicaSet")
            owner = written.replicaset
            if self._means.neighbourhood.wanted_of(step.orphan.namespace, owner.name, owner.uid):
                return self._put_back(record, step, written)
        return self._evict(record, step)

    def _put_back(self, record: Remediation, step: Step, written: note.Note) -> Ended | None:
        # Its ReplicaSet then has one pod too many, and ranks all of them: the one that did not work shall go.
        for pod in step.unready:
            self._means.orphans.offer_up(pod)
        taken = self._means.orphans.put_back(
            step.orphan, replicaset=written.replicaset, template_hash=written.template_hash
        )
        if taken.answer is Answer.ACCEPTED:
            return Ended(step.outcome, step.why, suspects=tuple(pod.uid for pod in step.unready))
        return self._again(record, step, taken)

    def _evict(self, record: Remediation, step: Step) -> Ended | None:
        taken = self._means.removal.take(
            Action.EVICT,
            namespace=step.orphan.namespace,
            name=step.orphan.name,
            uid=step.orphan.uid,
            resource_version=step.orphan.resource_version,
            grace_period=record.terms.grace_period,
        )
        if taken.answer is Answer.ACCEPTED:
            self._means.voice.step(record, "taken", words=step.why)
            return None
        return self._again(record, step, taken)

    def _again(self, record: Remediation, step: Step, taken: Taken) -> Ended | None:
        """Not done yet: wait as long as the answer asks for, and look on."""
        is_refused = taken.answer in {Answer.FORBIDDEN, Answer.REFUSED}
        self._refused_since = (self._refused_since or self._means.clock()) if is_refused else None
        if self._refused_since and self._means.clock() - self._refused_since >= GIVE_UP:
            remedy = "delete it, or mend what is in the way: the next start of the daemon looks after it again"
            return self._left(step, taken.words, remedy=remedy)
        if taken.words != self._said:
            self._said = taken.words
            self._means.voice.step(record, str(step.do), answer=taken.answer.name.lower(), words=taken.words)
        match taken.answer:
            case Answer.BUDGET | Answer.CONTENTION:
                self._means.rest(self._pace(record))
            case Answer.FORBIDDEN | Answer.REFUSED:
                self._means.rest(_REFUSED)
            case _:
                self._means.rest(max(self._means.removal.pause, 1.0))
        return None

    def _left(self, step: Step, why: str, *, remedy: str) -> Ended:
        told = f"{step.orphan.name} is still out of its ReplicaSet, and could not be {_PARTICIPLES[step.do]}"
        return Ended(Outcome.FAILED, f"{told}: {why}; {remedy}")

    def _pace(self, record: Remediation) -> float:
        policy = self._means.policies().named(record.breach.policy)
        return float(policy.pace) if policy is not None and isinstance(policy.pace, int) else _PACE

    @property
    def _epoch(self) -> int:
        return self._means.journal.ledger.epoch


_PARTICIPLES = {Do.EVICT: "evicted", Do.PUT_BACK: "put back"}
