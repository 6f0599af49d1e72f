"""What a transaction works with: the clients, the journal, the clock, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from remediator.act.examine import Examination
from remediator.act.hooks import Hooks
from remediator.act.journal import Journal
from remediator.cluster.api import ApiServer
from remediator.cluster.events import Events
from remediator.cluster.neighbours import Neighbourhood
from remediator.cluster.nodes import Nodes
from remediator.cluster.orphans import Orphans
from remediator.cluster.owners import Owners
from remediator.cluster.pods import Pods
from remediator.cluster.removal import Removal
from remediator.model.holds import Hold
from remediator.model.measures import Veto
from remediator.model.pods import LivePod
from remediator.model.remediations import Remediation
from remediator.policy import PolicyFile
from remediator.pulse import Pulse


class Stopping(Exception):
    """The term ends: what is in flight is left to the next leader, as the journal has it."""


class Voice(Protocol):
    """Who tells of each step: the log and the metrics."""

    def step(self, record: Remediation, event: str, **words: object) -> None:
        """One step of a remediation."""
        ...

    def settled(self, record: Remediation) -> None:
        """Its end."""
        ...

    def fallback(self, record: Remediation, why: Veto) -> None:
        """The policy's action can't be done, and its fallback is."""
        ...

    def stray(self, pod: LivePod, words: str) -> None:
        """A pod that is out of its ReplicaSet without a record."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What a transaction works with. ``pause`` waits that many seconds and says whether we are stopping.

    ``home`` tells our journal from those of other daemons. ``holds`` asks what holds all action. ``late`` is the number
    of seconds after which no request by us, or by a leader before us, can still arrive.
    """

    api: ApiServer
    pods: Pods
    owners: Owners
    hooks: Hooks
    removal: Removal
    orphans: Orphans
    neighbourhood: Neighbourhood
    events: Events
    nodes: Nodes
    journal: Journal
    examination: Examination
    voice: Voice
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    pause: Callable[[float], bool]
    policies: Callable[[], PolicyFile]
    home: str
    holds: Callable[[PolicyFile], tuple[Hold, ...]]
    sample_interval: int
    late: float
    pulse: Pulse

    def rest(self, seconds: float) -> None:
        """Wait that long. Raises Stopping."""
        if self.pause(seconds):
            raise Stopping
