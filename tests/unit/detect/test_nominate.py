"""Which questions name candidates, and what odd answers come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from remediator.detect.nominate import count, nominated
from remediator.detect.promql import compile_queries
from remediator.errors import MeasurementError
from remediator.model.measures import Candidate
from remediator.policy import Policy
from tests.unit.make import NOW, SCOPE, policy, safety

Answer = Sequence[tuple[Mapping[str, str], float]]
SHARE = policy("90% of limit")
QUERIES = compile_queries(SHARE, safety(), SCOPE)


class Answers:
    """A Prometheus that knows these answers, no series for anything else, and what it was asked."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def vector(self, query: str, *, at: int) -> Answer:
        """What was said, at the one moment."""
        assert at == NOW
        self.asked.append(query)
        return self._answers.get(query, ())


def named(**labels: str) -> tuple[Mapping[str, str], float]:
    """One series of an answer."""
    return labels, 1.0


def candidates(answers: Answers, by: Policy = SHARE) -> list[tuple[str, str]]:
    """Namespace and name of each candidate."""
    found = nominated(answers, by, compile_queries(by, safety(), SCOPE), at=NOW)
    assert all(isinstance(one, Candidate) and one.policy == "everyone" for one in found)
    return [(one.namespace, one.pod) for one in found]


def test_candidates_are_in_order_and_each_is_there_once() -> None:
    """A pod of two containers that are over is one candidate."""
    answer = [
        named(namespace="b", pod="x"),
        named(namespace="a", pod="y", container="c"),
        named(namespace="a", pod="y"),
    ]
    assert candidates(Answers({QUERIES.nominate: answer})) == [("a", "y"), ("b", "x")]


def test_pods_are_not_weighed_where_none_has_a_limit_of_its_own() -> None:
    """The dear question is not asked where the cheap one says that it has no answer."""
    nobody: tuple[Answer, ...] = ((), [({}, 0.0)])
    for counted in nobody:
        answers = Answers({QUERIES.pod_limits: counted})
        assert candidates(answers) == []
        assert answers.asked == [QUERIES.pod_limits, QUERIES.nominate]


def test_pods_near_a_limit_of_their_own_are_candidates_too() -> None:
    """What both questions name is one candidate."""
    answers = Answers(
        {
            QUERIES.nominate: [named(namespace="a", pod="y")],
            QUERIES.pod_limits: [({}, 2.0)],
            QUERIES.nominate_pods: [named(namespace="a", pod="y"), named(namespace="a", pod="whole")],
        }
    )
    assert candidates(answers) == [("a", "whole"), ("a", "y")]
    assert answers.asked == [QUERIES.pod_limits, QUERIES.nominate, QUERIES.nominate_pods]


def test_a_quantity_is_one_question() -> None:
    """Nothing is asked about limits that nobody compares with."""
    answers = Answers({})
    assert candidates(answers, policy("20Gi")) == []
    assert len(answers.asked) == 1


@pytest.mark.parametrize("labels", [{}, {"namespace": "a"}, {"pod": "x"}, {"namespace": "", "pod": "x"}])
@pytest.mark.parametrize("query", [QUERIES.nominate, QUERIES.nominate_pods])
def test_a_series_that_names_no_pod_is_an_error(labels: dict[str, str], query: str) -> None:
    """The sentence has the question, so that one can ask it oneself."""
    with pytest.raises(MeasurementError, match="without namespace or pod") as caught:
        candidates(Answers({query: [(labels, 1.0)], QUERIES.pod_limits: [({}, 1.0)]}))
    assert query in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_count_that_is_no_number_is_an_error(value: float) -> None:
    """It is not taken for none."""
    with pytest.raises(MeasurementError, match="counted"):
        count(Answers({"count(x)": [({}, value)]}), "count(x)", at=NOW)


def test_no_answer_counts_as_none() -> None:
    """PromQL counts nothing as no series."""
    assert count(Answers({}), "count(x)", at=NOW) == 0
    assert count(Answers({"count(x)": [({}, 7.0)]}), "count(x)", at=NOW) == 7
