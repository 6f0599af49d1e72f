"""The console script: the commands, and the errors that end them as one sentence."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from remediator import __version__
from remediator.cli import check, plan, resume, run

app = typer.Typer(
    name="remediator",
    help="Replaces pods that use more memory than their workload may, one provably safe eviction at a time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("check")(check.check)
app.command("plan")(plan.plan)
app.command("resume")(resume.resume)


def _show_version(wanted: bool) -> None:  # noqa: FBT001  typer's form of a callback
    if wanted:
        typer.echo(f"remediator {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Replaces pods that use more memory than their workload may."""


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    app(args=sys.argv[1:])
