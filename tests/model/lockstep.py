"""The real code led through the moves of the model: each has a method here that makes the real code do the same."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from unittest.mock import patch

from remediator.act.journal import decode
from remediator.act.looks import Vetoed
from remediator.cluster.store import StoredText
from remediator.cluster.watch import Listed
from remediator.errors import KubernetesRefused, KubernetesUnreachable, NotLeader, RemediatorError, Status
from tests.model import world
from tests.model.mirror import Mirror, Sent, uid_of
from tests.model.protocol import Protocol
from tests.model.puppets import Evict, Look, Pause, Puppet, ReadJournal, ReadOwner, ReadPod, Stamp, Watch, WriteJournal
from tests.model.realm import LATE, Follow, Process, Realm
from tests.model.world import TRIES, Eviction, Kind, Move, Phase, Pod, State, Step, put

_LOST = KubernetesUnreachable("the API server did not answer")


def _refused(code: int, *, kind: str = "pods", cause: str = "") -> KubernetesRefused:
    causes = ((cause, "not now"),) if cause else ()
    return KubernetesRefused("no", status=Status(code=code, message="no", kind=kind, causes=causes))


@dataclass
class Lockstep(Mirror):
    """A realm, and the processes of the daemons in it, which are made to move."""

    patches: ExitStack = field(default_factory=ExitStack)
    unheard: set[int] = field(default_factory=set)
    """Daemons whose write has landed without an answer."""

    def __post_init__(self) -> None:
        first = Protocol(self.size, self.rules).initial()
        self.realm, self.after = Realm(self.size, self.rules.stamp is world.Stamp.TWICE, first.pods), first
        for target, instead in (
            ("transaction.PodWatch", Follow),
            ("taking.TRIES", TRIES),
            ("remediations.policy_and_journal", self.realm.policy_and_journal),
        ):
            self.patches.enter_context(patch(f"remediator.act.{target}", instead))
        self.names = list(range(self.size.daemons))
        self.processes = [None] * self.size.daemons

    def end(self) -> None:
        """Let no thread behind."""
        for process in filter(None, self.processes):
            process.end()
        self.patches.close()

    # Moving

    def do(self, move: Move, before: State, after: State) -> None:
        """Make the real code do what the model does."""
        self.after = after
        self._tell_time(before)
        if move.kind is Kind.WRITTEN_LATE:
            self._written_late(move, after)
        else:
            getattr(self, f"_{move.kind.name.lower()}")(move, before)

    def _tell_time(self, state: State) -> None:
        self.realm.cooled = frozenset(key for key, (r, _) in self.ids.items() if r in state.cooled)

    def _acquire(self, move: Move, _before: State) -> None:
        process = self.processes[move.daemon] = Process(self.realm, f"p{self.names[move.daemon]}")
        self._settle_down(move.daemon, process.do(process.journal.current))

    _steal = _acquire

    def _crash(self, move: Move, _before: State) -> None:
        self._stand_by(move.daemon)
        self.names[move.daemon] += self.size.daemons

    def _notice(self, move: Move, _before: State) -> None:
        self._stand_by(move.daemon)

    def _stand_by(self, i: int) -> None:
        """The term ends; what it has sent is on its way all the same."""
        self._process(i).end()
        self.processes[i] = None
        self.unheard.discard(i)

    def _begin(self, move: Move, before: State) -> None:
        process = self._process(move.daemon)
        go = self.realm.go(move.pod, process.journal.ledger)
        puppet = process.do(lambda: process.remediations.begin(go))
        request = puppet.request
        assert isinstance(request, WriteJournal), f"the intent is not written: {puppet.error}"
        (new,) = decode(request.text).in_flight.keys() - self.ids.keys()
        self.ids[new] = (move.record, self.size.faults - before.faults)
        self.beginning[move.daemon] = new
        self._settle_down(move.daemon, puppet)

    def _inherit(self, move: Move, _before: State) -> None:
        process = self._process(move.daemon)
        puppet = process.do(lambda: process.adopt_only(self._id(process, move.record)))
        assert puppet.error is None

    def _look(self, move: Move, _before: State) -> None:
        self._settle_down(move.daemon, self._thread(move))

    def _object(self, move: Move, before: State) -> None:
        # Where the guards object by themselves, nobody helps them.
        self.realm.objecting = move._replace(kind=Kind.LOOK) in dict(Protocol(self.size, self.rules).moves(before))
        self._settle_down(move.daemon, self._thread(move))
        self.realm.objecting = False

    def _send(self, move: Move, _before: State) -> None:
        puppet = self._thread(move)
        assert isinstance(puppet.request, Evict)
        puppet.sent = True
        uid, version = uid_of(puppet.request.uid), int(puppet.request.version.partition(".")[2])
        self.wire.add(Eviction(self.names[move.daemon], move.record, uid, version))

    def _late_taken(self, move: Move, _before: State) -> None:
        puppet = self._thread(move)
        puppet.answer(None)
        self._settle_down(move.daemon, puppet)

    def _late_over(self, move: Move, before: State) -> None:
        self._thread(move).waited += LATE
        self._late_taken(move, before)

    def _settle(self, move: Move, _before: State) -> None:
        puppet = self._thread(move)
        self._show(puppet)
        self._settle_down(move.daemon, puppet)

    def _give_up(self, move: Move, _before: State) -> None:
        puppet = self._thread(move)
        self._show(puppet)
        assert isinstance(puppet.request, Watch), "it does not wait for the replacement"
        self.realm.now += 700
        puppet.answer(None)
        self._list(puppet)
        self._settle_down(move.daemon, puppet)

    def _show(self, puppet: Puppet) -> None:
        """The watch brings what there is."""
        self._list(puppet)
        if isinstance(puppet.request, Watch):
            puppet.answer(Listed(self.realm.workload().pods))
        self._list(puppet)

    def _list(self, puppet: Puppet) -> None:
        """It lists the workload's pods, where it is about to."""
        while isinstance(puppet.request, ReadOwner):
            puppet.answer(None)

    def tempt(self, before: State, enabled: set[Move]) -> None:
        """Offer the real code what the model says that it does not do now: nothing comes of it."""
        self._tell_time(before)
        for i, process in enumerate(self.processes):
            if process is None or not before.daemons[i].epoch or before.daemons[i].pending:
                continue
            # Where one pod is like another the model begins with the first.
            for uid, pod in enumerate(() if Protocol(self.size, self.rules)._are_alike(before) else before.pods):
                begins = any(move[::3] == (Kind.BEGIN, uid) and move.daemon == i for move in enabled)
                if pod.phase is Phase.UP and not begins:
                    self._is_left_alone(process, uid)
            for r, puppet in self._threads(process).items():
                ends = any(move.kind is Kind.SETTLE and move[1:3] == (i, r) for move in enabled)
                if isinstance(puppet.request, Watch | ReadOwner) and not ends:
                    self._show(puppet)
                    assert isinstance(puppet.request, Watch), "a record is settled that is not over"

    def _is_left_alone(self, process: Process, uid: int) -> None:
        go, results = self.realm.go(uid, process.journal.ledger), []
        puppet = process.do(lambda: results.append(process.remediations.begin(go)))
        assert puppet.request is None, f"it asks for {puppet.request}"
        assert puppet.error is None
        assert isinstance(results[0], Vetoed)

    # The journal answers

    def _written(self, move: Move, _before: State) -> None:
        puppet = self._writer(move.daemon)
        sent = self._sent(move.daemon, puppet)
        puppet.answer(self._land(sent))
        self._settle_down(move.daemon, puppet)

    def _written_unheard(self, move: Move, _before: State) -> None:
        self._land(self._sent(move.daemon, self._writer(move.daemon)))
        self.unheard.add(move.daemon)

    def _written_late(self, move: Move, after: State) -> None:
        """The one of its late writes that makes the journal what the model says."""
        sent = next(
            one
            for one in self.writes
            if one.sender == move.daemon and self._may_land(one) and self._write(one).journal == after.journal
        )
        self._land(sent)

    def _write_unknown(self, move: Move, _before: State) -> None:
        self._unsure(move.daemon, _LOST)

    def _not_again(self, move: Move, _before: State) -> None:
        self.realm.paused = True
        self._unsure(move.daemon, _LOST)
        self.realm.paused = False

    def _write_refused(self, move: Move, _before: State) -> None:
        unheard = move.daemon in self.unheard
        self.unheard.discard(move.daemon)
        self._unsure(move.daemon, _LOST if unheard else _refused(409))

    def _unsure(self, i: int, answer: Exception) -> None:
        """The writer learns that it was refused, or nothing at all."""
        process, puppet = self._process(i), self._writer(i)
        taking_over, sent = process.journal._epoch is None, self._sent(i, puppet)
        puppet.answer(answer)
        self._settle_down(i, puppet)
        if taking_over and puppet.request is None:
            # The term has not begun yet: its jobs try again, unless the lease is somebody else's by now.
            assert isinstance(puppet.error, (KubernetesRefused, KubernetesUnreachable))
            holder = decode(self.realm.stored.text).holder
            if holder == process.leader.identity or self.realm.stored.version == sent.base:
                self._settle_down(i, process.do(process.journal.current))
            else:
                self._stand_by(i)
        elif process.leader.stepped_down:
            told = [*process.failed, *filter(None, [puppet.error])]
            assert any(isinstance(error, NotLeader) for error in told)
            self._stand_by(i)

    def _place(self, i: int) -> None:
        """An intent that is sent once more may have another place than it had."""
        for r, thread in enumerate(self.after.daemons[i].threads):
            if thread.step is Step.INTENT:
                key = self.beginning[i]
                self.ids[key] = (r, self.ids[key][1])

    def _land(self, sent: Sent) -> StoredText:
        assert self._may_land(sent), "a write lands on what it was not conditional on"
        self.writes.discard(sent)
        stored = self.realm.stored
        self.realm.stored = StoredText(stored.uid, str(int(stored.version) + 1), sent.text)
        return self.realm.stored

    def _may_land(self, sent: Sent) -> bool:
        return sent.base == self.realm.stored.version

    # Evictions are answered

    def _evicted(self, move: Move, before: State) -> None:
        self._take(move, before)
        self._answer(move, {})

    def _evicted_unheard(self, move: Move, before: State) -> None:
        self._take(move, before)
        self._answer(move, _LOST)

    def _evicted_late(self, move: Move, before: State) -> None:
        self._take(move, before)

    def _evict_blocked(self, move: Move, _before: State) -> None:
        self.wire.discard(self._eviction(move))
        self._answer(move, _refused(429, cause="DisruptionBudget"))

    def _evict_refused(self, move: Move, before: State) -> None:
        gone = before.pods[self._eviction(move).uid].phase is Phase.GONE
        self._answer(move, _refused(404 if gone else 409))

    def _evict_unknown(self, move: Move, _before: State) -> None:
        self._answer(move, _LOST)

    def _vanish(self, move: Move, _before: State) -> None:
        self.wire = {one for one in self.wire if (one.sender, one.record) != (move.daemon, move.record)}

    def _answer(self, move: Move, answer: object) -> None:
        puppet = self._thread(move)
        puppet.answer(answer)
        self._settle_down(move.daemon, puppet)

    def _take(self, move: Move, before: State) -> None:
        self._become(move.pod, before.pods[move.pod]._replace(phase=Phase.ENDING))

    def _eviction(self, move: Move) -> Eviction:
        request = self._thread(move).request
        assert isinstance(request, Evict)
        version = int(request.version.partition(".")[2])
        return Eviction(self.names[move.daemon], move.record, uid_of(request.uid), version)

    # The workload and time move by themselves

    def _become(self, uid: int, pod: Pod) -> None:
        self.realm.pods = put(self.realm.pods, uid, pod)

    def _ended(self, move: Move, before: State) -> None:
        self._become(move.pod, before.pods[move.pod]._replace(phase=Phase.GONE))

    def _started(self, move: Move, before: State) -> None:
        self._become(move.pod, before.pods[move.pod]._replace(phase=Phase.UP))

    def _changed(self, move: Move, before: State) -> None:
        pod = before.pods[move.pod]
        self._become(move.pod, pod._replace(version=pod.version + 1))

    def _foreign(self, move: Move, before: State) -> None:
        self._take(move, before)

    def _created(self, _move: Move, before: State) -> None:
        name = Protocol(self.size, self.rules)._wanted(before)
        assert name is not None
        self.realm.pods = (*self.realm.pods, Pod(name, Phase.STARTING))

    def _cooled(self, _move: Move, _before: State) -> None:
        """It is told before the next move."""

    def _settle_down(self, i: int, puppet: Puppet) -> None:
        """Answer what is answered at once, until the thread stands at what the model has a step for."""
        while True:
            match puppet.request:
                case ReadJournal():
                    puppet.answer(self.realm.stored)
                case ReadPod() | Look() if not self._is_to_look(i, puppet):
                    puppet.answer(None)
                case Stamp(uid=uid):
                    puppet.answer(self._stamp(uid_of(uid)))
                case Pause(late=False):
                    puppet.answer(None)
                case WriteJournal():
                    self._place(i)
                    self.writes.add(self._sent(i, puppet))
                    return
                case None if puppet.error is not None and not isinstance(puppet.error, RemediatorError):
                    raise puppet.error
                case _:
                    return

    def _stamp(self, uid: int) -> object:
        pod = self.realm.pods[uid]
        if pod.phase is Phase.GONE:
            return _refused(404)
        self._become(uid, pod._replace(version=pod.version + 1))
        return {}

    def _is_to_look(self, i: int, puppet: Puppet) -> bool:
        """Whether a look at the pod is the thread's next step in the model, and not a part of the one just taken."""
        threads = self._threads(self._process(i))
        return any(one is puppet and self.after.daemons[i].threads[r].step is Step.LOOK for r, one in threads.items())
