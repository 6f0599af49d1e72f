"""A cluster of one journal and one Lease, whose requests go wrong in the ways that requests do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import cast

from remediator.act import ledger as changes
from remediator.act.journal import Journal, decode, encode
from remediator.cluster.election import Elector
from remediator.cluster.store import StoredText, TextStore
from remediator.errors import KubernetesOdd, KubernetesRefused, KubernetesUnreachable, NotLeader, Status
from remediator.model.remediations import Ledger, Remediation
from remediator.model.vocabulary import Outcome
from tests.unit.make import NOW

NAME = "remediator-journal"


def refused(code: int) -> KubernetesRefused:
    """The API server's refusal."""
    return KubernetesRefused(f"the API server answered {code}: no", status=Status(code=code, message="no"))


@dataclass
class Cluster:
    """What the API server holds, and what happens to the next requests, first things first.

    ``conflict``: somebody writes the same text just before. ``lost``: the write lands and its answer doesn't.
    ``missed``: it does not even arrive. ``odd``: it lands and the answer is no JSON. A number: refused with it.
    """

    maps: dict[str, StoredText] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    faults: list[str | int] = field(default_factory=list)
    writes: int = 0
    count: int = 0

    def version(self) -> str:
        """A new resourceVersion."""
        self.count += 1
        return str(self.count)

    def put(self, name: str, text: str | None, *, uid: str | None = None) -> StoredText:
        """Write past all conditions, as an operator does."""
        before = self.maps.get(name)
        stored = StoredText(uid or (before.uid if before else f"uid-{self.version()}"), self.version(), text)
        self.maps[name] = stored
        return stored

    @property
    def ledger(self) -> Ledger:
        """The journal as it stands."""
        return decode(self.maps[NAME].text)

    def change(self, change: Callable[[Ledger], Ledger]) -> None:
        """Somebody else changes the journal."""
        self.put(NAME, encode(change(self.ledger)))

    def write(self, land: Callable[[], StoredText]) -> StoredText:
        """One write under the next fault."""
        fault = self.faults.pop(0) if self.faults else None
        match fault:
            case int():
                raise refused(fault)
            case "missed":
                message = "the API server did not answer"
                raise KubernetesUnreachable(message)
            case "conflict":
                for name, stored in list(self.maps.items()):
                    self.put(name, stored.text)
        stored = land()
        self.writes += 1
        if fault == "lost":
            message = "the API server broke off its answer"
            raise KubernetesUnreachable(message)
        if fault == "odd":
            message = "the API server's answer is no JSON"
            raise KubernetesOdd(message)
        return stored


class Store:
    """``TextStore`` over it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def read(self, name: str) -> StoredText | None:
        """As the real one."""
        if self._cluster.faults and self._cluster.faults[0] == "blind":
            self._cluster.faults.pop(0)
            message = "the API server did not answer"
            raise KubernetesUnreachable(message)
        return self._cluster.maps.get(name)

    def create(self, name: str, text: str, *, timeout: float) -> StoredText:
        """As the real one."""
        assert timeout > 0

        def land() -> StoredText:
            if name in self._cluster.maps:
                raise refused(409)
            return self._cluster.put(name, text)

        return self._cluster.write(land)

    def update(self, name: str, text: str, *, stored: StoredText, timeout: float) -> StoredText:
        """As the real one: of exactly that version of exactly that object."""
        assert timeout > 0

        def land() -> StoredText:
            now = self._cluster.maps.get(name)
            if now is None:
                raise refused(404)
            if (now.uid, now.version) != (stored.uid, stored.version):
                raise refused(409)
            return self._cluster.put(name, text)

        return self._cluster.write(land)


class Leader:
    """``Elector`` as the journal needs it: ``leading`` is what this process believes of itself."""

    def __init__(self, cluster: Cluster, identity: str) -> None:
        self.identity = identity
        self.leading = True
        self.fenced: list[float] = []
        self.stepped_down = ""
        self._cluster = cluster

    def fence(self, timeout: float) -> None:
        """As the real one."""
        self.fenced.append(timeout)
        if not self.leading:
            message = "the lease is held by somebody else: nothing is written"
            raise NotLeader(message)

    def annotation(self, key: str) -> str:
        """As the real one."""
        return self._cluster.annotations.get(key, "")

    def annotate(self, key: str, value: str) -> None:
        """As the real one."""
        self.fence(1)
        self._cluster.annotations[key] = value

    def step_down(self, words: str) -> None:
        """As the real one."""
        self.leading = False
        self.stepped_down = words


def journal(cluster: Cluster, leader: Leader | None = None) -> Journal:
    """The journal of a term of that leader."""
    leader = leader or Leader(cluster, "me")
    return Journal(cast("TextStore", Store(cluster)), name=NAME, elector=cast("Elector", leader))


def intent(one: Remediation) -> Callable[[Ledger], Ledger]:
    """The change that begins it."""
    return lambda ledger: changes.intended(ledger, one)


def end(one: Remediation) -> Callable[[Ledger], Ledger]:
    """The change that ends it well."""
    over = replace(one, outcome=Outcome.REPLACED, settled_at=float(NOW))
    return lambda ledger: changes.settled(ledger, over)
