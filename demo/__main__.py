"""`python -m demo`: what `make demo` runs."""

import argparse
import contextlib
import io
import sys
from pathlib import Path

from rich.console import Console

from demo.interrupts import Interrupts
from demo.run import run
from demo.screen import Screen
from demo.show import Show
from demo.still import Still


def main() -> int:
    """Plays the demo. Gives the exit code: 0, 1 where something was not as it must be, 128 + N after signal N."""
    chosen = _arguments()
    interrupts = Interrupts()
    interrupts.install()
    terminal = sys.stdout.isatty()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # An encoding that lacks a character is no reason to stop.
        sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False, emoji=False, markup=False)
    live = terminal and not console.is_dumb_terminal and not chosen.plain
    show = Show(console, screen=Screen(console) if live else None)
    try:
        code = run(show, keep=chosen.keep, interrupts=interrupts, still=Still(chosen.still) if chosen.still else None)
    except KeyboardInterrupt:
        code = 128 + (interrupts.number or 0)
    if interrupts.number is not None:
        # The terminal may be gone.
        with contextlib.suppress(OSError):
            console.print("Stopped; nothing is left.")
    return code


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m demo", description="The real daemon replaces leaking pods on a real control plane."
    )
    parser.add_argument("--keep", action="store_true", help="go on until Ctrl-C, and say how to look around")
    parser.add_argument(
        "--plain", action="store_true", help="print lines on a terminal as well, instead of a live view"
    )
    parser.add_argument("--still", type=Path, metavar="FILE", help="write a still of the live view as plain text")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
