"""What a ``Date`` header tells of a server's clock."""

from __future__ import annotations

from email.utils import formatdate
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.model.clocks import Reading, reading
from tests.unit.make import NOW


@given(ahead=st.floats(-1e5, 1e5), start=st.floats(0, 1), there=st.floats(0, 30), back=st.floats(0, 30))
def test_the_truth_is_never_outside(ahead: float, start: float, there: float, back: float) -> None:
    """However long the question and the answer are under way, and however the second is cut off."""
    sent = NOW + start
    written = floor(sent + there + ahead)
    found = reading(formatdate(written, usegmt=True), sent=sent, got=sent + there + back)
    assert found is not None
    assert found.low - 1e-6 <= ahead <= found.high + 1e-6
    assert found.high - found.low == pytest.approx(1 + there + back)


def test_a_quick_answer_tells_the_second() -> None:
    """As near as whole seconds allow."""
    found = reading("Fri, 15 Jan 2027 08:01:00 GMT", sent=NOW + 0.5, got=NOW + 0.75)
    assert found == Reading(59.25, 60.5)
    assert found.middle == 59.875


@pytest.mark.parametrize(
    "date", [None, "", "yesterday", "Fri, 15 Jan 2027 25:00:00 GMT", "Fri, 99 Jan 2027 08:00:00 GMT", "0", "\\x00"]
)
def test_what_is_no_date_tells_nothing(date: str | None) -> None:
    """Nor does one that came before it was asked for: our own clock was set back."""
    assert reading(date, sent=NOW, got=NOW + 1) is None
    assert reading("Fri, 15 Jan 2027 08:00:00 GMT", sent=NOW + 1, got=NOW) is None
