"""Marks for other tools, on a pod or its workload."""

from __future__ import annotations

import pytest

from remediator.decide.marks import FOREIGN_MARKS, foreign_mark
from remediator.model.measures import Veto
from remediator.model.vocabulary import Reason


@pytest.mark.parametrize(
    ("key", "value", "holds"),
    [
        ("karpenter.sh/do-not-disrupt", "true", True),
        ("karpenter.sh/do-not-disrupt", "30m", True),
        ("karpenter.sh/do-not-disrupt", "false", False),
        ("karpenter.sh/do-not-evict", "true", True),
        ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false", True),
        ("cluster-autoscaler.kubernetes.io/safe-to-evict", " False ", True),
        ("cluster-autoscaler.kubernetes.io/safe-to-evict", "flase", True),
        ("cluster-autoscaler.kubernetes.io/safe-to-evict", "true", False),
        ("descheduler.alpha.kubernetes.io/prefer-no-eviction", "true", True),
        ("descheduler.alpha.kubernetes.io/prefer-no-eviction", "", True),
        ("descheduler.alpha.kubernetes.io/evict", "true", False),
    ],
)
def test_marks_for_other_tools(*, key: str, value: str, holds: bool) -> None:
    """Who asked Karpenter, the cluster autoscaler or the descheduler to leave a pod does not want it taken by us."""
    found = foreign_mark({"team": "shop", key: value}, "pod web-1")
    assert (found is not None) is holds
    if found is not None:
        assert found == Veto(Reason.OPTED_OUT, f"pod web-1 has another tool's annotation {key}: {value!r}")


def test_no_mark_is_no_veto() -> None:
    """A pod that says nothing to anybody may go."""
    assert foreign_mark({}, "pod web-1") is None
    assert all(foreign_mark({key: "garbage"}, "pod web-1") for key in FOREIGN_MARKS)
