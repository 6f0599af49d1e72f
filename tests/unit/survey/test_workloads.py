"""Budgets that never allow, and only replicas."""

from __future__ import annotations

import pytest

from remediator.model.selectors import LabelSelector
from remediator.model.workloads import DisruptionBudget, WorkloadRef
from remediator.survey.workloads import is_only, never_allows
from tests.unit.make import DEPLOYMENT, peers, pod


@pytest.mark.parametrize(
    ("expected", "desired", "observed", "broken", "never"),
    [
        (3, 3, True, "", True),
        (3, 4, True, "", True),
        (1, 1, True, "", True),
        (3, 2, True, "", False),
        (0, 0, True, "", False),
        (3, 3, False, "", False),
        (0, 0, True, "jobs.batch does not implement the scale subresource", True),
    ],
)
def test_a_budget_that_wants_all_of_its_pods_never_allows(
    expected: int,
    desired: int,
    observed: bool,  # noqa: FBT001
    broken: str,
    never: bool,  # noqa: FBT001
) -> None:
    """``minAvailable`` of the replicas, 100 %, ``maxUnavailable: 0``, SyncFailed; one being computed says nothing."""
    budget = DisruptionBudget(
        "web", LabelSelector(), allowed=0, desired=desired, expected=expected, observed=observed, broken=broken
    )
    assert bool(never_allows(budget)) is never


def test_one_pod_is_the_only_replica_but_for_a_daemonsets() -> None:
    """A DaemonSet's pod is one of its node, and no replica of another."""
    assert is_only(DEPLOYMENT, [pod()])
    assert not is_only(DEPLOYMENT, [pod(), *peers(1)])
    assert not is_only(WorkloadRef("DaemonSet", "shop", "agent", "uid"), [pod()])
