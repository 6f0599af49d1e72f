"""Carrying out one record: by the request that its policy named, and to an end in any case."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from remediator.act.means import Stopping
from remediator.act.transaction import Transaction
from remediator.act.waiting import GIVE_UP
from remediator.cluster.removal import Answer, Taken
from remediator.errors import KubernetesError, KubernetesUnreachable
from remediator.model.remediations import Terms
from remediator.model.vocabulary import Action, Outcome
from tests.model.puppets import Killed
from tests.unit import make
from tests.unit.act.fakes import Cluster, Leader, intent, journal, refused
from tests.unit.act.worlds import World, begin, go, remediations

ACCEPTED = Taken(Answer.ACCEPTED)


@pytest.mark.parametrize("inherited", [True, False])
@pytest.mark.parametrize("grace", [None, 7])
@pytest.mark.parametrize("action", [Action.EVICT, Action.DELETE])
def test_the_request_is_that_of_the_record(
    action: Action,
    grace: int | None,
    inherited: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its action, its grace period and its pod, in the version that was just read; by a successor as well."""
    monkeypatch.setattr(Transaction, "_wait", lambda self: self._settle(Outcome.REPLACED, "as if"))
    policy = make.policy(action=action, grace_period=grace)
    cluster, world = Cluster(), World(go, answers=[ACCEPTED], policies=make.policies(policy))
    supervisor = remediations(world, cluster)
    if inherited:
        left = make.record(taken_at=None, action=action, terms=Terms(600, grace))
        journal(cluster, Leader(cluster, "before")).update(intent(left))
        supervisor.adopt()
    else:
        supervisor.begin(replace(go(), policy=policy))
    supervisor.join(60)
    assert world.requests == [
        (
            (action,),
            {
                "namespace": "shop",
                "name": "web-5d4f-abcde",
                "uid": make.UID,
                "resource_version": "41",
                "grace_period": grace,
            },
        )
    ]
    (settled,) = world.settled
    assert (settled.taken_at, settled.action) == (make.NOW, action)


def test_a_deletion_that_is_forbidden_opens_the_breaker() -> None:
    """A policy says ``delete`` and nobody gave the right to: every pod of it would only be asked for again."""
    policy = make.policy(action=Action.DELETE)
    answer = Taken(Answer.FORBIDDEN, "pods is forbidden")
    cluster, world = Cluster(), World(go, answers=[answer], policies=make.policies(policy))
    supervisor = remediations(world, cluster)
    supervisor.begin(replace(go(), policy=policy))
    supervisor.join(60)
    (settled,) = world.settled
    assert (settled.outcome, settled.detail) == (Outcome.FAILED, "pods is forbidden")
    assert set(cluster.ledger.breakers) == {"dep-uid"}


def inherit(world: World, cluster: Cluster, *, taken: bool) -> None:
    """A leader before us has left a record; carry it out."""
    left = make.record(taken_at=float(make.NOW) if taken else None)
    journal(cluster, Leader(cluster, "before")).update(intent(left))
    supervisor = remediations(world, cluster)
    if taken:
        supervisor._means.owners.read_with = world.read  # type: ignore[method-assign, assignment]
    with suppress(KubernetesError):
        # While nobody answers, pods without a record can't be looked for either, which comes last and is tried again.
        supervisor.adopt()
    supervisor.join(20)


@pytest.mark.parametrize("ends", [[Stopping, Killed, Killed], [Killed, Killed, Killed], [Killed, Stopping, Killed]])
def test_however_often_the_leader_changes_the_time_to_be_ready_ends(
    ends: list[type[BaseException]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leader that stops says when the pod was taken; after one that was killed the next counts anew, and no other."""
    waited: list[float | None] = []

    def wait(transaction: Transaction) -> None:
        waited.append(transaction._record.taken_at)
        world.now += 300
        raise ends[len(waited) - 1]

    monkeypatch.setattr(Transaction, "_wait", wait)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    cluster, world = Cluster(), World(go, answers=[ACCEPTED])
    begin(leader := remediations(world, cluster))
    leader.join(5)
    world.present = False
    for _ in ends[1:]:
        leader = remediations(world, cluster)
        leader.adopt()
        leader.join(5)
    seen = make.NOW if ends[0] is Stopping else make.NOW + 300
    assert waited == [make.NOW, seen, seen]
    assert world.evicted == [make.NOW]


@pytest.mark.parametrize("taken", [True, False])
def test_a_record_that_nobody_may_look_after_ends(taken: bool) -> None:  # noqa: FBT001
    """The right to look has gone, with a namespace that had a Role of its own: its slot is not held for ever."""
    cluster, world = Cluster(), World(go, error=refused(403))
    inherit(world, cluster, taken=taken)
    (settled,) = world.settled
    assert settled.outcome is Outcome.FAILED
    assert settled.detail == "what became of it can't be seen any more: the API server answered 403: no"
    assert settled.settled_at is not None
    assert GIVE_UP <= settled.settled_at - make.NOW < GIVE_UP + 60
    assert cluster.ledger.in_flight == {}
    assert set(cluster.ledger.breakers) == {"dep-uid"}, "what became of its replacement is not known"
    assert world.evicted == []


@pytest.mark.parametrize("error", [refused(403), refused(500), KubernetesUnreachable("no answer")])
def test_a_record_waits_for_those_who_come_back(error: KubernetesError) -> None:
    """A server that is away for hours, or a right that is missing for minutes, drops nothing."""
    forbidden = isinstance(error, type(refused(403))) and "403" in str(error)
    back = make.NOW + (GIVE_UP - 60 if forbidden else 20 * GIVE_UP)
    cluster, world = Cluster(), World(go, error=error, present=False)

    def pause(seconds: float) -> bool:
        world.now += max(seconds, 0.0)
        if world.now >= back:
            world.error = None
        return False

    world.pause = pause  # type: ignore[method-assign]
    # Strays are looked for while the record is carried on with; whether the server is back by then is up to threads.
    world.find = lambda *_: ()  # type: ignore[method-assign]
    inherit(world, cluster, taken=False)
    (settled,) = world.settled
    assert settled.outcome is Outcome.OWNER_GONE
    assert settled.taken_at is not None
    assert settled.taken_at >= back


def test_a_journal_that_may_not_be_written_for_long_settles_in_the_end() -> None:
    """Nothing comes after the settlement, so it is tried for as long as it takes."""
    cluster, world = Cluster(), World(go, answers=[Taken(Answer.BUDGET, "not now")])
    supervisor = remediations(world, cluster)
    real = world.take

    def take(*how: object, **more: object) -> Taken:
        cluster.faults = [403] * 80
        return real(*how, **more)

    supervisor._means.removal.take = take  # type: ignore[method-assign]
    begin(supervisor)
    supervisor.join(20)
    (settled,) = world.settled
    assert settled.outcome is Outcome.BLOCKED
    assert world.now - make.NOW > GIVE_UP
    assert cluster.ledger.in_flight == {}
