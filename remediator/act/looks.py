"""What a look at a pod finds: a verdict on its samples, the world around it, and whether anybody objects. Data only."""

from __future__ import annotations

from dataclasses import dataclass

from remediator.model.measures import Breach, Veto
from remediator.model.nodes import Node
from remediator.model.pods import LivePod
from remediator.model.vocabulary import Reason
from remediator.model.workloads import DisruptionBudget, Workload, WorkloadRef
from remediator.policy import Policy

GONE = Veto(Reason.GONE, "there is no pod of that name any more")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a candidate turned out to be; ``pod`` is None where it is gone."""

    pod: LivePod | None
    verdict: Breach | Veto


@dataclass(frozen=True, slots=True)
class World:
    """What is around a pod, as read from that moment on (seconds since the epoch): its workload, node and all budgets.

    ``node`` is None where it is gone.
    """

    workload: Workload
    node: Node | None
    budgets: tuple[DisruptionBudget, ...]
    read_at: float


@dataclass(frozen=True, slots=True)
class Go:
    """No guard objects: the pod as read, the world that they were asked about, and the policy that holds for it.

    ``instead`` says why the policy's ``fallback`` is done and not the surge that it asks for, None where neither is so.
    """

    breach: Breach
    pod: LivePod
    world: World
    policy: Policy
    instead: Veto | None = None

    @property
    def workload(self) -> Workload:
        """The pod's workload, with its pods."""
        return self.world.workload


@dataclass(frozen=True, slots=True)
class Vetoed:
    """Every reason of the first stage that has any; ``workload`` where it is known."""

    vetoes: tuple[Veto, ...]
    workload: WorkloadRef | None = None

    def __str__(self) -> str:
        return "; ".join(map(str, self.vetoes))
