"""What is around pods, each thing read once for as long as it is as good as new.

A hundred pods that are over and have to stay are of few workloads: each evaluation would ask for these a hundred times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from remediator.act.looks import World
from remediator.cluster.disruption import DisruptionBudgets
from remediator.cluster.nodes import Nodes
from remediator.cluster.owners import Owners
from remediator.model.pods import LivePod
from remediator.model.workloads import WorkloadRef

T = TypeVar("T")

FRESH = 2.0
"""Seconds for which what was read of a workload, a node and the budgets is believed."""


def is_fresh(read_at: float, now: float) -> bool:
    """Whether what was read then (seconds since the epoch) is as good as new."""
    # A clock that was set back says nothing of how old it is.
    return 0 <= now - read_at < FRESH


class Surroundings:
    """For one thread, and until it changes something itself: then ``forget``."""

    def __init__(self, *, owners: Owners, nodes: Nodes, budgets: DisruptionBudgets, clock: Callable[[], float]) -> None:
        self._owners = owners
        self._nodes = nodes
        self._budgets = budgets
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[float, Any]] = {}

    def of(self, pod: LivePod, owner: WorkloadRef) -> World | None:
        """The world around a pod of that workload, as old as its oldest part; None where the workload is gone.

        Raises KubernetesError.
        """
        since, workload = self._read("workload", owner.uid, lambda: self._owners.read(owner))
        if workload is None:
            self.forget()
            return None
        node_since, node = self._read("node", pod.node, lambda: self._nodes.read(pod.node))
        budgets_since, budgets = self._read("budgets", pod.namespace, lambda: self._budgets.of(pod.namespace))
        return World(workload, node, budgets, min(since, node_since, budgets_since))

    def forget(self) -> None:
        """From here on everything is read anew."""
        self._known.clear()

    def _read(self, kind: str, name: str, read: Callable[[], T]) -> tuple[float, T]:
        """From when it is, and what it is."""
        found = self._known.get((kind, name))
        if found is None or not is_fresh(found[0], self._clock()):
            found = self._known[kind, name] = self._clock(), read()
        return found
