"""A world in which remediations are begun and carried out: the guards' words, the answers, and a clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from remediator.act.hooks import Called
from remediator.act.looks import Go, Vetoed
from remediator.act.looks import World as Around
from remediator.act.means import Means
from remediator.act.remediations import Begun, Remediations
from remediator.cluster.removal import Answer, Taken
from remediator.errors import KubernetesError
from remediator.model.hooks import Hook
from remediator.model.measures import Breach, Veto
from remediator.model.nodes import Node
from remediator.model.pods import LivePod
from remediator.model.remediations import Remediation
from remediator.policy import Policy, PolicyFile
from remediator.pulse import Pulse
from tests.unit import make
from tests.unit.act.fakes import Cluster, Leader, journal, refused


@dataclass
class World:
    """What the transaction meets: the guards' words, the API server's answers, and a clock that pauses move on."""

    guarded: Callable[[], Go | Vetoed]
    answers: list[Taken] = field(default_factory=list)
    present: bool = True
    now: float = make.NOW
    ahead: float = 0.0
    """How far somebody has set the clock forward."""
    evicted: list[float] = field(default_factory=list)
    settled: list[Remediation] = field(default_factory=list)
    budgets: Callable[[], tuple[str, ...]] = tuple
    policies: PolicyFile = field(default_factory=make.policies)
    then: PolicyFile | None = None
    """The policies as soon as an intent is in the journal, where they change then."""
    told: list[str] = field(default_factory=list)
    error: KubernetesError | None = None
    """What every look at a pod ends with, where there is one."""
    requests: list[tuple[tuple[object, ...], dict[str, object]]] = field(default_factory=list)
    out: tuple[LivePod, ...] = ()
    """The pods that are out of their ReplicaSets."""
    may_list: Collection[str | None] = (None,)
    """The namespaces whose pods may be listed; None is all of them together."""
    list_error: KubernetesError | None = None
    """What every list of pods ends with, where there is one."""
    stamped: Answer = Answer.ACCEPTED
    """What the API server says to a stamp."""
    not_before: float = 0.0
    """Until when the server wants to be left in peace."""

    pod: LivePod = field(default_factory=make.pod)
    hook: Callable[[Hook, LivePod], Called] | None = None
    """What comes of a hook, where there are any."""
    hooks: list[str] = field(default_factory=list)
    firsts: list[Go | None] = field(default_factory=list)
    """What each look was told of the first one."""
    looks_before: list[int] = field(default_factory=list)
    """How many looks there had been before each request."""

    def read(self, *_: str) -> LivePod | None:
        """As ``Pods.read``."""
        if self.error:
            raise self.error
        return self.pod if self.present else None

    def confirmed(self, _breach: Breach, *, policy: Policy, first: Go | None, **_: object) -> Go | Vetoed:
        """As ``Examination.confirmed``."""
        self.firsts.append(first)
        return under(policy, self.guarded())

    def run(self, hook: Hook, pod: LivePod, *, pause: Callable[[float], object]) -> Called:
        """As ``Hooks.run``."""
        pause(0.0)
        assert self.hook is not None, "nothing is to be called"
        self.hooks.append(str(hook))
        return self.hook(hook, pod)

    def step(self, _record: Remediation, event: str, **_words: object) -> None:
        """As the voice's."""
        self.told.append(event)
        if event in {"intended", "inherited"} and self.then is not None:
            self.policies = self.then

    def find(self, namespace: str | None = None) -> tuple[LivePod, ...]:
        """As ``Orphans.find``."""
        if self.list_error is not None:
            raise self.list_error
        if namespace not in self.may_list:
            raise refused(403)
        return tuple(pod for pod in self.out if namespace in {None, pod.namespace})

    def fallback(self, _record: Remediation, why: Veto) -> None:
        """As the voice's."""
        self.told.append(str(why))

    def stray(self, pod: LivePod, words: str) -> None:
        """As the voice's."""
        self.told.append(f"{pod.name}: {words}")

    def stamp(self, **_: object) -> Taken:
        """As ``Orphans.stamp``."""
        return Taken(self.stamped)

    def take(self, *how: object, **more: object) -> Taken:
        """One request."""
        self.requests.append((how, more))
        self.looks_before.append(len(self.firsts))
        self.evicted.append(self.now)
        return self.answers.pop(0)

    @property
    def left_in_peace(self) -> float:
        """For how many seconds yet."""
        return max(self.not_before - self.now, 0.0)

    def pause(self, seconds: float) -> bool:
        """Time goes by; nobody is stopping."""
        self.now += max(seconds, 0.0)
        return False


class Requests:
    """``Removal`` in that world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.take = world.take

    @property
    def pause(self) -> float:
        """As the real one's."""
        return self._world.left_in_peace


def go() -> Go:
    """No guard objects."""
    return Go(make.breach(), make.pod(), Around(make.workload(), Node("node-1"), (), make.NOW), make.policy())


def under(policy: Policy, found: Go | Vetoed) -> Go | Vetoed:
    """What the second look finds, under the policy that it was asked with."""
    return replace(found, policy=policy) if isinstance(found, Go) else found


def remediations(world: World, cluster: Cluster) -> Remediations:
    """The supervisor in that world, with a real journal."""
    voice = SimpleNamespace(step=world.step, settled=world.settled.append, stray=world.stray, fallback=world.fallback)
    parts: Any = {
        "api": None,
        "pods": SimpleNamespace(read=world.read),
        "owners": SimpleNamespace(read=lambda *_: None, read_with=lambda *_: None),
        "removal": Requests(world),
        "orphans": SimpleNamespace(find=world.find, take_out=world.take, stamp=world.stamp),
        "neighbourhood": None,
        "journal": journal(cluster, Leader(cluster, "me")),
        "examination": SimpleNamespace(confirmed=world.confirmed, budgets_of=lambda _: world.budgets()),
        "hooks": SimpleNamespace(run=world.run),
        "events": SimpleNamespace(warnings=lambda *_: ()),
        "nodes": SimpleNamespace(read=lambda *_: None),
        "voice": voice,
    }
    means = Means(
        **parts,
        clock=lambda: world.now + world.ahead,
        monotonic=lambda: world.now,
        pause=world.pause,
        policies=lambda: world.policies,
        home="ops/remediator",
        holds=lambda _: (),
        sample_interval=15,
        late=90.0,
        pulse=Pulse(),
    )
    return Remediations(means, failed=lambda _record, error: pytest.fail(str(error)))


def begin(supervisor: Remediations) -> Remediation:
    """A record that has begun."""
    begun = supervisor.begin(go())
    assert isinstance(begun, Begun)
    return begun.record
