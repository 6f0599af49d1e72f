"""Label selectors, as Kubernetes reads and matches them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.model.selectors import LabelSelector, Operator, Requirement

WEB = {"app": "web", "tier": "front", "empty": ""}


@pytest.mark.parametrize(
    ("text", "matched"),
    [
        ("", True),
        (" ", True),
        ("app=web", True),
        ("app==web", True),
        ("app = web", True),
        ("app=worker", False),
        ("app=", False),
        ("empty=", True),
        ("absent=", False),
        ("app!=web", False),
        ("app!=worker", True),
        ("absent!=web", True),
        ("app in (web)", True),
        ("app in (worker, web)", True),
        ("app in (worker)", False),
        ("absent in (web)", False),
        ("app notin (web)", False),
        ("app notin (worker,front)", True),
        ("absent notin (web)", True),
        ("empty in ()", True),
        ("empty in (,a)", True),
        ("app in ()", False),
        ("app", True),
        ("empty", True),
        ("absent", False),
        ("!app", False),
        ("!absent", True),
        ("! absent", True),
        ("app=web,tier=front", True),
        ("app=web, tier=back", False),
        ("app=web,tier in (front,back),!absent", True),
        ("app in (a,b),tier notin (c,d)", False),
        ("app=Web", False),
    ],
)
def test_a_text_selects_what_kubectl_selects(text: str, matched: bool) -> None:  # noqa: FBT001
    """Every operator on labels that are there, empty and absent; an absent label meets ``!=`` and ``notin``."""
    assert LabelSelector.parse(text).matches(WEB) is matched


@pytest.mark.parametrize(
    "text",
    [
        *("=web", "app=a=b", "app in web", "app in (a", "app in a)", "app notin", "app=web,", ",", "app,,tier", "a b"),
        *("app in (a)(b)", "app!web", "-app", "app=-", "a/b/c", "A/b", "/a", "a/", "app=a b", "app>5", "x" * 64),
        *("app=" + "x" * 64, "app=web;tier=front", "app=\u00e9", "in (a)", "!", "!app=web", "app exists", "'app'=web"),
    ],
)
def test_what_is_no_selector_is_refused(text: str) -> None:
    """A sentence names the part that can't be read."""
    with pytest.raises(ValueError, match=r"is not a label|is no label"):
        LabelSelector.parse(text)


@pytest.mark.parametrize(
    ("selector", "matched"),
    [
        (None, True),
        ({}, True),
        ({"matchLabels": None, "matchExpressions": None}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "absent": ""}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "x"]}]}, True),
        ({"matchExpressions": [{"key": "absent", "operator": "NotIn", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist", "values": []}]}, False),
        (
            {
                "matchLabels": {"app": "web"},
                "matchExpressions": [{"key": "tier", "operator": "In", "values": ["back"]}],
            },
            False,
        ),
    ],
)
def test_an_object_selects_what_the_api_selects(selector: dict[str, Any] | None, matched: bool) -> None:  # noqa: FBT001
    """``matchLabels`` and ``matchExpressions`` together."""
    assert LabelSelector.from_object(selector).matches(WEB) is matched


@pytest.mark.parametrize(
    "expression", [{"key": "a", "operator": "Gt", "values": ["1"]}, {"key": "a", "operator": "in"}, {"operator": "In"}]
)
def test_an_unknown_operator_is_an_error(expression: dict[str, Any]) -> None:
    """A selector of a later Kubernetes is not taken for one that selects everything."""
    with pytest.raises((ValueError, KeyError)):
        LabelSelector.from_object({"matchExpressions": [expression]})


names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,10}[A-Za-z0-9])?", fullmatch=True)
keys = st.one_of(names, st.builds("{}/{}".format, st.sampled_from(["example.com", "a", "k8s.io"]), names))
values = st.one_of(names, st.just(""))
requirements = st.one_of(
    st.builds(
        Requirement,
        key=keys,
        operator=st.sampled_from([Operator.IN, Operator.NOT_IN]),
        values=st.frozensets(values, min_size=1, max_size=3),
    ),
    st.builds(Requirement, key=keys, operator=st.sampled_from([Operator.EXISTS, Operator.DOES_NOT_EXIST])),
)
selectors = st.lists(requirements, max_size=3).map(lambda some: LabelSelector(tuple(some)))


@given(selector=selectors)
def test_what_is_written_is_read(selector: LabelSelector) -> None:
    """The text that goes to the API server, and into the journal, means what it was made of."""
    assert LabelSelector.parse(str(selector)) == selector


@given(selector=selectors, labels=st.dictionaries(keys, values, max_size=3))
def test_it_matches_where_every_part_does(selector: LabelSelector, labels: dict[str, str]) -> None:
    """A walk through the parts, written differently, says the same."""
    found = True
    for part in selector.requirements:
        there, value = part.key in labels, labels.get(part.key)
        match part.operator:
            case Operator.EXISTS:
                found = found and there
            case Operator.DOES_NOT_EXIST:
                found = found and not there
            case Operator.IN:
                found = found and any(value == one for one in part.values)
            case Operator.NOT_IN:
                found = found and (not there or all(value != one for one in part.values))
    assert selector.matches(labels) is found


@given(text=st.text(st.sampled_from("ab=!(), in\tnot/.-_"), max_size=20))
def test_any_text_is_a_selector_or_one_sentence(text: str) -> None:
    """Nothing else comes out of it, and it takes no time."""
    try:
        LabelSelector.parse(text)
    except ValueError as exc:
        said = str(exc)
        assert "is not a label" in said


def test_a_long_selector_takes_no_time() -> None:
    """An expression that backtracks would take for ever on this one."""
    for text in ("(" * 5000, "a," * 5000 + "(", "a in (" + "b," * 5000, "!" * 5000, "a" * 5000 + "="):
        with pytest.raises(ValueError, match="is not a label"):
            LabelSelector.parse(text)
