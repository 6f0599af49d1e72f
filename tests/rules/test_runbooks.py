"""The pages about alerts, against the alerts there are."""

from __future__ import annotations

import re

import pytest

from tests.rules import chart
from tests.rules.chart import ALERTS, GROUPS, ROOT

FOLDER = ROOT / "docs" / "runbooks"
LIST = (ROOT / "docs" / "alerts.md").read_text("utf-8")
SECTIONS = ["Meaning", "Impact", "Look", "Do", "Tune", "False alarms"]


def when(alert: str) -> str:
    """When an alert fires by default, as its page says it."""
    its = chart.defined(ALERTS[alert])[alert]
    threshold = f" Threshold: {its['threshold']} {its['unit']}." if "threshold" in its else ""
    return f"Severity {its['severity']}, after {its['for']}.{threshold}"


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_its_page(alert: str) -> None:
    """``runbook_url`` leads to a page that says what the alert means and what to do, and when it fires by default."""
    page = (FOLDER / f"{alert}.md").read_text("utf-8")
    assert page.startswith(f"# {alert}\n\n{when(alert)}\n\n## Meaning\n")
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == SECTIONS
    for section in re.split(r"^## .*$", page, flags=re.MULTILINE)[1:]:
        assert section.strip()


def test_every_page_has_its_alert() -> None:
    """No page is left over from an alert that is gone."""
    assert {path.stem for path in FOLDER.iterdir()} == set(ALERTS)


@pytest.mark.parametrize("group", GROUPS)
def test_the_list_has_every_alert_of_a_group(group: str) -> None:
    """docs/alerts.md has a table for each group with all of its alerts and their defaults, and no others."""
    section = LIST.partition(f"\n## {group}\n")[2].partition("\n## ")[0]
    listed = [[cell.strip() for cell in row.split("|")[1:-1]] for row in section.splitlines() if row.startswith("| [")]
    expected = []
    for alert, its in chart.defined(group).items():
        threshold = f"{its['threshold']} {its['unit']}" if "threshold" in its else ""
        expected.append([f"[{alert}](runbooks/{alert}.md)", its["severity"], its["for"], threshold])
    assert listed == expected
