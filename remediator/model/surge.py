"""Replacing first and removing after: how a pod that was taken out of its ReplicaSet looks, and who would notice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from remediator.model.selectors import LabelSelector

ORPHAN = "remediator-surge"
"""What the hash label of a pod that was taken out says: no hash can be that, so one query finds all of them."""
HASH_LABELS = ("pod-template-hash", "rollouts-pod-template-hash")
"""The labels by which a ReplicaSet tells its pods from those of its owner's other ReplicaSets, by owner: Deployment,
Argo Rollout."""


def hash_label(labels: Mapping[str, str]) -> str:
    """The hash label that a pod has; empty where it has none, or several."""
    found = [key for key in HASH_LABELS if key in labels]
    return found[0] if len(found) == 1 else ""


def is_orphan(labels: Mapping[str, str]) -> bool:
    """Whether a pod with these labels was taken out of its ReplicaSet by us."""
    return labels.get(hash_label(labels)) == ORPHAN


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a pod takes up, and what one more of it would want as well.

    ``claims`` are the names of the PersistentVolumeClaims that it mounts, ``asks`` the sums of its requests and limits
    by the names that quotas have for them (``requests.memory`` in bytes, ``limits.cpu`` in cores). ``best_effort``,
    ``ends`` (it has a deadline) and ``priority_class`` say which quotas count it.
    """

    host_network: bool = False
    host_ports: tuple[int, ...] = ()
    claims: tuple[str, ...] = ()
    asks: Mapping[str, Decimal] = field(default_factory=dict)
    best_effort: bool = False
    ends: bool = False
    priority_class: str = ""


@dataclass(frozen=True, slots=True)
class Selecting:
    """An object that selects pods; ``adopts`` where it would make itself the controller of one without."""

    name: str
    selector: LabelSelector
    adopts: bool = False


@dataclass(frozen=True, slots=True)
class Quota:
    """What a ResourceQuota that counts the pod still has to give, by its names for it."""

    name: str
    left: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Who in a pod's namespace would notice that it has another label, or that there is one pod more.

    ``own`` is the selector of its ReplicaSet, None where that is gone. ``unshared`` are the claims of the pod that not
    every node can mount at the same time, each with its access modes.
    """

    own: LabelSelector | None
    selecting: tuple[Selecting, ...] = ()
    quotas: tuple[Quota, ...] = ()
    unshared: Mapping[str, str] = field(default_factory=dict)
