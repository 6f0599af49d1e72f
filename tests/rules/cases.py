"""The cases of ``cases/GROUP.yaml``, run by promtool.

A file has for each alert what it ``fires`` on, where it stays ``silent``, and a ``border``: a restart, a gap, a series
that is missing, one of several replicas. Each is one case or a list of them:

    that: what the case shows, in words
    set: NAME=VALUE, where not all values are the chart's defaults
    series: {NAME{labels}: values in promtool's notation, a minute apart}
    evaluated: how often, where that is not each minute
    at: when one looks
    labels: [the labels of each alert that fires then, but for alertname and severity; none: it is silent]
    values: [what each of these says as `$value`, where the case is about that]

``every`` at the top of a file are labels that each series gets whose notation does not name them; ``{pod}`` in one is
the series' own label of that name, and without that one it gets none. Expected labels get those as well.
"""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.rig.tools import ensure
from tests.rules import chart

FOLDER = Path(__file__).resolve().parent / "cases"
_CHOOSING = {"grafana": 'rules.grafana.matchers=job="grafana"', "blackbox": 'rules.blackbox.matchers=job="sites"'}
"""What makes a group choose by job that takes every job by default."""

KINDS = ("fires", "silent", "border")

ON_ABSENCE = frozenset({"RemediatorDown", "EtcdAbsent"})
"""Alerts that fire where a series is not there."""


@dataclass(frozen=True)
class Case:
    """One case of one alert. ``labels`` are those of the alerts that fire ``at`` that time."""

    alert: str
    kind: str
    that: str
    setting: str
    evaluated: str
    series: tuple[tuple[str, str], ...]
    at: str
    labels: tuple[Mapping[str, str], ...]
    values: tuple[float, ...] = ()

    def __str__(self) -> str:
        return f"{self.alert} {self.kind}: {self.that}"

    def as_test(self, check: Mapping[str, Any]) -> dict[str, Any]:
        """The case as a test of promtool's, with that way to look at it."""
        series = [{"series": name, "values": values} for name, values in self.series]
        return {"name": str(self), "interval": "1m", "input_series": series, **check}


@cache
def _content(group: str) -> dict[str, Any]:
    # Everything is text: to YAML 0x20 is a number, to promtool it is zero and 20 times the same.
    content: dict[str, Any] = yaml.load((FOLDER / f"{group}.yaml").read_text("utf-8"), Loader=yaml.BaseLoader)
    return content


def _every(group: str) -> dict[str, str]:
    every: dict[str, str] = _content(group)["every"]
    return every


def cases(group: str) -> Iterator[Case]:
    """Every case of a group, in the order of its file."""
    every = _every(group)
    for alert, kinds in _content(group).items():
        if alert == "every":
            continue
        for kind, told in kinds.items():
            for one in told if isinstance(told, list) else [told]:
                series = tuple((_completed(name, every), values) for name, values in one["series"].items())
                labels = tuple({**_derived(labels, every), **labels} for labels in one.get("labels", ()))
                values = tuple(map(float, one.get("values", ())))
                setting, evaluated = one.get("set", ""), one.get("evaluated", "1m")
                yield Case(alert, kind, one["that"], setting, evaluated, series, one["at"], labels, values)


@cache
def every_case() -> tuple[Case, ...]:
    """The cases of all groups."""
    return tuple(case for group in chart.GROUPS for case in cases(group))


@cache
def elsewhere() -> tuple[Case, ...]:
    """Each first case that fires, with series of another job, and of another namespace where one is asked for.

    None fires. Left out are series that no matcher of ours chooses, and alerts that fire on their absence.
    """
    return tuple(
        replace(
            case, kind="elsewhere", that=f"{label} {case.that}", series=series, labels=(), values=(), setting=setting
        )
        for case in every_case()
        if case is next(one for one in every_case() if one.alert == case.alert) and case.alert not in ON_ABSENCE
        for setting in [case.setting or _CHOOSING.get(chart.ALERTS[case.alert], "")]
        for label in ("job", "namespace")
        for series in [_of_others(case, label)]
        if series != case.series and (label == "job" or _asks_for_namespace(case.alert))
    )


def _of_others(case: Case, label: str) -> tuple[tuple[str, str], ...]:
    """The series of a case, those of its group's own job as somebody else's."""
    own = _every(chart.ALERTS[case.alert])
    return tuple(
        (
            re.sub(f'{label}="{own[label]}"', f'{label}="of-others"', name) if f'job="{own["job"]}"' in name else name,
            values,
        )
        for name, values in case.series
    )


def _asks_for_namespace(alert: str) -> bool:
    return "{namespace=" in chart.rules("en")[alert]["expr"]


def _completed(series: str, every: Mapping[str, str]) -> str:
    """A series with the labels of ``every`` that it has not."""
    name, _, labels = series.partition("{")
    there = labels.rstrip("}")
    named = dict(re.findall(r'(\w+)="([^"]*)"', there))
    plain = {label: value for label, value in every.items() if "{" not in value}
    missing = {**plain, **_derived({**plain, **named}, every)}.items()
    more = [f'{label}="{value}"' for label, value in missing if label not in named]
    return f"{name}{{{','.join(filter(None, [there, *more]))}}}"


def _derived(labels: Mapping[str, str], every: Mapping[str, str]) -> dict[str, str]:
    """The labels of ``every`` that follow from others, where those are there."""
    wanted = {label: re.search(r"{(\w+)}", value) for label, value in every.items()}
    return {label: every[label].format_map(labels) for label, found in wanted.items() if found and found[1] in labels}


def fired(case: Case) -> dict[str, Any]:
    """That just these alerts fire, asked of the series that Prometheus keeps of alerts, and with these values."""
    rule = chart.rules("en", case.setting)[case.alert]
    common = {**rule["labels"], "alertname": case.alert, "alertstate": "firing"}
    samples = [{"labels": _series("ALERTS", {**labels, **common}), "value": 1} for labels in case.labels]
    expr = f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}'
    tests = [{"expr": expr, "eval_time": case.at, "exp_samples": samples}]
    if case.values:
        told = [
            {"labels": _series("", labels), "value": value}
            for labels, value in zip(case.labels, case.values, strict=True)
        ]
        tests.append({"expr": rule["expr"], "eval_time": case.at, "exp_samples": told})
    return {"promql_expr_test": tests}


def _series(name: str, labels: Mapping[str, str]) -> str:
    return f"{name}{{{','.join(f'{name}={chr(34)}{value}{chr(34)}' for name, value in labels.items())}}}"


def told(case: Case) -> dict[str, Any]:
    """That no alert fires: where one does, promtool quotes it with its texts."""
    return {"alert_rule_test": [{"alertname": case.alert, "eval_time": case.at, "exp_alerts": []}]}


def run(tests: Iterable[tuple[Case, dict[str, Any]]], language: str, folder: Path) -> dict[str, str]:
    """What promtool found wrong with each case, by its name; an empty text is nothing.

    Each alert is loaded alone, so that an error in one is told of that one.
    """
    by_rule: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for case, check in tests:
        by_rule.setdefault((case.alert, case.setting, case.evaluated), []).append(case.as_test(check))
    files = []
    for (alert, setting, evaluated), its in by_rule.items():
        rule, name = chart.rules(language, setting)[alert], f"{alert}{setting}{evaluated}"
        _write(folder / f"{name}.rules.yaml", {"groups": [{"name": alert, "rules": [rule]}]})
        content = {"rule_files": [f"{name}.rules.yaml"], "evaluation_interval": evaluated, "tests": its}
        files.append(_write(folder / f"{name}.test.yaml", content))
    results = folder / "results.xml"
    command = [str(ensure("prometheus")["promtool"]), "test", "rules", f"--junit={results}", *map(str, files)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert results.exists(), said.stderr
    found = {}
    for suite in ET.parse(results).getroot():
        # What is wrong with a whole file is told of no case.
        stopped = [error.text for error in suite.iter("error")]
        assert not stopped, f"{suite.get('name')}: {stopped}"
        for one in suite.iter("testcase"):
            found[one.get("name", "")] = "\n".join(str(fail.text) for fail in one.iter("failure"))
    return found


def _write(path: Path, content: Any) -> Path:  # noqa: ANN401  (what YAML can hold)
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), "utf-8")
    return path
