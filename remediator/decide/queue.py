"""Does a workload's queue clear before its pods reach their limits? Replicas leak in lockstep, and go one by one.

The turns are worked out with the rules of the guards (in-flight, cooldown, per-workload-limit, budget), as if nothing
else were ever in the way: who is late here is late at best.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import product

from remediator.model.measures import Breach, Veto
from remediator.model.queues import LateQueue
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Outcome, Reason
from remediator.model.workloads import Workload, WorkloadRef
from remediator.policy import Budget, Policy, PolicyFile
from remediator.policy.durations import format_duration

ASSUMED = 60.0
"""Seconds that a replacement is taken to last, while the journal has none of the workload."""
LATEST = 5
"""Replacements of the workload that are looked at for how long one lasts."""
CONSIDERED = 20
"""Pods of one queue that are looked at: who is behind them is no earlier."""
COOLDOWNS = (1800, 1200, 900, 600, 300, 180, 120, 60, 30, 10, 0)
"""Seconds that are tried as a shorter cooldown."""
MI = 1 << 20
_TURN_WILL_COME = frozenset(
    {
        Reason.IN_FLIGHT,
        Reason.COOLDOWN,
        Reason.PER_WORKLOAD_LIMIT,
        Reason.BUDGET,
        Reason.CONCURRENCY,
        Reason.WORKLOAD_NOT_READY,
        Reason.PREDECESSOR_UNAVAILABLE,
        Reason.DISRUPTION_BUDGET,
    }
)
"""Objections that pass by themselves; who is left alone for any other does not wait in line."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a workload's pods may go: so many at a time, with that pause (seconds), and no more than these.

    ``every`` is the number of seconds between two evaluations, ``took`` what one replacement takes.
    """

    at_a_time: int
    cooldown: int
    per_workload: Budget
    budget: Budget
    every: int
    took: float


@dataclass(frozen=True, slots=True)
class Flight:
    """A remediation from its intent to its end (seconds from now). ``ours`` is of the workload in question."""

    begun: float
    ends: float
    spends: bool = True
    ours: bool = True


def waits(vetoes: Iterable[Veto]) -> bool:
    """Whether a pod with these vetoes waits for its turn."""
    return {veto.reason for veto in vetoes} <= _TURN_WILL_COME


@dataclass(slots=True)
class Queue:
    """The breaching pods of one workload that wait for their turn, the most urgent first.

    ``workload`` is None where nothing but its name is known.
    """

    ref: WorkloadRef
    workload: Workload | None = None
    breaches: list[Breach] = field(default_factory=list)


def late_queue(queue: Queue, *, policy: Policy, policies: PolicyFile, ledger: Ledger, now: float) -> LateQueue | None:
    """Whether some of these pods come too late; None where none does. ``now`` in seconds since the epoch."""
    ref, in_line = queue.ref, queue.breaches[:CONSIDERED]
    limits = [_time_left(breach) for breach in in_line]
    if all(map(math.isinf, limits)):
        return None
    took = _took(ref, ledger)
    size, ordered = _shape(queue, ledger)
    pace = Pace(
        at_a_time=1 if ordered else policy.max_unavailable.of(size),
        # Who reaches the emergency waits for no cooldown.
        cooldown=0 if policy.emergency else policy.cooldown,
        per_workload=policy.max_per_workload,
        budget=policies.safety.budget,
        every=policy.pace if isinstance(policy.pace, int) else policy.pace.shortest_pause,
        took=took,
    )
    line = _Line(limits, tuple(_flights(ref, ledger, took, now)), policies.safety.max_concurrent)
    times = list(line.turns(pace))
    late = [n for n, limit in enumerate(limits) if times[n] > limit]
    if not late:
        return None
    worst = max(late, key=lambda n: times[n] - limits[n])
    most = 1 if ordered else max(size // 2, 1)
    lower = max((times[n] - limits[n]) * in_line[n].growth for n in late)
    return LateQueue(
        workload=ref,
        waiting=len(queue.breaches),
        late=len(late),
        pod=in_line[worst].pod,
        limit_in=limits[worst],
        turn_in=times[worst],
        took=took,
        remedy=_remedy(line, pace, most=most, lower=lower, lowest=min(breach.threshold for breach in in_line)),
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """In how many seconds each reaches its limit, and what is under way or was done before."""

    limits: Sequence[float]
    past: tuple[Flight, ...]
    max_concurrent: int

    def turns(self, pace: Pace) -> Iterator[float]:
        """In how many seconds each of them may go, at the earliest."""
        return turns(len(self.limits), past=self.past, pace=self._bounded(pace))

    def holds(self, pace: Pace) -> bool:
        """Whether all come in time; worked out no further than to the first that does not."""
        return all(turn <= limit for turn, limit in zip(self.turns(pace), self.limits, strict=True))

    def _bounded(self, pace: Pace) -> Pace:
        return replace(pace, at_a_time=min(pace.at_a_time, self.max_concurrent))


def turns(count: int, *, past: Iterable[Flight], pace: Pace) -> Iterator[float]:
    """In how many seconds each of so many pods may go: as soon as the guards allow it, at an evaluation."""
    # What is over for longer than anything is counted holds nobody back.
    long = max(pace.cooldown, pace.per_workload.per, pace.budget.per)
    flights, moment = [flight for flight in past if max(flight.begun, flight.ends) > -long], 0.0
    for _ in range(count):
        while (earliest := _allowed(flights, moment, pace)) > moment:
            moment = max(math.ceil(earliest / pace.every) * pace.every, moment + pace.every)
        yield moment
        flights.append(Flight(moment, moment + pace.took))


def _allowed(flights: Sequence[Flight], moment: float, pace: Pace) -> float:
    """``moment`` where all guards allow one more then, else when that can be true at the earliest."""
    ours = [flight for flight in flights if flight.ours]
    under_way = sorted(flight.ends for flight in ours if flight.ends > moment)
    room = under_way[len(under_way) - pace.at_a_time] if len(under_way) >= pace.at_a_time else moment
    pauses = [(flight.ends if flight.ends <= moment else flight.begun) + pace.cooldown for flight in ours]
    return max(
        room,
        *pauses,
        _within(pace.per_workload, [flight for flight in ours if flight.spends], moment),
        _within(pace.budget, [flight for flight in flights if flight.spends], moment),
    )


def _within(limit: Budget, flights: Sequence[Flight], moment: float) -> float:
    begun = sorted(flight.begun for flight in flights if flight.begun > moment - limit.per)
    return begun[len(begun) - limit.actions] + limit.per if len(begun) >= limit.actions else moment


def _time_left(breach: Breach) -> float:
    """In how many seconds the pod reaches its limit, if it grows on as it does; infinity where it never does."""
    if breach.limit is None or breach.growth <= 0:
        return math.inf
    return max(breach.limit - breach.value, 0.0) / breach.growth


def _took(ref: WorkloadRef, ledger: Ledger) -> float:
    lasted = [
        record.settled_at - record.intended_at
        for record in ledger.settled
        if record.workload.uid == ref.uid and record.outcome is Outcome.REPLACED and record.settled_at is not None
    ]
    return statistics.median(lasted[-LATEST:]) if lasted else ASSUMED


def _shape(queue: Queue, ledger: Ledger) -> tuple[int, bool]:
    """How many pods the workload wants, and whether it makes them one after the other; as far as that is known."""
    if queue.workload is not None:
        return queue.workload.size, queue.workload.ordered
    records = [*ledger.settled, *ledger.in_flight.values()]
    wanted = [record.baseline.wanted for record in records if record.workload.uid == queue.ref.uid]
    return wanted[-1] if wanted else len(queue.breaches), queue.ref.kind == "StatefulSet"


def _flights(ref: WorkloadRef, ledger: Ledger, took: float, now: float) -> Iterator[Flight]:
    for act in ledger.acts:
        ends = max(act.at + took, now) if act.settled_at is None else act.settled_at
        yield Flight(act.at - now, ends - now, act.spends, act.workload_uid == ref.uid)


def _remedy(line: _Line, pace: Pace, *, most: int, lower: float, lowest: float) -> str:
    """What to set: each of the settings that is enough by itself, else those that are together."""
    limit = pace.per_workload.actions
    more = [_Change(f"maxUnavailable: {n}", at_a_time=n) for n in range(pace.at_a_time + 1, most + 1)]
    sooner = [
        _Change(f"cooldown: {format_duration(seconds)}", cooldown=seconds)
        for seconds in COOLDOWNS
        if seconds < pace.cooldown
    ]
    oftener = [
        _Change(f"maxPerWorkload.actions: {n}", actions=n) for n in range(limit + 1, limit + len(line.limits) + 1)
    ]
    most_of_all = [*sooner[-1:], *more[-1:], *oftener[-1:]]
    enough: list[str] = []
    if line.holds(reduce(lambda tried, one: one.of(tried), most_of_all, pace)):
        alone = (
            next((one for one in changes if line.holds(one.of(pace))), None) for changes in (more, sooner, oftener)
        )
        enough = [found.words for found in alone if found] or [_together(line, pace, sooner, more, oftener)]
    if lower < lowest:
        enough.append(f"a threshold that is {math.ceil(lower / MI)}Mi lower")
    return "set " + ", or ".join(enough) if enough else "no setting is enough: mend the leak"


def _together(line: _Line, pace: Pace, sooner: list[_Change], more: list[_Change], oftener: list[_Change]) -> str:
    """As few settings as will do: the most of the one, the most of the other, and as little less cooldown as that."""
    some = [[_NONE, *sooner], [_NONE, *more[-1:]], [_NONE, *oftener[-1:]]]
    for changes in sorted(product(*some), key=lambda changes: sum(one is not _NONE for one in changes)):
        if line.holds(reduce(lambda tried, one: one.of(tried), changes, pace)):
            return ", ".join(one.words for one in changes if one.words) + " together"
    return ""


@dataclass(frozen=True, slots=True)
class _Change:
    """Another value of one setting, and how to write it; None is left as it is."""

    words: str
    at_a_time: int | None = None
    cooldown: int | None = None
    actions: int | None = None

    def of(self, pace: Pace) -> Pace:
        """The pace with that value."""
        return replace(
            pace,
            at_a_time=pace.at_a_time if self.at_a_time is None else self.at_a_time,
            cooldown=pace.cooldown if self.cooldown is None else self.cooldown,
            per_workload=pace.per_workload if self.actions is None else Budget(self.actions, pace.per_workload.per),
        )


_NONE = _Change("")
