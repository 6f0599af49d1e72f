"""The series that the rules ask for, against what is really exposed."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from remediator.model.vocabulary import Evaluation, Gate, Outcome, Reason
from remediator.observe.metrics import Metrics
from remediator.observe.state import State
from tests.rules import chart
from tests.rules.chart import ALERTS, GROUPS
from tests.rules.known import KNOWN
from tests.rules.names import GENERAL, asked, metrics, patterns
from tests.unit.make import NOW
from tests.unit.observe.test_metrics import everything

OF_THE_TARGET = {"namespace", "job"}
"""Labels that Prometheus gives every series of a target."""

WORDS: dict[str, set[str]] = {
    "remediator_evaluations_total": {*Evaluation},
    "remediator_remediations_total": {*Outcome},
    "remediator_vetoes_total": {*Reason},
    "remediator_schedule_since_timestamp_seconds": {"start", "change"},
    "remediator_hold_active": {*Gate},
    "remediator_hold_since_timestamp_seconds": {*Gate},
}
"""What the one label that is chosen by may be, where that is a closed set."""


@cache
def exposed() -> dict[str, set[str]]:
    """The labels of each series that a daemon exposes to which everything has happened, by its name."""
    state = State(clock=lambda: float(NOW))
    of = Metrics(state)
    everything(state, of)
    found: dict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(generate_latest(of.registry).decode()):
        for sample in family.samples:
            found[sample.name] |= set(sample.labels)
    return found


@pytest.mark.parametrize("alert", chart.defined("remediator"))
def test_the_daemon_exposes_what_its_alerts_ask_for(alert: str) -> None:
    """Names and labels stand in what ``/metrics`` answers, and no label is asked for a word that is never written."""
    for one in (one for one in asked("remediator") if one.alert == alert and one.name not in GENERAL):
        assert one.name in exposed()
        for label, _, value in one.matchers:
            if label not in OF_THE_TARGET:
                assert label in exposed()[one.name]
                assert one.name not in WORDS or set(value.split("|")) <= WORDS[one.name]


@pytest.mark.parametrize("alert", ALERTS)
def test_what_can_not_be_run_is_known_by_name(alert: str) -> None:
    """Metrics of Grafana, node_exporter, the kubelet and kube-state-metrics stand in a list, with their labels."""
    for one in asked(ALERTS[alert]):
        if one.alert == alert and one.name.startswith(("grafana_", "node_", "container_", "kube_")):
            assert one.name in KNOWN
            assert {label for label, *_ in one.matchers} <= KNOWN[one.name] | OF_THE_TARGET


def test_the_list_has_nothing_that_nobody_asks_for() -> None:
    """A name that no expression asks for any more is taken from the list."""
    assert set(KNOWN) <= {name for group in GROUPS for name in metrics(group)}


def test_the_walk_finds_every_selector() -> None:
    """No name in an expression escapes: what looks like a metric of ours is one of those found."""
    for alert in chart.defined("remediator"):
        words = set(re.findall(r"\bremediator_\w+", chart.rules("en")[alert]["expr"]))
        assert words <= metrics("remediator")
    assert not patterns("remediator")
