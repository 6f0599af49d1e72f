"""The options that commands share: each has a ``REMEDIATOR_*`` variable of the same name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from remediator.errors import SettingsError
from remediator.settings import Settings, read_settings

Kubeconfig = Annotated[Path | None, typer.Option(help="Kubeconfig; in a cluster the pod's service account serves.")]
Namespace = Annotated[str | None, typer.Option(help="Namespace of the Lease and the journal.")]
Name = Annotated[str | None, typer.Option(help="Name of the Lease; the journal is NAME-journal.")]
PrometheusUrl = Annotated[str | None, typer.Option(help="Where Prometheus answers.")]
ScrapeInterval = Annotated[str | None, typer.Option(help="How often Prometheus scrapes the kubelets.")]
PolicyArgument = Annotated[Path | None, typer.Argument(help="The policy file; default REMEDIATOR_POLICY.")]


def settings_or_exit(code: int, **flags: Any) -> Settings:  # noqa: ANN401  as many types as there are settings
    """The settings, or the end of the program with that exit code and a sentence for each problem."""
    try:
        return read_settings(flags)
    except SettingsError as exc:
        fail(str(exc), code)


def fail(words: str, code: int) -> NoReturn:
    """End the program with words for a person on standard error."""
    for line in words.splitlines():
        sys.stderr.write(f"remediator: {line}\n")
    raise typer.Exit(code)
