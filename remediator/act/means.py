"""What a transaction works with: the clients, the journal, the clock, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from remediator.act.examine import Examination
from remediator.act.journal import Journal
from remediator.cluster.api import ApiServer
from remediator.cluster.events import Events
from remediator.cluster.nodes import Nodes
from remediator.cluster.owners import Owners
from remediator.cluster.pods import Pods
from remediator.cluster.removal import Removal
from remediator.model.remediations import Remediation
from remediator.policy import PolicyFile


class Voice(Protocol):
    """Who tells of each step: the log and the metrics."""

    def step(self, record: Remediation, event: str, **words: object) -> None:
        """One step of a remediation."""
        ...

    def settled(self, record: Remediation) -> None:
        """Its end."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What a transaction works with. ``pause`` waits that many seconds and says whether we are stopping.

    ``late`` is the number of seconds after which no request by us, or by a leader before us, can still arrive.
    """

    api: ApiServer
    pods: Pods
    owners: Owners
    removal: Removal
    events: Events
    nodes: Nodes
    journal: Journal
    examination: Examination
    voice: Voice
    clock: Callable[[], float]
    pause: Callable[[float], bool]
    policies: Callable[[], PolicyFile]
    sample_interval: int
    late: float
