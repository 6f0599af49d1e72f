"""The protocol of a remediation as a machine that is small enough to be explored whole: what daemons do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.model.server import Server
from tests.model.world import (
    FAULTS,
    GIVES_BACK,
    GOING,
    TRIES,
    Act,
    Daemon,
    End,
    Eviction,
    Journal,
    Kind,
    Move,
    Phase,
    Record,
    Stamp,
    State,
    Step,
    Thread,
    Write,
    put,
    the,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Protocol(Server):
    """The whole machine: a world, and the daemons in it."""

    def moves(self, s: State) -> Iterator[tuple[Move, State]]:
        """Every transition out of a state."""
        for move, after in self._all(s):
            if move.kind not in FAULTS:
                yield move, after
            elif s.faults:
                yield move, after._replace(faults=s.faults - 1)

    def _all(self, s: State) -> Iterator[tuple[Move, State]]:
        for i, daemon in enumerate(s.daemons):
            yield from self._lead(s, i, daemon)
            if daemon.epoch and not daemon.pending:
                yield from self._begin(s, i, daemon)
                for r, thread in enumerate(daemon.threads):
                    yield from self._carry_out(s, i, daemon, r, thread)
            yield from self._answers(s, i, daemon)
        yield from self._late(s)
        yield from self._workload(s)
        yield from self._time(s)

    # Leading

    def _lead(self, s: State, i: int, daemon: Daemon) -> Iterator[tuple[Move, State]]:
        if daemon.known is None:
            if i and s.journal.version == 0 and not s.writes:
                # Nobody has ever led, and one daemon is like another.
                return
            kind = Kind.ACQUIRE if all(one.known is None for one in s.daemons) else Kind.STEAL
            yield Move(kind, i), self._take_over(s, i, daemon)
            return
        if self._overtaken(s, daemon):
            yield Move(Kind.NOTICE, i), self._stand_by(s, i, daemon.process)
        yield Move(Kind.CRASH, i), self._stand_by(s, i, daemon.process + self.size.daemons)

    def _overtaken(self, s: State, daemon: Daemon) -> bool:
        """Whether another process has raised the epoch since."""
        known = daemon.known
        return known is not None and s.journal.epoch > known.epoch and s.journal.holder != daemon.process

    def _take_over(self, s: State, i: int, daemon: Daemon) -> State:
        """Read the journal, and send the write that raises its epoch."""
        known = s.journal
        raised = known._replace(epoch=known.epoch + 1, holder=daemon.process)
        return self._send_write(s, i, daemon._replace(known=known, epoch=0), raised)

    def _stand_by(self, s: State, i: int, process: int) -> State:
        """Everything in memory is gone; what is on its way is not."""
        idle = (Thread(),) * self.size.records
        return s._replace(daemons=put(s.daemons, i, Daemon(process, idle)))

    # Carrying out

    def _begin(self, s: State, i: int, daemon: Daemon) -> Iterator[tuple[Move, State]]:
        known = daemon.known
        if known is None or None not in known.records:
            return
        r = known.records.index(None)
        if daemon.threads[r].step is not Step.IDLE:
            return
        there = self._there(s, known, r)
        up = [uid for uid, pod in enumerate(s.pods) if pod.phase is Phase.UP]
        for uid in up[:1] if self._are_alike(s) else up:
            if not self._may_begin(s, known, uid):
                continue
            record = Record(uid, daemon.epoch, self.size.faults - s.faults, there, len(up))
            if self.rules.intent_first:
                thread = Thread(Step.INTENT, record)
                yield Move(Kind.BEGIN, i, r, uid), self._write(s, i, daemon, r, thread)
            else:
                thread = Thread(Step.ARMED, record, version=s.pods[uid].version)
                yield Move(Kind.WITHOUT_INTENT, i, r, uid), self._send(s, i, daemon, r, thread)

    def _are_alike(self, s: State) -> bool:
        """Whether nothing tells one pod from another yet, so that it does not matter which is chosen."""
        untouched = not any(s.history) and not any(any(write.journal.records) for write in s.writes)
        return untouched and all(pod.phase is Phase.UP for pod in s.pods) and len(s.pods) == self.size.pods

    def _may_begin(self, s: State, known: Journal, target: int) -> bool:
        """The guards of the journal: in flight, breaker, cooldown, budget."""
        others = known.in_flight
        return (
            len(others) < self.size.max_unavailable
            and all(one.target != target for one in others)
            and (not self.rules.spares_replacements or all(target in one.baseline for one in others))
            and not any(one and one.end is End.NOT_READY for one in known.records)
            and all(r in s.cooled for r, act in enumerate(known.acts) if act)
            and known.acts.count(Act.SPENT) < self.size.budget
        )

    def _there(self, s: State, known: Journal, r: int) -> frozenset[int]:
        """The pods of before for a record: those that are new to another one in flight are new to it as well."""
        others = [one.baseline for n, one in enumerate(known.records) if one and not one.end and n != r]
        alive = (uid for uid, pod in enumerate(s.pods) if pod.phase is not Phase.GONE)
        return frozenset(uid for uid in alive if all(uid in baseline for baseline in others))

    def _carry_out(self, s: State, i: int, daemon: Daemon, r: int, thread: Thread) -> Iterator[tuple[Move, State]]:
        """What a daemon that waits for no write can do about a record."""
        known = daemon.known
        if known is None:
            return
        match thread.step:
            case Step.IDLE:
                record = known.records[r]
                if record and not record.end:
                    step = Step.WAIT if record.taken else Step.LOOK
                    heir = Thread(step, record, sent=True, inherited=True)
                    yield Move(Kind.INHERIT, i, r), self._with(s, i, daemon, r, heir)
            case Step.LOOK:
                yield from self._look(s, i, daemon, r, thread)
            case Step.ARMED:
                yield Move(Kind.SEND, i, r), self._send(s, i, daemon, r, thread)
            case Step.LATE:
                yield from self._wait_for_late_ones(s, i, daemon, r, thread)
            case Step.WAIT:
                yield from self._wait(s, i, daemon, r, thread)

    def _look(self, s: State, i: int, daemon: Daemon, r: int, thread: Thread) -> Iterator[tuple[Move, State]]:
        """The second look, and the first one of an heir."""
        record = the(thread.record)
        if thread.inherited and not thread.tries:
            s, thread = self._stamped_for(s, thread)
        pod = s.pods[record.target]
        if pod.phase in GOING:
            if thread.sent:
                after = self._taken(s, i, daemon, r, thread)
            else:
                after = self._settle(s, i, daemon, r, thread, End.SUPERSEDED)
            yield Move(Kind.LOOK, i, r), after
            return
        yield Move(Kind.OBJECT, i, r), self._call_off(s, i, daemon, r, thread)
        if not self._may_take(s, the(daemon.known), r, record.target):
            return
        there = self._there(s, the(daemon.known), r)
        fresh = record._replace(baseline=there, available=sum(one.phase is Phase.UP for one in s.pods))
        armed = thread._replace(step=Step.ARMED, record=fresh, version=pod.version)
        if there == record.baseline:
            yield Move(Kind.LOOK, i, r), self._with(s, i, daemon, r, armed)
        else:
            yield Move(Kind.LOOK, i, r), self._write(s, i, daemon, r, armed._replace(step=Step.BASELINE))

    def _may_take(self, s: State, known: Journal, r: int, target: int) -> bool:
        """All guards once more, as if the record itself were not there yet, and the one of the workload.

        With this pod gone, no more are missing than may be; one that another record is about to take is missing.
        """
        known = known._replace(records=put(known.records, r, None), acts=put(known.acts, r, None))
        if not self._may_begin(s, known, target):
            return False
        doomed = {one.target for one in known.in_flight} | {target}
        left = sum(pod.phase is Phase.UP and uid not in doomed for uid, pod in enumerate(s.pods))
        going = sum(pod.phase is Phase.ENDING for uid, pod in enumerate(s.pods))
        return max(self.size.pods - left, going + 1) <= self.size.max_unavailable

    def _call_off(self, s: State, i: int, daemon: Daemon, r: int, thread: Thread) -> State:
        """Nothing more is sent; what may have been sent is waited for before the record is dropped (F3)."""
        if thread.sent and (self.rules.stamp is Stamp.AT_ONCE or not thread.inherited):
            s, thread = self._stamped_for(s, thread)
            if self.rules.stamp is not Stamp.NEVER and s.pods[the(thread.record).target].phase is Phase.UP:
                # Nobody else can send anything, and what we have sent fails.
                return self._settle(s, i, daemon, r, thread, End.CALLED_OFF)
        if thread.sent and self.rules.waits:
            if s.pods[the(thread.record).target].phase in GOING:
                return self._taken(s, i, daemon, r, thread)
            return self._with(s, i, daemon, r, _at(thread, Step.LATE))
        return self._settle(s, i, daemon, r, thread, End.CALLED_OFF)

    def _stamped_for(self, s: State, thread: Thread) -> tuple[State, Thread]:
        """What was sent before fails, if it has not been carried out."""
        target = the(thread.record).target
        if self.rules.stamp is Stamp.NEVER or s.pods[target].phase is Phase.GONE:
            return s, thread
        is_there = s.pods[target].phase is Phase.UP
        sent = thread.sent and not (is_there and self.rules.stamp is Stamp.AT_ONCE)
        return self._stamped(s, target), thread._replace(sent=sent)

    def _wait_for_late_ones(
        self, s: State, i: int, daemon: Daemon, r: int, thread: Thread
    ) -> Iterator[tuple[Move, State]]:
        target = the(thread.record).target
        if s.pods[target].phase in GOING:
            yield Move(Kind.LATE_TAKEN, i, r), self._taken(s, i, daemon, r, thread)
        elif self._none_can_be_late(s, i, r):
            stamped = self._stamped(s, target) if self.rules.stamp is Stamp.TWICE else s
            yield Move(Kind.LATE_OVER, i, r), self._settle(stamped, i, daemon, r, thread, End.CALLED_OFF)

    def _none_can_be_late(self, s: State, i: int, r: int) -> bool:
        """F3's time is over: whoever led before has noticed it by then, by lease, fence and time-out."""
        if any(daemon.known is not None for j, daemon in enumerate(s.daemons) if j != i):
            return False
        if self.rules.stamp is Stamp.TWICE or not self.size.punctual:
            return True
        return all(eviction.record != r for eviction in s.wire)

    def _taken(self, s: State, i: int, daemon: Daemon, r: int, thread: Thread) -> State:
        """The pod is known to be taken; an heir writes that down, so that the next one's time does not begin anew."""
        known = thread._replace(record=the(thread.record)._replace(taken=True))
        if thread.inherited:
            return self._write(s, i, daemon, r, _at(known, Step.NOTE))
        return self._with(s, i, daemon, r, _at(known, Step.WAIT))

    def _wait(self, s: State, i: int, daemon: Daemon, r: int, thread: Thread) -> Iterator[tuple[Move, State]]:
        if s.pods[the(thread.record).target].phase is not Phase.GONE:
            return
        found = self._replacement(s, the(daemon.known), r, the(thread.record))
        if found is not None:
            yield Move(Kind.SETTLE, i, r, found), self._settle(s, i, daemon, r, thread, End.REPLACED, found)
        else:
            yield Move(Kind.GIVE_UP, i, r), self._settle(s, i, daemon, r, thread, End.NOT_READY)

    def _replacement(self, s: State, known: Journal, r: int, record: Record) -> int | None:
        """The UID of the new pod that settles the record."""
        claimed = {one.settled_by for n, one in enumerate(known.records) if one and n != r and self.rules.one_each}
        up = [uid for uid, pod in enumerate(s.pods) if pod.phase is Phase.UP]
        new = [uid for uid in up if uid not in record.baseline and uid not in claimed]
        if self.size.named:
            new = [uid for uid in new if s.pods[uid].name == s.pods[record.target].name]
        elif len(up) < min(record.available, self.size.pods):
            return None
        return new[0] if new else None

    # Writing the journal

    def _settle(
        self, s: State, i: int, daemon: Daemon, r: int, thread: Thread, end: End, settled_by: int | None = None
    ) -> State:
        record = the(thread.record)._replace(end=end, settled_by=settled_by)
        return self._write(s, i, daemon, r, _at(thread, Step.SETTLE)._replace(record=record))

    def _write(self, s: State, i: int, daemon: Daemon, r: int, thread: Thread) -> State:
        """Send the write of a thread's record, as a change of the journal in memory."""
        known, record = the(daemon.known), _as_kept(the(thread.record))
        act: Act | None = Act.GIVEN_BACK if record.end in GIVES_BACK else Act.SPENT
        if record.end and not self.rules.act_stays:
            act = None
        changed = known._replace(records=put(known.records, r, record), acts=put(known.acts, r, act))
        return self._send_write(s, i, daemon._replace(threads=put(daemon.threads, r, thread)), changed)

    def _send_write(self, s: State, i: int, daemon: Daemon, changed: Journal) -> State:
        base = the(daemon.known).version
        write = Write(daemon.process, daemon.epoch or changed.epoch, base, changed._replace(version=base + 1))
        daemons = put(s.daemons, i, daemon._replace(pending=write))
        return self._tidy(s._replace(daemons=daemons, writes=s.writes | {write}))

    def _answers(self, s: State, i: int, daemon: Daemon) -> Iterator[tuple[Move, State]]:
        """What can come of the requests that a daemon waits for."""
        if (pending := daemon.pending) is not None:
            if pending in s.writes:
                landed = self._landed(s, pending)
                yield Move(Kind.WRITTEN, i), self._acknowledged(landed, i, daemon)
                yield Move(Kind.WRITTEN_UNHEARD, i), landed
                for move, after in self._read_again(s, i, daemon):
                    yield Move(Kind.WRITE_UNKNOWN if move is Kind.LOOK else Kind.NOT_AGAIN, i), after
            else:
                for move, after in self._read_again(s, i, daemon):
                    if move is Kind.LOOK:
                        yield Move(Kind.WRITE_REFUSED, i), after
        for r, thread in enumerate(daemon.threads):
            if thread.step is Step.ASKED:
                yield from self._answer(s, i, daemon, r, thread)

    def _acknowledged(self, s: State, i: int, daemon: Daemon) -> State:
        """The journal stands as it was written."""
        epoch = daemon.epoch or s.journal.epoch
        threads = tuple(map(_written, daemon.threads))
        after = daemon._replace(known=s.journal, pending=None, epoch=epoch, threads=threads)
        return s._replace(daemons=put(s.daemons, i, after))

    def _read_again(self, s: State, i: int, daemon: Daemon) -> Iterator[tuple[Kind, State]]:
        """Whether a write landed is read in the journal; where it did not, it is made again, if it may be."""
        now = s.journal
        if not daemon.epoch:
            ours = now.holder == daemon.process or now == daemon.known
            yield Kind.LOOK, self._take_over(s, i, daemon) if ours else self._stand_by(s, i, daemon.process)
            return
        if self.rules.conditional and (now.epoch, now.holder) != (daemon.epoch, daemon.process):
            yield Kind.LOOK, self._stand_by(s, i, daemon.process)
            return
        idle = daemon._replace(known=now, pending=None)
        r, thread = next((r, one) for r, one in enumerate(daemon.threads) if one.step in _WRITES)
        record = the(thread.record)
        if now.records[r] == _as_kept(record):
            yield Kind.LOOK, self._with(s, i, idle, r, _written(thread))
        elif thread.step is Step.INTENT:
            none = idle._replace(threads=put(idle.threads, r, Thread()))
            if None in now.records and self._may_begin(s, now, record.target):
                # An older intent of ours may have landed in its place.
                yield Kind.LOOK, self._write(s, i, none, now.records.index(None), thread)
                yield Kind.OBJECT, s._replace(daemons=put(s.daemons, i, none))
            else:
                yield Kind.LOOK, s._replace(daemons=put(s.daemons, i, none))
        elif thread.step is Step.SETTLE and record.settled_by in _claimed(now, r):
            waiting = thread._replace(step=Step.WAIT, record=record._replace(end=None, settled_by=None))
            yield Kind.LOOK, self._with(s, i, idle, r, waiting)
        else:
            yield Kind.LOOK, self._write(s, i, idle, r, thread)

    # Taking the pod away

    def _send(self, s: State, i: int, daemon: Daemon, r: int, thread: Thread) -> State:
        eviction = Eviction(daemon.process, r, the(thread.record).target, thread.version)
        asked = thread._replace(step=Step.ASKED, tries=thread.tries + 1)
        return self._tidy(self._with(s, i, daemon, r, asked)._replace(wire=s.wire | {eviction}))

    def _answer(self, s: State, i: int, daemon: Daemon, r: int, thread: Thread) -> Iterator[tuple[Move, State]]:
        eviction = Eviction(daemon.process, r, the(thread.record).target, thread.version)
        if daemon.pending and thread.tries >= TRIES:
            # What comes of it may have to be written.
            return
        if eviction not in s.wire:
            yield Move(Kind.EVICT_REFUSED, i, r), self._again(s, i, daemon, r, thread)
            return
        unknown = thread._replace(sent=True)
        for uid in self._matches(s, eviction):
            carried_out = self._carried_out(s, eviction, uid)
            yield Move(Kind.EVICTED_UNHEARD, i, r, uid), self._again(carried_out, i, daemon, r, unknown)
            if not self.rules.intent_first:
                intent = thread._replace(step=Step.INTENT)
                yield Move(Kind.EVICTED, i, r, uid), self._write(carried_out, i, daemon, r, intent)
            elif not (daemon.pending and thread.inherited):
                yield Move(Kind.EVICTED, i, r, uid), self._taken(carried_out, i, daemon, r, thread)
        yield Move(Kind.EVICT_UNKNOWN, i, r), self._again(s, i, daemon, r, unknown)
        if not daemon.pending and self.rules.intent_first:
            refused = s._replace(wire=s.wire - {eviction})
            yield Move(Kind.EVICT_BLOCKED, i, r), self._call_off(refused, i, daemon, r, thread)

    def _again(self, s: State, i: int, daemon: Daemon, r: int, thread: Thread) -> State:
        """A request was not carried out, or perhaps it was: look again, but not for ever."""
        if thread.tries >= TRIES:
            return self._call_off(s, i, daemon, r, thread)
        return self._with(s, i, daemon, r, thread._replace(step=Step.LOOK, version=0))

    def _with(self, s: State, i: int, daemon: Daemon, r: int, thread: Thread) -> State:
        return s._replace(daemons=put(s.daemons, i, daemon._replace(threads=put(daemon.threads, r, thread))))


_WRITES = {Step.INTENT: Step.LOOK, Step.BASELINE: Step.ARMED, Step.NOTE: Step.WAIT, Step.SETTLE: Step.IDLE}
"""The steps that wait for a write, and what comes after each."""


def _written(thread: Thread) -> Thread:
    """The thread after its write was acknowledged."""
    if thread.step is Step.SETTLE:
        return Thread()
    return thread._replace(step=_WRITES.get(thread.step, thread.step))


def _at(thread: Thread, step: Step) -> Thread:
    """The thread at a step at which nothing is sent to the pod any more."""
    return thread._replace(step=step, tries=0, version=0)


def _as_kept(record: Record) -> Record:
    """The record as the journal keeps it: once it is settled, nobody needs the pods of before, or asks how it went."""
    return record._replace(baseline=frozenset(), taken=False) if record.end else record


def _claimed(journal: Journal, r: int) -> set[int | None]:
    return {one.settled_by for n, one in enumerate(journal.records) if one and n != r and one.settled_by is not None}
