"""A real blackbox_exporter: started with a file of modules, asked as Prometheus asks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.rig.loopback import answers, ask, read
from tests.rig.processes import Component
from tests.rig.program import Program
from tests.rig.servers import HOST
from tests.rig.tools import ensure

PATIENCE = 10.0
"""Seconds that Prometheus gives a probe by default."""


@dataclass(frozen=True)
class Probed:
    """What one probe gave."""

    metrics: Mapping[str, float]
    """By name, and by name and labels as Prometheus writes them."""
    log: str

    @property
    def succeeded(self) -> bool:
        """What `probe_success` says."""
        return self.metrics["probe_success"] == 1


class Blackbox(Program):
    """A blackbox_exporter on a free port; a context manager that ends it. ``trusted`` is the CA that it believes."""

    def __init__(self, modules: str, *, trusted: Path | None = None) -> None:
        super().__init__()
        (self.port,) = self._claim.ports(1)
        address = f"{HOST}:{self.port}"
        self.url = f"http://{address}"
        self.file = self._claim.folder / "modules.yaml"
        self.file.write_text(modules, "utf-8")
        self._component = Component(
            name="blackbox_exporter",
            command=[
                str(ensure("blackbox_exporter")["blackbox_exporter"]),
                f"--config.file={self.file}",
                "--config.enable-auto-reload",
                "--config.auto-reload-interval=1",
                f"--web.listen-address={address}",
            ],
            log=self._claim.folder / "blackbox_exporter.log",
            healthy=lambda: answers(f"{self.url}/-/healthy"),
            environment={"SSL_CERT_FILE": str(trusted)} if trusted else {},
        )

    def probe(self, module: str, target: str, *, patience: float = PATIENCE) -> Probed:
        """Probes, in these seconds. Raises `AssertionError` where the exporter has no such module."""
        log = self._ask(module, target, patience, debug="true")
        return Probed(metrics(log), log)

    def get(self, path: str) -> requests.Response:
        """What it answers there."""
        return ask("GET", f"{self.url}{path}")

    def _ask(self, module: str, target: str, patience: float, **parameters: str) -> str:
        return read(
            f"{self.url}/probe",
            params={"module": module, "target": target, **parameters},
            headers={"X-Prometheus-Scrape-Timeout-Seconds": str(patience)},
            timeout=patience + 30,
        ).text


def metrics(log: str) -> dict[str, float]:
    """What a probe with `debug` would have given to Prometheus, by name, with labels where it has them."""
    text = log.partition("Metrics that would have been returned:\n")[2].partition("\n\n\n")[0]
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found
