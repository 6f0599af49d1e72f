"""What counts of a pod: the sum, or the container that is nearest to its limit or request."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from remediator.model.pods import LivePod
from remediator.policy import Policy
from remediator.survey.values import Measured, Weight
from tests.unit.make import GI, breach, container, pod, policy

KEY = ("shop", "web-5d4f-abcde")
MEASURED = Measured(
    values={KEY: {"app": 6.0 * GI, "proxy": 3.0 * GI, "old": 99.0 * GI}},
    rss={KEY: {"app": 2.0 * GI, "proxy": 2.0 * GI}},
)
APP = container("app", memory_limit=8 * GI, memory_request=4 * GI)
PROXY = container("proxy", memory_limit=None, memory_request=1 * GI)


@pytest.mark.parametrize(
    ("one", "rule", "weight"),
    [
        pytest.param(
            pod(containers=(APP, PROXY)),
            policy("20Gi"),
            Weight("", 9.0 * GI, 4.0 * GI, 20.0 * GI, None),
            id="the sum, whose limit is none where one container has none",
        ),
        pytest.param(
            pod(containers=(APP, replace(PROXY, memory_limit=4 * GI))),
            policy("20Gi"),
            Weight("", 9.0 * GI, 4.0 * GI, 20.0 * GI, 12 * GI),
            id="the sum of limits",
        ),
        pytest.param(
            pod(containers=(APP, PROXY)),
            policy("50% of limit"),
            Weight("app", 6.0 * GI, 2.0 * GI, 4.0 * GI, 8 * GI),
            id="a share: only containers that have a limit",
        ),
        pytest.param(
            pod(containers=(APP, replace(PROXY, memory_limit=3 * GI))),
            policy("50% of limit"),
            Weight("proxy", 3.0 * GI, 2.0 * GI, 1.5 * GI, 3 * GI),
            id="a share: the one that is nearest to its limit",
        ),
        pytest.param(
            pod(containers=(APP, PROXY)),
            policy("150% of request"),
            Weight("proxy", 3.0 * GI, 2.0 * GI, 1.5 * GI, None),
            id="a share of the request; the limit is shown all the same",
        ),
        pytest.param(
            pod(containers=(APP, PROXY), memory_limit=10 * GI),
            policy("50% of limit"),
            Weight("", 9.0 * GI, 4.0 * GI, 5.0 * GI, 10 * GI),
            id="the pod as a whole, where it is nearer to its own limit",
        ),
        pytest.param(
            pod(containers=(PROXY,)),
            policy("50% of limit"),
            Weight("", 3.0 * GI, 2.0 * GI, None, None),
            id="no limit: no threshold",
        ),
        pytest.param(
            pod(containers=(replace(APP, started_at=None, id=""),)), policy("20Gi"), Weight(), id="nothing runs"
        ),
        pytest.param(pod(name="other"), policy("20Gi"), Weight(), id="not measured"),
    ],
)
def test_what_counts(one: LivePod, rule: Policy, weight: Weight) -> None:
    """Against what is in force on the live pod; what does not run any more counts for nothing."""
    assert MEASURED.weigh(one, rule) == weight


def test_a_container_without_rss_makes_the_sum_unknown() -> None:
    """Half of a sum would look like cache."""
    measured = replace(MEASURED, rss={KEY: {"app": 2.0 * GI}})
    weight = measured.weigh(pod(containers=(APP, PROXY)), policy("20Gi"))
    assert weight.rss is None
    assert not weight.reclaimable


def test_a_breach_is_shown_as_it_was_judged() -> None:
    """With the resident part of the same container, or of all."""
    whole = MEASURED.of_breach(breach())
    assert whole == Weight("", 22.0 * GI, 4.0 * GI, 20.0 * GI, 24 * GI)
    assert MEASURED.of_breach(breach(container="app")).rss == 2.0 * GI
    assert Measured().of_breach(breach()).rss is None


def test_urgency_is_that_of_a_breach() -> None:
    """Nearest to the limit first, then highest over the threshold; what is not measured comes last."""
    one = breach(limit=3 * GI, value=2.0 * GI, threshold=1.0 * GI)
    assert MEASURED.of_breach(one).urgency == one.urgency == (2 / 3, 2.0)
    assert Weight().urgency == (0.0, 0.0)
    assert Fraction(1, 2) < Weight(value=2.0, threshold=1.0).urgency[1]
