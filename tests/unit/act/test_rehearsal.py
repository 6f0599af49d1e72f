"""A policy on trial: what the API server would have answered, in words, and nothing that the cluster would notice."""

from __future__ import annotations

from typing import Any, cast

import pytest

from remediator.act.looks import Go, World
from remediator.act.rehearsal import rehearsed
from remediator.cluster.orphans import Orphans
from remediator.cluster.removal import Answer, Removal, Taken
from remediator.model.nodes import Node
from remediator.model.pods import LivePod
from remediator.model.vocabulary import Action, Reason
from tests.unit import make

DRY, BUDGET = Reason.DRY_RUN, Reason.DISRUPTION_BUDGET


class Asked:
    """``Removal`` with one answer; it keeps what it was asked."""

    def __init__(self, answer: Answer, *, pause: float = 0.0) -> None:
        self.pause = pause
        self.requests: list[dict[str, Any]] = []
        self._answer = answer

    def take(self, action: Action, **more: object) -> Taken:
        """As the real one."""
        self.requests.append({"action": action, **more})
        return Taken(self._answer, "its words")

    def take_out(self, pod: LivePod, **more: object) -> Taken:
        """As ``Orphans``."""
        return self.take(Action.SURGE, uid=pod.uid, **more)


def trial(asked: Asked, **policy: Any) -> tuple[tuple[Reason, str], ...]:  # noqa: ANN401
    """The vetoes of a rehearsal."""
    around = World(make.workload(), Node("node-1"), (), make.NOW)
    go = Go(make.breach(), make.pod(), around, make.policy(dry_run=True, **policy))
    vetoes = rehearsed(go, cast("Removal", asked), cast("Orphans", asked))
    return tuple((veto.reason, veto.detail) for veto in vetoes)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer.ACCEPTED, ((DRY, "the API server would have accepted the evict"),)),
        (Answer.BUDGET, ((DRY, "it was asked for"), (BUDGET, "its words"))),
        (Answer.CONTENTION, ((DRY, "it was asked for"), (BUDGET, "its words"))),
        (Answer.FORBIDDEN, ((DRY, "the API server would have refused the evict: its words"),)),
        (Answer.REFUSED, ((DRY, "the API server would have refused the evict: its words"),)),
        (Answer.GONE, ((DRY, "could not tell: its words"),)),
        (Answer.CHANGED, ((DRY, "could not tell: its words"),)),
        (Answer.OVERLOAD, ((DRY, "could not tell: its words"),)),
        (Answer.NO_DRY_RUN, ((DRY, "could not tell: its words"),)),
        (Answer.UNKNOWN, ((DRY, "could not tell: its words"),)),
    ],
)
def test_each_answer_is_told_as_yes_no_or_could_not_tell(answer: Answer, said: tuple[tuple[Reason, str], ...]) -> None:
    """An answer that is neither yes nor no is said to be neither; the pod stays in any case."""
    asked = Asked(answer)
    assert trial(asked, grace_period=7) == said
    (request,) = asked.requests
    pod = make.pod()
    assert request == {
        "action": Action.EVICT,
        "namespace": pod.namespace,
        "name": pod.name,
        "uid": pod.uid,
        "resource_version": pod.resource_version,
        "grace_period": 7,
        "dry_run": True,
    }


def test_an_overloaded_server_is_not_asked_for_a_rehearsal() -> None:
    """All writes slow down, and this one changes nothing: it can wait for the next evaluation."""
    asked = Asked(Answer.ACCEPTED, pause=4.2)
    assert trial(asked) == ((DRY, "could not tell: the API server is left in peace for 5 s"),)
    assert asked.requests == []


def test_a_report_is_not_rehearsed_at_the_server() -> None:
    """It would take nothing."""
    asked = Asked(Answer.ACCEPTED)
    assert trial(asked, action=Action.NOTIFY) == ((DRY, "it would have been reported"),)
    assert asked.requests == []


def test_of_a_surge_its_first_step_is_rehearsed() -> None:
    """What the disruption budget says to the last one depends on the pod that is not there yet."""
    asked = Asked(Answer.ACCEPTED)
    assert trial(asked, action=Action.SURGE) == ((DRY, "the API server would have accepted the surge"),)
    (request,) = asked.requests
    assert (request["action"], request["uid"], request["dry_run"]) == (Action.SURGE, make.pod().uid, True)
