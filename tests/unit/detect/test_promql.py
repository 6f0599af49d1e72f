"""From a policy to PromQL: the queries word by word, and that no name or expression can change what is asked."""

from __future__ import annotations

import json
from dataclasses import astuple, replace

import promql_parser
import pytest
import re2
from hypothesis import example, given
from hypothesis import strategies as st

from remediator.detect.promql import (
    METRICS,
    compile_queries,
    matchers_of_policy,
    own_samples_query,
    quoted,
    samples_query,
)
from remediator.detect.scope import DEFAULT_SELECTOR, Scope, misread
from remediator.model.vocabulary import Signal
from remediator.policy import Match, Policy
from remediator.policy.patterns import Pattern
from tests.unit.make import SCOPE, policy, safety

METRIC = "container_memory_working_set_bytes"
S = 'container!="",container!="POD",image!="",namespace!~"(?:kube-system)"'
EXPORTED = {"namespace": "exported_namespace", "pod": "exported_pod", "container": "exported_container"}


# Word by word


def test_a_quantity_is_compared_with_the_sum_of_minima() -> None:
    """Each container counts once, at its lowest within ``for``, and the sum of a pod is compared in Prometheus."""
    assert compile_queries(policy("20Gi"), safety(), SCOPE).nominate == (
        "sum by (namespace,pod) (max by (namespace,pod,container) "
        f"(min_over_time(container_memory_working_set_bytes{{{S}}}[120s]))) > 21474836480"
    )


def test_a_share_is_compared_with_the_limits_of_kube_state_metrics() -> None:
    """Containers join their lowest limit, of the spec or in force, by name; 0 and 2^60 and above are no limit."""
    assert compile_queries(policy("92.5% of limit"), safety(), SCOPE).nominate == (
        "max by (namespace,pod,container) "
        f"(min_over_time(container_memory_working_set_bytes{{{S}}}[120s])) / on (namespace,pod,container) "
        "min by (namespace,pod,container) (("
        'kube_pod_container_resource_limits{resource="memory",namespace!~"(?:kube-system)"} or '
        'kube_pod_init_container_resource_limits{resource="memory",namespace!~"(?:kube-system)"}) > 0 < 2^60 or '
        f"container_spec_memory_limit_bytes{{{S}}} > 0 < 2^60) > 0.925"
    )


def test_a_share_of_the_request_is_compared_with_requests_of_kube_state_metrics() -> None:
    """Requests join by name as limits do; cAdvisor has none, and a pod's own limit has nothing to do with it."""
    queries = compile_queries(policy("250% of request"), safety(), SCOPE)
    assert queries.nominate == (
        "max by (namespace,pod,container) "
        f"(min_over_time(container_memory_working_set_bytes{{{S}}}[120s])) / on (namespace,pod,container) "
        "min by (namespace,pod,container) (("
        'kube_pod_container_resource_requests{resource="memory",namespace!~"(?:kube-system)"} or '
        'kube_pod_init_container_resource_requests{resource="memory",namespace!~"(?:kube-system)"}) > 0 < 2^60) > 2.5'
    )
    assert (queries.nominate_pods, queries.pod_limits) == ("", "")


def test_pods_with_a_limit_of_their_own_are_compared_as_a_whole() -> None:
    """The pod's own cgroup over its lowest limit, but not where that is the sum of its running containers' limits."""
    kube, own = 'namespace!~"(?:kube-system)"', 'container="",image="",pod!="",namespace!~"(?:kube-system)"'
    memory = f'resource="memory",{kube}'
    queries = compile_queries(policy("90% of limit"), safety(), SCOPE)
    assert queries.pod_limits == f"count(kube_pod_resource_limit{{{memory}}})"
    assert queries.nominate_pods == (
        f"max by (namespace,pod) (min_over_time(container_memory_working_set_bytes{{{own}}}[120s])) "
        "/ on (namespace,pod) ("
        f"min by (namespace,pod) (kube_pod_resource_limit{{{memory}}} > 0 < 2^60 or "
        f"container_spec_memory_limit_bytes{{{own}}} > 0 < 2^60) "
        "unless on (namespace,pod) ("
        f"max by (namespace,pod) (kube_pod_resource_limit{{{memory}}} > 0 < 2^60) == on (namespace,pod) "
        "sum by (namespace,pod) (max by (namespace,pod,container) ("
        f"(kube_pod_container_resource_limits{{{memory}}} or kube_pod_init_container_resource_limits{{{memory}}} "
        f"and on (namespace,pod,container) kube_pod_init_container_status_running{{{kube}}} == 1))))) > 0.9"
    )


@pytest.mark.parametrize("other", [policy("20Gi"), policy("90% of limit", match=Match(containers=("app",)))])
def test_pods_are_not_weighed_by_other_thresholds_nor_for_some_of_their_containers(other: Policy) -> None:
    """A quantity is the sum already, and what a policy says of one container is not said of the pod."""
    queries = compile_queries(other, safety(), SCOPE)
    assert (queries.nominate_pods, queries.pod_limits) == ("", "")


@pytest.mark.parametrize("signal", list(Signal))
@pytest.mark.parametrize("threshold", ["20Gi", "90% of limit", "150% of request"])
def test_every_question_is_about_the_signal_of_the_policy(signal: Signal, threshold: str) -> None:
    """No query mixes two of the three numbers."""
    by = policy(threshold, signal=signal)
    queries = compile_queries(by, safety(), SCOPE)
    samples = [ask(by, SCOPE, namespace="shop", pods=["a"]) for ask in (samples_query, own_samples_query)]
    named = [one for one in astuple(queries) if one and one != queries.pod_limits]
    for query in [*named, *samples]:
        measured = {name for name, _, _ in selectors(query)} & set(METRICS.values())
        assert measured == {METRICS[signal]}


@pytest.mark.parametrize(("threshold", "over"), [("20Gi", "21474836480"), ("92.5% of limit", "0.925")])
def test_what_is_compared_can_be_asked_for_by_itself(threshold: str, over: str) -> None:
    """The level is the question that names candidates, but for its comparison: what ``check`` counts."""
    queries = compile_queries(policy(threshold), safety(), SCOPE)
    assert queries.nominate == f"{queries.level} > {over}"
    found = promql_parser.parse(queries.nominate)
    assert isinstance(found, promql_parser.BinaryExpr)
    assert found.lhs.prettify() == promql_parser.parse(queries.level).prettify(), (
        "nothing in it binds to the comparison"
    )


def test_the_matchers_of_a_policy_can_be_had_one_by_one() -> None:
    """Each is one condition, in the order of the query; what is left out is none."""
    match = Match(namespaces=("shop",), containers=("app",))
    assert matchers_of_policy(policy(match=match), safety()) == (
        'namespace=~"(?:shop)"',
        'namespace!~"(?:kube-system)"',
        'container=~"(?:app)"',
    )


def test_what_was_measured_is_counted() -> None:
    """Series with a young sample, series at all, and measured pods over those that run."""
    queries = compile_queries(policy(), safety(), SCOPE)
    recent = f"last_over_time(container_memory_working_set_bytes{{{S}}}[75s])"
    running = 'count by (namespace,pod) (kube_pod_status_phase{phase="Running",namespace!~"(?:kube-system)"} == 1)'
    assert queries.fresh == f"count({recent})"
    assert queries.pods == f"count(count by (namespace,pod) ({recent}))"
    assert queries.present == f"count(container_memory_working_set_bytes{{{S}}})"
    assert queries.coverage == (
        f"count(count by (namespace,pod) ({recent}) and on (namespace,pod) {running}) / count({running})"
    )


def test_the_samples_of_some_pods_are_asked_for_with_a_margin() -> None:
    """The range reaches two sample intervals beyond ``for``, so that a sample from before its start is in it."""
    query = samples_query(policy(), SCOPE, namespace="shop", pods=["web-b", "web-a.1"])
    assert query == (
        'container_memory_working_set_bytes{container!="",container!="POD",image!="",'
        'namespace="shop",pod=~"web-a\\\\.1|web-b"}[185s]'
    )


def test_what_a_policy_matches_is_in_every_question() -> None:
    """Namespaces, pods and containers of the policy, and the matchers of the process, narrow each selector."""
    match = Match(namespaces=("team-.*", "shop"), pods=("web-.*",), containers=("app",))
    scope = replace(SCOPE, matchers='cluster="a",')
    queries = compile_queries(policy("90% of limit", match=match), safety(), scope)
    measured = (
        f'{DEFAULT_SELECTOR},cluster="a",namespace=~"(?:team-.*)|(?:shop)",namespace!~"(?:kube-system)",'
        'pod=~"(?:web-.*)",container=~"(?:app)"'
    )
    states = 'cluster="a",namespace=~"(?:team-.*)|(?:shop)",namespace!~"(?:kube-system)",pod=~"(?:web-.*)"'
    for query in (queries.nominate, queries.fresh, queries.pods, queries.present, queries.coverage):
        assert f"{METRIC}{{{measured}}}" in query
    assert queries.nominate.count(f'{{resource="memory",{states}}}') == 2
    assert queries.coverage.count(f'{{phase="Running",{states}}}') == 2
    assert samples_query(policy(match=match), scope, namespace="shop", pods=["p"]) == (
        f'{METRIC}{{{DEFAULT_SELECTOR},cluster="a",namespace="shop",pod=~"p",container=~"(?:app)"}}[185s]'
    )


def test_the_labels_of_limits_are_renamed_and_matched_under_their_own_names() -> None:
    """Where kube-state-metrics is scraped without ``honor_labels``, ``pod`` is its own pod, and never joined."""
    match = Match(namespaces=("shop",), pods=("web-.*",))
    scope = replace(SCOPE, limits_labels=EXPORTED)
    queries = compile_queries(policy("90% of limit", match=match), safety(), scope)
    theirs = 'exported_namespace=~"(?:shop)",exported_namespace!~"(?:kube-system)",exported_pod=~"(?:web-.*)"'
    limits = (
        "min by (namespace,pod,container) (label_replace(label_replace(label_replace("
        "min by (exported_namespace,exported_pod,exported_container) (("
        f'kube_pod_container_resource_limits{{resource="memory",{theirs}}} or '
        f'kube_pod_init_container_resource_limits{{resource="memory",{theirs}}}) > 0 < 2^60), '
        '"namespace", "$1", "exported_namespace", "(.*)"), "pod", "$1", "exported_pod", "(.*)"), '
        '"container", "$1", "exported_container", "(.*)") or container_spec_memory_limit_bytes{'
    )
    assert limits in queries.nominate
    running = (
        "count by (namespace,pod) (label_replace(label_replace(max by (exported_namespace,exported_pod) "
        f'(kube_pod_status_phase{{phase="Running",{theirs}}} == 1), "namespace", "$1", "exported_namespace", "(.*)"), '
        '"pod", "$1", "exported_pod", "(.*)"))'
    )
    assert queries.coverage.count(running) == 2
    assert "exported" not in queries.fresh + queries.present
    for name in ("kube_pod_resource_limit", "kube_pod_container_resource_limits"):
        assert f'{name}{{resource="memory",{theirs}}}' in queries.nominate_pods
    assert "and on (exported_namespace,exported_pod,exported_container) kube_pod_init" in queries.nominate_pods


@pytest.mark.parametrize("same", [{}, {"pod": "pod"}, {"namespace": "namespace", "container": "container"}])
def test_a_label_that_is_called_the_same_is_not_replaced(same: dict[str, str]) -> None:
    """Naming a label as it is changes no query."""
    plain = compile_queries(policy("90% of limit"), safety(), SCOPE)
    assert compile_queries(policy("90% of limit"), safety(), replace(SCOPE, limits_labels=same)) == plain


def test_only_the_labels_that_differ_are_replaced() -> None:
    """Folded by those that the series have, so that nothing is there twice after the others are overwritten."""
    queries = compile_queries(
        policy("150% of request"), safety(), replace(SCOPE, limits_labels={"pod": "exported_pod"})
    )
    assert "min by (namespace,exported_pod,container) (" in queries.nominate
    assert queries.nominate.count("label_replace(") == 1


@pytest.mark.parametrize("selector", ["", " , ", 'job="kubelet"', 'job="kubelet",', ',job="kubelet"'])
def test_commas_of_the_settings_don_t_matter(selector: str) -> None:
    """An empty selector, and one that begins or ends with a comma, still make a query."""
    queries = compile_queries(policy("90% of limit"), safety(), Scope(sample_interval=30, selector=selector))
    own = own_samples_query(policy(), Scope(sample_interval=30, selector=selector), namespace="shop", pods=["p"])
    for query in filter(None, [*astuple(queries), own]):
        promql_parser.parse(query)
        assert ",," not in query
        assert "{," not in query


def test_nothing_excluded_is_no_matcher() -> None:
    """Without excluded namespaces there is no matcher that excludes the empty name."""
    queries = compile_queries(policy(), safety(excluded_namespaces=()), SCOPE)
    assert "!~" not in queries.nominate


@pytest.mark.parametrize(
    ("threshold", "number"),
    [("1Ki", 1024), ("0.5Gi", 1 << 29), ("7Ei", 7 << 60), ("7% of limit", 0.07), ("0.000000001% of limit", 1e-11)],
)
def test_thresholds_are_numbers_of_promql(threshold: str, number: float) -> None:
    """The largest quantity and the smallest share are numbers that Prometheus reads as they are meant."""
    found = promql_parser.parse(compile_queries(policy(threshold), safety(), SCOPE).nominate)
    assert isinstance(found, promql_parser.BinaryExpr)
    assert isinstance(found.rhs, promql_parser.NumberLiteral)
    assert found.rhs.val == number


def test_only_ranges_of_stored_samples_decide() -> None:
    """Neither an instant selector nor a subquery names a pod: both show dead containers for minutes."""
    for threshold in ("20Gi", "90% of limit"):
        query = compile_queries(policy(threshold), safety(), SCOPE).nominate
        measured = [one for one in selectors(query) if one[0] == METRIC]
        assert [one[2] for one in measured] == [120]
        assert ":" not in query.replace("(?:", "")
    of_pods = compile_queries(policy("90% of limit"), safety(), SCOPE).nominate_pods
    assert [one[2] for one in selectors(of_pods) if one[0] == METRIC] == [120]


# Escaping

Selector = tuple[str | None, tuple[tuple[str, str, str], ...], float]
"""Metric, matchers (label, operator, value), and the range in seconds, 0 for none."""

OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


def selectors(query: str) -> list[Selector]:
    """All selectors of a query, as a parser of PromQL reads it."""
    found: list[Selector] = []

    def read(expr: promql_parser.VectorSelector, seconds: float) -> None:
        assert not expr.matchers.or_matchers
        assert expr.offset is None
        assert expr.at is None
        matchers = tuple((m.name, OPERATORS[str(m.op).rpartition(".")[2]], m.value) for m in expr.matchers.matchers)
        found.append((expr.name, matchers, seconds))

    def visit(expr: promql_parser.Expr) -> None:
        match expr:
            case promql_parser.MatrixSelector():
                read(expr.vector_selector, expr.range.total_seconds())
            case promql_parser.VectorSelector():
                read(expr, 0)
            case promql_parser.AggregateExpr() | promql_parser.ParenExpr():
                visit(expr.expr)
            case promql_parser.BinaryExpr():
                visit(expr.lhs)
                visit(expr.rhs)
            case promql_parser.Call():
                for argument in expr.args:
                    visit(argument)
            case promql_parser.NumberLiteral() | promql_parser.StringLiteral():
                pass
            case _:
                pytest.fail(f"an expression that no query of ours has: {expr}")

    visit(promql_parser.parse(query))
    return found


NASTY = [
    '"', "\\", "\\\\", '\\"', '"}', "'", "`", "{", "}", "[5m]", "(", ")", "|", ".", ".*", "*", "+", "?", "^", "$", ",",
    "=", "=~", "!", "#", " or ", "\n", "\r", "\t", "\0", "\x7f", "\u2028", "\x85", "é", "😀", "%", "$1", "\\Q", "\\E",
    "a", "b", "web", "-", "0", " ",
]  # fmt: skip
OWN = (("container", "=", ""), ("image", "=", ""), ("pod", "!=", ""))
names = st.one_of(st.lists(st.sampled_from(NASTY), max_size=8).map("".join), st.text(max_size=20))


def expected(namespace: str, pods: str) -> Selector:
    """The one selector that asks for the samples of pods."""
    default = (("container", "!=", ""), ("container", "!=", "POD"), ("image", "!=", ""))
    return METRIC, (*default, ("namespace", "=", namespace), ("pod", "=~", pods)), 185


@given(namespace=names, pods=st.lists(names, min_size=1, max_size=4, unique=True))
@example(namespace='shop"} or vector(1) #', pods=["a|b", ".*", "("])
def test_no_name_changes_what_is_asked(namespace: str, pods: list[str]) -> None:
    """Whatever a label in Prometheus holds, it is one selector, whose expression matches those names and no others."""
    [selector] = selectors(samples_query(policy(), SCOPE, namespace=namespace, pods=pods))
    pattern = selector[1][-1][2]
    [own] = selectors(own_samples_query(policy(), SCOPE, namespace=namespace, pods=pods))
    assert own[1] == (*OWN, ("namespace", "=", namespace), ("pod", "=~", pattern))
    assert selector == expected(namespace, pattern)
    anchored = re2.compile(f"^(?s:{pattern})$")
    assert all(anchored.search(pod) for pod in pods)
    others = {change for pod in pods for change in (pod + "x", "x" + pod, pod.replace(".", "x"), pod[1:], "")} | {"|"}
    assert not any(anchored.search(other) for other in others - set(pods))


def is_expression(text: str) -> bool:
    """Whether the policy file takes it, and the parser of the tests knows it as well."""
    try:
        Pattern(text)
        promql_parser.parse(f"x{{a=~{json.dumps(text, ensure_ascii=False)}}}")
    except ValueError:
        return False
    return True


PIECES = [
    *(one for one in NASTY if is_expression(one)),
    *("(?:a)", "(?i)", "[a-z]", "[^a]", "\\d", "\\.", "a{2}", "(a|b)", "[[:alpha:]]", "\\pL", "\\n", "a*", "b?"),
    *("\\(", "\\)", "\\[", "\\|", "\\*", "[)]", "[|]", "['\"]", "|a", "(?s:.)", '\\\\"', "^a", "b$", "(^|b)"),
]
patterns = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join).filter(is_expression)


def alternatives(several: list[str]) -> str:
    """One expression for any of several."""
    return "|".join(f"(?:{one})" for one in several)


def narrowed(namespaces: list[str], pods: list[str], containers: list[str], excluded: list[str]) -> Policy:
    """A share of the limit over those expressions."""
    match = Match(namespaces=tuple(namespaces), pods=tuple(pods), containers=tuple(containers))
    return policy("90% of limit", match=match)


some = st.lists(patterns, min_size=1, max_size=2)


@given(namespaces=some, pods=some, containers=some, excluded=some)
def test_no_expression_changes_what_is_asked(
    namespaces: list[str], pods: list[str], containers: list[str], excluded: list[str]
) -> None:
    """Whatever expressions a policy has, each query holds its own selectors only, with them as they were written."""
    given, keep = narrowed(namespaces, pods, containers, excluded), safety(excluded_namespaces=tuple(excluded))
    queries = compile_queries(given, keep, SCOPE)
    where = (
        ("namespace", "=~", alternatives(namespaces)),
        ("namespace", "!~", alternatives(excluded)),
        ("pod", "=~", alternatives(pods)),
    )
    measured = (
        ("container", "!=", ""),
        ("container", "!=", "POD"),
        ("image", "!=", ""),
        *where,
        ("container", "=~", alternatives(containers)),
    )
    memory, running = (("resource", "=", "memory"), *where), (("phase", "=", "Running"), *where)
    assert selectors(queries.nominate) == [
        (METRIC, measured, 120),
        ("kube_pod_container_resource_limits", memory, 0),
        ("kube_pod_init_container_resource_limits", memory, 0),
        ("container_spec_memory_limit_bytes", measured, 0),
    ]
    own = (*OWN, *where)
    of_pod = compile_queries(replace(given, match=replace(given.match, containers=())), keep, SCOPE)
    assert selectors(of_pod.nominate_pods) == [
        (METRIC, own, 120),
        ("kube_pod_resource_limit", memory, 0),
        ("container_spec_memory_limit_bytes", own, 0),
        ("kube_pod_resource_limit", memory, 0),
        ("kube_pod_container_resource_limits", memory, 0),
        ("kube_pod_init_container_resource_limits", memory, 0),
        ("kube_pod_init_container_status_running", where, 0),
    ]
    assert selectors(of_pod.pod_limits) == [("kube_pod_resource_limit", memory, 0)]
    assert selectors(queries.fresh) == [(METRIC, measured, 75)]
    assert selectors(queries.present) == [(METRIC, measured, 0)]
    phases = ("kube_pod_status_phase", running, 0)
    assert selectors(queries.coverage) == [(METRIC, measured, 75), phases, phases]


@given(several=some, name=st.sampled_from(["a", "b", "aa", "web", "A", "web-0", "", "é", "ab"]))
def test_one_of_several_expressions_is_what_prometheus_matches(several: list[str], name: str) -> None:
    """The alternatives in a query match a name just when one of the policy's expressions does."""
    query = compile_queries(policy(match=Match(pods=tuple(several))), safety(), SCOPE).present
    pattern = next(value for label, _, value in selectors(query)[0][1] if label == "pod")
    in_prometheus = re2.compile(f"^(?s:{pattern})$").search(name) is not None
    assert in_prometheus == any(Pattern(one).matches(name) for one in several)


@given(text=st.text())
def test_a_quoted_text_is_one_string(text: str) -> None:
    """The parser gives back the text that was quoted, and it stands on one line."""
    [(_, [(_, _, value)], _)] = selectors(f"x{{a={quoted(text)}}}")
    assert value == text
    assert "\n" not in quoted(text)


@given(theirs=st.sampled_from(["exported_pod", "kubernetes_pod_name", "label_x"]))
def test_a_renamed_label_is_matched_nowhere_under_our_name(theirs: str) -> None:
    """No selector of kube-state-metrics' series still asks for ``pod``: that is its own pod."""
    scope = replace(SCOPE, limits_labels={"pod": theirs})
    queries = compile_queries(policy("90% of limit", match=Match(pods=("web",))), safety(), scope)
    for metric, matchers, _ in [*selectors(queries.nominate), *selectors(queries.coverage)]:
        asked = {label for label, _, _ in matchers}
        of_state_metrics = (metric or "").startswith("kube_")
        assert ("pod" in asked) != of_state_metrics
        assert (theirs in asked) == of_state_metrics


# The selector of pods

MATCHERS = st.tuples(
    st.sampled_from(["container", "image", "name", "id", "job", "metrics_path", "namespace", "node"]),
    st.sampled_from(["=", "!=", "=~", "!~"]),
    st.text(alphabet="ab|.*\"\\'`{},=#\n ", max_size=5).filter(is_expression),
)
BETWEEN = st.sampled_from([",", " , ", ",\n"])


@given(several=st.lists(MATCHERS, max_size=4), between=BETWEEN)
def test_the_selector_of_pods_keeps_what_is_not_about_containers(
    several: list[tuple[str, str, str]], between: str
) -> None:
    """Whatever the selector of containers is, its matchers of the scrape hold for pods too, word by word."""
    written = between.join(f"{label}{operator}{quoted(value)}" for label, operator, value in several)
    scope = Scope(sample_interval=30, selector=written)
    [(_, found, _)] = selectors(f"x{{{scope.pod_selector}}}")
    kept = tuple(one for one in several if one[0] not in {"container", "image", "name", "id"})
    assert found == (*OWN, *kept)


@pytest.mark.parametrize(
    ("selector", "kept"),
    [
        ('container!="",container!="POD",image!=""', ""),
        (
            'job="kubelet",metrics_path="/metrics/cadvisor",container!=""',
            ',job="kubelet",metrics_path="/metrics/cadvisor"',
        ),
        ("job=~'a,b|c\\'d',image!=``", ",job=~'a,b|c\\'d'"),
        ("job=~`a|b`,id=~`.+`", ",job=~`a|b`"),
        ('  ,job = "a" , ', ',job = "a"'),
        ('job="a", # the kubelets, id="b"\nimage!=""', ',job="a"'),
        ("", ""),
    ],
)
def test_the_selector_of_pods_in_examples(selector: str, kept: str) -> None:
    """In each kind of quotes, with spaces and comments, and where nothing is left."""
    scope = Scope(sample_interval=30, selector=selector)
    assert misread(selector) == ""
    assert scope.pod_selector == f'container="",image="",pod!=""{kept}'
    assert misread(scope.pod_selector) == ""
