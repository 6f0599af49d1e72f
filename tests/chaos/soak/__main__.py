"""`python -m tests.chaos.soak`: what `make soak` runs."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tests.chaos.soak.chronicle import Limits
from tests.chaos.soak.run import Progress, Tell, soak
from tests.rig.cluster import Cluster
from tests.rig.console import end_by_signals
from tests.rig.errors import RigError

EVERY = 10.0
"""Seconds between lines of progress where there is no terminal."""


def main() -> int:
    """Soaks, and gives the exit code: 0 where everything held."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="default: a new one, printed")
    parser.add_argument("--remediations", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--workloads", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--minutes", type=float, default=30.0, help="at most; default: %(default)s")
    chosen = parser.parse_args()
    end_by_signals()
    console = Console(stderr=True)
    console.print(f"seed {chosen.seed}; the same faults again: make soak SEED={chosen.seed}")
    try:
        with (
            Cluster.start(progress=console.print) as cluster,
            tempfile.TemporaryDirectory(prefix="remediator-soak-") as folder,
            Live(console=console, transient=True, auto_refresh=False) as live,
        ):
            progress = soak(
                cluster,
                folder=Path(folder),
                seed=chosen.seed,
                remediations=chosen.remediations,
                workloads=chosen.workloads,
                limits=Limits(concurrent=6, cooldown=5, budget=2 * chosen.workloads, per=60),
                at_most=chosen.minutes * 60,
                say=console.print,
                tell=_on(console, live),
            )
            if progress.violations:
                _keep(Path(folder), console)
    except KeyboardInterrupt:
        console.print("stopped, nothing is left")
        return 130
    except RigError as error:
        console.print(f"error: {error}")
        return 1
    Console().print(_table(progress))
    return 1 if progress.violations or progress.settled < progress.wanted else 0


def _on(console: Console, live: Live) -> Tell:
    """Progress on a terminal; elsewhere a line now and then."""
    last = 0.0

    def tell(progress: Progress) -> None:
        nonlocal last
        if console.is_terminal:
            live.update(_table(progress), refresh=True)
        elif progress.seconds - last >= EVERY:
            last = progress.seconds
            now = ", ".join(progress.active) or "nothing goes wrong"
            console.print(f"{progress.seconds:5.0f} s  {progress.settled} of {progress.wanted} replaced; {now}")

    return tell


def _table(progress: Progress) -> Table:
    table = Table(title=f"soak, seed {progress.seed}", show_header=False)

    def row(name: str, value: object) -> None:
        table.add_row(name, str(value))

    row("replaced", f"{progress.settled} of {progress.wanted} in {progress.seconds:.0f} s")
    row("records", _counts(progress.outcomes))
    row("replaced by", _counts(progress.actions))
    row("faults", _counts(progress.faults))
    row("going on", ", ".join(progress.active) or "nothing")
    row("leaders", progress.leaders)
    row("missing at once", f"{progress.missing} pods of a workload at most")
    row("violations", "\n".join(progress.violations) or "none")
    return table


def _counts(counted: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counted.items())) or "none"


def _keep(folder: Path, console: Console) -> None:
    """The daemons' logs, which would go with the folder."""
    kept = Path(tempfile.mkdtemp(prefix="remediator-soak-logs-"))
    for name in ("a", "b"):
        (kept / f"{name}.log").write_bytes((folder / name / "remediator.log").read_bytes())
    console.print(f"the daemons' logs are in {kept}")


if __name__ == "__main__":
    sys.exit(main())
