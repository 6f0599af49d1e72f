"""What the API server's audit log tells of a run: who took which pod, and what the journal said at each moment.

Nothing here is the daemon's own code, or its own word: pods that were taken are the evictions and deletes that the API
server carried out, and the journal is read from the writes of it, one after the other.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.rig.audit import AuditEvent
from tests.rig.takeover import NAME, led_by

Json = dict[str, Any]
TAKES = frozenset({"replaced"})
"""Outcomes of records whose pod we have taken. That of any other outcome is still there, or the run is a failure."""
LEAVES = frozenset({"called-off", "blocked"})


@dataclass(frozen=True)
class Limits:
    """What the policy allows; times in seconds."""

    concurrent: int
    cooldown: float
    budget: int
    per: float


class Chronicle:
    """Reads the audit log as it grows; ``violations`` are sentences, each of them a defect."""

    def __init__(self, *, home: str, namespaces: Iterable[str], limits: Limits) -> None:
        self._home = home
        self._account = f"system:serviceaccount:{home}:{NAME}"
        self._namespaces = frozenset(namespaces)
        self._limits = limits
        self._read = 0
        self.violations: list[str] = []
        self.taken: Counter[str] = Counter()
        self.records: dict[str, Json] = {}
        """Every record that was ever in the journal, as it was last seen, by its id."""
        self.in_flight: frozenset[str] = frozenset()
        self.epoch = 0

    @property
    def outcomes(self) -> Counter[str]:
        """How many records ended how."""
        return Counter(record["outcome"] for record in self.records.values() if record["outcome"])

    @property
    def actions(self) -> Counter[str]:
        """How many pods were replaced in which way; where a surge was refused, in that of its fallback."""
        return Counter(record["action"] for record in self.records.values() if record["outcome"] in TAKES)

    @property
    def inherited(self) -> list[str]:
        """Records in flight that the present leader has not begun itself."""
        return [one for one in self.in_flight if self.records[one]["epoch"] != self.epoch]

    def read(self, events: list[AuditEvent]) -> None:
        """Take in all events until now; those of earlier calls are at the list's begin."""
        fresh, self._read = events[self._read :], len(events)
        # Written by as many threads as there are requests, so that a later answer may stand before an earlier one.
        for event in sorted(fresh, key=lambda event: event.answered):
            if not event.succeeded:
                continue
            if event.takes_a_pod and event.user == self._account:
                self._take(event)
            elif event.namespace == self._home and led_by(event) is not None:
                self._write(event)

    def close(self) -> None:
        """The run is over: every intent has ended, and what was taken is just what the records say."""
        for one in sorted(self.in_flight):
            self._violated(f"record {one} of {_of(self.records[one])} is still in flight")
        replaced = Counter(_uid(record) for record in self.records.values() if record["outcome"] in TAKES)
        for uid in sorted(self.taken.keys() | replaced.keys()):
            if self.taken[uid] != replaced[uid]:
                self._violated(f"pod {uid} was taken {self.taken[uid]} times and replaced in {replaced[uid]} records")
        for record in self.records.values():
            if record["outcome"] and record["outcome"] not in TAKES | LEAVES:
                self._violated(f"{_of(record)} ended as {record['outcome']}: {record['detail']}")

    def _take(self, event: AuditEvent) -> None:
        uid = event.uid
        self.taken[uid] += 1
        if event.namespace not in self._namespaces:
            self._violated(f"pod {event.namespace}/{event.name} is of no policy, and was taken")
        if not uid:
            self._violated(f"pod {event.name} was taken without its UID")
        if self.taken[uid] > 1:
            self._violated(f"pod {event.name} ({uid}) was taken {self.taken[uid]} times")
        if uid not in {_uid(record) for record in self.records.values()}:
            self._violated(f"pod {event.name} ({uid}) was taken without an intent")

    def _write(self, event: AuditEvent) -> None:
        ledger = json.loads(((event.request or {}).get("data") or {})["journal.json"])["ledger"]
        if ledger["epoch"] < self.epoch:
            self._violated(f"the journal's epoch fell from {self.epoch} to {ledger['epoch']}")
        self.epoch = ledger["epoch"]
        in_flight: dict[str, Json] = ledger["in_flight"]
        if lost := self.in_flight - in_flight.keys() - {record["id"] for record in ledger["settled"]}:
            self._violated(f"records {', '.join(sorted(lost))} vanished from the journal")
        begun = in_flight.keys() - self.records.keys()
        self.records |= {record["id"]: record for record in ledger["settled"]}
        for one in begun:
            self._intend(in_flight[one])
        self.records |= in_flight
        self.in_flight = frozenset(in_flight)
        if len(in_flight) > self._limits.concurrent:
            self._violated(f"{len(in_flight)} remediations are in flight, {self._limits.concurrent} are allowed")
        for workload, count in Counter(_workload(record) for record in in_flight.values()).items():
            if count > 1:
                self._violated(f"{count} pods of workload {workload} are in flight at once")

    def _intend(self, record: Json) -> None:
        """A new intent: the cooldown since the last one of its workload, and the budget with it."""
        at = record["intended_at"]
        for other in self.records.values():
            if other["settled_at"] is None or _workload(other) != _workload(record):
                continue
            since = at - other["settled_at"]
            if since < self._limits.cooldown:
                self._violated(f"{_of(record)} was intended {since:.1f} s after the last one, within its cooldown")
        spent = [
            other
            for other in self.records.values()
            if other["outcome"] not in LEAVES and at - other["intended_at"] < self._limits.per
        ]
        if len(spent) + 1 > self._limits.budget:
            self._violated(f"{len(spent) + 1} acts within {self._limits.per:g} s, {self._limits.budget} are allowed")

    def _violated(self, words: str) -> None:
        if words not in self.violations:
            self.violations.append(words)


def _uid(record: Json) -> str:
    return str(record["breach"]["uid"])


def _workload(record: Json) -> str:
    return str(record["workload"]["uid"])


def _of(record: Json) -> str:
    workload = record["workload"]
    return f"{workload['kind']}/{workload['name']} ({record['breach']['pod']})"
