"""The record of what shall be done, and what it holds of its workload before the act."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from remediator.act.intent import baseline, intend
from remediator.act.looks import Go
from remediator.act.replacement import Ended, Scene, assess
from remediator.model.pods import LivePod
from remediator.model.remediations import Baseline, Ledger, Remediation
from remediator.model.vocabulary import Outcome
from tests.unit.act.worlds import go
from tests.unit.make import NOW, UID, breach, by_uid, peers, pod, record, workload

FIRST = record(id="first", breach=breach(uid="gone", pod="web-5d4f-gone"))
FIRST = replace(FIRST, baseline=replace(FIRST.baseline, pods=frozenset({"gone", UID, "peer-1"})))


def new(uid: str, **changes: float) -> LivePod:
    """A pod that was made in this very second."""
    return pod(uid=uid, name=f"web-5d4f-{uid}", created_at=float(NOW), ready_since=NOW + 9.0, **changes)


def seen(*pods: LivePod) -> Go:
    """No guard objects to the pod of ``pod()``, among these of its workload."""
    found = go()
    return replace(found, world=replace(found.world, workload=workload(pods=pods)))


def before(*pods: LivePod, beside: Iterable[Remediation] = ()) -> Baseline:
    """How the workload stands where a record begins now."""
    return baseline(seen(*pods), now=NOW, beside=beside)


def test_all_pods_of_the_workload_are_of_before() -> None:
    """Ready or not: none of them is a replacement."""
    assert before(pod(), *peers()).pods == {UID, "peer-1", "peer-2"}


def test_a_pod_that_is_out_is_no_new_pod_when_it_is_put_back() -> None:
    """Two of a workload at a time: the old pod of one remediation never settles the other."""
    found = seen(pod(), *peers())
    out = replace(found.world.workload, outside=(pod(uid="out", controller=None),))
    there = baseline(replace(found, world=replace(found.world, workload=out)), now=NOW, beside=())
    assert there.pods == {UID, "peer-1", "peer-2", "out"}
    assert (there.wanted, there.available) == (3, 3)


def test_a_pod_that_is_new_to_another_record_is_new_to_this_one() -> None:
    """It has been made already for the other one, and may yet settle either of them."""
    assert before(pod(), *peers(1), new("new-1"), beside=[FIRST]).pods == {UID, "peer-1"}


def test_an_intent_looks_at_the_records_of_its_workload() -> None:
    """Those in flight in the journal, whose epoch it carries."""
    found = seen(pod(), *peers(1), new("new-1"))
    intended = intend(found, ledger=Ledger(epoch=7, in_flight={"first": FIRST}), now=NOW)
    assert intended.epoch == 7
    assert intended.baseline.pods == {UID, "peer-1"}
    elsewhere = replace(FIRST, workload=replace(FIRST.workload, uid="other"))
    other = intend(found, ledger=Ledger(in_flight={"first": elsewhere}), now=NOW)
    assert other.baseline.pods == {UID, "peer-1", "new-1"}


@pytest.mark.parametrize("claims", ["new-1", "new-2"])
def test_two_in_flight_find_a_new_pod_each(claims: str) -> None:
    """Whichever the one takes, the other is left with one that it takes for new."""
    second = record(id="second", baseline=before(pod(), *peers(1), new("new-1"), beside=[FIRST]))
    pods = by_uid(*peers(1), new("new-1"), new("new-2"))
    scene = Scene(workload(), pods, frozenset({claims}), NOW + 60.0, gone_at=NOW)
    for one in (FIRST, second):
        found = assess(one, scene)
        assert isinstance(found, Ended)
        assert found.outcome is Outcome.REPLACED
        assert found.replacement is not None
        assert found.replacement.uid != claims
