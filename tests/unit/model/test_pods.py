"""What a pod and a breach say of themselves."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.model.workloads import DisruptionBudget
from tests.unit.make import GI, NOW, breach, container, peers, pod, workload


@pytest.mark.parametrize(
    ("changes", "seconds", "available"),
    [
        ({}, 0, True),
        ({"ready_since": None}, 0, False),
        ({"ready_since": NOW - 9.0}, 10, False),
        ({"ready_since": NOW - 10.0}, 10, True),
        ({"ready_since": NOW + 3.0}, 0, True),
        ({"ready_since": NOW + 3.0}, 1, False),
        ({"deleted_at": NOW + 20.0}, 0, False),
        ({"phase": "Failed"}, 0, False),
        ({"phase": "Succeeded"}, 0, False),
    ],
)
def test_available_is_what_its_controller_counts(changes: dict[str, Any], seconds: int, available: bool) -> None:  # noqa: FBT001
    """Ready for long enough, alive and wanted; without ``minReadySeconds`` no clock is compared with another."""
    assert pod(**changes).available(min_ready_seconds=seconds, now=NOW) is available


def test_a_workload_counts_its_available_pods() -> None:
    """By its own ``minReadySeconds``."""
    several = workload(pods=(pod(), *peers(2, ready_since=NOW - 5.0)), min_ready_seconds=10)
    assert several.available(NOW) == (pod(),)
    assert len(several.available(NOW + 5)) == 3


def test_a_container_runs_with_a_start_and_an_id() -> None:
    """Either alone is a container that is being made or unmade."""
    assert container().running
    assert not container(id="").running
    assert not container(started_at=None).running


def test_a_share_is_of_a_limit() -> None:
    """Without a limit, or with 0, there is no share."""
    assert breach(value=12.0 * GI, limit=24 * GI).share == 0.5
    assert breach(limit=None).share is None
    assert breach(limit=0).share is None


def test_the_most_urgent_is_nearest_to_its_limit() -> None:
    """Then the one that is highest over its threshold; one without a limit comes last."""
    near = breach(value=23.0 * GI)
    far = breach(value=21.0 * GI)
    unlimited = breach(value=90.0 * GI, limit=None)
    higher = breach(value=95.0 * GI, limit=None)
    assert sorted([unlimited, far, higher, near], key=lambda one: one.urgency, reverse=True) == [
        near,
        far,
        higher,
        unlimited,
    ]


def test_a_budget_without_a_selector_covers_nothing() -> None:
    """In policy/v1 an absent selector selects no pod, an empty one every pod."""
    assert not DisruptionBudget("none", None, allowed=1).covers(pod())
