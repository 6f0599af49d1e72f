"""PromQL in the policy file: what gives series is taken, and names of alerts that nobody raises are found."""

from __future__ import annotations

import pytest

from remediator.policy.expressions import parse_expression, unknown_alerts

KNOWN = frozenset({"KubeAPIDown", "KubeletDown", "Watchdog"})


@pytest.mark.parametrize(
    "text",
    [
        "up",
        'ALERTS{alertname="KubeAPIDown", alertstate="firing"}',
        "(up == 0)",
        "-up",
        "1 > bool up",
        "vector(1)",
        "sum(up)",
        "max_over_time(up[5m]) < 1",
        "max_over_time((up == 0)[5m:1m])",
        'absent(up{job="apiserver"})',
        "up\n  and on (job) ALERTS",
        "up{job=~'a\\\\Qb\\\\E'}",
    ],
)
def test_what_gives_series_is_taken_as_it_is_written(text: str) -> None:
    """Vectors of every making, over several lines too, and expressions that RE2 takes and Rust does not."""
    assert parse_expression(text) == text


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("1", "is a number"),
        ("(1 + 2) * -3", "is a number"),
        ("time()", "is a number"),
        ("scalar(up) > bool 1", "is a number"),
        ("'up'", "is a text"),
        ("up[5m]", "gives samples over a time"),
        ("up[5m:1m]", "gives samples over a time"),
        ("up +", "is not PromQL"),
        ("up{job=}", "is not PromQL"),
        ("up{job=~'('}", "is not PromQL"),
        ("nosuchfunction(up)", "is not PromQL"),
        (" ", "an empty expression"),
    ],
)
def test_what_does_not_is_refused(text: str, what: str) -> None:
    """Prometheus would answer it with something that is no series, or refuse it: then all action is held for ever."""
    with pytest.raises(ValueError, match=what) as refused:
        parse_expression(text)
    assert "; write such as ALERTS{" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("expression", "unknown"),
    [
        ('ALERTS{alertname="KubeAPIDown"}', ()),
        ('ALERTS{alertname="KubeApiDown"}', ("KubeApiDown",)),
        ('{__name__="ALERTS", alertname="KubeApiDown"}', ("KubeApiDown",)),
        ('count(ALERTS{alertname=~"KubeAPIDown|KubletDown|Watchdog"}) > 0', ("KubletDown",)),
        ('ALERTS{alertname=~"(A|B)"}', ("A", "B")),
        ('ALERTS{alertname=~"Kube.*Down"}', ()),
        ('ALERTS{alertname=~"Kube.*Up"}', ("Kube.*Up",)),
        ('ALERTS{alertname!="KubeApiDown"}', ()),
        ('ALERTS{severity="page"}', ()),
        ('max_over_time(ALERTS{alertname="Gone"}[5m]) and on () ALERTS_FOR_STATE{alertname="Gone"} > 5', ("Gone",)),
        ('up{alertname="KubeApiDown"}', ()),
    ],
)
def test_names_of_alerts_that_nobody_raises(expression: str, unknown: tuple[str, ...]) -> None:
    """Wherever in an expression ``ALERTS`` is asked for one; a choice of names name by name."""
    assert unknown_alerts(expression, KNOWN) == unknown
