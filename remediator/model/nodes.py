"""A node as far as its pods' fate depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Node:
    """One node. ``not_ready`` are Kubernetes' words for why it is not Ready, empty while it is.

    ``readable`` is False where nodes may not be looked at: then nothing but its name is known.
    """

    name: str
    not_ready: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    readable: bool = True
