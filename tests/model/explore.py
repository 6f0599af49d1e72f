"""Every reachable state, breadth first, so that what breaks an invariant is told by a shortest run.

Two things are asked. Safety: no reachable state breaks an invariant. Progress: from each reachable state on, if no
more faults come, every run ends, and ends with everything settled; so no state is a dead end, and none a carousel.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.model.claims import broken, settled
from tests.model.protocol import Protocol
from tests.model.world import FAULTS, Move, State

Progress = Callable[[int, int, int], None]
"""Told now and then: states found, states left to be looked at, moves of the longest shortest run so far."""
EVERY = 20_000


@dataclass(frozen=True, slots=True)
class Explored:
    """How large it was, and what was found wrong: a sentence, empty where nothing was, and a run that leads there.

    ``depth`` is the number of moves that the state farthest from the first one takes.
    """

    states: int
    transitions: int
    depth: int
    wrong: str = ""
    run: tuple[Move, ...] = ()


class _Graph:
    """The states found so far, each with a number; ``calm`` are the moves of each that are no faults."""

    def __init__(self, first: State) -> None:
        self.states = [first]
        self.numbers = {first: 0}
        self.parents = array("q", [-1])
        self.depths = array("H", [0])
        self.calm: list[array[int]] = []
        self.transitions = 0

    def number(self, state: State, parent: int) -> int:
        """The state's number; a new one is noted."""
        number = self.numbers.setdefault(state, len(self.states))
        if number == len(self.states):
            self.states.append(state)
            self.parents.append(parent)
            self.depths.append(self.depths[parent] + 1)
        return number

    def run(self, number: int, protocol: Protocol) -> tuple[Move, ...]:
        """The shortest run to a state."""
        path = [number]
        while self.parents[path[-1]] >= 0:
            path.append(self.parents[path[-1]])
        path.reverse()
        return tuple(
            next(move for move, after in protocol.moves(self.states[one]) if self.numbers.get(after) == two)
            for one, two in pairwise(path)
        )

    def explored(self, wrong: str = "", run: tuple[Move, ...] = ()) -> Explored:
        """What it comes to."""
        return Explored(len(self.states), self.transitions, self.depths[-1], wrong, run)


def explore(protocol: Protocol, *, wanted: str = "I", progress: Progress | None = None) -> Explored:
    """Look at every reachable state, and end at the first that breaks an invariant whose name begins as ``wanted``.

    Where none does, progress is asked for.
    """
    graph = _Graph(protocol.initial())
    for number, state in _each(graph):
        if wrong := [words for words in broken(protocol, state) if words.startswith(wanted)]:
            return graph.explored(wrong[0], graph.run(number, protocol))
        calm = array("l")
        for move, after in protocol.moves(state):
            graph.transitions += 1
            to = graph.number(after, number)
            if move.kind not in FAULTS and to != number:
                calm.append(to)
        graph.calm.append(calm)
        if progress and number % EVERY == 0:
            progress(len(graph.states), len(graph.states) - number, graph.depths[-1])
    stuck = _stuck(graph)
    if stuck is None:
        return graph.explored()
    why = "the run ends, and not all is settled" if not graph.calm[stuck] else "a run comes back here for ever"
    return graph.explored(f"progress: without a fault {why}", graph.run(stuck, protocol))


def _each(graph: _Graph) -> Iterator[tuple[int, State]]:
    """The states in the order in which they were found, those included that are found meanwhile."""
    number = 0
    while number < len(graph.states):
        yield number, graph.states[number]
        number += 1


def _stuck(graph: _Graph) -> int | None:
    """A state from which a run without faults does not end, or ends with something that is not settled."""
    before: list[array[int]] = [array("l") for _ in graph.states]
    left = array("l", (len(calm) for calm in graph.calm))
    for number, calm in enumerate(graph.calm):
        for to in calm:
            before[to].append(number)
    good = [number for number, count in enumerate(left) if not count and settled(graph.states[number])]
    is_good = bytearray(len(graph.states))
    while good:
        number = good.pop()
        is_good[number] = True
        for one in before[number]:
            left[one] -= 1
            if not left[one]:
                good.append(one)
    number = is_good.find(0)
    if number < 0:
        return None
    # From there on to a state that has itself to blame: no way leads on from it, or all its ways lead back to it.
    seen = set()
    while number not in seen:
        seen.add(number)
        number = next((to for to in graph.calm[number] if not is_good[to]), number)
    return number
