"""Carrying out what a surge wants: what is asked for in which order, and when it is given up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from remediator.act import note
from remediator.act.replacement import Ended
from remediator.act.surge import Do, Step
from remediator.act.surging import Surge
from remediator.cluster.orphans import NOTE
from remediator.cluster.removal import Answer, Taken
from remediator.model.pods import LivePod
from remediator.model.vocabulary import Action, Outcome
from tests.unit import make
from tests.unit.act.fakes import Cluster
from tests.unit.act.worlds import World, go, remediations

LABELS = {"app": "web", "pod-template-hash": "5d4f"}
RECORD = make.record(action=Action.SURGE)
OUT = make.pod(
    labels={**LABELS, "pod-template-hash": "remediator-surge"},
    controller=None,
    annotations={NOTE: note.write(RECORD, make.pod(labels=LABELS), home="ops/remediator")},
)
NEW = make.pod(name="new", uid="new", ready_since=None)
REFUSED = Taken(Answer.FORBIDDEN, "pods is forbidden")


@dataclass
class Asked:
    """The API server: its answers in order, the last one for ever, and what was asked for."""

    answers: list[Taken]
    wanted: int = 3
    asked: list[str] = field(default_factory=list)

    def answer(self, what: str) -> Taken:
        """One request."""
        self.asked.append(what)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def surge(self, world: World) -> Surge:
        """A surge that asks it."""
        parts: Any = {
            "removal": SimpleNamespace(take=lambda *_, **how: self.answer(f"evict {how['uid']}"), pause=0.0),
            "orphans": SimpleNamespace(
                offer_up=lambda pod: self.answer(f"offer {pod.uid}"),
                put_back=lambda pod, *, replicaset, template_hash: self.answer(
                    f"{pod.uid} to {replicaset.name} {template_hash}"
                ),
            ),
            "neighbourhood": SimpleNamespace(wanted_of=lambda *_: self.wanted),
        }
        return Surge(replace(remediations(world, Cluster())._means, **parts))


def back(old: LivePod = OUT) -> Step:
    """Put it back."""
    return Step(Do.PUT_BACK, old, "it took too long", (NEW,))


def test_what_did_not_work_is_offered_before_the_old_pod_is_back() -> None:
    """From then on its ReplicaSet has one too many."""
    asked = Asked([Taken(Answer.ACCEPTED)])
    found = asked.surge(World(go)).carry_out(RECORD, back())
    assert asked.asked == ["offer new", f"{make.UID} to web-5d4f 5d4f"]
    assert found == Ended(Outcome.ROLLED_BACK, "it took too long", suspects=("new",))


def test_to_a_replicaset_that_wants_no_pods_it_is_not_put_back() -> None:
    """It would be deleted at once, past its disruption budget."""
    asked = Asked([Taken(Answer.ACCEPTED)], wanted=0)
    assert asked.surge(World(go)).carry_out(RECORD, back()) is None
    assert asked.asked == [f"evict {make.UID}"]


def test_a_note_that_is_gone_leaves_it_to_an_operator() -> None:
    """Where it belongs is written nowhere else; what can be done is said."""
    asked = Asked([Taken(Answer.ACCEPTED)])
    found = asked.surge(World(go)).carry_out(RECORD, back(replace(OUT, annotations={})))
    assert found is not None
    assert found.outcome is Outcome.FAILED
    assert "could not be put back: what is written on it" in found.detail
    assert found.detail.endswith("delete it, or give it the hash label of its ReplicaSet")
    assert asked.asked == []


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [(Answer.BUDGET, 60.0), (Answer.FORBIDDEN, 10.0), (Answer.CHANGED, 1.0), (Answer.UNKNOWN, 1.0)],
)
def test_an_eviction_that_is_refused_is_asked_for_again(answer: Answer, seconds: float) -> None:
    """A budget at the pace of the policy, and what is refused for another reason sooner; what changed at once."""
    world = World(go)
    assert Asked([Taken(answer)]).surge(world).carry_out(RECORD, Step(Do.EVICT, OUT, "new is available")) is None
    assert world.now == make.NOW + seconds


def test_a_right_that_is_gone_is_given_up_after_a_while_and_the_pod_named() -> None:
    """Unless something else was answered in between: then it counts anew."""
    world = World(go)
    surge = Asked([REFUSED, Taken(Answer.UNKNOWN), REFUSED]).surge(world)
    evict = Step(Do.EVICT, OUT, "new is available")
    found = None
    while found is None:
        found = surge.carry_out(RECORD, evict)
    assert world.now == make.NOW + 10 + 1 + 600
    assert found.outcome is Outcome.FAILED
    assert found.detail.startswith(f"{OUT.name} is still out of its ReplicaSet, and could not be evicted: pods is forb")
    assert found.detail.endswith("the next start of the daemon looks after it again")
