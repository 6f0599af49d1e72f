"""Whether one evaluation names so much that it can't be true."""

from __future__ import annotations

import pytest

from remediator.decide.mass import WORKLOADS, mass_breach, one_of_each, share_exceeded
from remediator.model.measures import Candidate
from remediator.model.vocabulary import Reason
from tests.unit.make import safety


@pytest.mark.parametrize(
    ("nominated", "measured", "workloads", "allowed", "vetoed"),
    [
        pytest.param(51, 100, 21, 50, True, id="both too many"),
        pytest.param(50, 100, 50, 50, False, id="just the share"),
        pytest.param(51, 100, 20, 50, False, id="just so many workloads"),
        pytest.param(20, 20, 20, 50, False, id="a small cluster, all over"),
        pytest.param(21, 21, 21, 50, True, id="one workload more"),
        pytest.param(1000, 1000, 3, 50, False, id="all pods of a few workloads"),
        pytest.param(1000, 100_000, 1000, 50, False, id="many workloads, a small share"),
        pytest.param(1001, 100_000, 1000, 1, True, id="a strict share"),
        pytest.param(100, 100, 100, 100, False, id="switched off"),
        pytest.param(21, 0, 21, 50, True, id="more than was measured"),
    ],
)
def test_a_mass_breach_is_of_many_workloads_and_of_a_large_share(
    nominated: int,
    measured: int,
    workloads: int,
    allowed: int,
    vetoed: bool,  # noqa: FBT001
) -> None:
    """More than twenty workloads *and* more than ``maxBreaching`` of the measured pods."""
    veto = mass_breach(
        nominated=nominated, measured=measured, workloads=workloads, safety=safety(max_breaching=allowed)
    )
    assert (veto is not None) is vetoed
    if veto:
        assert veto.reason is Reason.MASS_BREACH
        assert f"{nominated} of {measured} measured pods" in veto.detail
        assert f"safety.maxBreaching is {allowed}%" in veto.detail


def test_workloads_need_not_be_counted_where_the_share_is_not_exceeded() -> None:
    """What costs requests is asked last, and so few pods can't be of so many workloads."""
    assert not share_exceeded(WORKLOADS, 1, safety())
    assert share_exceeded(WORKLOADS + 1, 41, safety())
    assert not share_exceeded(WORKLOADS + 1, 42, safety())


def test_one_candidate_of_each_controller_is_looked_at() -> None:
    """By the names that controllers give; a pod without a dash stands for itself, a namespace apart."""
    named = [
        ("a", "web-5d4f-abcde"),
        ("a", "web-5d4f-fghij"),
        ("a", "web-6666-abcde"),
        ("a", "db-0"),
        ("a", "db-1"),
        ("b", "db-0"),
        ("b", "lonely"),
        ("b", "-"),
    ]
    found = one_of_each(Candidate("p", namespace, pod) for namespace, pod in named)
    assert [(one.namespace, one.pod) for one in found] == [named[0], named[2], named[3], named[5], named[6], named[7]]
