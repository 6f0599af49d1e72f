"""The second, higher threshold: judged over the same time, of a pod that is over the first one."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.detect.judge import judge, measures_the_pod
from remediator.model.measures import Breach, Veto
from remediator.model.pods import LivePod
from remediator.model.vocabulary import Reason
from remediator.policy import Match, Policy
from remediator.policy.thresholds import parse_threshold
from tests.unit.detect.test_judge_limits import SIDE_ID, own, parts, side, whole
from tests.unit.make import GI, NOW, SCOPE, container, pod, policy, series, steady


def under(threshold: str, emergency: str, **changes: Any) -> Policy:  # noqa: ANN401
    """A policy with both."""
    return policy(threshold, emergency=parse_threshold(emergency), **changes)


def verdict(*several: Any, by: Policy, of: LivePod | None = None) -> Breach | Veto:  # noqa: ANN401
    """The judge's."""
    return judge(several, pod=of or pod(), policy=by, scope=SCOPE, now=NOW, query="containers", own_query="pods")


@pytest.mark.parametrize(
    ("threshold", "emergency", "values", "expected"),
    [
        ("20Gi", "22Gi", steady(21.0 * GI), False),
        ("20Gi", "22Gi", steady(22.0 * GI), False),
        ("20Gi", "22Gi", steady(22.1 * GI), True),
        ("20Gi", "22Gi", [*steady(21.9 * GI, until=NOW - 60), *steady(23.0 * GI, since=NOW - 45)], False),
        ("20Gi", "90% of limit", steady(21.0 * GI), False),
        ("20Gi", "90% of limit", steady(22.0 * GI), True),
        ("80% of limit", "90% of limit", steady(21.0 * GI), False),
        ("80% of limit", "90% of limit", steady(22.0 * GI), True),
        ("80% of limit", "22Gi", steady(22.1 * GI), True),
        ("80% of limit", "500% of request", steady(22.0 * GI), False),
    ],
)
def test_it_has_to_be_over_both_for_as_long(
    threshold: str,
    emergency: str,
    values: list[tuple[float, float]],
    expected: bool,  # noqa: FBT001
) -> None:
    """Of one kind or of two: at every moment of ``for``; the numbers that are told are those of the threshold."""
    found = verdict(series(values), by=under(threshold, emergency))
    assert isinstance(found, Breach)
    assert found.emergency is expected
    assert found.threshold_text == threshold


def test_without_one_nothing_is_an_emergency() -> None:
    """And a pod below its threshold is none, whatever else it is over."""
    found = verdict(series(steady(23.9 * GI)), by=policy("20Gi"))
    assert isinstance(found, Breach)
    assert not found.emergency
    low = verdict(series(steady(1.0 * GI)), by=under("20Gi", "1% of limit"))
    assert isinstance(low, Veto)
    assert low.reason is Reason.BELOW_THRESHOLD


def test_the_container_that_is_in_an_emergency_is_the_one_that_is_named() -> None:
    """Another one may be nearer to its limit at this moment without having been so all the time."""
    two = pod(containers=(container(memory_limit=10 * GI), container("side", id=SIDE_ID, memory_limit=10 * GI)))
    jumped = [*steady(9.2 * GI, until=NOW - 60), *steady(9.9 * GI, since=NOW - 45)]
    found = verdict(series(jumped), side(steady(9.6 * GI)), by=under("90% of limit", "95% of limit"), of=two)
    assert isinstance(found, Breach)
    assert (found.emergency, found.container) == (True, "side")
    calm = verdict(series(jumped), side(steady(9.1 * GI)), by=under("90% of limit", "95% of limit"), of=two)
    assert isinstance(calm, Breach)
    assert (calm.emergency, calm.container) == (False, "app")


def test_the_pod_as_a_whole_may_be_in_an_emergency() -> None:
    """A share of its own limit, also where the threshold is a quantity; what is not measured of it is no emergency."""
    by = under("5Gi", "95% of limit")
    assert measures_the_pod(by, whole())
    assert not measures_the_pod(by, pod())
    assert not measures_the_pod(under("5Gi", "95% of limit", match=Match(containers=("app",))), whole())
    for values, expected in ((steady(9.6 * GI), True), (steady(9.4 * GI), False), ([], False)):
        found = verdict(*parts(5, 4.4), own(values), by=by, of=whole())
        assert isinstance(found, Breach)
        assert found.emergency is expected
    low = verdict(*parts(1, 1), by=by, of=whole())
    assert isinstance(low, Veto)
    assert low.reason is Reason.BELOW_THRESHOLD, "for the threshold the pod's own cgroup is not asked"
