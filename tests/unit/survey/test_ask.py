"""Questions: one moment for all of them, and matchers one by one."""

from __future__ import annotations

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.detect.promql import quoted
from remediator.detect.scope import DEFAULT_SELECTOR
from remediator.survey.ask import selector, split


@pytest.mark.parametrize(
    ("text", "matchers"),
    [
        ("", ()),
        (DEFAULT_SELECTOR, ('container!=""', 'container!="POD"', 'image!=""')),
        (' cluster = "a,b" , job=~"x|y",', ('cluster = "a,b"', 'job=~"x|y"')),
        ("a='it\\'s',b=`{\",}`", ("a='it\\'s'", 'b=`{",}`')),
        ('a="\\"}",b!~"c"', ('a="\\"}"', 'b!~"c"')),
        ('"my.label"="x",b="y"', ('"my.label"="x"', 'b="y"')),
    ],
)
def test_matchers_come_one_by_one(text: str, matchers: tuple[str, ...]) -> None:
    """Commas and braces within a string divide nothing."""
    assert split(text) == matchers


@given(values=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8), max_size=4))
def test_what_is_split_is_the_whole(values: list[str]) -> None:
    """Put together again, the parts are the selector that they came from."""
    matchers = [f"l{n}={quoted(value)}" for n, value in enumerate(values)]
    assert split(", ".join(matchers)) == tuple(matchers)
    assert isinstance(promql_parser.parse(selector("up", matchers)), promql_parser.VectorSelector)
