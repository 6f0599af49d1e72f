"""One Lease and a clock, both in our hands."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

from remediator.cluster.election import Elector
from remediator.cluster.store import Leases, LeaseState
from remediator.errors import KubernetesRefused, KubernetesUnreachable, Status

DURATION = 30


@dataclass
class Clock:
    """A monotonic clock that moves when it is told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@dataclass
class FakeLeases:
    """``Leases``, with faults for the next requests: ``missed``, ``lost`` (it lands) or a status.

    ``took`` is how many seconds each write takes.
    """

    clock: Clock
    state: LeaseState | None = None
    faults: list[str | int] = field(default_factory=list)
    took: float = 0.0
    writes: int = 0
    timeouts: list[float] = field(default_factory=list)
    name: str = "remediator"

    def read(self, *, timeout: float) -> LeaseState | None:
        """As the real one."""
        self.timeouts.append(timeout)
        self._fail(("missed",))
        return self.state

    def write(
        self,
        *,
        holder: str,
        duration: int,
        previous: LeaseState | None,
        annotations: dict[str, str] | None,
        timeout: float,
    ) -> LeaseState:
        """As the real one."""
        self.timeouts.append(timeout)
        self.clock.now += self.took
        lost = bool(self.faults) and self.faults[0] == "lost"
        if lost:
            self.faults.pop(0)
        else:
            self._fail(("missed",))
        if previous is not None and self.state is None:
            raise refused(404)
        if (previous.version if previous else None) != (self.state.version if self.state else None):
            raise refused(409)
        self.writes += 1
        if annotations is None:
            annotations = dict(previous.annotations) if previous else {}
        same = previous is not None and previous.holder == holder
        self.state = LeaseState(
            version=str(self.writes),
            holder=holder,
            duration=duration,
            transitions=(previous.transitions if previous else 0) + (0 if same or not holder else 1),
            acquired_at="",
            renewed_at=f"{self.writes}",
            annotations=annotations,
        )
        if lost:
            message = "the API server broke off its answer"
            raise KubernetesUnreachable(message)
        return self.state

    def by(self, holder: str, *, annotations: dict[str, str] | None = None) -> None:
        """Somebody else writes it."""
        self.writes += 1
        before = self.state or LeaseState("", holder, DURATION, 0, "", "")
        kept = before.annotations if annotations is None else annotations
        self.state = replace(before, version=str(self.writes), holder=holder, annotations=kept)

    def _fail(self, known: tuple[str, ...]) -> None:
        if not self.faults or (isinstance(self.faults[0], str) and self.faults[0] not in known):
            return
        fault = self.faults.pop(0)
        if isinstance(fault, int):
            raise refused(fault)
        message = "the API server did not answer"
        raise KubernetesUnreachable(message)


def refused(code: int) -> KubernetesRefused:
    """The API server's refusal."""
    return KubernetesRefused(f"the API server answered {code}: no", status=Status(code=code, message="no"))


class Candidate:
    """An elector whose turns are taken by hand."""

    def __init__(self, leases: FakeLeases, identity: str = "me", *, clock: Clock | None = None) -> None:
        self.changes: list[tuple[bool, str]] = []
        self.hung = ""
        self.clock = clock or leases.clock
        self.elector = Elector(
            cast("Leases", leases),
            identity=identity,
            duration=DURATION,
            on_change=lambda leading, words: self.changes.append((leading, words)),
            hung=lambda: self.hung,
            monotonic=self.clock,
        )

    def turn(self) -> float:
        """One turn of the loop; gives the seconds until the next."""
        return self.elector._step()

    def turns(self, seconds: float) -> None:
        """As many turns as the loop takes in so many seconds."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            pause = self.turn()
            self.clock.now = min(self.clock.now + pause, max(end, self.clock.now))
