"""The model and the real code agree: led through the same moves, they are in the same state after each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from unittest.mock import patch

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from remediator.act import ledger as changes
from remediator.act.journal import Journal
from remediator.act.transaction import Transaction
from remediator.model.remediations import Ledger, Remediation
from remediator.model.vocabulary import Outcome
from tests.model.claims import broken
from tests.model.lockstep import Lockstep
from tests.model.protocol import Protocol
from tests.model.world import Rules, Size, Stamp, State, Step


class Both:
    """A model, and the real code beside it."""

    def __init__(self, size: Size, rules: Rules) -> None:
        self.protocol = Protocol(size, rules)
        self.state = self.protocol.initial()
        self.real = Lockstep(size, rules)

    def step(self, choose: Callable[[Sequence[str]], str]) -> None:
        """One move of all that are possible, first its kind; what is not possible the real code must not do."""
        possible = list(self.protocol.moves(self.state))
        self.real.tempt(self.state, {move for move, _ in possible})
        if not possible:
            return
        kind = choose(sorted({move.kind.name for move, _ in possible}))
        named = {f"{n} {move}": (move, after) for n, (move, after) in enumerate(possible) if move.kind.name == kind}
        move, after = named[choose(sorted(named))]
        self.real.do(move, self.state, after)
        self.state = after
        seen = self.real.abstract(after)
        for field, one, other in zip(State._fields, seen, after, strict=True):
            assert one == other, f"{field}: the real code has {one}, the model {other}"
        assert not broken(self.protocol, after)


class Machine(RuleBasedStateMachine):
    """A run of both: hypothesis chooses what happens next among all that can."""

    both: Both | None = None

    @initialize(
        named=st.booleans(),
        allowed=st.integers(1, 2),
        budget=st.integers(1, 3),
        stamp=st.sampled_from([Stamp.NEVER, Stamp.TWICE]),
    )
    def begin(self, *, named: bool, allowed: int, budget: int, stamp: Stamp) -> None:
        """A world of some size, in which much goes wrong."""
        size = Size(
            pods=allowed + 1, records=3, faults=6, max_unavailable=allowed, budget=budget, named=named, foreign=True
        )
        self.both = Both(size, Rules(stamp=stamp))

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        """In the model's terms the real code is where the model is, and no invariant is broken."""
        assert self.both is not None
        self.both.step(lambda names: data.draw(st.sampled_from(names)))

    def teardown(self) -> None:
        """End all threads."""
        if self.both is not None:
            self.both.real.end()


TestAgreement = Machine.TestCase
# A run that fails is short enough as it is, and each takes more than half a second.
TestAgreement.settings = settings(
    max_examples=min(settings().max_examples, 500),
    stateful_step_count=60,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


def _call_off(self: Transaction, why: str, outcome: Outcome = Outcome.CALLED_OFF) -> None:
    """Late requests are not waited for."""
    self._settle(outcome, why)


def _settled(ledger: Ledger, record: Remediation) -> Ledger:
    """The act is forgotten."""
    over = _real_settled(ledger, record)
    return Ledger(over.epoch, over.holder, over.in_flight, over.breakers, over.settled)


def _somebody_took_it(self: Transaction) -> None:
    """A pod that went by a request whose answer was lost was taken by somebody else."""
    self._settle(Outcome.SUPERSEDED, "somebody else took the pod")


_real_settled = changes.settled
_BEGUN = ("ACQUIRE", "WRITTEN", "BEGIN", "WRITTEN")
_ARMED = (*_BEGUN, "LOOK")


@pytest.mark.parametrize(
    ("of", "name", "defect", "run"),
    [
        (Transaction, "_call_off", _call_off, [*_ARMED, "SEND", "EVICT_UNKNOWN", "OBJECT"]),
        (Transaction, "_somebody_took_it", _somebody_took_it, [*_ARMED, "SEND", "EVICTED_UNHEARD", "LOOK"]),
        (changes, "settled", _settled, [*_BEGUN, "OBJECT"]),
        (Journal, "_take_over", lambda self: setattr(self, "_epoch", self._ledger.epoch), ["ACQUIRE"]),
    ],
    ids=["no wait for late requests", "an answer was lost", "the act is forgotten", "the epoch is not raised"],
)
def test_a_defect_of_the_real_code_is_noticed(of: object, name: str, defect: object, run: Sequence[str]) -> None:
    """The comparison can fail: at the last step of a short run the real code does what the model does not."""
    both = Both(Size(), Rules())
    try:
        with patch.object(of, name, defect):
            for kind in run[:-1]:
                both.step(partial(_chosen, kind))
            with pytest.raises(AssertionError):
                both.step(partial(_chosen, run[-1]))
    finally:
        both.real.end()


def test_that_a_pod_was_taken_is_inherited() -> None:
    """An heir finds out and writes it down, and the next heir waits for the replacement at once; so does the model."""
    both = Both(Size(daemons=1), Rules())
    heir = ("CRASH", "ACQUIRE", "WRITTEN", "INHERIT")
    steps = []
    try:
        for run in ((*_ARMED, "SEND", "EVICTED", *heir, "LOOK"), ("WRITTEN", *heir)):
            for kind in run:
                both.step(partial(_chosen, kind))
            steps.append(both.state.daemons[0].threads[0].step)
    finally:
        both.real.end()
    assert steps == [Step.NOTE, Step.WAIT]


def _chosen(kind: str, names: Sequence[str]) -> str:
    """That kind of move, and the first of its kind."""
    return kind if kind in names else names[0]
