"""The rules as a user gets them: rendered by Helm from the chart, read back as rule files of Prometheus."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.rig.tools import ensure

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "remediator"
FILES = CHART / "files" / "rules"
LANGUAGES = ("en", "zh")

GROUPS = tuple(sorted(path.stem for path in FILES.glob("*.yaml")))
"""The groups, each a file."""


@cache
def defined(group: str) -> dict[str, dict[str, Any]]:
    """The alerts of a group by name, as its file defines them, before Helm."""
    alerts: dict[str, dict[str, Any]] = yaml.safe_load((FILES / f"{group}.yaml").read_text("utf-8"))
    return alerts


ALERTS = {alert: group for group in GROUPS for alert in defined(group)}
"""Every alert, with its group."""


class Refused(Exception):
    """Helm rendered nothing; the text is what it said."""


def render(*arguments: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The objects of ``templates/rules.yaml`` for these values, of a release ``remediator`` in such a namespace.

    Raises Refused.
    """
    command = [str(ensure("helm")["helm4"]), "template", "remediator", str(CHART), "--namespace", "remediator"]
    command += ["--set", "prometheus.url=http://prometheus.test:9090", "--set", "rules.enabled=true"]
    command += ["--show-only", "templates/rules.yaml", *arguments, "--values", "-"]
    said = subprocess.run(
        command, input=yaml.safe_dump(dict(values or {})), capture_output=True, text=True, check=False
    )
    if said.returncode:
        raise Refused(said.stderr)
    return [one for one in yaml.safe_load_all(said.stdout) if one]


def every_group() -> dict[str, Any]:
    """The values that switch every group on, and nothing else."""
    return {"rules": {group: {"enabled": True} for group in GROUPS}}


@cache
def rules(language: str, setting: str = "") -> dict[str, dict[str, Any]]:
    """Every alert by its name, as Prometheus reads it: with the defaults, but for ``setting`` (``NAME=VALUE``)."""
    wanted = ",".join(filter(None, [f"rules.language={language}", setting]))
    objects = render("--set", wanted, values=every_group())
    return {rule["alert"]: rule for one in objects for group in one["spec"]["groups"] for rule in group["rules"]}
