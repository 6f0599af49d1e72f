"""How many workloads are counted, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

import pytest

from remediator.act.census import Census
from remediator.cluster.owners import Owners
from remediator.cluster.pods import Pods
from remediator.errors import KubernetesError, KubernetesUnreachable
from remediator.model.measures import Candidate, Veto
from remediator.model.pods import LivePod, OwnerReference
from remediator.model.vocabulary import Reason
from remediator.model.workloads import WorkloadRef
from tests.unit.act.fakes import refused
from tests.unit.make import pod, safety


@dataclass
class World:
    """Pods by name; each asked for is kept, and so is each whose owner is."""

    pods: dict[str, LivePod]
    asked: list[str] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    error: KubernetesError | None = None

    def read(self, _namespace: str, name: str) -> LivePod | None:
        """As ``Pods.read``."""
        self.asked.append(name)
        if self.error:
            raise self.error
        return self.pods.get(name)

    def workload_of(self, one: LivePod) -> WorkloadRef | None:
        """As ``Owners.workload_of``."""
        self.owners.append(one.name)
        if self.error:
            raise self.error
        return WorkloadRef(one.controller.kind, one.namespace, "it", one.controller.uid) if one.controller else None

    @property
    def census(self) -> Census:
        """A census of it."""
        return Census(cast("Pods", self), cast("Owners", self))


def world(*names: str, owner: str | None = None) -> World:
    """A pod of each name, of a workload of its own unless they have one owner together."""
    reference = {name: OwnerReference("apps/v1", "StatefulSet", "it", owner or name) for name in names}
    return World({name: pod(name=name, uid=name, controller=reference[name]) for name in names})


def named(names: Iterable[str]) -> list[Candidate]:
    """The candidates of these names."""
    return [Candidate("everyone", "shop", name) for name in names]


def before(there: World, names: Iterable[str], measured: int) -> Veto | None:
    """The census before they are judged."""
    return there.census.before(named(names), measured=measured, safety=safety())


def after(there: World, names: Iterable[str], measured: int) -> Veto | None:
    """The census of those that have been read."""
    return there.census.after(named(names), there.pods.values(), measured=measured, safety=safety())


MANY = [f"app{n}-0" for n in range(2000)]


def test_thousands_of_workloads_cost_a_few_requests() -> None:
    """It is enough to know of one more than twenty."""
    there = world(*MANY)
    veto = before(there, MANY, 2500)
    assert veto is not None
    assert veto.reason is Reason.MASS_BREACH
    assert len(there.asked) == len(there.owners) == 21


def test_a_usual_evaluation_costs_nothing() -> None:
    """Where the share is not exceeded nobody is looked at, neither before nor after."""
    there = world(*MANY)
    assert before(there, MANY, 4000) is None
    assert after(there, MANY, 4000) is None
    assert before(there, MANY[:20], 20) is None
    assert there.asked == there.owners == []


def test_many_pods_of_one_workload_are_no_mass_breach() -> None:
    """Names of one controller cost no request before; what was read is counted by its owner."""
    names = [f"web-5d4f-{n}" for n in range(100)]
    there = world(*names, owner="one")
    assert before(there, names, 100) is None
    assert there.asked == []
    assert after(there, names, 100) is None


def test_workloads_whose_pods_names_are_alike_are_told_apart_once_they_are_read() -> None:
    """A controller of one's own for each ``tenant-N``: names don't tell, owners do."""
    names = [f"tenant-{n}" for n in range(30)]
    there = world(*names)
    assert before(there, names, 30) is None
    assert after(there, names, 30) is not None


def test_pods_that_are_gone_or_bare_are_of_no_workload() -> None:
    """What can't be taken does not make a mass breach."""
    there = World({name: pod(name=name, controller=None) for name in MANY[:15]})
    assert before(there, MANY[:30], 30) is None
    assert after(there, MANY[:30], 30) is None


def test_what_may_not_be_looked_at_is_told_by_the_judge() -> None:
    """Without the right to read, nothing is known here; an API server that does not answer ends the evaluation."""
    there = world(*MANY)
    there.error = refused(403)
    assert before(there, MANY, 2000) is None
    assert len(there.asked) == 63, "no more than is reasonable"
    assert after(there, MANY, 2000) is not None, "the pods are known, and who controls them directly"
    there.error = KubernetesUnreachable("gone")
    with pytest.raises(KubernetesUnreachable):
        before(there, MANY, 2000)
