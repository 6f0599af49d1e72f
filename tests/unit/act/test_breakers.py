"""Looking after open breakers: closed when the missing replacement is available after all, and not before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from remediator.act import ledger as changes
from remediator.act.remediations import Remediations
from remediator.errors import KubernetesError, KubernetesUnreachable
from remediator.model.nodes import Node
from remediator.model.pods import LivePod
from remediator.model.remediations import Remediation
from remediator.model.vocabulary import Outcome
from remediator.model.workloads import Workload, WorkloadRef
from tests.unit.act.fakes import Cluster, Leader, intent, journal, refused
from tests.unit.act.owners import agent, daemonset, fresh, member, of_daemonset, of_statefulset, statefulset
from tests.unit.act.worlds import World, go, remediations
from tests.unit.make import NOW, peers, pod, record, workload

NEW = pod(uid="new", name="web-5d4f-new", **fresh())


def failed(one: Remediation, outcome: Outcome = Outcome.NOT_READY) -> Remediation:
    """The record, ended badly."""
    return replace(one, outcome=outcome, settled_at=NOW - 5.0, detail="no replacement")


class Site:
    """One breaker of that record, and a workload that can be changed."""

    def __init__(self, one: Remediation, workload: Workload | None, pods: Iterable[LivePod] = ()) -> None:
        self.workload, self.pods = workload, tuple(pods)
        self.error: KubernetesError | None = None
        self.node: Node | None = Node("node-1")
        self.cluster, self.world = Cluster(), World(go)
        before = journal(self.cluster, Leader(self.cluster, "before"))
        before.update(intent(replace(one, outcome=None, settled_at=None)))
        before.update(lambda ledger: changes.settled(ledger, one))
        self.supervisor: Remediations = remediations(self.world, self.cluster)
        means = self.supervisor._means
        means.owners.read = self.read  # type: ignore[method-assign]
        means.nodes.read = lambda name: self.node if name else None  # type: ignore[method-assign]
        means.journal.current()

    def read(self, ref: WorkloadRef) -> Workload | None:
        """As ``Owners.read``."""
        assert ref.uid in self.cluster.ledger.breakers
        if self.error:
            raise self.error
        return replace(self.workload, pods=self.pods) if self.workload else None

    def is_open(self) -> bool:
        """After one more look."""
        self.supervisor.review_breakers()
        return bool(self.cluster.ledger.breakers)


def test_a_breaker_closes_when_the_replacement_is_available_after_all() -> None:
    """And not while it is not there, or not enough of the others are."""
    site = Site(failed(record()), workload(), peers())
    assert site.is_open()
    site.pods = (*peers(), replace(NEW, ready_since=None))
    assert site.is_open()
    site.pods = (*peers(1), NEW)
    assert site.is_open()
    site.pods = (*peers(), NEW)
    assert not site.is_open()
    assert site.world.told[-1] == "breaker-closed"


def test_a_breaker_of_a_statefulset_waits_for_the_namesake() -> None:
    """Another ordinal that comes back does not close it."""
    site = Site(failed(of_statefulset(1)), statefulset(), [member(0, "new-0", **fresh())])
    assert site.is_open()
    site.pods = (member(1, "new-1", **fresh()),)
    assert not site.is_open()


def test_a_breaker_of_a_daemonset_waits_for_its_node() -> None:
    """For a pod on it, or for the end of the node: then there is nothing left to wait for."""
    elsewhere = agent("node-9", "new-9", **fresh())
    site = Site(failed(of_daemonset()), daemonset(), [elsewhere])
    assert site.is_open()
    site.pods = (elsewhere, agent("node-1", "new-1", **fresh()))
    assert not site.is_open()
    site = Site(failed(of_daemonset()), daemonset(), [elsewhere])
    site.node = None
    assert not site.is_open()


def test_a_breaker_of_a_workload_that_is_gone_closes() -> None:
    """Whatever it was opened for."""
    for outcome in (Outcome.NOT_READY, Outcome.FAILED):
        assert not Site(failed(record(), outcome), None).is_open()


@pytest.mark.parametrize(
    "one",
    [failed(record(), Outcome.FAILED), failed(record(taken_at=None)), failed(record(taken_at=None), Outcome.FAILED)],
)
def test_what_was_no_missing_replacement_waits_for_an_operator(one: Remediation) -> None:
    """A right that is missing does not come back with a pod."""
    assert Site(one, workload(), [*peers(), NEW]).is_open()


def test_a_pod_that_settled_another_record_closes_nothing() -> None:
    """Two were in flight, one new pod came."""
    site = Site(failed(record()), workload(), [*peers(), NEW])
    other = record(id="f" * 12, outcome=Outcome.REPLACED, settled_at=NOW - 6.0, replacement_uid="new")
    site.cluster.change(lambda ledger: replace(ledger, settled=(*ledger.settled, other)))
    assert site.is_open()


def test_it_is_said_once_that_nobody_can_look() -> None:
    """A breaker may be open for days, and is looked after every ten seconds; another reason is news."""
    site = Site(failed(record()), workload(), peers())
    site.error = KubernetesUnreachable("no answer")
    assert [site.is_open() for _ in range(5)] == [True] * 5
    assert site.world.told == ["waiting"]
    site.error = refused(403)
    assert [site.is_open() for _ in range(5)] == [True] * 5
    assert site.world.told == ["waiting"] * 2
    site.error = None
    assert site.is_open()
    site.error = refused(403)
    assert site.is_open()
    assert site.world.told == ["waiting"] * 3


def test_one_that_can_not_be_looked_at_keeps_no_other_open() -> None:
    """Each for itself."""
    site = Site(failed(record()), workload(), [*peers(), NEW])
    other = failed(record(id="0" * 12, workload=replace(record().workload, uid="first", namespace="bank")))
    site.cluster.change(
        lambda ledger: replace(
            ledger,
            breakers={
                "first": replace(ledger.breakers["dep-uid"], workload=other.workload, record=other),
                **ledger.breakers,
            },
        )
    )
    real = site.read

    def read(ref: WorkloadRef) -> Workload | None:
        if ref.uid == "first":
            raise refused(403)
        return real(ref)

    site.supervisor._means.owners.read = read  # type: ignore[method-assign]
    assert site.is_open()
    assert set(site.cluster.ledger.breakers) == {"first"}


def test_without_a_breaker_nothing_is_asked() -> None:
    """Not even the journal."""
    site = Site(failed(record(), Outcome.REPLACED), workload())
    site.cluster.faults = ["blind"]
    site.supervisor.review_breakers()
    assert site.cluster.faults == ["blind"]
