"""Messages as Alertmanager hands them to its templates, and texts that break what is not careful.

https://prometheus.io/docs/alerting/latest/notifications/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NASTY = {
    "colon": "demo/web: 92%",
    "number": "2.0",
    "quotes": 'it\'s "over" `90%`',
    "newlines": "first\nsecond\r\n\tthird",
    "braces": "{{ .Labels.pod }} {a: [b]} ${HOME} %d",
    "backslash": "C:\\new\\table \\u0041",
    "emoji": "on fire \U0001f525 \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "chinese": "内存超过九成：请处理，“立即”",  # noqa: RUF001
    "yaml": "- key: &a *b !tag # no comment",
    "json": '"}],"msg_type":"text","content":{"text":"x"}',
    "mention": "<at id=all></at> <!channel> <@everyone> @all [go](https://evil.test) ![i](https://evil.test/i.png)",
    "html": "<script>alert(1)</script><b>&amp;",
    "control": "bell\x07 null\x00 delete\x7f next\x85 line\u2028 reversed\u202e bom\ufeff end\uffff.",
    "empty": "",
    "spaces": "   ",
}
"""Texts for any place where an alert has text, by what is nasty about them."""

LONG = {
    "letters": "a" * 5000,
    "escaped": '<&>"\\' * 1000,
    "chinese": "内存" * 2500,
    "emoji": "\U0001f525" * 5000,
    "newlines": "x\n" * 2500,
}
"""Texts that are far too long, by what they are made of."""


def alert(
    name: str = "KubePodCrashLooping",
    *,
    severity: str = "warning",
    resolved: bool = False,
    summary: str = "A pod restarts again and again",
    description: str = "Pod shop/web-1 (main) is waiting to be restarted.",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """An alert that began at noon of New Year's Day 2026, UTC."""
    return {
        "status": "resolved" if resolved else "firing",
        "labels": {"alertname": name, "severity": severity, "namespace": "shop", "pod": "web-1"} | dict(labels or {}),
        "annotations": {
            "summary": summary,
            "description": description,
            "runbook_url": "https://runbooks.test/KubePodCrashLooping",
        }
        | dict(annotations or {}),
        "startsAt": "2026-01-01T12:00:00Z",
        "endsAt": "2026-01-01T13:00:00Z" if resolved else "0001-01-01T00:00:00Z",
        "generatorURL": "https://prometheus.test/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
        "fingerprint": "0123456789abcdef",
    }


def message(*alerts: Mapping[str, Any]) -> dict[str, Any]:
    """What a template gets for a group of these alerts."""

    def common(key: str) -> dict[str, str]:
        first: Mapping[str, str] = alerts[0][key]
        return {name: text for name, text in first.items() if all(one[key].get(name) == text for one in alerts)}

    labels = common("labels")
    return {
        "receiver": "on-call",
        "status": "firing" if any(one["status"] == "firing" for one in alerts) else "resolved",
        "alerts": list(alerts),
        "groupLabels": {name: labels[name] for name in ("alertname", "namespace") if name in labels},
        "commonLabels": labels,
        "commonAnnotations": common("annotations"),
        "externalURL": "https://alertmanager.test",
    }


def nasty(text: str) -> dict[str, Any]:
    """An alert that has this text wherever it has text."""
    return alert(
        text,
        severity=text,
        summary=text,
        description=text,
        labels={"namespace": text, "pod": text},
        annotations={"runbook_url": text},
    ) | {"generatorURL": text}
