"""Durations: what is read, what is refused, and how they are written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.policy.durations import MAX_SECONDS, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("2m", 120),
        ("1h30m", 5400),
        ("1d", 86_400),
        ("1d2h3m4s", 93_784),
        ("0s", 0),
        ("007s", 7),
        ("120m", 7200),
    ],
)
def test_reads_durations(text: str, seconds: int) -> None:
    """Units stand from the largest to the smallest, each once at most, and add up."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("90", "'90' has no unit; write 90s for seconds or 90m for minutes"),
        ("1.5h", "'1.5h' is not in whole numbers; write 1h30m"),
        ("0.5s", "'0.5s' is not in whole numbers; write 1s"),
        ("500ms", "'500ms' is in milliseconds; write whole seconds, such as 1s"),
        ("1h 30m", "'1h 30m' is not a duration; write 1h30m"),
        ("2M", "'2M' is not a duration; write 2m"),
        ("30m1h", "'30m1h' is not a duration; write such as 90s, 2m, 1h30m or 1d"),
        ("1:30", "'1:30' is not a duration; write such as 90s, 2m, 1h30m or 1d"),
        ("", "'' is not a duration; write such as 90s, 2m, 1h30m or 1d"),
        ("-5s", "'-5s' is not a duration; write such as 90s, 2m, 1h30m or 1d"),
        ("٣s", "'٣s' is not a duration; write such as 90s, 2m, 1h30m or 1d"),
        ("367d", "'367d' is longer than a year; write a shorter one, such as 1h"),
        ("999999999d", "'999999999d' is longer than a year; write a shorter one, such as 1h"),
    ],
)
def test_refuses_with_what_to_write_instead(text: str, sentence: str) -> None:
    """What is no duration is refused with the duration that was probably meant."""
    with pytest.raises(ValueError, match="write") as refused:
        parse_duration(text)
    assert str(refused.value) == sentence


@settings(max_examples=100, deadline=None)
@given(seconds=st.integers(0, MAX_SECONDS))
def test_written_durations_are_read_back(seconds: int) -> None:
    """What is written is read back as the same number of seconds."""
    assert parse_duration(format_duration(seconds)) == seconds


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.sampled_from("0123456789dhms .-:MÀ٣\n\x00{}"), max_size=60))
def test_refuses_with_nothing_but_a_sentence(text: str) -> None:
    """No text makes the reader fail with anything but a ValueError on one line."""
    sentence = "write"
    try:
        assert 0 <= parse_duration(text) <= MAX_SECONDS
    except ValueError as exc:
        sentence = str(exc)
    assert "write" in sentence
    assert "\n" not in sentence
