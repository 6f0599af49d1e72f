"""Hooks in the life of a record: when they are run, and what becomes of the act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from remediator.act.hooks import Called
from remediator.act.looks import Go, Vetoed
from remediator.act.rehearsal import rehearsed
from remediator.act.transaction import Transaction
from remediator.cluster.removal import Answer, Taken
from remediator.errors import NotLeader
from remediator.model.hooks import ExecCall, Hook, HttpCall, OnFailure
from remediator.model.measures import Veto
from remediator.model.pods import LivePod
from remediator.model.vocabulary import Action, Outcome, Reason
from tests.unit import make
from tests.unit.act.fakes import Cluster, Leader, intent, journal
from tests.unit.act.worlds import Requests, World, go, remediations

DRAIN = Hook(HttpCall(8080, "/drain"))
FLUSH = Hook(ExecCall("app", ("/bin/flush",)))
POLICY = make.policy(before=(DRAIN, FLUSH))
ACCEPTED = Taken(Answer.ACCEPTED)
RECOVERED = Vetoed((Veto(Reason.RECOVERING, "it comes back by itself"),))


def well(hook: Hook, _pod: LivePod) -> Called:
    """It goes well."""
    return Called(hook, "it answered 200", 0.1, failed=False)


def badly(hook: Hook, _pod: LivePod) -> Called:
    """It fails."""
    return Called(hook, "it answered 500: no", 0.1, failed=True)


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the pod is taken all is well."""
    monkeypatch.setattr(Transaction, "_wait", lambda self: self._settle(Outcome.REPLACED, "as if"))


def carried_out(world: World, cluster: Cluster | None = None) -> Cluster:
    """Begin, under the policy with hooks, and wait for the end."""
    cluster = cluster or Cluster()
    supervisor = remediations(world, cluster)
    supervisor.begin(replace(go(), policy=world.policies.policies[0]))
    supervisor.join(60)
    return cluster


def world(
    hook: Callable[[Hook, LivePod], Called] | None = well,
    *,
    guarded: Callable[[], Go | Vetoed] = go,
    before: tuple[Hook, ...] = POLICY.before,
    answers: tuple[Taken, ...] = (ACCEPTED,),
) -> World:
    """A policy with hooks, and what comes of them."""
    policies = make.policies(replace(POLICY, before=before))
    return World(guarded, answers=list(answers), policies=policies, hook=hook)


def test_hooks_are_run_in_order_between_two_looks() -> None:
    """The look after them believes nothing of before; the one before them is the first look's newest."""
    there = world()
    carried_out(there)
    assert there.hooks == [str(DRAIN), str(FLUSH)]
    assert there.told == ["intended", "waiting", "hook", "waiting", "hook", "evict", "taken"]
    assert [first is None for first in there.firsts] == [False, True]
    (settled,) = there.settled
    assert settled.outcome is Outcome.REPLACED


def test_an_emergency_waits_for_no_hook() -> None:
    """As long as it is one: who is over the threshold and no more by then has the time."""
    there = world(guarded=lambda: replace(go(), breach=make.breach(emergency=True)))
    carried_out(there)
    assert there.hooks == []
    assert [one.outcome for one in there.settled] == [Outcome.REPLACED]
    assert len(there.evicted) == 1
    over = world()
    supervisor = remediations(over, Cluster())
    supervisor.begin(replace(go(), breach=make.breach(emergency=True), policy=over.policies.policies[0]))
    supervisor.join(60)
    assert over.hooks == [str(DRAIN), str(FLUSH)]


def test_a_request_that_is_sent_again_runs_no_hook_again() -> None:
    """Nobody but a successor does."""
    there = world(answers=(Taken(Answer.CHANGED), ACCEPTED))
    carried_out(there)
    assert there.hooks == [str(DRAIN), str(FLUSH)]
    assert len(there.evicted) == 2


def test_a_hook_that_fails_calls_it_off() -> None:
    """Nothing is taken, the hook's words are in the record, the budget is given back, and the cooldown has begun."""
    there = world(badly)
    cluster = carried_out(there)
    (settled,) = there.settled
    assert settled.outcome is Outcome.CALLED_OFF
    assert settled.detail == "the hook http POST :8080/drain failed: it answered 500: no"
    assert there.hooks == [str(DRAIN)]
    assert there.evicted == []
    (act,) = cluster.ledger.acts
    assert (act.spends, act.settled_at) == (False, settled.settled_at)


def test_a_hook_that_may_fail_holds_nothing_up() -> None:
    """It is told, and the act goes on."""
    there = world(badly, before=(replace(DRAIN, on_failure=OnFailure.CONTINUE),))
    carried_out(there)
    assert [one.outcome for one in there.settled] == [Outcome.REPLACED]
    assert there.told.count("hook") == 1


def test_no_hook_is_run_in_a_pod_that_would_stay() -> None:
    """The guards are asked before: who is told to drain has to go afterwards."""
    there = world(None, guarded=lambda: RECOVERED)
    carried_out(there)
    assert [one.outcome for one in there.settled] == [Outcome.CALLED_OFF]
    assert there.hooks == []


def test_a_pod_that_recovers_meanwhile_stays() -> None:
    """Judged and guarded again afterwards."""
    there = world()
    there.guarded = lambda: RECOVERED if there.hooks else go()
    carried_out(there)
    (settled,) = there.settled
    assert (settled.outcome, settled.detail) == (Outcome.CALLED_OFF, str(RECOVERED))
    assert there.evicted == []


@pytest.mark.parametrize(
    "change", [{"present": False}, {"pod": make.pod(uid="another")}, {"pod": make.pod(deleted_at=float(make.NOW))}]
)
@pytest.mark.parametrize("hook", [well, badly])
def test_a_pod_that_goes_meanwhile_gets_no_other_hook(
    change: dict[str, object], hook: Callable[[Hook, LivePod], Called]
) -> None:
    """Gone, replaced under its name, or terminating: somebody else took it, whatever the hook says of that."""
    there = world()

    def goes(one: Hook, pod: LivePod) -> Called:
        for name, value in change.items():
            setattr(there, name, value)
        return hook(one, pod)

    there.hook = goes
    carried_out(there)
    assert there.hooks == [str(DRAIN)]
    assert [one.outcome for one in there.settled] == [Outcome.SUPERSEDED]
    assert there.evicted == []


def test_a_namesake_gets_no_hook() -> None:
    """The pod is read right before; only the instance that was measured is called."""
    there = world(None)
    there.pod = make.pod(uid="another")
    carried_out(there)
    assert [one.outcome for one in there.settled] == [Outcome.SUPERSEDED]


@pytest.mark.parametrize("change", [{"dry_run": True}, {"action": Action.NOTIFY}, {"before": ()}, None])
def test_the_hooks_are_those_of_the_file_in_force(change: dict[str, object] | None) -> None:
    """Changed between intent and hooks: on trial, only reported, without hooks, or gone."""
    there = world(None)
    other = make.policy(name="another")
    there.then = make.policies(other if change is None else replace(POLICY, **change))  # type: ignore[arg-type]
    carried_out(there)
    expected = Outcome.REPLACED if change == {"before": ()} else Outcome.CALLED_OFF
    assert [one.outcome for one in there.settled] == [expected]


def inherited(there: World) -> None:
    """A leader before us has left its intent."""
    cluster = Cluster()
    journal(cluster, Leader(cluster, "before")).update(intent(make.record(taken_at=None)))
    supervisor = remediations(there, cluster)
    supervisor.adopt()
    supervisor.join(60)


def test_a_successor_runs_the_hooks_again() -> None:
    """How far its predecessor came nobody knows."""
    there = world()
    inherited(there)
    assert there.hooks == [str(DRAIN), str(FLUSH)]
    assert len(there.evicted) == 1


@pytest.mark.parametrize("change", [{"present": False}, {"pod": make.pod(deleted_at=float(make.NOW))}])
def test_a_successor_runs_none_in_a_pod_that_is_on_its_way(change: dict[str, object]) -> None:
    """A request of its predecessor may have been carried out."""
    there = world(None)
    for name, value in change.items():
        setattr(there, name, value)
    inherited(there)
    (settled,) = there.settled
    assert settled.outcome is Outcome.REPLACED
    assert there.evicted == []


def test_who_does_not_lead_any_more_leaves_the_record() -> None:
    """Nothing is settled, and nothing is sent."""
    there = world()
    left: list[Exception] = []

    def lost(_hook: Hook, _pod: LivePod) -> Called:
        message = "the lease is held by somebody else"
        raise NotLeader(message)

    there.hook = lost
    cluster = Cluster()
    supervisor = remediations(there, cluster)
    supervisor._failed = lambda _record, error: left.append(error)
    supervisor.begin(replace(go(), policy=there.policies.policies[0]))
    supervisor.join(60)
    assert [type(one) for one in left] == [NotLeader]
    assert len(cluster.ledger.in_flight) == 1
    assert not there.settled
    assert not there.evicted


def test_a_policy_on_trial_says_that_its_hooks_were_not_run() -> None:
    """They would change something."""
    there = world(None, answers=(ACCEPTED,))
    on_trial, requests = replace(go(), policy=replace(POLICY, dry_run=True)), Requests(there)
    vetoes = rehearsed(on_trial, requests, requests)  # type: ignore[arg-type]
    assert [str(veto) for veto in vetoes] == [
        "dry-run: the API server would have accepted the evict; its hooks were not run"
    ]
