"""What the daemon knows of itself: an immutable snapshot that metrics and health read, replaced as things happen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from remediator.model.queues import LateQueue
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Gate

STILL = 60.0
"""Seconds without a heartbeat after which the scheduler is taken for dead."""


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
class Snapshot:
    """Everything at one moment. Empty ``dependencies`` words mean that it is well."""

    policies: Mapping[str, PolicyState] = field(default_factory=dict)
    dependencies: Mapping[str, str] = field(default_factory=dict)
    gates: Mapping[Gate, float] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    budget_left: int | None = None
    leading: bool = False
    reload_ok: bool = False
    reloaded_at: float | None = None


class State:
    """The current snapshot; every change makes a new one. Safe to use from several threads."""

    def __init__(self, *, clock: Callable[[], float], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._beat = monotonic()
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
    def alive(self) -> bool:
        """Whether the scheduler has moved lately."""
        return self._monotonic() - self._beat < STILL

    @property
    def ready(self) -> bool:
        """Whether everything that we depend on has answered, and we lead."""
        return not any(self._now.dependencies.values())

    def beat(self) -> None:
        """The scheduler moves."""
        self._beat = self._monotonic()

    def depends(self, name: str, problem: str) -> None:
        """How a dependency is; an empty problem is none."""
        with self._lock:
            if self._now.dependencies.get(name) != problem:
                self._now = replace(self._now, dependencies={**self._now.dependencies, name: problem})

    def policies(self, names: tuple[str, ...]) -> None:
        """These policies there are now: the series of others disappear."""
        with self._lock:
            known = self._now.policies
            self._now = replace(self._now, policies={name: known.get(name, PolicyState()) for name in names})

    def evaluated(self, name: str, state: PolicyState) -> None:
        """A policy was evaluated."""
        with self._lock:
            if name in self._now.policies:
                self._now = replace(self._now, policies={**self._now.policies, name: state})

    def reloaded(self, *, ok: bool) -> None:
        """The policy file was read, well or not."""
        with self._lock:
            at = self._clock() if ok else self._now.reloaded_at
            self._now = replace(self._now, reload_ok=ok, reloaded_at=at)

    def led(self, *, leading: bool) -> None:
        """Whether we lead; who does not knows nothing of evaluations and of the journal."""
        with self._lock:
            policies = {name: PolicyState() for name in self._now.policies}
            self._now = replace(
                self._now, leading=leading, policies=policies, gates={}, ledger=Ledger(), budget_left=None
            )

    def recorded(self, ledger: Ledger, budget_left: int) -> None:
        """The journal as last known."""
        with self._lock:
            if self._now.leading:
                self._now = replace(self._now, ledger=ledger, budget_left=budget_left)

    def holds(self, gate: Gate, *, active: bool) -> None:
        """Whether a gate holds all action; since when is kept."""
        with self._lock:
            gates = dict(self._now.gates)
            if active:
                gates.setdefault(gate, self._clock())
            else:
                gates.pop(gate, None)
            self._now = replace(self._now, gates=gates)
