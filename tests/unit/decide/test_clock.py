"""Times that can't be compared hold all action."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.decide.clock import SKEW, clock_hold
from remediator.model.clocks import Reading
from remediator.model.remediations import Act, Breaker, Ledger
from remediator.model.vocabulary import Gate, Reason
from tests.unit.make import DEPLOYMENT, NOW, record

CALM = Ledger()


def why(
    *, prometheus: float | None = None, api: float | None = None, within: float = 0.5, ledger: Ledger = CALM
) -> str:
    """Why it holds, by how many seconds the servers are ahead, so closely known; empty where it does not."""
    ahead = {"Prometheus": prometheus, "the API server": api}
    clocks = {name: Reading(by - within, by + within) for name, by in ahead.items() if by is not None}
    hold = clock_hold(clocks, ledger, NOW)
    assert hold is None or (hold.gate, hold.reason) == (Gate.CLOCK, Reason.CLOCK)
    return hold.why if hold else ""


@pytest.mark.parametrize(
    ("prometheus", "api", "words"),
    [
        (None, None, ""),
        (0.0, 0.0, ""),
        (SKEW + 0.5, 0.0, ""),
        (40.0, None, "Prometheus is 40 s ahead of us, and 30 s are allowed"),
        (-40.0, -11.0, "Prometheus is 40 s behind us, and 30 s are allowed"),
        (None, 3600.0, "the API server is 3600 s ahead of us, and 30 s are allowed"),
        (20.0, -20.0, "Prometheus is 40 s ahead of the API server, and 30 s are allowed"),
        (-16.0, 16.0, "Prometheus is 32 s behind the API server, and 30 s are allowed"),
        (15.0, -15.0, ""),
    ],
)
def test_any_two_clocks_are_compared(prometheus: float | None, api: float | None, words: str) -> None:
    """With ours and with each other, in both directions; one that has not told the time is not there."""
    assert why(prometheus=prometheus, api=api) == words


def test_all_that_is_wrong_is_told() -> None:
    """Who has the right time can't be told from two clocks, but from three."""
    assert why(prometheus=100.0, api=100.0) == (
        "Prometheus is 100 s ahead of us, and 30 s are allowed; "
        "the API server is 100 s ahead of us, and 30 s are allowed"
    )


def test_a_slow_answer_proves_less() -> None:
    """Whatever could be because of the way that the answer took is no difference of clocks."""
    assert why(prometheus=40.0, within=9.9)
    assert not why(prometheus=40.0, within=10.0)
    assert not why(prometheus=20.0, api=-20.0, within=5.0)


@pytest.mark.parametrize(
    "ledger",
    [
        pytest.param(Ledger(in_flight={"a": record(intended_at=NOW + 600.0)}), id="in flight"),
        pytest.param(Ledger(in_flight={"a": record(taken_at=NOW + 600.0)}), id="taken"),
        pytest.param(Ledger(settled=(record(settled_at=NOW + 600.0), record(settled_at=NOW - 5.0))), id="settled"),
        pytest.param(Ledger(acts=(Act("x", "a", NOW + 600.0), Act("x", "b", NOW - 5.0, NOW - 1.0))), id="an intent"),
        pytest.param(Ledger(acts=(Act("x", "a", NOW - 5.0, NOW + 600.0),)), id="the end of one"),
        pytest.param(
            Ledger(breakers={"x": Breaker(DEPLOYMENT, NOW + 600.0, record())}), id="a breaker, kept beyond its record"
        ),
    ],
)
def test_the_newest_record_must_not_be_from_the_future(ledger: Ledger) -> None:
    """Until our clock has passed it; whatever the record tells of."""
    words = "the journal's newest record is of 2027-01-15 08:10:00 UTC, 600 s ahead of our clock"
    assert why(ledger=ledger) == words
    assert clock_hold({}, ledger, NOW + 599.9)
    assert clock_hold({}, ledger, NOW + 600.0) is None


def test_a_journal_of_the_past_holds_nothing() -> None:
    """An empty one neither."""
    past = Ledger(
        in_flight={"a": record()}, settled=(replace(record(), settled_at=float(NOW)),), acts=(Act("x", "a", NOW),)
    )
    assert not why(ledger=past)
    assert not why()
