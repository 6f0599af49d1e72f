"""What moves without the daemons: the API server that carries requests out, the workload's controller, and time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.model.world import (
    NOBODY,
    Daemon,
    Eviction,
    Journal,
    Kind,
    Move,
    Phase,
    Pod,
    Rules,
    Size,
    State,
    Step,
    Thread,
    Write,
    put,
    the,
)  # fmt: skip

_AIMS = frozenset({Step.BASELINE, Step.ARMED, Step.ASKED})


@dataclass(frozen=True, slots=True)
class Server:
    """A world of that size under these rules, without what daemons do of themselves."""

    size: Size = field(default_factory=Size)
    rules: Rules = field(default_factory=Rules)

    def initial(self) -> State:
        """All pods are up, and nobody leads."""
        none: tuple[None, ...] = (None,) * self.size.records
        idle = (Thread(),) * self.size.records
        return State(
            journal=Journal(0, 0, NOBODY, none, none),
            pods=tuple(Pod(name, Phase.UP) for name in range(self.size.pods)),
            daemons=tuple(Daemon(process, idle) for process in range(self.size.daemons)),
            writes=frozenset(),
            wire=frozenset(),
            cooled=frozenset(),
            faults=self.size.faults,
            taken=frozenset(),
            history=(0,) * self.size.records,
        )

    # Requests

    def _late(self, s: State) -> Iterator[tuple[Move, State]]:
        """Requests that nobody waits for any more: carried out after all, or lost on the way."""
        waited_for = {daemon.pending for daemon in s.daemons}
        for write in s.writes - waited_for:
            yield Move(Kind.WRITTEN_LATE, write.sender), self._landed(s, write)
        for eviction in s.wire:
            if not self._is_waited_for(s, eviction):
                move = Move(Kind.VANISH, eviction.sender, eviction.record)
                yield move, s._replace(wire=s.wire - {eviction})
                for uid in self._matches(s, eviction):
                    move = Move(Kind.EVICTED_LATE, eviction.sender, eviction.record, uid)
                    yield move, self._carried_out(s, eviction, uid)

    def _is_waited_for(self, s: State, eviction: Eviction) -> bool:
        return any(
            daemon.process == eviction.sender
            and daemon.threads[eviction.record].step is Step.ASKED
            and daemon.threads[eviction.record].version == eviction.version
            for daemon in s.daemons
        )

    def _landed(self, s: State, write: Write) -> State:
        """The journal takes a write; what the invariants want to know is noted."""
        before, after = s.journal, write.journal._replace(version=s.journal.version + 1)
        history, cooled, foul = s.history, s.cooled, s.foul
        if write.epoch < before.epoch:
            foul = foul or f"I7: the journal took a write of epoch {write.epoch} after one of epoch {before.epoch}"
        for r, record in enumerate(after.records):
            far = 0 if record is None else 2 if record.end else 1
            if far == 1 and not history[r] and not all(n in cooled or n == r for n, one in enumerate(history) if one):
                foul = foul or f"I5: record {r} was begun within the cooldown of another"
            if far > history[r]:
                history = put(history, r, far)
                # The cooldown begins anew with the settlement.
                cooled = cooled - {r}
        return self._tidy(
            s._replace(journal=after, writes=s.writes - {write}, history=history, cooled=cooled, foul=foul)
        )

    def _matches(self, s: State, eviction: Eviction) -> list[int]:
        """The UID of the pod that the request would take now, if there is one."""
        name = s.pods[eviction.uid].name
        return [
            uid
            for uid, pod in enumerate(s.pods)
            if pod.phase is Phase.UP
            and pod.name == name
            and (uid == eviction.uid or not self.rules.uid)
            and (not self.rules.version or (uid, pod.version) == (eviction.uid, eviction.version))
        ]

    def _carried_out(self, s: State, eviction: Eviction, uid: int) -> State:
        pods = put(s.pods, uid, s.pods[uid]._replace(phase=Phase.ENDING))
        return self._tidy(s._replace(pods=pods, taken=s.taken | {(eviction.record, uid)}))

    def _stamped(self, s: State, uid: int) -> State:
        pod = s.pods[uid]
        return self._tidy(s._replace(pods=put(s.pods, uid, pod._replace(version=pod.version + 1))))

    def _tidy(self, s: State) -> State:
        """The state without requests that can't be carried out whatever happens: equal futures are one state."""
        writes, wire = s.writes, s.wire
        if self.rules.conditional and writes:
            writes = frozenset(one for one in writes if one.base == s.journal.version)
        if (self.rules.uid or self.rules.version) and wire:
            wire = frozenset(one for one in wire if self._matches(s, one))
        return s if writes == s.writes and wire == s.wire else s._replace(writes=writes, wire=wire)

    # The workload and time

    def _workload(self, s: State) -> Iterator[tuple[Move, State]]:
        for uid, pod in enumerate(s.pods):
            match pod.phase:
                case Phase.STARTING:
                    yield Move(Kind.STARTED, pod=uid), self._pod(s, uid, pod._replace(phase=Phase.UP))
                case Phase.ENDING:
                    yield Move(Kind.ENDED, pod=uid), self._pod(s, uid, pod._replace(phase=Phase.GONE))
                case Phase.UP:
                    if self._is_aimed_at(s, uid):
                        yield Move(Kind.CHANGED, pod=uid), self._pod(s, uid, pod._replace(version=pod.version + 1))
                    if self.size.foreign:
                        ending = self._pod(s, uid, pod._replace(phase=Phase.ENDING))
                        yield Move(Kind.FOREIGN, pod=uid), ending._replace(foreign=s.foreign + 1)
        name = self._wanted(s)
        if name is not None:
            new = len(s.pods)
            yield Move(Kind.CREATED, pod=new), s._replace(pods=(*s.pods, Pod(name, Phase.STARTING)))

    def _is_aimed_at(self, s: State, uid: int) -> bool:
        """Whether anybody compares the pod's version with one that was read."""
        return any(eviction.uid == uid for eviction in s.wire) or any(
            thread.step in _AIMS and the(thread.record).target == uid
            for daemon in s.daemons
            for thread in daemon.threads
        )

    def _wanted(self, s: State) -> int | None:
        """The name of the pod that the controller makes next."""
        if self.size.named:
            there = {pod.name for pod in s.pods if pod.phase is not Phase.GONE}
            return next((name for name in range(self.size.pods) if name not in there), None)
        running = sum(pod.phase in {Phase.STARTING, Phase.UP} for pod in s.pods)
        return len(s.pods) if running < self.size.pods else None

    def _pod(self, s: State, uid: int, pod: Pod) -> State:
        return self._tidy(s._replace(pods=put(s.pods, uid, pod)))

    def _time(self, s: State) -> Iterator[tuple[Move, State]]:
        begun = frozenset(r for r, far in enumerate(s.history) if far)
        if begun != s.cooled and None in s.journal.records:
            # Where no more records are begun nobody asks.
            yield Move(Kind.COOLED), s._replace(cooled=begun)
