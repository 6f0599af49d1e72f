"""The memory from one reading to the next."""

from __future__ import annotations

from demo.reading import Reading


def readings(*values: float) -> Reading:
    """The last of one reading a second of one pod, with a threshold of 10."""
    reading = Reading()
    for at, value in enumerate(values):
        reading = reading.followed_by({"a": value}, at=float(at), threshold=10)
    return reading


def test_a_pod_is_over_since_it_was_first_read_so() -> None:
    """Without a gap; at the threshold is not over."""
    assert readings(9, 11, 12, 13).over_since == {"a": 1.0}
    assert readings(11, 10, 12).over_since == {"a": 2.0}


def test_the_peak_stays_when_the_memory_falls_or_the_pod_is_gone() -> None:
    """It is what was most."""
    reading = readings(9, 17, 3)
    assert reading.peak == {"a": 17}
    assert reading.followed_by({}, at=9.0, threshold=10).peak == {"a": 17}


def test_a_pod_has_fallen_back_when_it_was_over_and_is_below() -> None:
    """One that is gone has not."""
    assert readings(9, 11).fell_back == frozenset()
    assert readings(9, 11, 9).fell_back == {"a"}
    assert readings(9, 11, 9, 12).fell_back == {"a"}
    assert readings(9, 11).followed_by({}, at=3.0, threshold=10).fell_back == frozenset()


def test_the_longest_stretch_over_is_kept() -> None:
    """In seconds between its first and its last reading."""
    assert readings(11, 11, 11, 9, 11, 11, 9).longest == {"a": 2.0}
