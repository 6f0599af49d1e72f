"""`python -m tests.bench`: what `make bench` runs."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType

import requests
from rich.console import Console

from tests.bench import evaluation, idle, loop, notice, reaction, reload, remediation, start, takeover
from tests.bench.figures import Figure
from tests.bench.report import as_json, print_report, this_machine
from tests.bench.stage import Say
from tests.rig import tools
from tests.rig.api import ApiError
from tests.rig.console import end_by_signals, say
from tests.rig.errors import RigError

PARTS: dict[str, ModuleType] = {
    part.PART: part for part in (evaluation, idle, remediation, reaction, notice, reload, start, takeover, loop)
}
"""Each has `measure(say)`, which gives figures, and `EXPECT`, the time that it takes."""


def main() -> int:
    """Measures, and gives the exit code: 0 where everything that was chosen was measured, whatever came out, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", default="", metavar="PART,...", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--output", choices=["table", "json"], default="table", help="default: %(default)s")
    chosen = parser.parse_args()
    parts = [part.strip() for part in chosen.only.split(",") if part.strip()] or list(PARTS)
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    end_by_signals()
    try:
        return _run([part for part in PARTS if part in parts], json=chosen.output == "json")
    except KeyboardInterrupt:
        say("stopped, nothing is left")
        return 130


def _run(parts: Sequence[str], *, json: bool) -> int:
    machine = this_machine()
    begun = time.monotonic()
    try:
        tools.ensure(*tools.CONTROL_PLANE)
    except RigError as error:
        say(f"error: {error}")
        return 1
    figures: list[Figure] = []
    failed: dict[str, str] = {}
    for number, part in enumerate(parts, 1):
        tell = _progress(f"[{number}/{len(parts)}] {part}")
        tell(f"about {PARTS[part].EXPECT}")
        try:
            # One by one: what was measured before something failed is kept.
            figures.extend(_measured(part, tell))
        # What the rig gives up waiting for is an AssertionError. The other parts are measured all the same.
        except (AssertionError, RigError, ApiError, OSError, requests.RequestException) as error:
            failed[part] = str(error) or type(error).__name__
            tell(f"could not be measured: {error}")
    seconds = time.monotonic() - begun
    if json:
        sys.stdout.buffer.write(as_json(figures, machine=machine, failed=failed, seconds=seconds))
    else:
        print_report(Console(), figures, machine=machine, failed=failed, seconds=seconds)
    return 1 if failed else 0


def _measured(part: str, say: Say) -> Iterator[Figure]:
    measure: Callable[[Say], Iterator[Figure]] = PARTS[part].measure
    return measure(say)


def _progress(title: str) -> Say:
    begun = time.monotonic()
    return lambda line: say(f"{title} {time.monotonic() - begun:4.0f} s  {line}")


if __name__ == "__main__":
    sys.exit(main())
