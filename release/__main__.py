"""``python -m release``: the steps of a release that are ours; .github/workflows/release.yaml runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from release import changelog, versions
from release.chart import publishable
from release.errors import ReleaseError

_ROOT = Path(__file__).resolve().parents[1]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command("versions")
def _versions(*, tag: Annotated[str | None, typer.Option(help="That of the release: v0.1.0.")] = None) -> None:
    """Say the version; exit code 1 and each disagreement, where there is one."""
    found = versions.problems(_ROOT, tag=tag)
    for problem in found:
        typer.echo(problem, err=True)
    if found:
        raise typer.Exit(1)
    typer.echo(next(iter(versions.stated(_ROOT).values())))


@app.command("notes")
def _notes(
    version: Annotated[str, typer.Argument(help="Such as 0.1.0.")],
    *,
    image: Annotated[str, typer.Option(help="What was published: NAME@sha256:….")],
    chart: Annotated[str, typer.Option(help="Likewise.")],
) -> None:
    """What the changelog says of a version, and what was published as it."""
    typer.echo(changelog.notes((_ROOT / versions.CHANGELOG).read_text("utf-8"), version))
    typer.echo(f"\n### Published\n\n- image `{image}`\n- chart `oci://{chart}`\n")
    typer.echo("`docs/release.md` says how to verify both.")


@app.command("chart")
def _chart(
    image: Annotated[str, typer.Argument(help="Such as ghcr.io/owner/remediator.")],
    folder: Annotated[Path, typer.Argument(help="Where the copy is made.")],
) -> None:
    """Copy the chart, with that image in its values; says where it is."""
    typer.echo(publishable(_ROOT, folder, image=image))


def main() -> None:
    """Run what the arguments name."""
    try:
        app()
    except ReleaseError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
