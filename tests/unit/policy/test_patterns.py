"""RE2 expressions: whole names only, Prometheus' reading, and complaints that help."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.policy.patterns import LONGEST, Pattern, any_matches, compiled


@pytest.mark.parametrize(
    ("expression", "name", "matches"),
    [
        ("team-.*", "team-a", True),
        ("team-.*", "my-team-a", False),
        ("team", "team-a", False),
        ("a|b", "a", True),
        ("a|b", "b", True),
        ("a|b", "ab", False),
        ("a|b", "xb", False),
        ("a|ab", "ab", True),
        ("(?i)ABC", "abc", True),
        ("(?i)a|b", "B", True),
        ("^a$", "a", True),
        ("(?m)^a$", "a\nb", False),
        (".*", "", True),
        ("a.b", "a\nb", True),
        (r"\d+", "12", True),
        (r"\(\?P<x>a", "(?P<x>a", True),
        ("(a)(b)", "ab", True),
    ],
)
def test_matches_whole_names(*, expression: str, name: str, matches: bool) -> None:
    """An expression has to match all of a name, an alternation as a whole, flags included."""
    assert Pattern(expression).matches(name) is matches


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("", "an empty expression matches no name; write .* for every name"),
        (
            "*-prod",
            (
                "'*-prod' is not a regular expression for RE2 (no argument for repetition operator: *); "
                "write .*-prod for all names that end so"
            ),
        ),
        ("team-*", "'team-*' is a shell pattern; write team-.* for all names that begin so"),
        (
            "(a",
            (
                "'(a' is not a regular expression for RE2 (missing ): (a); "
                "close every bracket, or write \\( and \\[ for the characters themselves"
            ),
        ),
        (
            "a)(b",
            (
                "'a)(b' is not a regular expression for RE2 (unexpected ): a)(b); "
                "close every bracket, or write \\( and \\[ for the characters themselves"
            ),
        ),
        (
            "(?=a)b",
            (
                "'(?=a)b' is not a regular expression for RE2 (invalid perl operator: (?=); "
                "RE2 can't look ahead or behind; name what shall match instead"
            ),
        ),
        (
            "a{2000}",
            "'a{2000}' is not a regular expression for RE2 (invalid repetition size: {2000}); write a simpler one",
        ),
        (
            r"\pL{900}",
            (
                r"'\\pL{900}' is not a regular expression for RE2 (pattern too large - compile failed); "
                "write a simpler one"
            ),
        ),
        (r"a\C", r"'a\\C' uses \C, which Prometheus refuses; write . for one character"),
        (
            r"a\y",
            (
                r"'a\\y' is not a regular expression for RE2 (invalid escape sequence: \y); "
                r"remove the backslash, or write \\ for a backslash itself"
            ),
        ),
        ("(?P<x>a)b", "'(?P<x>a)b' names a group, which has no use here; remove ?P<x>"),
        ("(?i)((?<team>a)|b)", "'(?i)((?<team>a)|b)' names a group, which has no use here; remove ?<team>"),
        ("a\u200bb", "'a\\u200bb' holds a character that can't be seen; no name has one, so remove it"),
    ],
)
def test_refuses_with_the_complaint_and_the_fix(expression: str, sentence: str) -> None:
    """What is no expression is refused with RE2's own words and with what to write instead."""
    with pytest.raises(ValueError, match=r"write|remove|can't look") as refused:
        Pattern(expression)
    assert str(refused.value) == sentence


def test_refuses_what_swallows_the_anchors() -> None:
    r"""An unclosed ``\Q`` is valid alone and breaks the query that Prometheus makes of it, so it is refused."""
    with pytest.raises(ValueError, match="is not a regular expression for RE2"):
        Pattern(r"team\Q")


def test_refuses_very_long_expressions() -> None:
    """An expression has a bounded length, and the message shows only its beginning."""
    with pytest.raises(ValueError, match="at most 1000 are taken") as refused:
        Pattern("a" * (LONGEST + 1))
    assert len(str(refused.value)) < 200


def test_complains_nowhere_but_in_the_error(capfd: pytest.CaptureFixture[str]) -> None:
    """RE2 writes nothing to the process' stderr, which belongs to the log."""
    with pytest.raises(ValueError, match="RE2"):
        Pattern("(")
    assert capfd.readouterr() == ("", "")


def test_several_match_where_one_does() -> None:
    """One of several expressions is enough, and none of none matches."""
    assert any_matches(compiled(["a", "b.*"]), "bc")
    assert not any_matches(compiled(["a", "b.*"]), "cb")
    assert not any_matches((), "a")


def test_equal_texts_are_equal_patterns() -> None:
    """Patterns compare by what was written."""
    assert Pattern("a") == Pattern("a")
    assert Pattern("a") != Pattern("b")
    assert len({Pattern("a"), Pattern("a")}) == 1


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.sampled_from("ab.*+?|()[]{}^$\\QECdpL0-9,:=!<>i"), max_size=12))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    """No text makes the compiler fail with anything but a ValueError."""
    sentence = ""
    try:
        Pattern(text).matches("ab")
    except ValueError as exc:
        sentence = str(exc)
    assert "\n" not in sentence
