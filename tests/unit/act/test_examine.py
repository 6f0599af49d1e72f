"""The look at live pods: what is read for it, and which questions end it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from remediator.act.examine import ONE_BY_ONE, Examination
from remediator.act.looks import Go, Vetoed
from remediator.model.measures import Breach, Series, Veto
from remediator.model.nodes import Node
from remediator.model.pods import LivePod
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Action, Reason
from remediator.model.workloads import DisruptionBudget, Workload, WorkloadRef
from remediator.policy import PolicyFile
from tests.unit.make import DEPLOYMENT, GI, NOW, SCOPE, breach, pod, policies, policy, series, steady, workload


@dataclass
class World:
    """What the clients answer, and what they were asked for."""

    pods: Mapping[str, LivePod]
    samples: list[Series] = field(default_factory=list)
    owner: WorkloadRef | None = DEPLOYMENT
    workload: Workload | None = field(default_factory=workload)
    node: Node | None = field(default_factory=lambda: Node("node-1"))
    asked: list[str] = field(default_factory=list)

    def matrix(self, _query: str, *, at: int) -> list[Series]:
        """As ``Prometheus.matrix``."""
        assert at == NOW
        return self.samples

    def select(self, _namespace: str, _selector: str) -> tuple[list[LivePod], str]:
        """As ``Pods.select``."""
        self.asked.append("pods")
        return list(self.pods.values()), "40"

    @property
    def examination(self) -> Examination:
        """One that looks at it."""
        return Examination(
            prometheus=cast("Any", self),
            pods=cast("Any", _Pods(self)),
            owners=cast("Any", _Owners(self)),
            nodes=cast("Any", _Nodes(self)),
            budgets=cast("Any", _Budgets(self)),
            neighbourhood=cast("Any", None),
            scope=SCOPE,
            clock=lambda: float(NOW),
        )


@dataclass
class _Part:
    world: World


class _Pods(_Part):
    def read(self, _namespace: str, name: str) -> LivePod | None:
        self.world.asked.append("pod")
        return self.world.pods.get(name)

    def select(self, namespace: str, selector: str) -> tuple[list[LivePod], str]:
        return self.world.select(namespace, selector)


class _Owners(_Part):
    def workload_of(self, _pod: LivePod, *, fresh: bool = False) -> WorkloadRef | None:
        del fresh
        return self.world.owner

    def read(self, _ref: WorkloadRef) -> Workload | None:
        self.world.asked.append("workload")
        return self.world.workload


class _Nodes(_Part):
    def read(self, _name: str) -> Node | None:
        self.world.asked.append("node")
        return self.world.node


class _Budgets(_Part):
    def of(self, _namespace: str) -> tuple[DisruptionBudget, ...]:
        self.world.asked.append("budgets")
        return ()


def judged(world: World, *names: str) -> dict[str, Breach | Veto]:
    """The verdict on each of these pods, for a policy of 20 GiB."""
    found = world.examination.judged(policy(), namespace="shop", names=names, at=NOW)
    return {name: one.verdict for name, one in found.items()}


def test_a_pod_that_is_gone_is_gone() -> None:
    """Prometheus shows it over, and there is none of that name: neither a breach nor an error."""
    verdicts = judged(World({}, [series(steady(22.0 * GI))]), "web-5d4f-abcde")
    verdict = verdicts["web-5d4f-abcde"]
    assert isinstance(verdict, Veto)
    assert (verdict.reason, verdict.detail) == (Reason.GONE, "there is no pod of that name any more")


def test_a_few_pods_are_read_and_many_are_listed() -> None:
    """The requests of an evaluation don't grow with the number of pods that are over."""
    one = pod()
    few, many = [World({one.name: one}, [series(steady(22.0 * GI))]) for _ in range(2)]
    names = [one.name, *(f"gone-{n}" for n in range(ONE_BY_ONE))]
    for world, some in ((few, names[:ONE_BY_ONE]), (many, names)):
        verdicts = judged(world, *some)
        assert isinstance(verdicts[one.name], Breach)
        reasons = {verdict.reason for verdict in verdicts.values() if isinstance(verdict, Veto)}
        assert reasons == {Reason.GONE}
    assert few.asked == ["pod"] * ONE_BY_ONE
    assert many.asked == ["pods"]


def guarded(world: World, *, file: PolicyFile | None = None, every_stage: bool = False, **of_pod: Any) -> Go | Vetoed:  # noqa: ANN401
    """What the guards say of ``pod()``, changed."""
    file = file or policies()
    return world.examination.guarded(
        breach(),
        pod=pod(**of_pod),
        policy=file.policies[0],
        policies=file,
        ledger=Ledger(),
        holds=(),
        every_stage=every_stage,
    )


PAUSED = policies(paused=True)
LOST = Node("node-1", not_ready="KubeletNotReady: no network")


def test_who_may_go_has_been_looked_at_from_all_sides() -> None:
    """Workload, node and budgets, once each."""
    world = World({})
    found = guarded(world)
    assert isinstance(found, Go)
    assert world.asked == ["workload", "node", "budgets"]


@pytest.mark.parametrize(
    ("file", "of_pod", "node", "reasons", "asked"),
    [
        pytest.param(PAUSED, {"phase": "Failed"}, LOST, {Reason.PAUSED}, 0, id="the policy"),
        pytest.param(policies(), {"phase": "Failed"}, LOST, {Reason.NOT_RUNNING}, 0, id="the pod"),
        pytest.param(policies(), {}, LOST, {Reason.NODE_NOT_READY}, 3, id="what is around it"),
    ],
)
def test_the_first_stage_that_objects_ends_the_questions(
    file: PolicyFile, of_pod: dict[str, Any], node: Node, reasons: set[Reason], asked: int
) -> None:
    """A chronic pod costs little: what would cost a request is asked last."""
    world = World({}, node=node)
    found = guarded(world, file=file, **of_pod)
    assert isinstance(found, Vetoed)
    assert {veto.reason for veto in found.vetoes} == reasons
    assert len(world.asked) == asked


def test_every_stage_is_told_where_that_is_asked_for() -> None:
    """A plan shows all that stands in the way, not the first of it."""
    found = guarded(World({}, node=LOST), file=PAUSED, every_stage=True, phase="Failed")
    assert isinstance(found, Vetoed)
    assert {veto.reason for veto in found.vetoes} == {Reason.PAUSED, Reason.NOT_RUNNING, Reason.NODE_NOT_READY}


def test_a_report_is_not_held_back_by_what_protects_from_an_act() -> None:
    """A lost node is no reason not to tell of a pod."""
    report = policies(policy(action=Action.NOTIFY))
    assert isinstance(guarded(World({}, node=LOST), file=report), Go)
    assert isinstance(guarded(World({}, node=None), file=report), Go)
    assert isinstance(guarded(World({}, node=None)), Vetoed)


def test_a_workload_that_is_gone_makes_no_replacement() -> None:
    """Its pod still names it."""
    found = guarded(World({}, workload=None))
    assert isinstance(found, Vetoed)
    assert {veto.reason for veto in found.vetoes} == {Reason.NO_CONTROLLER}
