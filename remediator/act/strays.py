"""Pods that are out of their ReplicaSets without a record: what a daemon left behind whose journal is gone."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from remediator.act import ledger as changes
from remediator.act import note
from remediator.act.means import Means
from remediator.act.transaction import SKEW
from remediator.errors import KubernetesOdd, KubernetesRefused
from remediator.model.pods import LivePod
from remediator.model.remediations import Remediation
from remediator.policy import named_namespaces
from remediator.policy.durations import DAY


@contextmanager
def _where_allowed() -> Iterator[None]:
    """Passes over what RBAC refuses; any other refusal is raised."""
    try:
        yield
    except KubernetesRefused as exc:
        if not exc.forbidden:
            raise


class Strays:
    """Takes them in once in a term: their records go into the journal, and are carried on as inherited ones."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._done = False
        self._told: set[tuple[str, str]] = set()

    def take_in(self) -> None:
        """Raises KubernetesError, JournalError, NotLeader; then it is tried again.

        So is it where one of them can't be looked at, which keeps no other one out.
        """
        if self._done:
            return
        means = self._means
        known = {record.breach.uid for record in means.journal.current().in_flight.values()}
        seen_all = True
        for pod in self._found():
            # One that goes already needs nobody.
            if pod.uid in known or pod.terminating:
                continue
            try:
                record = self._record(pod)
            except (KubernetesRefused, KubernetesOdd) as exc:
                self._tell(pod, f"it can't be looked after now: {exc}")
                seen_all = False
                continue
            if record:
                if len(means.journal.current().in_flight) >= means.policies().safety.max_concurrent:
                    # Whoever may make pods can make any number of these: the others come in when some are over.
                    self._tell(pod, "it has to wait: as many remediations are in flight as maxConcurrent allows")
                    return
                means.journal.update(lambda ledger, record=record: changes.intended(ledger, record), intent=True)  # type: ignore[misc]
                self._tell(pod, f"it is looked after as remediation {record.id}")
        self._done = seen_all

    def _tell(self, pod: LivePod, words: str) -> None:
        """Once in a term: there may be many looks."""
        if (pod.uid, words) not in self._told:
            self._told.add((pod.uid, words))
            self._means.voice.stray(pod, words)

    def _found(self) -> tuple[LivePod, ...]:
        """All of them; with rights to some namespaces only, those in the namespaces that policies name."""
        means = self._means
        with _where_allowed():
            return means.orphans.find()
        found: list[LivePod] = []
        for namespace in named_namespaces(means.policies()):
            with _where_allowed():
                found.extend(means.orphans.find(namespace))
        return tuple(found)

    def _record(self, pod: LivePod) -> Remediation | None:
        """The record that is written on a pod; None where that can't be read, which is told, or is another daemon's."""
        means = self._means
        written = note.read(pod)
        if written is None:
            self._tell(pod, "what is written on it can't be read, so it stays as it is; delete it by hand")
            return None
        if written.home != means.home:
            return None
        record = written.record
        workload = means.owners.read(record.workload)
        # Who was there before is no longer written anywhere, but for the time; of two clocks, one in whole seconds. One
        # that is taken for new and was there costs nothing: as many as before have to be available all the same.
        there = (*workload.pods, *workload.outside) if workload else ()
        before = frozenset(one.uid for one in there if one.created_at < record.intended_at - SKEW)
        settled = any(one.id == record.id for one in means.journal.ledger.settled)

        def past(moment: float) -> float:
            # One from the future would hold everything.
            return min(max(moment, 0.0), means.clock())

        breach = record.breach
        # And nothing that a remediation learns later: whoever may change pods may have written it.
        return Remediation(
            id=secrets.token_hex(6) if settled else record.id,
            epoch=means.journal.ledger.epoch,
            workload=record.workload,
            breach=replace(breach, sample_time=past(breach.sample_time), over_since=past(breach.over_since)),
            action=record.action,
            baseline=replace(record.baseline, pods=before),
            terms=replace(record.terms, ready_timeout=min(record.terms.ready_timeout, DAY)),
            intended_at=past(record.intended_at),
        )
