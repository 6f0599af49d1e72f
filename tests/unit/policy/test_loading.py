"""What a valid file becomes: every default filled in, numbers plain, and what was written kept for logs."""

from __future__ import annotations

import os
import threading
from dataclasses import FrozenInstanceError, fields
from fractions import Fraction
from pathlib import Path

import pytest

from remediator.model.hooks import ExecCall, Hook, HttpCall, Method, OnFailure, Scheme
from remediator.model.selectors import LabelSelector
from remediator.model.vocabulary import Action, Signal
from remediator.policy import (
    Budget,
    CountOrPercent,
    Cron,
    Policy,
    Quantity,
    Safety,
    ShareOfLimit,
    ShareOfRequest,
    Window,
    WorkloadMatch,
    load,
    named_namespaces,
    never_reached,
    parse,
)

SPECIFICATION = """\
defaults:
  every: 1m
  for: 2m
safety:
  namespaces: {exclude: [kube-system, kube-public, kube-node-lease]}
  maxConcurrent: 3
  budget: {actions: 20, per: 1h}
  paused: false
policies:
  - name: iot-server
    match: {namespaces: [sreworks], workload: Deployment/meta42-iot-server}
    threshold: 20Gi
  - name: everyone
    match: {namespaces: ["team-.*"], selector: "tier in (web, worker)"}
    threshold: 90% of limit
"""


def only(lines: str, *, sample_interval: int = 30) -> Policy:
    """Load one policy with these fields, in flow style."""
    (policy,) = parse(f"policies: [{{name: a, threshold: 1Gi, {lines}}}]", sample_interval=sample_interval).policies
    return policy


def test_the_example_of_the_specification(tmp_path: Path) -> None:
    """The example that the documentation shows loads as it says, from a file."""
    path = tmp_path / "policy.yaml"
    path.write_text(SPECIFICATION)
    first, second = load(path, sample_interval=30).policies
    assert first.name == "iot-server"
    assert first.match.namespaces == ("sreworks",)
    assert first.match.workload == WorkloadMatch("Deployment", "meta42-iot-server")
    assert first.threshold == Quantity(20 * 2**30, "20Gi")
    assert first.line == 10
    assert second.match.selector == LabelSelector.parse("tier in (web, worker)")
    assert second.threshold == ShareOfLimit(Fraction(90), "90% of limit")
    assert second.line == 13


def test_the_defaults() -> None:
    """A policy of a name and a threshold has the documented defaults, and matches everything."""
    file = parse("policies: [{name: a, threshold: 1Gi}]", sample_interval=30)
    (policy,) = file.policies
    values = {field.name: getattr(policy, field.name) for field in fields(policy)}
    del values["match"], values["line"]
    assert values == {
        "name": "a",
        "threshold": Quantity(2**30, "1Gi"),
        "for_seconds": 120,
        "max_sample_age": 75,
        "pace": 60,
        "jitter": 5,
        "action": Action.EVICT,
        "max_unavailable": CountOrPercent(1),
        "cooldown": 600,
        "max_per_workload": Budget(actions=6, per=6 * 3600),
        "min_age": 300,
        "ready_timeout": 600,
        "grace_period": None,
        "fallback": Action.EVICT,
        "dry_run": False,
        "enabled": True,
        "signal": Signal.WORKING_SET,
        "before": (),
        "windows": (),
        "emergency": None,
    }
    assert (policy.match.namespaces, policy.match.pods, policy.match.containers) == ((), (), ())
    assert policy.match.workload is None
    assert policy.match.selector is None
    assert file.safety == Safety(
        excluded_namespaces=("kube-system", "kube-public", "kube-node-lease"),
        max_concurrent=3,
        budget=Budget(actions=20, per=3600),
        max_breaching=50,
        hold_when=(),
        paused=False,
        annotations=False,
        foreign_marks=True,
    )


def test_windows_as_they_are_written() -> None:
    """Days wrap around the week's end, and a window ends on the next day where it ends before it begins."""
    file = """\
defaults:
  timezone: Asia/Shanghai
  windows: [{days: [fri-mon, wed], from: 22:00, to: "05:30"}]
policies:
  - {name: a, threshold: 1Gi}
  - {name: b, threshold: 1Gi, timezone: Europe/Berlin}
  - name: c
    threshold: 1Gi
    windows:
      - {days: "Sat, SUN", from: 00:00, to: 24:00, timezone: UTC}
      - {from: 01:00, to: 00:00}
"""
    first, second, third = parse(file, sample_interval=30).policies
    assert first.windows == (Window(frozenset({4, 5, 6, 0, 2}), 22 * 60, 29 * 60 + 30, "Asia/Shanghai"),)
    assert second.windows == (Window(frozenset({4, 5, 6, 0, 2}), 22 * 60, 29 * 60 + 30, "Europe/Berlin"),)
    assert third.windows == (
        Window(frozenset({5, 6}), 0, 1440, "UTC"),
        Window(frozenset(range(7)), 60, 1440, "Asia/Shanghai"),
    )
    shown = ["sat,sun 00:00-24:00 (UTC)", "every day 01:00-24:00 (Asia/Shanghai)"]
    assert [str(window) for window in third.windows] == shown
    assert str(first.windows[0]) == "mon,wed,fri,sat,sun 22:00-05:30 (Asia/Shanghai)"


def test_everything_written() -> None:
    """Every field that can be written arrives as it was written."""
    policy = only(
        "match: {namespaces: a, pods: [b, c], containers: d, workload: StatefulSet/e.*, selector: '!f'}, "
        "signal: working_set, for: 5m, maxSampleAge: 2m, every: 30s, jitter: 0s, action: evict, "
        "maxUnavailable: 25%, cooldown: 0s, maxPerWorkload: {actions: 2, per: 1d}, minAge: 0s, readyTimeout: 1h, "
        "gracePeriod: 1s, dryRun: true, enabled: false"
    )
    assert policy.match.namespaces == ("a",)
    assert policy.match.pods == ("b", "c")
    assert policy.match.containers == ("d",)
    assert policy.match.workload == WorkloadMatch("StatefulSet", "e.*")
    assert policy.match.selector == LabelSelector.parse("!f")
    assert (policy.for_seconds, policy.max_sample_age, policy.pace, policy.jitter) == (300, 120, 30, 0)
    assert policy.max_unavailable == CountOrPercent(25, is_percent=True)
    assert (policy.cooldown, policy.ready_timeout, policy.grace_period) == (0, 3600, 1)
    assert policy.max_per_workload == Budget(actions=2, per=86400)
    assert policy.min_age == 0
    assert policy.dry_run
    assert not policy.enabled


def test_hooks() -> None:
    """A hook has its defaults; text is sent as text, and a mapping as JSON; the order is the file's."""
    policy = only(
        "before: [{http: {port: 8080, path: '/drain?why=memory'}}, "
        "{exec: {container: app, command: [/bin/drain, --now]}, timeout: 2m, onFailure: continue}, "
        "{http: {port: 8443, path: /, scheme: https, method: PUT, body: now}}, "
        "{http: {port: 1, path: /, body: {a: [1]}}}]"
    )
    assert policy.before == (
        Hook(HttpCall(8080, "/drain?why=memory", Method.POST, Scheme.HTTP), 30, OnFailure.ABORT),
        Hook(ExecCall("app", ("/bin/drain", "--now")), 120, OnFailure.CONTINUE),
        Hook(HttpCall(8443, "/", Method.PUT, Scheme.HTTPS, b"now", "text/plain; charset=utf-8")),
        Hook(HttpCall(1, "/", body=b'{"a": [1]}', content_type="application/json")),
    )
    assert [str(hook) for hook in policy.before] == [
        "http POST :8080/drain",
        "exec /bin/drain in app",
        "https PUT :8443/",
        "http POST :1/",
    ]


def test_hooks_of_the_defaults_are_taken_or_replaced_as_a_whole() -> None:
    """A list in the policy stands in for that of the defaults, an empty one as well; reports have none."""
    text = """\
defaults: {before: [{http: {port: 1, path: /}}]}
policies:
  - {name: a, threshold: 1Gi}
  - {name: b, threshold: 1Gi, before: [{http: {port: 2, path: /}}]}
  - {name: c, threshold: 1Gi, before: []}
  - {name: d, threshold: 1Gi, action: notify}
"""
    first, second, *others = parse(text, sample_interval=30).policies
    assert [str(hook) for hook in first.before] == ["http POST :1/"]
    assert [str(hook) for hook in second.before] == ["http POST :2/"]
    assert [policy.before for policy in others] == [(), ()]


@pytest.mark.parametrize("action", ["evict", "delete", "notify"])
def test_actions(action: str) -> None:
    """Each action that is built arrives as it is written."""
    assert only(f"action: {action}").action is Action(action)


@pytest.mark.parametrize(
    ("defaults", "own", "expected"),
    [
        ("", "{actions: 2}", Budget(actions=2, per=6 * 3600)),
        ("", "{per: 1h}", Budget(actions=6, per=3600)),
        ("{actions: 3, per: 2h}", "{actions: 2}", Budget(actions=2, per=2 * 3600)),
        ("{actions: 3}", "{per: 1h}", Budget(actions=3, per=3600)),
        ("{actions: 3}", "{}", Budget(actions=3, per=6 * 3600)),
    ],
)
def test_half_of_max_per_workload_keeps_the_other_half(defaults: str, own: str, expected: Budget) -> None:
    """What a policy does not write of it comes from the defaults, and what they don't have from ours."""
    text = f"policies: [{{name: a, threshold: 1Gi, maxPerWorkload: {own}}}]\n"
    if defaults:
        text += f"defaults: {{maxPerWorkload: {defaults}}}\n"
    (policy,) = parse(text, sample_interval=30).policies
    assert policy.max_per_workload == expected


@pytest.mark.parametrize(
    ("sample_interval", "hold", "age"), [(1, 120, 17), (10, 120, 35), (30, 120, 75), (60, 240, 135), (300, 1200, 615)]
)
def test_defaults_follow_the_sample_interval(sample_interval: int, hold: int, age: int) -> None:
    """``for`` is the longer of 2m and 4 intervals, ``maxSampleAge`` 2 intervals and 15 s, so no default is silent."""
    policy = only("", sample_interval=sample_interval)
    assert policy.for_seconds == hold
    assert policy.max_sample_age == age


def test_a_written_for_of_three_intervals_is_enough() -> None:
    """The bound is 3 sample intervals, itself allowed."""
    assert only("for: 90s", sample_interval=30).for_seconds == 90


@pytest.mark.parametrize(("every", "jitter"), [("1s", 0), ("5s", 2), ("10s", 5), ("1m", 5), ("1d", 5)])
def test_the_default_jitter_stays_below_every(every: str, jitter: int) -> None:
    """Looking every few seconds needs no jitter to be written."""
    assert only(f"every: {every}").jitter == jitter


@pytest.mark.parametrize(
    ("defaults", "own", "pace"),
    [
        ("", "cron: 30 2 * * mon-fri", Cron("30 2 * * mon-fri")),
        ("", "cron: 30 2 * * mon-fri, timezone: Asia/Shanghai", Cron("30 2 * * mon-fri", "Asia/Shanghai")),
        ("cron: 0 2 * * *, timezone: UTC", "timezone: Asia/Shanghai", Cron("0 2 * * *", "Asia/Shanghai")),
        ("timezone: Asia/Shanghai", "cron: 0 2 * * *", Cron("0 2 * * *", "Asia/Shanghai")),
        ("timezone: Asia/Shanghai", "", 60),
        ("cron: 0 2 * * *, timezone: Asia/Shanghai", "every: 5m", 300),
        ("every: 5m", "cron: 0 2 * * *", Cron("0 2 * * *")),
    ],
)
def test_cron_and_every_stand_in_for_each_other(defaults: str, own: str, pace: int | Cron) -> None:
    """What a policy says of when it is evaluated stands in for what the defaults say of it."""
    text = f"defaults: {{for: 5m, {defaults}}}\npolicies: [{{name: a, threshold: 1Gi, {own}}}]\n"
    (policy,) = parse(text, sample_interval=30).policies
    assert policy.pace == pace
    assert policy.jitter == 5


@pytest.mark.parametrize(("every", "when"), [("every: 90s", "every 1m30s"), ("cron: 0 2 * * *", "at 0 2 * * * (UTC)")])
def test_when_in_words(every: str, when: str) -> None:
    """For whoever reads what ``check`` prints."""
    assert only(every).when == when


def test_defaults_are_taken_and_overridden() -> None:
    """What is in ``defaults`` holds for every policy that does not write it itself, false and none included."""
    first, second = parse(
        "defaults: {threshold: 80% of limit, enabled: false, dryRun: true, jitter: 2s, cooldown: 1m, minAge: 1h, "
        "for: 1s}\n"
        "policies: [{name: a, for: 5m}, {name: b, threshold: 1Gi, enabled: true, dryRun: false, jitter: 0s, "
        "cooldown: 0s, minAge: 0s, for: 5m}]\n",
        sample_interval=30,
    ).policies
    assert str(first.threshold) == "80% of limit"
    assert (first.enabled, first.dry_run, first.jitter, first.cooldown, first.min_age) == (False, True, 2, 60, 3600)
    assert str(second.threshold) == "1Gi"
    assert (second.enabled, second.dry_run, second.jitter, second.cooldown, second.min_age) == (True, False, 0, 0, 0)


def test_safety_is_taken_as_written() -> None:
    """A written list of excluded namespaces replaces ours; half a budget keeps the other half."""
    safety = parse(
        "policies: [{name: a, threshold: 1Gi}]\n"
        "safety: {namespaces: {exclude: ['infra-.*']}, maxConcurrent: 1, budget: {per: 10m}, maxBreaching: 1%, "
        "holdWhen: [up == 0, 'absent(up{job=\"a\"})'], "
        "paused: true, annotations: true, foreignMarks: false}\n",
        sample_interval=30,
    ).safety
    assert safety == Safety(
        excluded_namespaces=("infra-.*",),
        max_concurrent=1,
        budget=Budget(actions=20, per=600),
        max_breaching=1,
        hold_when=("up == 0", 'absent(up{job="a"})'),
        paused=True,
        annotations=True,
        foreign_marks=False,
    )
    assert safety.excludes("infra-a")
    assert not safety.excludes("my-infra-a")
    assert not safety.excludes("kube-system")


def test_nothing_may_be_excluded() -> None:
    """An empty list of excluded namespaces is a wish, unlike an empty match."""
    text = "policies: [{name: a, threshold: 1Gi}]\nsafety: {namespaces: {exclude: []}}\n"
    assert parse(text, sample_interval=30).safety.excluded_namespaces == ()


def test_the_daemons_own_namespace_is_always_excluded() -> None:
    """Whatever list is written, the daemon never touches its own namespace."""
    text = "policies: [{name: a, threshold: 1Gi}]\nsafety: {namespaces: {exclude: [b]}}\n"
    safety = parse(text, sample_interval=30, own_namespace="ops").safety
    assert safety.excluded_namespaces == ("b", "ops")
    assert safety.excluding("ops") is safety


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("20Gi", Quantity(20 * 2**30, "20Gi")),
        ("0.1Gi", Quantity(107_374_183, "0.1Gi")),
        ("1500M", Quantity(1_500_000_000, "1500M")),
        ("90% of limit", ShareOfLimit(Fraction(90), "90% of limit")),
        ("90%  of   limit", ShareOfLimit(Fraction(90), "90% of limit")),
        ("97.5 % of limit", ShareOfLimit(Fraction(195, 2), "97.5% of limit")),
        ("100% of limit", ShareOfLimit(Fraction(100), "100% of limit")),
        ("50% of request", ShareOfRequest(Fraction(50), "50% of request")),
        ("250.5 %  of request", ShareOfRequest(Fraction(501, 2), "250.5% of request")),
    ],
)
def test_thresholds(text: str, threshold: object) -> None:
    """A threshold is exact, and keeps its text for logs."""
    (policy,) = parse(f"policies: [{{name: a, threshold: {text}}}]", sample_interval=30).policies
    assert policy.threshold == threshold
    assert str(policy.threshold) == getattr(threshold, "text", None)


def test_a_share_as_ratio() -> None:
    """A share of the limit can be multiplied with a limit without losing a byte."""
    assert ShareOfLimit(Fraction(195, 2), "97.5% of limit").ratio * 2000 == 1950
    assert ShareOfRequest(Fraction(255), "255% of request").ratio * 2000 == 5100


@pytest.mark.parametrize("signal", list(Signal))
def test_signals(signal: Signal) -> None:
    """Each of the three numbers can be asked for by name; the working set is the one that is meant without a word."""
    assert only(f"signal: {signal}").signal is signal
    assert only("every: 1m").signal is Signal.WORKING_SET


@pytest.mark.parametrize(
    ("written", "wanted", "count"),
    [("1", 1, 1), ("3", 1, 3), ("25%", 10, 2), ("25%", 3, 1), ("25%", 0, 1), ("100%", 7, 7), ("1%", 1000, 10)],
)
def test_max_unavailable_of_a_workload(written: str, wanted: int, count: int) -> None:
    """A percentage is rounded down and is one pod at least; a number is itself."""
    max_unavailable = only(f"maxUnavailable: {written}").max_unavailable
    assert max_unavailable.of(wanted) == count
    assert str(max_unavailable) == written


def test_the_same_file_gives_equal_values() -> None:
    """Two readings are equal, and a comment that moves a policy down changes nothing."""
    assert parse(SPECIFICATION, sample_interval=30) == parse("# moved\n" + SPECIFICATION, sample_interval=30)
    assert parse(SPECIFICATION, sample_interval=30) != parse(SPECIFICATION, sample_interval=31)


def test_nothing_can_be_changed_afterwards() -> None:
    """Policies are frozen: what an evaluation began with stays what it is."""
    policy = only("")
    with pytest.raises(FrozenInstanceError):
        policy.enabled = False  # type: ignore[misc]


def test_policies_are_found_by_name() -> None:
    """A name gives its policy, an unknown one nothing."""
    file = parse(SPECIFICATION, sample_interval=30)
    assert file.named("everyone") is file.policies[1]
    assert file.named("nobody") is None


def test_a_sample_interval_of_none_is_the_callers_mistake() -> None:
    """The sample interval is the program's to get right, so it is no problem of the file."""
    with pytest.raises(ValueError, match="sample_interval is 0"):
        parse(SPECIFICATION, sample_interval=0)


def test_reads_from_a_pipe(tmp_path: Path) -> None:
    """``remediator check /dev/stdin`` works behind a pipe."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(SPECIFICATION,))
    writer.start()
    # The writer's open waits for a reader; ours does not wait for a writer, so it may come a moment too early.
    reader = os.open(path, os.O_RDONLY)
    try:
        file = load(f"/dev/fd/{reader}", sample_interval=30)
    finally:
        writer.join(timeout=60)
        os.close(reader)
    assert len(file.policies) == 2


@pytest.mark.parametrize(
    ("first", "second", "reached"),
    [
        ("", "namespaces: [a]", False),
        ("namespaces: ['.*']", "namespaces: [a]", False),
        ("namespaces: [a, b]", "namespaces: [b], pods: [c]", False),
        ("workload: Deployment/a", "workload: Deployment/a, selector: x", False),
        ("namespaces: [a]", "", True),
        ("namespaces: [a]", "namespaces: [a, b]", True),
        ("selector: x", "namespaces: [a]", True),
        ("workload: Deployment/a", "workload: Deployment/b", True),
        ("containers: [c]", "namespaces: [a]", False),
    ],
)
def test_policies_that_are_never_reached(*, first: str, second: str, reached: bool) -> None:
    """A policy whose pods all belong to an earlier one is named together with that one."""
    file = parse(
        f"policies: [{{name: one, threshold: 1Gi, match: {{{first}}}}}, "
        f"{{name: two, threshold: 2Gi, match: {{{second}}}}}]",
        sample_interval=30,
    )
    expected = () if reached else ((file.policies[1], file.policies[0]),)
    assert never_reached(file) == expected


def test_namespaces_that_are_named_are_told_from_those_that_are_described() -> None:
    """A name is one that Kubernetes would take; an expression may mean any number of them."""
    match = "match: {namespaces: [shop, team-.*, mq, shop, a.b, (web), '[a]']}"
    file = parse(
        f"policies: [{{name: one, threshold: 1Gi, {match}}}, {{name: two, threshold: 1Gi}}]", sample_interval=30
    )
    assert named_namespaces(file) == ("mq", "shop")
