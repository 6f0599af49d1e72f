"""The chart's alerts in a real Prometheus that scrapes real programs, at the pace of a test."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.rig.claim import Claim
from tests.rig.loopback import read
from tests.rig.prometheus import alone
from tests.rules import chart

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WINDOW = re.compile(r"(?<=\[)(\d+)([smhd])(?=[\]:])")


@dataclass(frozen=True)
class Firing:
    """One alert that fires."""

    name: str
    labels: Mapping[str, str]
    value: float
    """That of its expression."""
    description: str


def impatient(alert: str, **changes: object) -> dict[str, Any]:
    """``rules.alerts`` for an alert that fires after a second; ``changes`` are more of its values."""
    return {alert: {"for": "1s", **changes}}


@contextmanager
def watching(group: str, alerts: Mapping[str, Any], jobs: list[dict[str, Any]], *, faster: int = 1) -> Iterator[str]:
    """A Prometheus with these scrape jobs and the alerts of a group, by the values ``rules.alerts``; its URL.

    It scrapes and evaluates each second. The windows of the expressions are that many times shorter: what has
    happened is forgotten ``faster``.
    """
    values = {"rules": {group: {"enabled": True}, "remediator": {"enabled": False}, "alerts": dict(alerts)}}
    (made,) = chart.render(values=values)
    groups = made["spec"]["groups"]
    for rule in (rule for one in groups for rule in one["rules"]):
        rule["expr"] = _WINDOW.sub(lambda found: f"{int(found[1]) * _SECONDS[found[2]] // faster}s", rule["expr"])
    claim = Claim()
    try:
        file = claim.folder / f"{group}.yaml"
        file.write_text(json.dumps({"groups": groups}), "utf-8")
        pace = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        with alone({"global": pace, "rule_files": [str(file)], "scrape_configs": jobs}) as url:
            yield url
    finally:
        claim.release()


def firing(url: str, *names: str) -> list[Firing]:
    """What fires now, of these alerts or of all."""
    return [
        Firing(one["labels"]["alertname"], one["labels"], float(one["value"]), one["annotations"]["description"])
        for one in read(f"{url}/api/v1/alerts").json()["data"]["alerts"]
        if one["state"] == "firing" and (not names or one["labels"]["alertname"] in names)
    ]
