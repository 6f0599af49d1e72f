"""Which nodes a DaemonSet has a pod on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.model.nodes import Node, Taint
from remediator.model.placement import DAEMON_TOLERATIONS, NodeRequirement, Placement, Toleration

NODE = Node("node-1", labels={"zone": "a", "cores": "8", "arch": "arm64"}, taints=())
TEAM = Taint("team", "shop", "NoSchedule")


def tainted(*taints: Taint) -> Node:
    """The node with these taints."""
    return Node("node-1", labels=NODE.labels, taints=taints)


def test_a_template_that_asks_for_nothing_fits_everywhere() -> None:
    """No name, no selector, no affinity, no taint."""
    assert Placement().objection(NODE) == ""
    assert Placement().objection(Node("bare")) == ""


@pytest.mark.parametrize(
    ("placement", "words"),
    [
        (Placement(node_name="node-1"), ""),
        (Placement(node_name="node-2"), "node node-1 is not the one that the template names"),
        (Placement(node_selector={"zone": "a"}), ""),
        (Placement(node_selector={"zone": "a", "arch": "amd64"}), "node node-1 is not selected any more"),
        (Placement(node_selector={"disk": ""}), "node node-1 is not selected any more"),
        (Placement(terms=()), "node node-1 does not meet the node affinity any more"),
        (Placement(terms=((),)), "node node-1 does not meet the node affinity any more"),
    ],
)
def test_the_name_and_the_selector(placement: Placement, words: str) -> None:
    """Every label of the selector has to be there; an affinity without a term is met by no node."""
    assert placement.objection(NODE) == words


@pytest.mark.parametrize(
    ("requirement", "meets"),
    [
        (NodeRequirement("zone", "In", ("a", "b")), True),
        (NodeRequirement("zone", "In", ("b",)), False),
        (NodeRequirement("zone", "NotIn", ("b",)), True),
        (NodeRequirement("zone", "NotIn", ("a",)), False),
        (NodeRequirement("disk", "NotIn", ("a",)), True),
        (NodeRequirement("zone", "Exists"), True),
        (NodeRequirement("disk", "Exists"), False),
        (NodeRequirement("zone", "DoesNotExist"), False),
        (NodeRequirement("disk", "DoesNotExist"), True),
        (NodeRequirement("cores", "Gt", ("7",)), True),
        (NodeRequirement("cores", "Gt", ("8",)), False),
        (NodeRequirement("cores", "Lt", ("9",)), True),
        (NodeRequirement("cores", "Lt", ("8",)), False),
        (NodeRequirement("cores", "Lt", ("-1",)), False),
        (NodeRequirement("zone", "Gt", ("1",)), False),
        (NodeRequirement("disk", "Gt", ("1",)), False),
        (NodeRequirement("cores", "Gt", ("many",)), False),
        (NodeRequirement("metadata.name", "In", ("node-1",), of_name=True), True),
        (NodeRequirement("metadata.name", "In", ("node-2",), of_name=True), False),
        (NodeRequirement("metadata.name", "NotIn", ("node-1",), of_name=True), False),
        (NodeRequirement("metadata.name", "In", ("node-1",)), False),
        (NodeRequirement("zone", "Near", ("b",)), True),
        (NodeRequirement("cores", "Gt", ()), True),
    ],
)
def test_each_operator(requirement: NodeRequirement, *, meets: bool) -> None:
    """As the scheduler has them; an operator that nobody knows yet is no objection."""
    assert requirement.meets(NODE) is meets
    assert (Placement(terms=((requirement,),)).objection(NODE) == "") is meets


def test_one_term_is_enough_and_needs_all_of_its_requirements() -> None:
    """Terms are alternatives."""
    here, there = NodeRequirement("zone", "In", ("a",)), NodeRequirement("zone", "In", ("b",))
    small = NodeRequirement("cores", "Lt", ("4",))
    assert Placement(terms=((there,), (here,))).objection(NODE) == ""
    assert Placement(terms=((here, small), (there,))).objection(NODE)


@pytest.mark.parametrize(
    ("toleration", "tolerates"),
    [
        (Toleration("team", "Equal", "shop", "NoSchedule"), True),
        (Toleration("team", "Equal", "shop"), True),
        (Toleration("team", "Equal", "bank"), False),
        (Toleration("team"), False),
        (Toleration("team", "Exists"), True),
        (Toleration("team", "Exists", effect="NoExecute"), False),
        (Toleration("", "Exists"), True),
        (Toleration("crew", "Exists"), False),
        (Toleration("team", "Gt", "5"), True),
    ],
)
def test_each_toleration(toleration: Toleration, *, tolerates: bool) -> None:
    """As the scheduler has them; an operator that nobody knows yet tolerates."""
    assert toleration.tolerates(TEAM) is tolerates
    assert (Placement(tolerations=(toleration,)).objection(tainted(TEAM)) == "") is tolerates


def test_a_taint_is_named() -> None:
    """As kubectl writes it."""
    assert Placement().objection(tainted(TEAM)) == (
        "node node-1 has the taint team=shop:NoSchedule, which is not tolerated"
    )
    assert "taint gone:NoExecute," in Placement().objection(tainted(Taint("gone", effect="NoExecute")))


def test_a_taint_that_is_only_a_wish_keeps_nobody_away() -> None:
    """PreferNoSchedule."""
    assert Placement().objection(tainted(Taint("team", "shop", "PreferNoSchedule"))) == ""


@pytest.mark.parametrize(
    ("taint", "fits"),
    [
        (Taint("node.kubernetes.io/unschedulable", effect="NoSchedule"), True),
        (Taint("node.kubernetes.io/memory-pressure", effect="NoSchedule"), True),
        (Taint("node.kubernetes.io/not-ready", effect="NoExecute"), True),
        (Taint("node.kubernetes.io/unreachable", effect="NoExecute"), True),
        (Taint("node.kubernetes.io/not-ready", effect="NoSchedule"), False),
        (Taint("node.cloudprovider.kubernetes.io/shutdown", effect="NoSchedule"), False),
    ],
)
def test_a_daemon_stays_on_a_node_that_is_cordoned_or_in_trouble(taint: Taint, *, fits: bool) -> None:
    """Its controller adds these tolerations; from a node that is not Ready it expects no new pod."""
    assert (Placement(tolerations=DAEMON_TOLERATIONS).objection(tainted(taint)) == "") is fits


WORDS = st.sampled_from(["", "a", "b", "7", "node-1"])
OPERATORS = st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Near", ""])
REQUIREMENTS = st.builds(
    NodeRequirement, key=WORDS, operator=OPERATORS, values=st.lists(WORDS, max_size=2).map(tuple), of_name=st.booleans()
)
TAINTS = st.builds(
    Taint, key=WORDS, value=WORDS, effect=st.sampled_from(["NoSchedule", "NoExecute", "PreferNoSchedule"])
)
TOLERATIONS = st.builds(Toleration, key=WORDS, operator=OPERATORS, value=WORDS, effect=WORDS)


@given(
    terms=st.none() | st.lists(st.lists(REQUIREMENTS, max_size=2).map(tuple), max_size=2).map(tuple),
    tolerations=st.lists(TOLERATIONS, max_size=2).map(tuple),
    taints=st.lists(TAINTS, max_size=2).map(tuple),
    labels=st.dictionaries(WORDS, WORDS, max_size=3),
)
def test_whatever_is_written_there_is_an_answer(terms: Any, tolerations: Any, taints: Any, labels: Any) -> None:  # noqa: ANN401
    """One sentence or none, and one that names the node; a toleration of everything leaves no taint to object to."""
    node = Node("node-1", labels=labels, taints=taints)
    words = Placement(terms=terms, tolerations=tolerations).objection(node)
    assert words == "" or words.startswith("node node-1 ")
    assert "taint" not in Placement(terms=terms, tolerations=(Toleration("", "Exists"),)).objection(node)
