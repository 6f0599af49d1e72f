"""The stage: the workloads as they are created, and the daemon's account with the least rights that its work needs."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from demo.cast import NAMESPACE, Role, roles
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import create_account

HOME = "remediator"
"""The daemon's own namespace, which is also the name of its account, its Lease and, with `-journal`, its journal."""
ACCOUNT = f"system:serviceaccount:{HOME}:{HOME}"
"""The daemon as the audit log names it."""


@dataclass(frozen=True)
class Actor:
    """One pod as the demo began."""

    pod: str
    uid: str
    role: Role


@dataclass(frozen=True)
class Stage:
    """What the demo began with, and who the daemon is."""

    actors: tuple[Actor, ...]
    kubeconfig: Path
    """The daemon's."""

    @property
    def to_replace(self) -> tuple[Actor, ...]:
        """The pods that must be replaced."""
        return tuple(actor for actor in self.actors if actor.role.left_alone is None)

    @property
    def to_leave(self) -> tuple[Actor, ...]:
        """The pods that must be left alone."""
        return tuple(actor for actor in self.actors if actor.role.left_alone is not None)


def set_stage(cluster: Cluster) -> Stage:
    """Creates everything, waits until all pods are Ready, and gives the leaking ones their head start."""
    for name in (NAMESPACE, HOME):
        _namespace(cluster, name)
    create_account(cluster, HOME)
    cast = roles()
    for manifest in chain.from_iterable(role.manifests for role in cast):
        cluster.api.create(manifest)
    actors = tuple(_actors(cluster, cast))
    head_starts = chain.from_iterable(role.head_starts for role in cast)
    for actor, memory in zip(actors, head_starts, strict=True):
        if memory is not None:
            cluster.api.annotate("pods", NAMESPACE, actor.pod, workloads.behaviour(memory=f"{memory}Mi"))
    return Stage(actors, cluster.kubeconfig_for(HOME, HOME))


def _actors(cluster: Cluster, cast: tuple[Role, ...]) -> Iterator[Actor]:
    """The pods, once all are Ready, in the order of the cast and of their names."""
    names = defaultdict(list)
    for pod in cluster.ready_pods(NAMESPACE, sum(role.pods for role in cast)):
        names[pod["metadata"]["labels"]["app"]].append((pod["metadata"]["name"], pod["metadata"]["uid"]))
    for role in cast:
        for name, uid in names[role.workload]:
            yield Actor(name, uid, role)


def _namespace(cluster: Cluster, name: str) -> None:
    cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    # Until then the admission of service accounts refuses every pod.
    cluster.wait(lambda: cluster.api.find("serviceaccounts", name, "default"), 30, f"{name} has its default account")
