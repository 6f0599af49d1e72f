"""Alertmanager's files as the operator mounts them, made by Helm from the files of values."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.rig.helm import Helm, Values
from tests.stack.files import BASE, read, with_addresses

CHART = Path(__file__).with_name("chart")

# Where the operator mounts them in the container.
_CONFIG = "/etc/alertmanager/config/"
_SECRETS = "/etc/alertmanager/secrets/"

CONFIGURATION = "alertmanager.yaml"


@dataclass(frozen=True)
class Secret:
    """The Secret that the operator gets."""

    files: Mapping[str, str]

    @property
    def configuration(self) -> dict[str, Any]:
        """Alertmanager's configuration."""
        found: dict[str, Any] = yaml.safe_load(self.files[CONFIGURATION])
        return found

    def channels(self, receiver: str) -> dict[str, list[dict[str, Any]]]:
        """A receiver's channels by their kind."""
        (found,) = (one for one in self.configuration["receivers"] if one["name"] == receiver)
        return {kind: channels for kind, channels in found.items() if kind != "name"}

    def write(self, folder: Path) -> Path:
        """Lays the files down in `folder` and gives the configuration's path; what changes are paths, to this folder.

        Files of Secrets are looked for in its subfolder `secrets`.
        """
        for name, text in self.files.items():
            placed = text.replace(_CONFIG, f"{folder}/").replace(_SECRETS, f"{folder}/secrets/")
            (folder / name).write_text(placed, "utf-8")
        return folder / CONFIGURATION


def secret(helm: Helm, *names: str, values: Mapping[str, Any] | None = None, examples: bool = False) -> Secret:
    """The Secret by the base and the named files over it, in this order, and then `values`.

    `examples` leaves the example addresses as they are. Raises `HelmError` where the values refuse.
    """
    given: list[Values] = [read(name) if examples else with_addresses(read(name)) for name in (BASE, *names)]
    (found,) = helm.template(CHART, values=[*given, *([values] if values else [])])
    return Secret({name: base64.b64decode(text).decode() for name, text in found["data"].items()})
