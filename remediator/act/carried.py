"""A record while it is carried out: asked about until there is an answer, and settled once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from remediator.act import ledger as changes
from remediator.act.means import Means
from remediator.act.waiting import GIVE_UP, is_forbidden
from remediator.errors import KubernetesError
from remediator.model.pods import LivePod
from remediator.model.remediations import Ledger, Remediation
from remediator.model.vocabulary import Outcome
from remediator.policy import Policy

DETAIL = 1000
"""Characters of a server's words that the journal keeps."""

T = TypeVar("T")


class Claimed(Exception):
    """The new pod has settled another record."""


class NoRight(Exception):
    """Every look was refused for so long that the right to look is gone for good."""


class Carried:
    """One record that is in the journal, as it stands, and what every part of its way needs."""

    def __init__(self, record: Remediation, *, policy: Policy | None, means: Means) -> None:
        self._record = record
        self._policy = policy
        self._means = means

    def _instance(self) -> LivePod | None:
        """The pod that was measured, as it is now; None where it is gone, or another one has its name."""
        breach = self._record.breach
        pod = self._persist(lambda: self._means.pods.read(breach.namespace, breach.pod))
        return pod if pod is not None and pod.uid == breach.uid else None

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

    def _note_down(self) -> None:
        """Let the journal have the record as it stands: the next leader goes on from there, and so does its time."""
        self._persist(lambda: self._means.journal.update(lambda ledger: changes.changed(ledger, self._record)))

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
            self._means.rest(wait)
