"""Changes of the ledger: pure, and each of them may be applied twice without harm.

A write whose answer was lost is read back and, where it did not land, applied again; so every change looks first.
"""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import replace

from remediator.model.remediations import Act, Breaker, Ledger, Remediation
from remediator.model.vocabulary import GIVES_BACK, OPENS_BREAKER, Outcome

KEPT_SETTLED = 200
"""Half of them may be of those for which nothing was taken: reports alone would soon push out everything else."""
KEPT_ACTS = 24 * 3600
"""Seconds: no cooldown and no window of a budget is longer."""
KEPT_IDLE = 1000
"""Acts that spent nothing, the newest: a day of reports from everywhere must not fill the journal, in which an act that
takes a pod has to be written down first. Whoever is forgotten is reported once more."""


def led(ledger: Ledger, holder: str) -> Ledger:
    """A new leader: the epoch rises, and no intent of an older one is accepted from now on."""
    return replace(ledger, epoch=ledger.epoch + 1, holder=holder)


def knows(ledger: Ledger, record: Remediation) -> bool:
    """Whether the record is in it, in flight or settled."""
    return record.id in ledger.in_flight or any(one.id == record.id for one in ledger.settled)


def intended(ledger: Ledger, record: Remediation) -> Ledger:
    """Intent: from here on the record is in flight, and the cooldown and the budget are spent."""
    if knows(ledger, record):
        return ledger
    act = Act(record.workload.uid, record.id, record.intended_at)
    acts = (*_recent(ledger.acts, record.intended_at, ledger.in_flight), act)
    return replace(ledger, in_flight={**ledger.in_flight, record.id: record}, acts=acts)


def changed(ledger: Ledger, record: Remediation) -> Ledger:
    """The record as it stands now, if it is still in flight."""
    if record.id not in ledger.in_flight:
        return ledger
    return replace(ledger, in_flight={**ledger.in_flight, record.id: record})


def settled(ledger: Ledger, record: Remediation) -> Ledger:
    """The end of a record: its outcome may give the budget back, or open the workload's breaker.

    ``record.outcome`` and ``record.settled_at`` are set.
    """
    if record.id not in ledger.in_flight or record.outcome is None or record.settled_at is None:
        return ledger
    gives_back = record.outcome in GIVES_BACK
    acts = tuple(
        replace(act, settled_at=record.settled_at, spends=act.spends and not gives_back)
        if act.remediation_id == record.id
        else act
        for act in ledger.acts
    )
    breakers = dict(ledger.breakers)
    if record.outcome in OPENS_BREAKER:
        breakers[record.workload.uid] = Breaker(record.workload, record.settled_at, record)
    in_flight = {key: one for key, one in ledger.in_flight.items() if key != record.id}
    # The pods of a large workload are what a journal would be full of; who needs them is in flight, or its breaker.
    over = replace(record, baseline=replace(record.baseline, pods=frozenset()))
    after = replace(
        ledger,
        in_flight=in_flight,
        settled=(*ledger.settled, over),
        acts=_recent(acts, record.settled_at, in_flight),
        breakers=breakers,
    )
    idle = sum(1 for one in after.settled if one.outcome in GIVES_BACK)
    after = _without_oldest(after, idle - KEPT_SETTLED // 2, only=GIVES_BACK)
    return _without_oldest(after, len(after.settled) - KEPT_SETTLED)


def closed(ledger: Ledger, workload_uid: str) -> Ledger:
    """A breaker closed, by an operator or because the replacement is available after all."""
    if workload_uid not in ledger.breakers:
        return ledger
    return replace(ledger, breakers={k: b for k, b in ledger.breakers.items() if k != workload_uid})


def shorter(ledger: Ledger) -> Ledger:
    """The ledger without the oldest tenth of its settled records, at least one; the same where none can be spared."""
    return _without_oldest(ledger, max(len(ledger.settled) // 10, 1))


def without(ledger: Ledger, record_id: str) -> Ledger:
    """The ledger as the others see it: what a record's own second look is asked against."""
    return replace(
        ledger,
        in_flight={key: one for key, one in ledger.in_flight.items() if key != record_id},
        acts=tuple(act for act in ledger.acts if act.remediation_id != record_id),
    )


def claimed(ledger: Ledger, record: Remediation) -> frozenset[str]:
    """The UIDs of new pods that have settled other records of the workload already."""
    others = (one for one in (*ledger.settled, *ledger.in_flight.values()) if one.id != record.id)
    return frozenset(
        one.replacement_uid for one in others if one.workload.uid == record.workload.uid and one.replacement_uid
    )


def _without_oldest(ledger: Ledger, count: int, *, only: Container[Outcome | None] | None = None) -> Ledger:
    """The ledger without so many of the oldest settled records (of ``only`` these outcomes), but for what is needed.

    A record that waits for a new pod, in flight or in a breaker, has to see which new pods have settled others.
    """
    waiting = (*ledger.in_flight.values(), *(breaker.record for breaker in ledger.breakers.values()))
    since: dict[str, float] = {}
    for one in waiting:
        since[one.workload.uid] = min(since.get(one.workload.uid, one.intended_at), one.intended_at)
    left, kept = count, []
    for one in ledger.settled:
        # A new pod that settled a record before all of those were begun was there before.
        is_needed = one.replacement_uid and (one.settled_at or 0.0) >= since.get(one.workload.uid, math.inf)
        if left > 0 and not is_needed and (only is None or one.outcome in only):
            left -= 1
        else:
            kept.append(one)
    return ledger if left == count else replace(ledger, settled=tuple(kept))


def _recent(acts: tuple[Act, ...], now: float, in_flight: Container[str]) -> tuple[Act, ...]:
    """The acts that still count; the cooldown of one in flight has not even begun, however old it is.

    Of those that spend nothing the newest of a workload is enough for its cooldown: a chronic pod has one every few
    minutes, for as long as nobody does anything about it.
    """
    newest: dict[str, float] = {}
    for act in acts:
        if act.remediation_id not in in_flight:
            newest[act.workload_uid] = max(newest.get(act.workload_uid, -math.inf), act.counts_from)
    counting = [act for act in acts if act.remediation_id in in_flight or act.counts_from > now - KEPT_ACTS]
    idle = sorted(
        act.counts_from
        for act in counting
        if act.remediation_id not in in_flight and not act.spends and act.counts_from == newest[act.workload_uid]
    )
    since = idle[-KEPT_IDLE] if len(idle) > KEPT_IDLE else -math.inf
    return tuple(
        act
        for act in counting
        if act.remediation_id in in_flight
        or act.spends
        or (act.counts_from == newest[act.workload_uid] and act.counts_from >= since)
    )
