"""What the values of ``rules`` do to the rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rules import chart
from tests.rules.__main__ import main
from tests.rules.chart import ALERTS, FILES, GROUPS, LANGUAGES

ASIAN = "[\u3000-\u30ff\u4e00-\u9fff\uff00-\uff60]"


def alerts(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rules in PrometheusRules, by alert."""
    return {rule["alert"]: rule for one in objects for group in one["spec"]["groups"] for rule in group["rules"]}


def texts(language: str) -> Iterator[tuple[str, str, str]]:
    """Every text as it is written: its alert, which one it is, and its words."""
    for group in GROUPS:
        for alert, its in yaml.safe_load((FILES / language / f"{group}.yaml").read_text("utf-8")).items():
            yield from ((alert, name, text) for name, text in its.items())


def test_there_are_no_rules_unless_asked_for() -> None:
    """They need the operator's definitions, which a cluster may not have."""
    with pytest.raises(chart.Refused, match="could not find template"):
        chart.render("--set", "rules.enabled=false")


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_is_one_object_of_its_own(group: str) -> None:
    """Each group is switched by itself, and is a PrometheusRule with just its alerts."""
    switches = {one: {"enabled": one == group} for one in GROUPS}
    (made,) = chart.render(values={"rules": switches})
    assert made["kind"] == "PrometheusRule"
    assert made["metadata"]["name"] == f"remediator-rules-{group}"
    assert set(alerts([made])) == {alert for alert, its in ALERTS.items() if its == group}


def test_a_config_map_holds_the_same_as_rule_files() -> None:
    """Without the operator the rules come as files to mount into a Prometheus, or to copy."""
    objects = chart.render("--set", "rules.kind=ConfigMap", values=chart.every_group())
    assert {one["kind"] for one in objects} == {"ConfigMap"}
    files = {name: yaml.safe_load(text) for one in objects for name, text in one["data"].items()}
    assert set(files) == {f"{group}.yaml" for group in GROUPS}
    assert alerts([{"spec": file} for file in files.values()]) == chart.rules("en")


def test_the_rules_are_written_as_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``make rules`` needs no cluster, takes values of one's own, and writes what the chart would install."""
    values = tmp_path / "values.yaml"
    values.write_text("rules: {alerts: {RemediatorDown: {for: 3m}}}")
    assert main([str(tmp_path / "made"), "--language", "zh", "--values", str(values)]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "made" / "remediator.yaml")]
    made = alerts([{"spec": yaml.safe_load((tmp_path / "made" / "remediator.yaml").read_text("utf-8"))}])
    down = chart.rules("zh")["RemediatorDown"]
    assert made["RemediatorDown"] == {**down, "for": "3m"} | {"annotations": made["RemediatorDown"]["annotations"]}
    assert made["RemediatorNoLeader"] == chart.rules("zh")["RemediatorNoLeader"]


def test_rules_that_can_not_be_written_are_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What Helm refuses is said, and nothing is written."""
    values = tmp_path / "values.yaml"
    values.write_text("rules: {alerts: {Slip: {}}}")
    assert main([str(tmp_path / "made"), "--values", str(values)]) == 1
    assert "rules.alerts.Slip: there is no such alert" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


def test_one_alert_is_changed_and_another_switched_off() -> None:
    """Threshold, time and severity are the values', in expression and text; of all others nothing changes."""
    own = {
        "RemediatorHeldTooLong": {"threshold": 48, "for": "10m", "severity": "page"},
        "RemediatorBreachStanding": {"enabled": False},
    }
    changed, before = alerts(chart.render(values={"rules": {"alerts": own}})), chart.rules("en")
    held = changed.pop("RemediatorHeldTooLong")
    assert "> 48 * 3600" in held["expr"]
    assert "more than 48 hours" in held["annotations"]["description"]
    assert held["for"] == "10m"
    assert held["labels"] == {"severity": "page"}
    assert "RemediatorBreachStanding" not in changed
    assert changed == {alert: before[alert] for alert in changed}


def test_labels_and_pages_are_the_sites_own() -> None:
    """Alerts carry labels to route by, objects those to be found by, and pages may lie elsewhere."""
    values = {"alertLabels": {"team": "sre"}, "labels": {"release": "kps"}, "runbookUrl": "https://wiki.test/alerts/"}
    objects = chart.render(values={"rules": values})
    assert {one["metadata"]["labels"]["release"] for one in objects} == {"kps"}
    for alert, rule in alerts(objects).items():
        assert rule["labels"]["team"] == "sre"
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["runbook_url"] == f"https://wiki.test/alerts/{alert}.md"


def test_odd_values_arrive_byte_for_byte() -> None:
    """Dollars, quotes, backslashes and braces are Prometheus' and the site's own business."""
    label, matchers = '{{ $labels.namespace }} "$1" \\ }', 'cluster="a\\"b",job=~"etcd\\\\.x|{y}"'
    values = {"alertLabels": {"note": label}, "etcd": {"enabled": True, "matchers": matchers}}
    made = alerts(chart.render(values={"rules": values}))
    assert {rule["labels"]["note"] for rule in made.values()} == {label}
    assert made["EtcdNoLeader"]["expr"] == f"etcd_server_has_leader{{{matchers}}} == 0"


def test_the_daemon_is_found_by_other_names() -> None:
    """Where a scrape configuration of one's own gives the daemon another job, all expressions follow."""
    own = {"job": 'kubernetes-"pods"', "namespace": "infra"}
    for rule in alerts(chart.render(values={"rules": {"remediator": own}})).values():
        assert 'job="kubernetes-\\"pods\\""' in rule["expr"]
        assert 'job="remediator"' not in rule["expr"]
        assert 'namespace="remediator"' not in rule["expr"]


@pytest.mark.parametrize(
    ("alerts", "sentence"),
    [
        pytest.param(
            {"RemediatorDead": {"enabled": False}},
            r"rules\.alerts\.RemediatorDead: .*RemediatorDown",
            id="no such alert",
        ),
        pytest.param(
            {"RemediatorDown": {"threshold": 3}},
            r"rules\.alerts\.RemediatorDown\.threshold: .*has none",
            id="no threshold",
        ),
    ],
)
def test_what_would_change_nothing_is_refused(alerts: dict[str, Any], sentence: str) -> None:
    """A slip in a name would otherwise leave an alert as it is, and nobody would know."""
    with pytest.raises(chart.Refused, match=sentence):
        chart.render(values={"rules": {"alerts": alerts}})


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_alert_has_its_texts(language: str) -> None:
    """Summary and description for each alert, and no text of an alert that is gone."""
    assert {(alert, name) for alert, name, _ in texts(language)} == {
        (alert, name) for alert in ALERTS for name in ("summary", "description")
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_prometheus_expands_arrives_byte_for_byte(language: str) -> None:
    """Helm leaves each text as it is written, but for <threshold> and <for>."""
    rules = chart.rules(language)
    for alert, name, text in texts(language):
        arrived = rules[alert]["annotations"][name]
        pattern = re.escape(text).replace("<threshold>", r"[\d.]+").replace("<for>", r"\d+[smhd]")
        assert re.fullmatch(pattern, arrived), arrived
        assert "<" not in re.sub(r"\{\{.*?\}\}", "", arrived)


def test_a_threshold_is_told_where_there_is_one() -> None:
    """A text never speaks of a threshold that its alert has not."""
    for language in LANGUAGES:
        for alert, _, text in texts(language):
            assert "<threshold>" not in text or "threshold" in chart.defined(ALERTS[alert])[alert], alert


def test_both_languages_say_the_same_of_an_alert() -> None:
    """Each text expands the same labels and values in Chinese as in English, and tells the same thresholds."""
    english, chinese = ({(alert, name): text for alert, name, text in texts(one)} for one in LANGUAGES)
    for key, text in english.items():
        said = [sorted(set(re.findall(r"\{\{.*?\}\}|<\w+>", one))) for one in (text, chinese[key])]
        assert said[0] == said[1], key


def test_chinese_is_written_without_gaps() -> None:
    """A folded line of YAML leaves a space, which Chinese has not between two characters."""
    for alert, name, text in texts("zh"):
        assert not re.search(f"{ASIAN} {ASIAN}", text), (alert, name)
        assert re.search(ASIAN, text), (alert, name)
