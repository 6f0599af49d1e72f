"""A policy that says ``notify``: it is written down, it starts the cooldown, and nothing else happens."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.act import ledger as changes
from remediator.act.looks import Vetoed
from remediator.act.looks import World as Around
from remediator.act.remediations import Begun
from remediator.decide.journal import budget_left, cooldown
from remediator.errors import KubernetesUnreachable
from remediator.model.nodes import Node
from remediator.model.remediations import Breaker, Ledger, Remediation
from remediator.model.vocabulary import Action, Outcome, Reason
from remediator.policy import Budget
from tests.unit import make
from tests.unit.act.fakes import Cluster, Leader, end, intent, journal
from tests.unit.act.worlds import World, go, remediations

REPORT = make.policy(action=Action.NOTIFY)
GO = replace(go(), policy=REPORT)


def world(**safety: object) -> World:
    """One in which a request to take a pod would be seen, and has no answer."""
    return World(go, policies=make.policies(REPORT, **safety))


def left(cluster: Cluster, one: Remediation) -> None:
    """That record is in flight, as a leader before us has left it."""
    journal(cluster, Leader(cluster, "before")).update(intent(one))


def reasons(found: object) -> set[Reason]:
    """Why nothing was begun."""
    assert isinstance(found, Vetoed)
    return {veto.reason for veto in found.vetoes}


def test_a_report_is_over_with_one_write() -> None:
    """Settled at once, with what was measured as its detail; no thread, no request, and told once."""
    cluster, there = Cluster(), world()
    supervisor = remediations(there, cluster)
    supervisor._means.journal.current()
    writes = cluster.writes
    begun = supervisor.begin(GO)
    assert isinstance(begun, Begun)
    assert cluster.writes == writes + 1
    assert cluster.ledger.in_flight == {}
    (kept,) = cluster.ledger.settled
    assert kept.id == begun.record.id
    assert (kept.outcome, kept.action, kept.detail) == (Outcome.NOTIFIED, Action.NOTIFY, make.breach().sentence)
    assert (kept.taken_at, kept.settled_at, kept.replacement_uid) == (None, make.NOW, "")
    assert there.settled == [begun.record]
    assert (there.evicted, there.told) == ([], [])
    assert supervisor._running == {}


def test_a_report_starts_the_cooldown_and_spends_nothing() -> None:
    """Neither the budget of the cluster nor that of the workload."""
    cluster, there = Cluster(), world()
    remediations(there, cluster).begin(GO)
    ledger = cluster.ledger
    assert [(act.workload_uid, act.at, act.settled_at, act.spends) for act in ledger.acts] == [
        ("dep-uid", make.NOW, make.NOW, False)
    ]
    assert budget_left(there.policies, ledger, make.NOW + 1.0) == 20
    assert cooldown(make.DEPLOYMENT, REPORT, ledger, make.NOW + 599.0)
    assert cooldown(make.DEPLOYMENT, REPORT, ledger, make.NOW + 601.0) is None


def test_one_report_within_the_cooldown() -> None:
    """Of a pod that stays over all night there is one each cooldown; of its siblings none meanwhile."""
    cluster, there = Cluster(), world()
    supervisor = remediations(there, cluster)
    supervisor.begin(GO)
    assert reasons(supervisor.begin(GO)) == {Reason.COOLDOWN}
    sibling = replace(GO, breach=make.breach(uid="peer-1", pod="web-5d4f-p1"))
    assert reasons(supervisor.begin(sibling)) == {Reason.COOLDOWN}
    there.now += 601
    assert isinstance(supervisor.begin(GO), Begun)
    assert len(cluster.ledger.settled) == 2


def test_what_protects_from_an_act_does_not_hold_a_report_back() -> None:
    """No slot, no budget, and a breaker that is open: each of them would stop an eviction."""
    cluster, there = Cluster(), world(max_concurrent=1, budget=Budget(1, 3600))
    other = make.record(workload=replace(make.DEPLOYMENT, uid="other"), breach=make.breach(uid="other"))
    failed = make.record(
        id="f" * 12, outcome=Outcome.NOT_READY, settled_at=make.NOW - 5000.0, intended_at=make.NOW - 6000.0
    )
    left(cluster, other)
    cluster.change(lambda ledger: replace(ledger, breakers={"dep-uid": Breaker(make.DEPLOYMENT, 0.0, failed)}))
    assert isinstance(remediations(there, cluster).begin(GO), Begun)
    evicting = World(go, policies=make.policies(make.policy(), max_concurrent=1, budget=Budget(1, 3600)))
    found = remediations(evicting, cluster).begin(go())
    assert {Reason.CONCURRENCY, Reason.BUDGET, Reason.BREAKER_OPEN} <= reasons(found)


@pytest.mark.parametrize("paused", [True, False])
def test_what_holds_all_action_holds_reports(paused: bool) -> None:  # noqa: FBT001
    """The kill switch, and a pod that is being replaced already."""
    cluster = Cluster()
    there = world(paused=paused)
    if not paused:
        left(cluster, make.record())
    found = remediations(there, cluster).begin(GO)
    assert (Reason.PAUSED if paused else Reason.IN_FLIGHT) in reasons(found)
    assert there.settled == []


def test_reports_of_a_static_pod_and_of_a_job() -> None:
    """Whoever owns it: a report takes nothing from anybody."""
    for kind in ("Node", "Job"):
        cluster, there = Cluster(), world()
        ref = replace(make.DEPLOYMENT, kind=kind, uid=f"{kind}-uid", api_version="v1")
        around = Around(make.workload(ref=ref, wanted=None, selector=None), Node("node-1"), (), make.NOW)
        assert isinstance(remediations(there, cluster).begin(replace(GO, world=around)), Begun)
        assert [one.workload for one in cluster.ledger.settled] == [ref]


@pytest.mark.parametrize("fault", ["lost", 500, "odd"])
def test_a_report_whose_write_has_no_answer_is_told_once(fault: str | int) -> None:
    """It landed or not: it is looked up, and its own cooldown is no veto against it."""
    cluster, there = Cluster(), world()
    supervisor = remediations(there, cluster)
    supervisor._means.journal.current()
    cluster.faults = [fault]
    assert isinstance(supervisor.begin(GO), Begun)
    assert len(cluster.ledger.settled) == len(cluster.ledger.acts) == len(there.settled) == 1


def test_a_report_that_landed_while_somebody_else_wrote_is_told() -> None:
    """The answer was lost and an operator closed a breaker meanwhile: the journal is not as we wrote it, and has it."""
    cluster, there = Cluster(), world()
    supervisor = remediations(there, cluster)
    held = supervisor._means.journal
    held.current()
    real = held.refresh

    def refresh() -> Ledger:
        other = Breaker(replace(make.DEPLOYMENT, uid="x"), 0.0, make.record())
        cluster.change(lambda ledger: replace(ledger, breakers={"x": other}))
        return real()

    held.refresh = refresh  # type: ignore[method-assign]
    cluster.faults = ["lost"]
    assert isinstance(supervisor.begin(GO), Begun)
    assert len(cluster.ledger.settled) == len(there.settled) == 1


def test_a_report_that_can_not_be_written_is_none() -> None:
    """The next evaluation tells it again, or finds its cooldown."""
    cluster, there = Cluster(), world()
    supervisor = remediations(there, cluster)
    supervisor._means.journal.current()
    cluster.faults = ["missed", "blind"]
    with pytest.raises(KubernetesUnreachable):
        supervisor.begin(GO)
    assert (there.settled, supervisor._running) == ([], {})
    assert isinstance(supervisor.begin(GO), Begun)


def test_a_journal_of_reports_keeps_what_is_in_flight() -> None:
    """Hundreds of them leave no mark on a record that is being carried out."""
    cluster = Cluster()
    waiting = make.record(workload=replace(make.DEPLOYMENT, uid="busy"), breach=make.breach(uid="busy"))
    left(cluster, waiting)
    supervisor = remediations(world(), cluster)
    for number in range(230):
        ref = replace(make.DEPLOYMENT, uid=f"w-{number}")
        around = Around(make.workload(ref=ref), Node("node-1"), (), make.NOW)
        assert isinstance(supervisor.begin(replace(GO, world=around)), Begun)
    ledger = cluster.ledger
    assert len(ledger.settled) == changes.KEPT_SETTLED // 2
    assert ledger.in_flight == {waiting.id: waiting}
    assert len(ledger.acts) == 231, "every cooldown"
    held = journal(cluster, Leader(cluster, "next"))
    held.update(end(waiting))
    assert len(cluster.ledger.acts) == 231
