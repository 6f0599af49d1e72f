"""The journal: one ConfigMap, each write conditional on the version that was read.

Whoever else has written meanwhile is noticed: an operator's change is taken in, another leader's ends our term,
and content that is not ours, or that is gone, stops everything until somebody has looked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import fields
from itertools import chain

import orjson
import pydantic

from remediator.act.ledger import led, shorter
from remediator.cluster.api import READ_TIMEOUT
from remediator.cluster.election import Elector
from remediator.cluster.store import StoredText, TextStore
from remediator.errors import (
    JournalFull,
    JournalMissing,
    JournalUnreadable,
    KubernetesOdd,
    KubernetesRefused,
    KubernetesUnreachable,
    NotLeader,
)
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import ANNOTATIONS

KEY = "journal.json"
VERSION = 1
UID_ANNOTATION = f"{ANNOTATIONS}/journal-uid"
ROOM_FOR_INTENT = 700 * 1024
"""Bytes above which no new intent is accepted; what is in flight can still be settled below the API's 1 MiB."""
_CONFLICT, _NOT_FOUND, _SERVER_ERROR = 409, 404, 500
_TRIES = 5


class _Document(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    version: int
    ledger: Ledger


def encode(ledger: Ledger) -> str:
    """The journal's text."""
    return _Document(version=VERSION, ledger=ledger).model_dump_json()


def decode(text: str | None) -> Ledger:
    """The ledger in a journal's text. Raises JournalUnreadable with one sentence."""
    if text is None:
        message = f"the journal has no key {KEY}"
        raise JournalUnreadable(message)
    try:
        # Strictly: a text that says NaN is no number.
        document = _Document.model_validate_json(text, strict=True)
    except pydantic.ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the text"
        message = f"the journal can't be read: {where}: {first['msg']}"
        raise JournalUnreadable(message) from exc
    if document.version != VERSION:
        message = f"the journal has version {document.version}, this program knows version {VERSION}"
        raise JournalUnreadable(message)
    try:
        # Stricter than the validation: NaN and infinity are no JSON.
        written = set(orjson.loads(text)["ledger"])
    except orjson.JSONDecodeError as exc:
        message = f"the journal can't be read: {exc}"
        raise JournalUnreadable(message) from exc
    if missing := {field.name for field in fields(Ledger)} ^ written:
        message = f"the journal lacks, or has too many of, {', '.join(sorted(missing))}"
        raise JournalUnreadable(message)
    if strange := _strange_name(document.ledger):
        message = f"the journal can't be read: in ledger.{strange} is the name of something else"
        raise JournalUnreadable(message)
    return document.ledger


def _strange_name(ledger: Ledger) -> str:
    """Where something stands under a name by which nobody would find it again; empty where nothing does."""
    in_flight = (f"in_flight {key}" for key, record in ledger.in_flight.items() if key != record.id)
    breakers = (f"breakers {key}" for key, breaker in ledger.breakers.items() if key != breaker.workload.uid)
    return next(chain(in_flight, breakers), "")


class Journal:
    """The ledger of the term that we lead, in memory as last written or read. Safe to use from several threads."""

    def __init__(self, store: TextStore, *, name: str, elector: Elector) -> None:
        self._store = store
        self._name = name
        self._elector = elector
        self._lock = threading.RLock()
        self._stored: StoredText | None = None
        self._ledger = Ledger()
        self._trusted = False
        self._epoch: int | None = None
        self._closed = False

    @property
    def ledger(self) -> Ledger:
        """The ledger as last known, whether it can be trusted now or not."""
        return self._ledger

    def current(self) -> Ledger:
        """The ledger; read at the start of a term, and again only after a write whose end is not known.

        Raises JournalError, KubernetesError, NotLeader.
        """
        with self._lock:
            return self._ledger if self._trusted else self.refresh()

    def refresh(self) -> Ledger:
        """The ledger as it stands in the cluster, with what an operator has changed. Raises as ``current``."""
        with self._lock:
            self._refuse_when_closed()
            self._trusted = False
            self._open()
            ours = self._epoch == self._ledger.epoch and self._ledger.holder == self._elector.identity
            if not ours:
                self._take_over()
            self._trusted = True
            return self._ledger

    def close(self, *, timeout: float) -> None:
        """Refuse all further writes: the term is over. Waits that many seconds for the write at hand."""
        self._closed = True
        if self._lock.acquire(timeout=max(timeout, 0.0)):
            self._lock.release()

    def update(self, change: Callable[[Ledger], Ledger], *, intent: bool = False) -> Ledger:
        """Apply a change to the newest ledger and write it, or raise.

        ``change`` may run several times and must be able to. With ``intent`` the size bound holds. After
        KubernetesUnreachable the change may have landed or not; the next call looks. Raises as ``current``,
        JournalFull, and whatever ``change`` raises.
        """
        with self._lock:
            for _ in range(_TRIES):
                before = self.current()
                after = change(before)
                if after == before:
                    return before
                if self._landed(after, intent=intent):
                    return self._ledger
            message = f"the journal {self._name} is being changed by somebody else all the time"
            raise KubernetesUnreachable(message)

    def _landed(self, ledger: Ledger, *, intent: bool) -> bool:
        """Whether the write landed; False where another one came before it."""
        self._trusted = False
        try:
            self._write(ledger, intent=intent)
        except KubernetesRefused as exc:
            if exc.status.code >= _SERVER_ERROR:
                # It may have been carried out all the same.
                return self.refresh() == ledger
            if exc.status.code not in {_CONFLICT, _NOT_FOUND}:
                self._trusted = True
                raise
            return False
        except (JournalFull, NotLeader):
            self._trusted = True
            raise
        except (KubernetesUnreachable, KubernetesOdd):
            return self.refresh() == ledger
        self._trusted = True
        return True

    def _write(self, ledger: Ledger, *, intent: bool = False) -> None:
        text = encode(ledger)
        while intent and len(text.encode()) > ROOM_FOR_INTENT and (less := shorter(ledger)) != ledger:
            # History gives way to work; cooldowns and budgets are counted from the acts, which stay.
            ledger, text = less, encode(less)
        if intent and len(text.encode()) > ROOM_FOR_INTENT:
            message = f"the journal has reached {ROOM_FOR_INTENT} bytes; acts leave it after 24 hours"
            raise JournalFull(message)
        self._refuse_when_closed()
        if self._stored is None:
            message = f"the journal {self._name} has not been read"
            raise JournalMissing(message)
        self._elector.fence(READ_TIMEOUT)
        self._stored = self._store.update(self._name, text, stored=self._stored, timeout=READ_TIMEOUT)
        self._ledger = ledger

    def _take_over(self) -> None:
        """Begin our epoch, at the start of a term or in a journal that an operator has begun anew (no holder)."""
        if self._epoch is not None and self._ledger.holder:
            message = f"the journal is led by {self._ledger.holder} (epoch {self._ledger.epoch})"
            self._elector.step_down(message)
            raise NotLeader(message)
        self._write(led(self._ledger, self._elector.identity))
        self._epoch = self._ledger.epoch

    def _refuse_when_closed(self) -> None:
        if self._closed:
            message = "our term is over"
            raise NotLeader(message)

    def _open(self) -> None:
        """Read the journal and check that it is the one that the Lease knows."""
        stored = self._store.read(self._name)
        known = self._elector.annotation(UID_ANNOTATION)
        if stored is None:
            if known:
                message = (
                    f"the journal {self._name} is gone, and with it all cooldowns and budgets; "
                    "when you have looked why, run remediator resume --journal"
                )
                raise JournalMissing(message)
            self._elector.fence(READ_TIMEOUT)
            stored = self._store.create(self._name, encode(Ledger()), timeout=READ_TIMEOUT)
        elif known and stored.uid != known:
            message = (
                f"the journal {self._name} was replaced by another one ({stored.uid} instead of {known}); "
                "when you have looked why, run remediator resume --journal"
            )
            raise JournalMissing(message)
        try:
            ledger = decode(stored.text)
        except JournalUnreadable as exc:
            aside = self._set_aside(stored)
            message = f"{exc}; its content is kept in {aside}; when you have looked, run remediator resume --journal"
            raise JournalUnreadable(message) from exc
        if not known:
            self._elector.annotate(UID_ANNOTATION, stored.uid)
        self._stored, self._ledger = stored, ledger

    def _set_aside(self, stored: StoredText) -> str:
        """Keep what could not be read under a name that is the same each time that it is read."""
        name = f"{self._name}-unreadable-{stored.version}"
        self._elector.fence(READ_TIMEOUT)
        try:
            self._store.create(name, stored.text or "", timeout=READ_TIMEOUT)
        except KubernetesRefused as exc:
            if exc.status.code != _CONFLICT:
                raise
        return name
