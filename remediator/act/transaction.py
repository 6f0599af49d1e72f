"""One remediation, from intent to settlement: every step leaves the journal able to tell a successor what to do."""

from __future__ import annotations

from dataclasses import replace

from remediator.act import ledger as changes
from remediator.act.carried import Claimed, NoRight
from remediator.act.means import Stopping
from remediator.act.replacement import Ended
from remediator.act.surge import Do, Step, after_the_owner
from remediator.act.taking import Taking
from remediator.act.waiting import Wait
from remediator.cluster.watch import PodWatch
from remediator.errors import KubernetesError, PrometheusError
from remediator.model.pods import LivePod
from remediator.model.remediations import Remediation
from remediator.model.vocabulary import Action, Outcome
from remediator.model.workloads import Workload

SUSPECTS = 3
"""Pods whose events are asked for, each with one request."""
SKEW = 60.0
"""Seconds that the clocks of those who write events may be behind ours."""


class Transaction(Taking):
    """Carries one record that is in the journal to its end."""

    def run(self) -> Remediation:
        """Carry it out, wait, settle. Raises Stopping, NotLeader, JournalError, KubernetesError from the journal."""
        try:
            # A pod that was taken out can still be finished or put back by a late request; one that goes, goes.
            if self._inherited and (self._record.taken_at is None or self._record.action is Action.SURGE):
                self._stamp()
            if self._record.taken_at is None:
                self._take()
                if self._inherited and self._record.outcome is None:
                    # One that was killed has not said when: written as it happens it would be one more request of each.
                    self._note_down()
            if self._record.outcome is None:
                self._wait()
        except NoRight as exc:
            self._settle(Outcome.FAILED, f"what became of it can't be seen any more: {exc}")
        except Stopping:
            if self._record.taken_at is not None:
                self._note_down()
            raise
        return self._record

    def _wait(self) -> None:
        """Until the record is settled; a surge does what it wants done in between."""
        ref, uid, workload = self._record.workload, self._record.breach.uid, self._seen
        while True:
            workload = workload or self._persist(lambda: self._means.owners.read_with(ref, uid))
            found = self._until_over(workload) if workload else Ended(Outcome.OWNER_GONE, f"{ref} is gone")
            if isinstance(found, Ended) and found.outcome is Outcome.OWNER_GONE and self._record.action is Action.SURGE:
                found = after_the_owner(found, self._instance())
            ended = self._carry_out(found) if isinstance(found, Step) else found
            if ended is None:
                workload = None
                continue
            if ended.outcome in {Outcome.NOT_READY, Outcome.ROLLED_BACK}:
                ended = self._in_their_words(ended)
            before = self._record
            try:
                return self._ended(ended)
            except Claimed:
                # Another record was settled with that pod at the same moment: look on, from the same list.
                self._record = before

    def _until_over(self, workload: Workload) -> Ended | Step:
        """One wait by watch, from the workload's pods as they were listed. Raises Stopping."""
        record = self._record
        with PodWatch(
            self._means.api,
            self._means.pods,
            namespace=record.workload.namespace,
            selector=record.baseline.selector,
            version=workload.pods_version,
            pulse=self._means.pulse,
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
        return ended

    def _carry_out(self, step: Step) -> Ended | None:
        """One step of a surge; None where the wait goes on. That it is taken back is in the journal before it is."""
        if step.do is Do.PUT_BACK and not self._record.undoing:
            self._record = replace(self._record, undoing=step.why)
            self._note_down()
            self._means.voice.step(self._record, "undoing", words=step.why)
        return self._persist(lambda: self._surge.carry_out(self._record, step))

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
            self._means.rest(max(0.5, self._means.sample_interval / 2))
        return None
