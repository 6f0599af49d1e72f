"""`python -m tests.model`: what `make model` runs."""

import argparse
import sys
import time

from rich.console import Console
from rich.table import Column, Table

from tests.model.explore import Explored, explore
from tests.model.protocol import Protocol
from tests.model.sizes import BIG, MUTANTS, SMALL
from tests.rig.console import end_by_signals, say


def main() -> int:
    """Explores, and gives the exit code: 0 where the rules hold and all that lack one fail, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--small", action="store_true", help="only what `make test` explores as well")
    parser.add_argument("--without", choices=MUTANTS, metavar="RULE", help=f"show a failing run: {', '.join(MUTANTS)}")
    chosen = parser.parse_args()
    end_by_signals()
    try:
        if chosen.without:
            protocol, invariant = MUTANTS[chosen.without]
            print(told(_explored(chosen.without, protocol, wanted=invariant)))  # noqa: T201 (it is what was asked for)
            return 0
        return _run(small=chosen.small)
    except KeyboardInterrupt:
        say("stopped")
        return 130


def told(found: Explored) -> str:
    """What was found wrong, with the shortest run that leads there, one move a line."""
    moves = "\n".join(f"{number:3} {move}" for number, move in enumerate(found.run, 1))
    return f"{found.wrong}\n{moves}" if found.wrong else "nothing is wrong"


def _run(*, small: bool) -> int:
    table = Table(Column("world", no_wrap=True), "states", "moves", "longest", "s", "fails", box=None, pad_edge=False)
    wrong = []
    for name, protocol in (SMALL if small else BIG).items():
        started = time.monotonic()
        found = _explored(name, protocol)
        row = [f"{figure:,}" for figure in (found.states, found.transitions, found.depth)]
        table.add_row(name, *row, f"{time.monotonic() - started:.0f}", "it does" if found.wrong else "nothing")
        if found.wrong:
            wrong.append(f"{name}: {told(found)}")
    for name, (protocol, invariant) in MUTANTS.items():
        started = time.monotonic()
        found = _explored(f"without {name}", protocol, wanted=invariant)
        row = [f"{figure:,}" for figure in (found.states, found.transitions, found.depth)]
        result = f"{found.wrong.partition(':')[0]} in {len(found.run)}" if found.run else "nothing"
        table.add_row(f"without {name}", *row, f"{time.monotonic() - started:.0f}", result)
        if not found.run:
            wrong.append(f"without {name}: {invariant} is not broken, but: {told(found)}")
    Console().print(table)
    for words in wrong:
        say(words)
    return 1 if wrong else 0


def _explored(name: str, protocol: Protocol, *, wanted: str = "I") -> Explored:
    def progress(states: int, left: int, depth: int) -> None:
        say(f"{name}: {states:,} states, {left:,} of them not yet looked at, {depth} moves deep")

    return explore(protocol, wanted=wanted, progress=progress)


if __name__ == "__main__":
    sys.exit(main())
