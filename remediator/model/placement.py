"""Which nodes a DaemonSet has a pod on, decided as its controller decides it.

Whatever is not understood counts as fitting: that a node is not meant any more has to be certain.
Source: ``NodeShouldRunDaemonPod`` in ``pkg/controller/daemon/daemon_controller.go`` of Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from remediator.model.nodes import Node, Taint
from remediator.model.selectors import Operator, Requirement

_KEEPS_AWAY = frozenset({"NoSchedule", "NoExecute"})
_SELECTED: Mapping[str, Operator] = MappingProxyType({str(one): one for one in Operator})
_COMPARED: Mapping[str, Callable[[int, int], bool]] = MappingProxyType(
    {"Gt": lambda have, asked: have > asked, "Lt": lambda have, asked: have < asked}
)


@dataclass(frozen=True, slots=True)
class Toleration:
    """What lets a pod onto a tainted node; an empty key or effect stands for every one."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""

    def tolerates(self, taint: Taint) -> bool:
        """Whether the taint does not matter."""
        if (self.effect and self.effect != taint.effect) or (self.key and self.key != taint.key):
            return False
        return self.operator != "Equal" or self.value == taint.value


@dataclass(frozen=True, slots=True)
class NodeRequirement:
    """One condition on a node's labels or, with ``of_name``, on its name."""

    key: str
    operator: str
    values: tuple[str, ...] = ()
    of_name: bool = False

    def meets(self, node: Node) -> bool:
        """Whether the node meets it."""
        labels = {self.key: node.name} if self.of_name else node.labels
        if self.operator in _SELECTED:
            return Requirement(self.key, _SELECTED[self.operator], frozenset(self.values)).matches(labels)
        if self.operator in _COMPARED and len(self.values) == 1:
            have, asked = labels.get(self.key, ""), self.values[0]
            return _is_number(have) and _is_number(asked) and _COMPARED[self.operator](int(have), int(asked))
        return True


DAEMON_TOLERATIONS = (
    Toleration("node.kubernetes.io/not-ready", "Exists", effect="NoExecute"),
    Toleration("node.kubernetes.io/unreachable", "Exists", effect="NoExecute"),
    Toleration("node.kubernetes.io/disk-pressure", "Exists", effect="NoSchedule"),
    Toleration("node.kubernetes.io/memory-pressure", "Exists", effect="NoSchedule"),
    Toleration("node.kubernetes.io/pid-pressure", "Exists", effect="NoSchedule"),
    Toleration("node.kubernetes.io/unschedulable", "Exists", effect="NoSchedule"),
)
HOST_NETWORK_TOLERATION = Toleration("node.kubernetes.io/network-unavailable", "Exists", effect="NoSchedule")
"""What the controller adds to each of its pods, and to those on the host's network."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where pods of a template may be. Of ``terms`` one has to be met, by all of its requirements; None is no term."""

    node_name: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    terms: tuple[tuple[NodeRequirement, ...], ...] | None = None
    tolerations: tuple[Toleration, ...] = ()

    def objection(self, node: Node) -> str:
        """Why the node can have none, empty where it can."""
        if self.node_name and self.node_name != node.name:
            return f"node {node.name} is not the one that the template names"
        if any(node.labels.get(key) != value for key, value in self.node_selector.items()):
            return f"node {node.name} is not selected any more"
        if self.terms is not None and not any(term and all(one.meets(node) for one in term) for term in self.terms):
            return f"node {node.name} does not meet the node affinity any more"
        for taint in node.taints:
            if taint.effect in _KEEPS_AWAY and not any(one.tolerates(taint) for one in self.tolerations):
                return f"node {node.name} has the taint {taint}, which is not tolerated"
        return ""


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and text.isascii()
