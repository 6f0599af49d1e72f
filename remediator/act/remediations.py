"""The remediations of a term: begun here, each carried out in a thread of its own, inherited ones as well."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, replace

from remediator.act import ledger as changes
from remediator.act.intent import intend
from remediator.act.looks import Go, Vetoed
from remediator.act.means import Means, Stopping
from remediator.act.places import why_unfit
from remediator.act.rehearsal import rehearsed
from remediator.act.replacement import Ended, Scene, assess
from remediator.act.strays import Strays
from remediator.act.transaction import Transaction
from remediator.decide import concerning, policy_and_journal
from remediator.errors import JournalError, JournalFull, KubernetesError, NotLeader
from remediator.model.measures import Veto
from remediator.model.remediations import Breaker, Ledger, Remediation
from remediator.model.vocabulary import Action, Outcome, Reason
from remediator.policy import Policy


class _NoMore(Exception):
    """The guards said no on the newest ledger."""

    def __init__(self, vetoes: tuple[Veto, ...]) -> None:
        super().__init__(vetoes)
        self.vetoes = vetoes


@dataclass(frozen=True, slots=True)
class Begun:
    """Intent is in the journal, and the transaction runs; a report is over."""

    record: Remediation


class Remediations:
    """Begins remediations and supervises them. ``failed(record, error)`` is told of one whose thread ended early."""

    def __init__(self, means: Means, *, failed: Callable[[Remediation, Exception], None]) -> None:
        self._means = means
        self._failed = failed
        self._lock = threading.Lock()
        self._running: dict[str, threading.Thread | None] = {}
        self._unseen: dict[str, str] = {}
        self._strays = Strays(means)

    def begin(self, go: Go) -> Begun | Vetoed:
        """Write the intent, if the guards still allow it on the newest ledger, and carry it out.

        A policy on trial asks the API server without consequences, and is always vetoed. A report is over at once.

        Raises KubernetesError, JournalError, NotLeader; where whether the intent landed is not known, ``adopt``
        finds it later.
        """
        means, policy, breach = self._means, go.policy, go.breach
        if policy.dry_run:
            return Vetoed(rehearsed(go, means.removal, means.orphans), go.workload.ref)
        self._refuse_when_stopping()
        now = means.clock()
        record = intend(go, ledger=means.journal.current(), now=now)
        if policy.action is Action.NOTIFY:
            record = replace(record, outcome=Outcome.NOTIFIED, settled_at=now, detail=breach.sentence)

        def change(ledger: Ledger) -> Ledger:
            # It may have landed, and is asked for again where the answer was lost: its own act is no veto.
            if changes.knows(ledger, record):
                return ledger
            vetoes = policy_and_journal(
                breach,
                pod=go.pod,
                owner=record.workload,
                policy=policy,
                policies=means.policies(),
                ledger=ledger,
                # Asked a moment ago, and again by the second look.
                holds=(),
                now=now,
            )
            if vetoes := concerning(vetoes, policy.action):
                raise _NoMore(vetoes)
            begun = changes.intended(ledger, record)
            return changes.settled(begun, record) if record.outcome else begun

        # Ours before it is in the journal, so that nobody adopts it between the write and the start of its thread.
        with self._lock:
            self._running[record.id] = None
        try:
            means.journal.update(change, intent=True)
        except BaseException as exc:
            self._forget(record)
            if isinstance(exc, _NoMore):
                return Vetoed(exc.vetoes, record.workload)
            if isinstance(exc, JournalFull):
                return Vetoed((Veto(Reason.BUDGET, str(exc)),), record.workload)
            raise
        self._tell(record, go)
        if record.outcome:
            self._forget(record)
        else:
            self._start(record, policy, inherited=False, first=go)
        return Begun(record)

    def _refuse_when_stopping(self) -> None:
        if self._means.pause(0.0):
            message = "we are stopping: nothing new is begun"
            raise NotLeader(message)

    def _tell(self, record: Remediation, go: Go) -> None:
        voice = self._means.voice
        if go.instead:
            voice.fallback(record, go.instead)
        if record.outcome:
            voice.settled(record)
        else:
            voice.step(record, "intended")

    def adopt(self) -> None:
        """Carry on with records that are in flight and that nobody here works on.

        At the start of a term also with pods that are out of their ReplicaSets without a record.
        """
        for record in self._means.journal.current().in_flight.values():
            with self._lock:
                if record.id in self._running:
                    continue
                self._running[record.id] = None
            try:
                self._adopt(record)
            except BaseException:
                self._forget(record)
                raise
        # Whose records are carried on by the next call; what is in the journal does not wait for them.
        self._strays.take_in()

    def _adopt(self, record: Remediation) -> None:
        """Carry on with a record that is reserved for us."""
        # Asked again now that it is ours: its thread may have settled it in the meantime.
        if record.id not in self._means.journal.current().in_flight:
            self._forget(record)
            return
        policy = self._means.policies().named(record.breach.policy)
        self._means.voice.step(record, "inherited")
        self._start(record, policy, inherited=True)

    def review_breakers(self) -> None:
        """Take in what operators have closed, and close those whose missing replacement is available after all.

        Asks nothing while no breaker is open. Raises KubernetesError, JournalError, NotLeader.
        """
        if not self._means.journal.ledger.breakers:
            return
        breakers = self._means.journal.refresh().breakers
        self._unseen = {uid: words for uid, words in self._unseen.items() if uid in breakers}
        for uid, breaker in breakers.items():
            try:
                words = self._recovered(breaker)
            except KubernetesError as exc:
                self._not_seen(breaker, f"can't look after its breaker: {exc}")
                continue
            self._unseen.pop(uid, None)
            if words:
                self._means.voice.step(breaker.record, "breaker-closed", words=words)
                self._means.journal.update(lambda ledger, uid=uid: changes.closed(ledger, uid))  # type: ignore[misc]

    def _not_seen(self, breaker: Breaker, words: str) -> None:
        """Said once: a breaker may be open for days."""
        if self._unseen.get(breaker.workload.uid) != words:
            self._unseen[breaker.workload.uid] = words
            self._means.voice.step(breaker.record, "waiting", words=words)

    def join(self, timeout: float) -> None:
        """Wait until the transactions have seen that we are stopping; at most that many seconds in all."""
        deadline = time.monotonic() + timeout
        with self._lock:
            threads = [thread for thread in self._running.values() if thread is not None]
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0.0))

    def _recovered(self, breaker: Breaker) -> str:
        """Why the breaker may be closed, empty where it may not. Raises KubernetesError.

        One that failed before anything was taken waits for an operator, as long as its workload is there.
        """
        record = breaker.record
        workload = self._means.owners.read(record.workload)
        if workload is None:
            return f"{record.workload} is gone"
        if record.outcome is not Outcome.NOT_READY or record.taken_at is None:
            return ""
        claimed = changes.claimed(self._means.journal.ledger, record)
        pods = {pod.uid: pod for pod in workload.pods}
        now = self._means.clock()
        unfit = why_unfit(record, workload, workload.pods, self._means.nodes)
        verdict = assess(record, Scene(workload, pods, claimed, now, gone_at=now, unfit=unfit))
        if isinstance(verdict, Ended) and verdict.outcome not in {Outcome.NOT_READY, Outcome.STUCK_TERMINATING}:
            return f"after all: {verdict.detail}"
        return ""

    def _start(self, record: Remediation, policy: Policy | None, *, inherited: bool, first: Go | None = None) -> None:
        transaction = Transaction(record, policy=policy, means=self._means, inherited=inherited, first=first)
        context = copy_context()
        thread = threading.Thread(
            target=lambda: context.run(self._run, record, transaction), name=f"remediation-{record.id}", daemon=True
        )
        with self._lock:
            self._running[record.id] = thread
        try:
            thread.start()
        except RuntimeError:
            # There may be no more threads just now; then the next look adopts it.
            self._forget(record)
            raise

    def _run(self, record: Remediation, transaction: Transaction) -> None:
        try:
            with self._means.pulse.working(f"the remediation {record.id}"):
                transaction.run()
        except Stopping:
            self._means.voice.step(record, "left", words="stopping; the next leader carries on")
        except (NotLeader, JournalError, KubernetesError) as exc:
            self._failed(record, exc)
        finally:
            self._forget(record)

    def _forget(self, record: Remediation) -> None:
        with self._lock:
            self._running.pop(record.id, None)
