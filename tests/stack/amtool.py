"""What amtool says of a configuration, its routes and its templates."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson


class Refused(Exception):
    """amtool refused; the text is what it said."""


def _run(amtool: Path, *arguments: str) -> str:
    ran = subprocess.run([amtool, *arguments], capture_output=True, text=True, check=False, timeout=60)
    if ran.returncode:
        msg = f"{ran.stdout}{ran.stderr}"
        raise Refused(msg)
    return ran.stdout


def check(amtool: Path, configuration: Path) -> str:
    """What it says of a sound configuration. Raises Refused."""
    return _run(amtool, "check-config", str(configuration))


def receivers(amtool: Path, configuration: Path, labels: Mapping[str, str]) -> list[str]:
    """The receivers that an alert with these labels goes to. Raises Refused."""
    said = _run(
        amtool, "config", "routes", "test", f"--config.file={configuration}", *(f"{k}={v}" for k, v in labels.items())
    )
    return said.strip().split(",")


def render(amtool: Path, folder: Path, template: str, message: Mapping[str, Any], *, html: bool = False) -> str:
    """The template of that name as written for a message (see messages.py). Raises Refused."""
    data = folder / f"message-{abs(hash(template))}.json"
    data.write_bytes(orjson.dumps(message))
    return _run(
        amtool,
        "template",
        "render",
        f"--template.glob={folder}/*.tmpl",
        f"--template.text={{{{ template {orjson.dumps(template).decode()} . }}}}",
        f"--template.type={'html' if html else 'text'}",
        f"--template.data={data}",
    )
