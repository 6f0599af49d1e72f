"""A node as far as its pods' fate depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Taint:
    """What keeps pods away from a node, unless they tolerate it."""

    key: str
    value: str = ""
    effect: str = ""

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


@dataclass(frozen=True, slots=True)
class Node:
    """One node. ``not_ready`` are Kubernetes' words for why it is not Ready, empty while it is.

    ``readable`` is False where nodes may not be looked at: then nothing but its name is known.
    """

    name: str
    not_ready: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    readable: bool = True
