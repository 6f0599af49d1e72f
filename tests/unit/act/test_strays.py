"""Pods that are out of their ReplicaSets without a record: taken in once, or told of, and never guessed about."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from remediator.act import ledger as changes
from remediator.act import note
from remediator.act.strays import Strays
from remediator.cluster.orphans import NOTE
from remediator.decide.clock import clock_hold
from remediator.errors import KubernetesOdd, KubernetesRefused
from remediator.model.pods import LivePod
from remediator.model.remediations import Ledger, Remediation
from remediator.model.vocabulary import Action, Outcome
from remediator.model.workloads import Workload, WorkloadRef
from remediator.policy import Match
from tests.unit import make
from tests.unit.act.fakes import Cluster, Leader, journal, refused
from tests.unit.act.worlds import World, go, remediations

LABELS = {"app": "web", "pod-template-hash": "5d4f"}
SURGE = make.record(action=Action.SURGE, taken_at=None)
HOME = "ops/remediator"


def out(text: str | None = None, *, of: Remediation = SURGE, home: str = HOME, **more: Any) -> LivePod:  # noqa: ANN401
    """A pod that was taken out, with that note on it, or the right one."""
    written = note.write(of, make.pod(labels=LABELS), home=home) if text is None else text
    labels = {**LABELS, "pod-template-hash": "remediator-surge"}
    return make.pod(labels=labels, controller=None, annotations={NOTE: written}, **more)


def take_in(world: World, cluster: Cluster, around: Workload | None = None) -> Ledger:
    """What is in the journal afterwards."""
    means = remediations(world, cluster)._means
    owners: Any = SimpleNamespace(read=lambda _: around)
    strays = Strays(replace(means, owners=owners))
    strays.take_in()
    strays.take_in()
    return cluster.ledger


def test_a_stray_gets_its_record_back() -> None:
    """In flight as it was, under the epoch of now, and its cooldown counts from when it was begun."""
    world, cluster = World(go, out=(out(),)), Cluster()
    ledger = take_in(world, cluster)
    assert {**ledger.in_flight} == {
        SURGE.id: replace(SURGE, epoch=1, baseline=replace(SURGE.baseline, pods=frozenset()))
    }
    assert [(act.remediation_id, act.at) for act in ledger.acts] == [(SURGE.id, SURGE.intended_at)]
    assert world.told == [f"web-5d4f-abcde: it is looked after as remediation {SURGE.id}"]


def test_what_was_made_in_the_same_second_is_new() -> None:
    """Creation times are whole seconds, and the API server's: a new pod must not pass for one that was there."""
    begun = replace(SURGE, intended_at=make.NOW + 0.9)
    new = make.pod(uid="new", created_at=float(make.NOW))
    other = make.pod(uid="other", controller=None)
    around = make.workload(pods=(*make.peers(), new), outside=(other,))
    world, cluster = World(go, out=(out(of=begun),)), Cluster()
    ledger = take_in(world, cluster, around)
    assert ledger.in_flight[SURGE.id].baseline.pods == {"peer-1", "peer-2", "other"}


def test_a_note_of_the_future_or_of_an_end_is_begun_now() -> None:
    """Whoever may change pods may have written it: it must neither hold everything nor stay for ever."""
    odd = replace(SURGE, intended_at=make.NOW + 9e9, outcome=Outcome.REPLACED)
    world, cluster = World(go, out=(out(of=odd),)), Cluster()
    found = take_in(world, cluster).in_flight[SURGE.id]
    assert (found.intended_at, found.outcome) == (make.NOW, None)


def test_only_what_a_note_is_written_with_is_believed() -> None:
    """What a remediation learns later is not there when the note is written; a clock from it would hold everything."""
    late = make.NOW + 9e9
    odd = replace(
        SURGE,
        taken_at=late,
        available_at=late,
        settled_at=late,
        replacement="web-x",
        replacement_uid="x",
        undoing="so it is",
        breach=replace(SURGE.breach, sample_time=late, over_since=-late),
        terms=replace(SURGE.terms, ready_timeout=1 << 62),
    )
    world, cluster = World(go, out=(out(of=odd),)), Cluster()
    ledger = take_in(world, cluster)
    found = ledger.in_flight[SURGE.id]
    assert (found.taken_at, found.available_at, found.settled_at, found.replacement_uid, found.undoing) == (
        None,
        None,
        None,
        "",
        "",
    )
    assert (found.breach.sample_time, found.breach.over_since, found.terms.ready_timeout) == (make.NOW, 0.0, 86400)
    assert clock_hold({}, ledger, make.NOW) is None


NUMBERS = ["NaN", "Infinity", "-Infinity", '"nan"', "1e999", "1e40", "9" * 400]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("field", ["intended_at", "value", "limit", "ready_timeout", "wanted"])
def test_numbers_that_nothing_has_are_not_taken_into_the_journal(field: str, number: str) -> None:
    """Of one that is no number nothing could be read afterwards, and everything would wait for an operator."""
    text = re.sub(rf'"{field}":[^,}}]+', f'"{field}":{number}', note.write(SURGE, make.pod(labels=LABELS), home=HOME))
    assert number in text
    world, cluster = World(go, out=(out(text),)), Cluster()
    assert not take_in(world, cluster).in_flight
    assert "can't be read" in world.told[0]
    assert cluster.ledger.holder, "the journal can still be read"


def test_no_more_are_looked_after_than_may_be_in_flight() -> None:
    """Anybody who may make pods can make any number of them; the others have their turn afterwards."""
    many = [out(of=replace(SURGE, id=f"r{n}", breach=make.breach(uid=f"uid-{n}")), uid=f"uid-{n}") for n in range(5)]
    world, cluster = World(go, out=tuple(many)), Cluster()
    owners: Any = SimpleNamespace(read=lambda _: None)
    means = replace(remediations(world, cluster)._means, owners=owners)
    strays = Strays(means)
    for _ in range(2):
        strays.take_in()
        assert {*cluster.ledger.in_flight} == {"r0", "r1", "r2"}, "maxConcurrent is 3"
        assert "it has to wait" in world.told[-1]
        assert len(world.told) == 4
    over = replace(cluster.ledger.in_flight["r0"], outcome=Outcome.REPLACED, settled_at=float(make.NOW))
    means.journal.update(lambda ledger: changes.settled(ledger, over))
    world.out = tuple(many[1:])
    strays.take_in()
    assert {*cluster.ledger.in_flight} == {"r1", "r2", "r3"}


@pytest.mark.parametrize("error", [KubernetesOdd("no object"), refused(400), refused(500)])
def test_one_that_can_not_be_looked_at_keeps_no_other_one_out(error: Exception) -> None:
    """It is told of once, and looked at again as long as it is there."""
    bad = replace(SURGE, id="bad", workload=WorkloadRef("Deployment", "shop", "", "x", "apps/v1"))
    good = replace(SURGE, breach=make.breach(uid="other"))
    world, cluster = World(go, out=(out(of=bad), out(of=good, uid="other"), out("{", uid="rubbish"))), Cluster()
    errors = [error, error]

    def read(ref: WorkloadRef) -> None:
        if not ref.name and errors:
            raise errors.pop()

    owners: Any = SimpleNamespace(read=read)
    strays = Strays(replace(remediations(world, cluster)._means, owners=owners))
    for _ in range(2):
        strays.take_in()
        assert {*cluster.ledger.in_flight} == {SURGE.id}
    told = [*world.told]
    assert len(told) == 3, told
    assert f"can't be looked after now: {error}" in told[0]
    strays.take_in()
    assert {*cluster.ledger.in_flight} == {SURGE.id, "bad"}
    assert len(world.told) == 4


def test_one_that_is_terminating_needs_nobody() -> None:
    """It goes by itself."""
    world, cluster = World(go, out=(out(deleted_at=make.NOW + 30.0),)), Cluster()
    assert not take_in(world, cluster).in_flight
    assert world.told == []


def test_one_that_was_settled_gets_a_record_of_its_own() -> None:
    """It could not be finished then; a record that is over stays over."""
    world, cluster = World(go, out=(out(),)), Cluster()
    over = replace(SURGE, outcome=Outcome.FAILED, settled_at=float(make.NOW))
    ours = journal(cluster, Leader(cluster, "before"))
    ours.update(lambda ledger: changes.settled(changes.intended(ledger, SURGE), over))
    ledger = take_in(world, cluster)
    (one,) = ledger.in_flight.values()
    assert one.id != SURGE.id
    assert one.breach == SURGE.breach


def test_one_that_is_in_flight_is_no_stray() -> None:
    """Its record looks after it."""
    world, cluster = World(go, out=(out(),)), Cluster()
    journal(cluster, Leader(cluster, "before")).update(lambda ledger: changes.intended(ledger, SURGE))
    take_in(world, cluster)
    assert world.told == []


def test_that_of_another_daemon_is_not_ours() -> None:
    """There may be several in a cluster, each for its own namespaces, and each looks after its own."""
    world, cluster = World(go, out=(out(home="team-b/remediator"),)), Cluster()
    assert not take_in(world, cluster).in_flight
    assert world.told == []


def test_one_whose_note_can_not_be_read_is_told_of_and_left_alone() -> None:
    """Whose it is, and where it belongs, nobody knows."""
    world, cluster = World(go, out=(out("{"),)), Cluster()
    assert not take_in(world, cluster).in_flight
    assert world.told == [
        "web-5d4f-abcde: what is written on it can't be read, so it stays as it is; delete it by hand"
    ]


def test_whoever_may_not_list_all_pods_looks_where_policies_do() -> None:
    """Roles in some namespaces: those that policies name are asked one by one, and a refusal is passed over."""
    named = make.policy(match=Match(namespaces=("shop", "mq", "team-.*")))
    here, there = out(), out(namespace="team-a", uid="other")
    world, cluster = World(go, out=(here, there), may_list=("shop",), policies=make.policies(named)), Cluster()
    assert {*take_in(world, cluster).in_flight} == {SURGE.id}
    assert world.told == [f"web-5d4f-abcde: it is looked after as remediation {SURGE.id}"]


def test_a_list_that_fails_otherwise_is_tried_again() -> None:
    """Only RBAC's word is final."""
    world, cluster = World(go, out=(out(),), list_error=refused(500)), Cluster()
    strays = Strays(remediations(world, cluster)._means)
    with pytest.raises(KubernetesRefused):
        strays.take_in()
    world.list_error = None
    strays.take_in()
    assert {*cluster.ledger.in_flight} == {SURGE.id}
