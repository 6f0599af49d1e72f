"""Where the real code stands, said in the model's terms."""

from __future__ import annotations

from dataclasses import dataclass, field

from remediator.act.journal import decode
from remediator.model.remediations import Ledger, Remediation
from remediator.model.vocabulary import Outcome
from tests.model import world
from tests.model.protocol import Protocol
from tests.model.puppets import Evict, Look, Pause, Puppet, ReadOwner, ReadPod, Watch, WriteJournal
from tests.model.realm import Process, Realm
from tests.model.world import (
    GIVES_BACK,
    NOBODY,
    Act,
    Daemon,
    End,
    Eviction,
    Move,
    Record,
    Rules,
    Size,
    State,
    Step,
    Thread,
    Write,
    the,
)  # fmt: skip

_ENDS = {
    Outcome.REPLACED: End.REPLACED,
    Outcome.NOT_READY: End.NOT_READY,
    Outcome.SUPERSEDED: End.SUPERSEDED,
    Outcome.CALLED_OFF: End.CALLED_OFF,
    Outcome.BLOCKED: End.CALLED_OFF,
}


@dataclass(frozen=True, slots=True)
class Sent:
    """A write of the journal that is on its way."""

    sender: int
    text: str
    base: str


@dataclass
class Mirror:
    """A realm, and the processes of the daemons in it."""

    size: Size
    rules: Rules
    realm: Realm = field(init=False)
    after: State = field(init=False)
    """Where the model is after the move that is being made."""
    names: list[int] = field(init=False)
    processes: list[Process | None] = field(init=False)
    writes: set[Sent] = field(default_factory=set)
    wire: set[Eviction] = field(default_factory=set)
    ids: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Which record of the model one of the real code is, and its mark."""
    beginning: dict[int, str] = field(default_factory=dict)
    """The record that a daemon has begun last."""

    # Who is who

    def _process(self, i: int) -> Process:
        process = self.processes[i]
        assert process is not None
        return process

    def _id(self, process: Process, r: int) -> str:
        (found,) = (key for key in process.journal.ledger.in_flight if self.ids[key][0] == r)
        return found

    def _thread(self, move: Move) -> Puppet:
        """The thread of that record that has not ended."""
        return self._threads(self._process(move.daemon))[move.record]

    def _threads(self, process: Process) -> dict[int, Puppet]:
        threads = process.remediations.threads
        return {self.ids[key][0]: puppet for key, puppet in threads.items() if puppet.request is not None}

    def _find_writer(self, process: Process) -> Puppet | None:
        """The thread that waits for the answer to a write of the journal."""
        puppets = filter(None, (process.main, *process.remediations.threads.values()))
        return next((one for one in puppets if isinstance(one.request, WriteJournal)), None)

    def _writer(self, i: int) -> Puppet:
        found = self._find_writer(self._process(i))
        assert found is not None, "nobody waits for the journal"
        return found

    def _sent(self, i: int, puppet: Puppet) -> Sent:
        assert isinstance(puppet.request, WriteJournal)
        return Sent(self.names[i], puppet.request.text, puppet.request.stored.version)

    # What it comes to

    def abstract(self, model: State) -> State:
        """The real code's state; what is no part of it (faults left, cooldowns, history) is taken from the model's."""
        seen = model._replace(
            journal=self._journal(decode(self.realm.stored.text), self.realm.stored.version),
            pods=self.realm.pods,
            daemons=tuple(self._daemon(i, model.daemons[i]) for i in range(self.size.daemons)),
            writes=frozenset(map(self._write, self.writes)),
            wire=frozenset(self.wire),
        )
        return Protocol(self.size, self.rules)._tidy(seen)

    def _write(self, sent: Sent) -> Write:
        journal = self._journal(decode(sent.text), str(int(sent.base) + 1))
        return Write(sent.sender, journal.epoch, int(sent.base), journal)

    def _journal(self, ledger: Ledger, version: str) -> world.Journal:
        records: list[Record | None] = [None] * self.size.records
        acts: list[Act | None] = [None] * self.size.records
        for record in (*ledger.in_flight.values(), *ledger.settled):
            records[self.ids[record.id][0]] = self._record(record)
        for act in ledger.acts:
            acts[self.ids[act.remediation_id][0]] = Act.SPENT if act.spends else Act.GIVEN_BACK
        for record in ledger.settled:
            r = self.ids[record.id][0]
            if acts[r] is None and _ENDS[the(record.outcome)] in GIVES_BACK:
                # Of the acts that spend nothing the newest is kept: its cooldown is the last to pass.
                assert any(act.counts_from > the(record.settled_at) for act in ledger.acts)
                acts[r] = Act.GIVEN_BACK
        holder = int(ledger.holder[1:]) if ledger.holder else NOBODY
        return world.Journal(int(version), ledger.epoch, holder, tuple(records), tuple(acts))

    def _record(self, record: Remediation) -> Record:
        return Record(
            target=uid_of(record.breach.uid),
            epoch=record.epoch,
            mark=self.ids[record.id][1],
            baseline=frozenset(map(uid_of, record.baseline.pods)),
            available=record.baseline.available,
            taken=record.taken_at is not None and record.outcome is None,
            end=_ENDS[record.outcome] if record.outcome else None,
            settled_by=uid_of(record.replacement_uid) if record.replacement_uid else None,
        )

    def _daemon(self, i: int, model: Daemon) -> Daemon:
        process = self.processes[i]
        idle = (Thread(),) * self.size.records
        if process is None:
            return Daemon(self.names[i], idle)
        threads = list(idle)
        writer = self._find_writer(process)
        for r, puppet in self._threads(process).items():
            threads[r] = self._thread_of(process, r, puppet, model.threads[r])
        pending = self._write(self._sent(i, writer)) if writer else None
        if pending and writer is process.main and process.journal._epoch is not None:
            r = self.ids[self.beginning[i]][0]
            threads[r] = Thread(Step.INTENT, pending.journal.records[r])
        stored = process.journal._stored
        known = self._journal(process.journal.ledger, stored.version) if stored else None
        return Daemon(self.names[i], tuple(threads), process.journal._epoch or 0, known, pending)

    def _thread_of(self, process: Process, r: int, puppet: Puppet, model: Thread) -> Thread:
        key = next(
            key for key, (n, _) in self.ids.items() if n == r and process.remediations.threads.get(key) is puppet
        )
        transaction = process.remediations.transactions[key]
        match puppet.request:
            case ReadPod() | Look():
                step = Step.LOOK
            case Evict():
                step = Step.ASKED if puppet.sent else Step.ARMED
            case Pause(late=True):
                step = Step.LATE
            case Watch() | ReadOwner():
                step = Step.WAIT
            case WriteJournal(text=text):
                kept = decode(text).in_flight.get(key)
                step = Step.SETTLE if kept is None else Step.BASELINE if kept.taken_at is None else Step.NOTE
            case other:
                message = f"the model has no step for {other}"
                raise AssertionError(message)
        version = model.version
        if isinstance(puppet.request, Evict):
            version = int(puppet.request.version.partition(".")[2])
        record = self._record(transaction._record)
        if step is Step.SETTLE:
            assert isinstance(puppet.request, WriteJournal)
            (over,) = (one for one in decode(puppet.request.text).settled if one.id == key)
            record = self._record(over)._replace(baseline=record.baseline, taken=record.taken)
        return Thread(step, record, transaction._sent, transaction._inherited, model.tries, version)


def uid_of(text: str) -> int:
    """The model's UID of a pod."""
    return int(text.removeprefix("uid-"))
