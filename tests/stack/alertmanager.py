"""An Alertmanager that runs, alone, with the files that the values make."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.rig.claim import Claim
from tests.rig.loopback import answers, ask, read
from tests.rig.processes import Component
from tests.rig.tools import ensure

QUICK: Mapping[str, Any] = {"alertmanager": {"config": {"route": {"group_wait": "300ms", "group_interval": "500ms"}}}}
"""Values with which nobody waits half a minute for the first word and five for the next."""


@dataclass
class Alertmanager:
    """One that answers at `url`; its log is `log`."""

    url: str
    log: Path

    def send(self, *alerts: Mapping[str, Any]) -> None:
        """Sends alerts as Prometheus does. They begin now: of older ones, Alertmanager would tell the first at once."""
        now = datetime.now(UTC)
        body = [
            {
                # Prometheus leaves labels without a value out, and so do its alerts.
                "labels": {name: text for name, text in one["labels"].items() if text},
                "annotations": {name: text for name, text in one["annotations"].items() if text},
                "generatorURL": one["generatorURL"] if one["generatorURL"].startswith("http") else "",
                "startsAt": (now - timedelta(milliseconds=1)).isoformat(),
                "endsAt": (now if one["status"] == "resolved" else now + timedelta(hours=1)).isoformat(),
            }
            for one in alerts
        ]
        answer = ask("POST", f"{self.url}/api/v2/alerts", json=body)
        assert answer.ok, answer.text

    def states(self) -> dict[str, str]:
        """The alerts' states, `active` or `suppressed`, by `alertname/severity`."""
        found = read(f"{self.url}/api/v2/alerts").json()
        return {f"{one['labels']['alertname']}/{one['labels']['severity']}": one["status"]["state"] for one in found}

    def counted(self, metric: str, **labels: str) -> float:
        """The sum of a metric's series that have these labels."""
        total = 0.0
        for line in read(f"{self.url}/metrics").text.splitlines():
            if re.match(rf"{metric}[{{ ]", line) and all(f'{k}="{v}"' in line for k, v in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total


@contextmanager
def running(configuration: Path, *, external_url: str, more: Sequence[str] = ()) -> Iterator[Alertmanager]:
    """Alertmanager with that configuration, until the block ends."""
    claim = Claim()
    try:
        (port,) = claim.ports(1)
        url = f"http://127.0.0.1:{port}"
        log = claim.folder / "alertmanager.log"
        component = Component(
            "alertmanager",
            [
                str(ensure("alertmanager")["alertmanager"]),
                f"--config.file={configuration}",
                f"--storage.path={claim.folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                f"--web.external-url={external_url}",
                "--web.route-prefix=/",
                "--cluster.listen-address=",
                *more,
            ],
            log,
            lambda: answers(f"{url}/-/ready"),
        )
        component.start()
        try:
            component.wait_healthy(60)
            yield Alertmanager(url, log)
        finally:
            component.stop()
    finally:
        claim.release()
