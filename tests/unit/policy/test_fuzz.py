"""Whatever the file holds, the loader gives policies or a PolicyError, and nothing else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.errors import PolicyError
from remediator.policy import parse

VALID = """\
defaults: {every: 1m, for: 2m}
safety:
  namespaces: {exclude: [kube-system]}
  budget: {actions: 20, per: 1h}
  maxBreaching: 50%
  holdWhen: ['ALERTS{alertname="KubeAPIDown"}', up == 0]
policies:
  - name: iot-server
    match: {namespaces: [sreworks], workload: Deployment/meta42-iot-server}
    threshold: 20Gi
  - name: everyone
    match: {namespaces: ["team-.*"], selector: "tier in (web, worker)"}
    threshold: 90% of limit
    maxUnavailable: 25%
    gracePeriod: 30s
    maxPerWorkload: {actions: 6, per: 6h}
    minAge: 5m
    windows: [{days: mon-fri, from: 22:00, to: "05:00", timezone: Europe/Berlin}]
    enabled: false
    before:
      - http: {port: 8080, path: /drain, body: {why: memory}}
      - exec: {container: app, command: [/bin/drain, --now]}
        timeout: 1m
        onFailure: continue
"""
SCRAPS = [
    *("*", "&a ", "!x ", "<<: ", "? ", "- ", ": ", "{", "}", "[", "]", "'", '"', "\n", "\t", "#", "%", "|", ">", "\0"),
    *("null", "1", "-1", "1e9", ".nan", "true", "[]", "{}", "{a: b}", "0s", "90%", "\u2028", "\x85", "\ud800"),
    *("name", "match", "threshold", "emergency", "windows", "---\n", "...\n", "(", "\\", "${x}", "{0}", "x" * 100),
]
RAW = ["Input should", "value_error", "pydantic", "Field required", "Traceback", "errors.pydantic"]


def policy_of_pods(expression: str, count: int) -> str:
    """One policy with so many different expressions."""
    pods = ", ".join(expression % number for number in range(count))
    return f"policies: [{{name: a, threshold: 1Gi, match: {{pods: [{pods}]}}}}]"


def check(content: str | bytes) -> None:
    """Load it, and look at what a person would see if it is refused."""
    try:
        parse(content, sample_interval=30)
    except PolicyError as exc:
        refused = exc
    else:
        return
    assert refused.problems
    lines = str(refused).split("\n")
    assert len(lines) == len(refused.problems)
    assert all(line.startswith("policy.yaml:") and line.isprintable() and len(line) < 2000 for line in lines)
    assert not any(raw in line for raw in RAW for line in lines)
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in refused.problems)


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=200))
def test_arbitrary_bytes(content: bytes) -> None:
    """Any bytes at all."""
    check(content)


@settings(max_examples=150, deadline=None)
@given(scraps=st.lists(st.sampled_from(SCRAPS), max_size=30))
def test_scraps_of_yaml(scraps: list[str]) -> None:
    """Any sequence of YAML's indicators and of our own words."""
    check("".join(scraps))


@settings(max_examples=250, deadline=None)
@given(at=st.integers(0, len(VALID)), cut=st.integers(0, 12), scrap=st.sampled_from(SCRAPS), repeat=st.integers(0, 3))
def test_mutated_valid_files(at: int, cut: int, scrap: str, repeat: int) -> None:
    """A valid file with a few characters cut out and others put in."""
    check(VALID[:at] + scrap * repeat + VALID[at + cut :])


def test_the_file_that_is_mutated_is_valid() -> None:
    """The mutations begin at a file that loads."""
    assert len(parse(VALID, sample_interval=30).policies) == 2


KEYS = st.sampled_from(
    [
        "name",
        "match",
        "threshold",
        "for",
        "every",
        "cron",
        "timezone",
        "jitter",
        "action",
        "enabled",
        "signal",
        "before",
        "http",
        "exec",
        "port",
        "path",
        "body",
        "command",
        "timeout",
        "windows",
        "days",
        "from",
        "to",
    ]
)
VALUES = st.recursive(
    st.sampled_from(["20Gi", "90% of limit", "2m", "evict", "a", "", "(", "true"])
    | st.integers(-5, 10**30)
    | st.floats()
    | st.booleans()
    | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(policy=st.dictionaries(KEYS, VALUES, max_size=6), defaults=VALUES, safety=VALUES)
def test_values_of_any_type_in_any_place(policy: object, defaults: object, safety: object) -> None:
    """Every kind of value under every key: numbers, lists, mappings, nothing."""
    check(written({"policies": [policy], "defaults": defaults, "safety": safety}))


def written(value: object) -> str:
    """Write a value as YAML in flow style, with YAML 1.2's names for what is not finite."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {written(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(written(inner) for inner in value) + "]"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(str(value), str(value))


@pytest.mark.parametrize(
    "text",
    [
        "policies: [{name: a, threshold: 1Gi, match: {workload: " + "w" * 100_000 + "}}]",
        "policies: [{name: a, threshold: 1Gi, match: {workload: Pod/" + "w" * 100_000 + "}}]",
        "policies: [{name: a, threshold: 1Gi, match: {selector: '" + "a b" * 600 + "'}}]",
        "policies: [{name: a, threshold: 1Gi, match: {pods: '(" + "w" * 900 + "'}}]",
        "policies: [{name: a, threshold: &" + "w" * 100_000 + " 1Gi}]",
        "? " + "k" * 100_000 + "\n: 1",
    ],
    ids=["workload", "pod", "selector", "expression", "anchor", "key"],
)
def test_long_values_are_cut(text: str) -> None:
    """A message shows the beginning of a long value, wherever it speaks of it."""
    check(text)


HOSTILE = {
    "empty policies": "policies:\n" + "- {}\n" * 3000,
    "misspelt keys": "policies:\n" + "- {nme: a, thresold: 1Gi}\n" * 1500,
    "one default broken for all": "defaults: {for: 1s}\npolicies:\n" + "- {name: a, threshold: 1Gi}\n" * 1500,
    "heavy expressions": policy_of_pods(r"'\pL{900}x%d'", 100),
    "many heavy expressions": policy_of_pods(r"'\pL{900}x%d'", 9000),
    "open brackets": policy_of_pods("'" + "(" * 400 + "%d'", 2000),
    "crons": "defaults: {jitter: 1d}\npolicies:\n"
    + "".join(f"- {{name: a, threshold: 1Gi, cron: '{n % 60} {n // 60 % 24} * * *'}}\n" for n in range(3000)),
    "crons that are none": "policies:\n"
    + "".join(f"- {{name: a, threshold: 1Gi, cron: '0-59 0-23 1-31/{n} */{n} *'}}\n" for n in range(3000)),
    "time zones": "policies:\n" + "".join(f"- {{name: a, threshold: 1Gi, timezone: z{n}}}\n" for n in range(3000)),
    "commas": "policies: [{name: a, threshold: 1Gi, match: {selector: '" + "," * 500_000 + "'}}]",
    "a long threshold": "policies: [{name: a, threshold: '" + "1 " * 500_000 + "'}]",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_policies_are_refused_in_no_time(text: str) -> None:
    """What is valid YAML and a great many wrong policies is refused within five seconds of CPU, too."""
    began = time.process_time()
    check(text)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("value", ["\\x1b[31mred", "\\a\\b", "\\u202e"])
def test_control_characters_are_not_passed_on(value: str) -> None:
    """A value can't paint the terminal of somebody who reads the problem."""
    with pytest.raises(PolicyError) as refused:
        parse(
            f'policies: [{{name: "{value}", threshold: "{value}", "{value}": 1, match: {{workload: "{value}"}}}}]',
            sample_interval=30,
        )
    assert str(refused.value).replace("\n", "").isprintable()
