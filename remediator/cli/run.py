"""``remediator run``: the daemon."""

from __future__ import annotations

from typing import Annotated

import typer

from remediator.cli.options import (
    Kubeconfig,
    Name,
    Namespace,
    PolicyArgument,
    PrometheusUrl,
    ScrapeInterval,
    fail,
    settings_or_exit,
)
from remediator.errors import SettingsError
from remediator.observe.logs import configure


def run(
    *,
    file: PolicyArgument = None,
    prometheus_url: PrometheusUrl = None,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
    name: Name = None,
    http_address: Annotated[str | None, typer.Option(help="Where metrics and health are served.")] = None,
    scrape_interval: ScrapeInterval = None,
    log_format: Annotated[str | None, typer.Option(help="auto, json or text.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Ask Prometheus on a schedule which pods are over, and replace them. Other settings: docs/settings.md."""
    # Imported here: no other command needs the daemon's libraries, and each import costs start-up time.
    from remediator import app  # noqa: PLC0415

    settings = settings_or_exit(
        2,
        policy=file,
        prometheus_url=prometheus_url,
        kubeconfig=kubeconfig,
        namespace=namespace,
        name=name,
        http_address=http_address,
        scrape_interval=scrape_interval,
        log_format=log_format,
        log_level=log_level,
    )
    configure(form=settings.log_format, level=settings.log_level)
    try:
        code = app.run(settings)
    except SettingsError as exc:
        fail(str(exc), 1)
    raise typer.Exit(code)
