"""The journal under everything at once: nothing that was acknowledged is lost, nothing is there twice."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from remediator.act import ledger as changes
from remediator.act.journal import UID_ANNOTATION, Journal, encode
from remediator.errors import JournalError, JournalMissing, KubernetesError, NotLeader, RemediatorError
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Outcome
from remediator.model.workloads import WorkloadRef
from tests.unit.act.fakes import NAME, Cluster, Leader, journal
from tests.unit.make import NOW, record


@dataclass
class Term:
    """A process that leads, or believes that it does; ``begun`` once it knows that its epoch stands.

    ``behind`` is whether an operator has written since it last looked.
    """

    leader: Leader
    journal: Journal
    begun: bool = False
    behind: bool = False


@dataclass
class Promised:
    """What the journal has acknowledged since it was last begun anew."""

    in_flight: set[str] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)


FAULTS = st.lists(st.sampled_from(["lost", "missed", "odd", "conflict", "blind", 500, 403, 409]), max_size=4)


class Machine(RuleBasedStateMachine):
    """Leaders come, freeze and wake up again; answers get lost; operators step in."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster = Cluster()
        self.terms: list[Term] = []
        self.promised = Promised()
        self.epoch = 0
        self.tried: set[str] = set()

    @rule(frozen=st.booleans())
    def somebody_takes_over(self, *, frozen: bool) -> None:
        """A new process gets the lease; the one before knows it, or is frozen and will not for a while."""
        for term in self.terms:
            if not frozen:
                term.leader.leading = False
        leader = Leader(self.cluster, f"process-{len(self.terms)}")
        self.terms.append(Term(leader, journal(self.cluster, leader)))

    @rule(faults=FAULTS)
    def requests_will_go_wrong(self, faults: list[str | int]) -> None:
        """What happens to the next requests, whoever sends them."""
        self.cluster.faults = faults

    @precondition(lambda self: self.terms)
    @rule(which=st.integers(0, 3), fresh=st.booleans())
    def intent(self, which: int, *, fresh: bool) -> None:
        """One of the newest leaders begins a record, a new one or, once more, one that it is not sure of."""
        term = self.terms[-1 - which % len(self.terms)]
        name = f"r{len(self.tried)}" if fresh or not self.tried else max(self.tried)
        if name in self.promised.settled:
            return
        self.tried.add(name)
        one = record(id=name, workload=WorkloadRef("Deployment", "n", name, name), intended_at=float(NOW))
        if self._write(term, lambda ledger: changes.intended(ledger, one)):
            self.promised.in_flight.add(name)

    @precondition(lambda self: self.terms and self.promised.in_flight)
    @rule(which=st.integers(0, 3), data=st.data(), outcome=st.sampled_from(Outcome))
    def settle(self, which: int, data: st.DataObject, outcome: Outcome) -> None:
        """One of the newest leaders ends a record."""
        term = self.terms[-1 - which % len(self.terms)]
        name = data.draw(st.sampled_from(sorted(self.promised.in_flight)))
        one = record(
            id=name, workload=WorkloadRef("Deployment", "n", name, name), intended_at=float(NOW), outcome=outcome,
            settled_at=NOW + 5.0,
        )  # fmt: skip
        before = self._names() if NAME in self.cluster.maps else ([], [])
        if self._write(term, lambda ledger: changes.settled(ledger, one)):
            self.promised.in_flight.discard(name)
            self.promised.settled.add(name)
        elif name in before[0] and NAME in self.cluster.maps and name in self._names()[1]:
            # It landed and nobody was told: from here on it is as good as told.
            self.promised.in_flight.discard(name)
            self.promised.settled.add(name)

    @precondition(lambda self: NAME in self.cluster.maps)
    @rule()
    def an_operator_closes_all_breakers(self) -> None:
        """``remediator resume``, from somewhere else."""
        self.cluster.change(lambda ledger: replace(ledger, breakers={}))
        for term in self.terms:
            term.behind = True

    @precondition(lambda self: NAME in self.cluster.maps)
    @rule(deleted=st.booleans())
    def an_operator_begins_anew(self, *, deleted: bool) -> None:
        """``remediator resume --journal``: all promises are given up."""
        if deleted:
            del self.cluster.maps[NAME]
        self.cluster.annotations[UID_ANNOTATION] = self.cluster.put(NAME, encode(Ledger())).uid
        self.promised, self.epoch = Promised(), 0
        # Whoever writes first takes it over; the others are overtaken by that.
        for term in self.terms:
            term.begun, term.behind = False, True

    @precondition(lambda self: NAME in self.cluster.maps)
    @rule()
    def the_journal_vanishes_and_comes_back(self) -> None:
        """While it is gone nobody writes; the same object is there again when somebody has looked."""
        stored = self.cluster.maps.pop(NAME)
        known, self.cluster.faults = self.cluster.annotations.get(UID_ANNOTATION), []
        for term in self.terms:
            try:
                term.journal.refresh()
            except (JournalMissing, NotLeader):
                continue
            assert not known, "a journal that is gone is not begun anew in silence"
        if known:
            assert NAME not in self.cluster.maps
            self.cluster.maps[NAME] = stored
        else:
            self.promised = Promised()

    @invariant()
    def nothing_is_lost_and_nothing_doubled(self) -> None:
        """What was acknowledged is there, in one place, and was paid for once; the epoch never goes back."""
        if NAME not in self.cluster.maps:
            return
        ledger = self.cluster.ledger
        in_flight, settled = self._names()
        assert set(in_flight) >= self.promised.in_flight
        assert set(settled) >= self.promised.settled
        assert len(settled) == len(set(settled))
        assert not set(in_flight) & set(settled)
        acts = [act.remediation_id for act in ledger.acts]
        assert sorted(acts) == sorted([*in_flight, *settled])
        assert {one.id for one in ledger.in_flight.values()} == set(in_flight)
        for act in ledger.acts:
            assert (act.settled_at is None) == (act.remediation_id in in_flight)
        assert ledger.epoch >= self.epoch
        self.epoch = ledger.epoch

    def _names(self) -> tuple[list[str], list[str]]:
        ledger = self.cluster.ledger
        return list(ledger.in_flight), [one.id for one in ledger.settled]

    def _write(self, term: Term, change: object) -> bool:
        """Whether the journal acknowledged it; whoever was overtaken must not change anything."""
        before = self.cluster.maps.get(NAME)
        holder = self.cluster.ledger.holder if before else ""
        writes = self.cluster.writes
        overtaken = term.begun and bool(holder) and holder != term.leader.identity
        try:
            after = term.journal.update(change, intent=True)  # type: ignore[arg-type]
        except NotLeader:
            assert not term.leader.leading
            return False
        except (KubernetesError, JournalError):
            assert not overtaken or self._unchanged(before, holder)
            return False
        if self.cluster.writes == writes and after != self.cluster.ledger:
            # By what it knew the change was made already, so that it neither wrote nor looked.
            assert overtaken or term.behind
            return False
        assert not overtaken, "an older epoch has written"
        assert after == self.cluster.ledger
        assert after.holder == term.leader.identity
        self._note(term)
        return True

    def _unchanged(self, before: object, holder: str) -> bool:
        """Apart from writes that changed nothing: the same text by the same leader."""
        now = self.cluster.maps.get(NAME)
        return now is None or before is None or self.cluster.ledger.holder == holder

    def _note(self, term: Term) -> None:
        if NAME in self.cluster.maps and self.cluster.ledger.holder == term.leader.identity:
            term.begun, term.behind = True, False


TestJournal = Machine.TestCase


def test_the_machine_knows_our_errors() -> None:
    """Every failure that the machine lets pass is a RemediatorError."""
    assert all(issubclass(error, RemediatorError) for error in (KubernetesError, JournalError, NotLeader))
