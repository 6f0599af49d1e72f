"""What the daemon knows of itself: an immutable snapshot that metrics and health read, replaced as things happen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from remediator.model.queues import LateQueue
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Gate


@dataclass(frozen=True, slots=True)
class PolicyState:
    """The newest evaluation of one policy. ``coverage`` is measured pods over running matched pods, if known.

    ``late`` are the queues that clear more slowly than their pods leak, the longest first.
    """

    evaluated_at: float | None = None
    breaching: int = 0
    coverage: float | None = None
    late: tuple[LateQueue, ...] = ()


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a policy that is enabled is evaluated: the seconds between two evaluations, and the times in words.

    Equal ones name the same times.
    """

    interval: int
    when: str


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A policy's pace and since when it has it; ``by_change``: by a later file than the first one that was read."""

    pace: Pace
    since: float
    by_change: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment. Empty ``dependencies`` words mean that it is well; ``standby`` names who leads.

    ``schedules`` are those of the policies that are evaluated. ``term`` counts the changes of leadership.
    ``gates`` are those that hold all action, with since when; ``hold_when`` the expressions of the policy file by gate.
    """

    policies: Mapping[str, PolicyState] = field(default_factory=dict)
    schedules: Mapping[str, Scheduled] = field(default_factory=dict)
    dependencies: Mapping[str, str] = field(default_factory=dict)
    gates: Mapping[str, float] = field(default_factory=dict)
    hold_when: Mapping[str, str] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    budget_left: int | None = None
    leading: bool = False
    term: int = 0
    standby: str = ""
    reload_ok: bool = False
    reloaded_at: float | None = None


class State:
    """The current snapshot; every change makes a new one. Safe to use from several threads."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._told_policies = False
        waiting = {
            "policy": "not read yet",
            "kubernetes": "not asked yet",
            "prometheus": "not asked yet",
            "leader": "not decided yet",
        }
        self._now = Snapshot(dependencies=waiting)

    @property
    def now(self) -> Snapshot:
        """The snapshot as it is."""
        return self._now

    @property
    def ready(self) -> bool:
        """Whether everything that we depend on has answered, and somebody leads."""
        return not any(self._now.dependencies.values())

    def depends(self, name: str, problem: str) -> None:
        """How a dependency is; an empty problem is none."""
        with self._lock:
            if self._now.dependencies.get(name) != problem:
                self._now = replace(self._now, dependencies={**self._now.dependencies, name: problem})

    def policies(
        self,
        names: tuple[str, ...],
        hold_when: Mapping[str, str] | None = None,
        paces: Mapping[str, Pace] | None = None,
    ) -> None:
        """These policies there are now, and these expressions by their gates: the series of others disappear.

        ``paces`` are those of the ones that are evaluated.
        """
        with self._lock:
            known, before, after = self._now.policies, self._now.hold_when, hold_when or {}
            policies = {name: known.get(name, PolicyState()) for name in names}
            # Since when a gate holds is said of one expression, and another may have its number now.
            gates = {gate: since for gate, since in self._now.gates.items() if before.get(gate) == after.get(gate)}
            schedules = self._scheduled(paces or {})
            self._now = replace(self._now, policies=policies, schedules=schedules, gates=gates, hold_when=after)
            self._told_policies = True

    def _scheduled(self, paces: Mapping[str, Pace]) -> dict[str, Scheduled]:
        """These paces; who had his already keeps since when."""
        before, now = self._now.schedules, self._clock()
        return {
            name: before[name]
            if name in before and before[name].pace == pace
            else Scheduled(pace, now, by_change=self._told_policies)
            for name, pace in paces.items()
        }

    def reloaded(self, *, ok: bool) -> None:
        """The policy file was read, well or not."""
        with self._lock:
            at = self._clock() if ok else self._now.reloaded_at
            self._now = replace(self._now, reload_ok=ok, reloaded_at=at)

    def led(self, *, leading: bool, standby: str = "") -> None:
        """Whether we lead, or who does; who does not lead knows nothing of evaluations and of the journal."""
        with self._lock:
            policies = {name: PolicyState() for name in self._now.policies}
            self._now = replace(
                self._now,
                leading=leading,
                term=self._now.term + 1,
                standby=standby,
                policies=policies,
                gates={},
                ledger=Ledger(),
                budget_left=None,
            )

    def term(self) -> TermState:
        """Where the term that has just begun tells what becomes of its work."""
        return TermState(partial(self._in_term, self._now.term), clock=self._clock)

    def _in_term(self, term: int, change: Callable[[Snapshot], Snapshot]) -> tuple[Snapshot, Snapshot]:
        """The snapshot before and after; the same one where that term is over or nothing has changed."""
        with self._lock:
            before = self._now
            if before.term == term:
                self._now = change(before)
            return before, self._now


class TermState:
    """What one term tells. An evaluation may outlive its term: then nothing of it arrives any more, in the next one
    neither.
    """

    def __init__(
        self,
        change: Callable[[Callable[[Snapshot], Snapshot]], tuple[Snapshot, Snapshot]],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._change = change
        self._clock = clock

    def evaluated(self, name: str, state: PolicyState) -> None:
        """A policy was evaluated."""

        def change(now: Snapshot) -> Snapshot:
            return replace(now, policies={**now.policies, name: state}) if name in now.policies else now

        self._change(change)

    def recorded(self, ledger: Ledger, budget_left: int) -> None:
        """The journal as last known."""
        self._change(lambda now: replace(now, ledger=ledger, budget_left=budget_left))

    def holds(self, gate: str, *, active: bool) -> float | None:
        """Whether a gate holds all action; since when is kept, and given where this is a change of it."""
        at = self._clock()

        def change(now: Snapshot) -> Snapshot:
            if active is (gate in now.gates) or gate not in {*Gate, *now.hold_when}:
                return now
            others = {name: since for name, since in now.gates.items() if name != gate}
            return replace(now, gates={**others, gate: at} if active else others)

        before, after = self._change(change)
        return None if before is after else (after if active else before).gates[gate]
