"""Findings: each once, problems first, and words that read well whatever the number."""

from __future__ import annotations

import pytest

from remediator.survey.findings import Kind, Level, counted, listed, merged, problem, warning


def test_a_finding_of_several_policies_is_one() -> None:
    """It names all of them, each once."""
    one = problem(Kind.NO_METRIC, where="m", what="w", fix="f", policies=["a"])
    other = problem(Kind.NO_METRIC, where="m", what="w", fix="f", policies=["b", "a"])
    (found,) = merged([one, other])
    assert found.policies == ("a", "b")


def test_problems_come_before_warnings() -> None:
    """Else in the order in which they were found."""
    first = warning(Kind.NO_LIMIT, where="1", what="", fix="")
    second = problem(Kind.NO_METRIC, where="2", what="", fix="")
    third = problem(Kind.STALE, where="3", what="", fix="")
    assert [one.where for one in merged([first, second, third])] == ["2", "3", "1"]
    assert [one.level for one in merged([first, second])] == [Level.PROBLEM, Level.WARNING]


@pytest.mark.parametrize(("number", "words"), [(0, "0 pods"), (1, "1 pod"), (2, "2 pods"), (12345, "12,345 pods")])
def test_a_number_with_its_noun(number: int, words: str) -> None:
    """Singular for one alone."""
    assert counted(number, "pod") == words


def test_a_list_says_how_many_more_there_are() -> None:
    """So that a sentence about a thousand pods stays one."""
    assert listed(["a", "b", "c"]) == "a, b, c"
    assert listed([*"abcde"], most=2) == "a, b and 3 more"
