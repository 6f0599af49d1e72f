"""The protocol, explored whole at small sizes: it holds, and it fails where one of its rules is left out."""

from __future__ import annotations

import pytest

from tests.model.__main__ import told
from tests.model.claims import broken
from tests.model.explore import explore
from tests.model.protocol import Protocol
from tests.model.sizes import MUTANTS, SMALL
from tests.model.world import Rules, Size


@pytest.mark.parametrize("name", SMALL)
def test_every_run_keeps_the_invariants_and_ends_settled(name: str) -> None:
    """I3, I5 and I7 hold in every state that crashes, thefts and lost answers lead to, and nothing stays open."""
    found = explore(SMALL[name])
    assert not found.wrong, told(found)
    assert found.states > 1000


@pytest.mark.parametrize("rules", [Rules(uid=False), Rules(version=False)], ids=["version", "uid"])
def test_one_of_two_preconditions_is_enough(rules: Rules) -> None:
    """Either the UID or the resourceVersion keeps a late eviction from the pod's namesake."""
    found = explore(Protocol(Size(faults=2, records=1, named=True), rules))
    assert not found.wrong, told(found)


@pytest.mark.parametrize("rule", MUTANTS)
def test_without_a_rule_an_invariant_is_broken(rule: str) -> None:
    """Each rule is needed: the checker shows a run that breaks just what the rule is for."""
    protocol, invariant = MUTANTS[rule]
    found = explore(protocol, wanted=invariant)
    assert found.wrong.startswith(invariant), told(found)
    assert found.run


def test_no_state_is_left_out() -> None:
    """Depth first, by hand, there are as many states as breadth first, and a run can be replayed to its end."""
    protocol = SMALL["two at a time"]
    seen, left = set(), [protocol.initial()]
    while left:
        state = left.pop()
        if state not in seen:
            seen.add(state)
            left.extend(after for _, after in protocol.moves(state))
    assert explore(protocol).states == len(seen)


def test_a_run_that_fails_can_be_followed() -> None:
    """Each of its moves is possible after the one before, and its end is what was found wrong."""
    protocol, invariant = MUTANTS["preconditions"]
    found = explore(protocol, wanted=invariant)
    state = protocol.initial()
    for move in found.run:
        state = next(after for one, after in protocol.moves(state) if one == move)
    assert found.wrong in broken(protocol, state)
