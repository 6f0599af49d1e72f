"""`python -m demo`: what `make demo` runs."""

import argparse
import contextlib
import io
import sys

from rich.console import Console

from demo.interrupts import Interrupts
from demo.run import run
from demo.show import Show


def main() -> int:
    """Plays the demo. Gives the exit code: 0, 1 where something was not as it must be, 128 + N after signal N."""
    parser = argparse.ArgumentParser(
        prog="python -m demo", description="The real daemon replaces leaking pods on a real control plane."
    )
    parser.add_argument("--keep", action="store_true", help="go on until Ctrl-C, and say how to look around")
    chosen = parser.parse_args()
    interrupts = Interrupts()
    interrupts.install()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # An encoding that lacks a character is no reason to stop.
        sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False, emoji=False, markup=False)
    try:
        code = run(Show(console), keep=chosen.keep, interrupts=interrupts)
    except KeyboardInterrupt:
        code = 128 + (interrupts.number or 0)
    if interrupts.number is not None:
        # The terminal may be gone.
        with contextlib.suppress(OSError):
            console.print("Stopped; nothing is left.")
    return code


if __name__ == "__main__":
    sys.exit(main())
