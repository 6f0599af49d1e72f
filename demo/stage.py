"""The stage: the workloads, the policy, and the daemon's account with the least rights that its work needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remediator.model.vocabulary import Reason
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import create_account

Json = dict[str, Any]

NAMESPACE = "shop"
"""Where the workloads are."""
HOME = "remediator"
"""The daemon's own namespace, which is also the name of its account, its Lease and, with `-journal`, its journal."""
ACCOUNT = f"system:serviceaccount:{HOME}:{HOME}"
"""The daemon as the audit log names it."""

MI = 1 << 20
LIMIT = 512 * MI
"""Bytes; every container's limit."""
PERCENT = 75
THRESHOLD = LIMIT * PERCENT // 100
"""Bytes above which a pod is over."""
FOR = 10
"""Seconds that it must be over without a gap."""

_LEAK = 4
# Mebibytes that a leaking pod starts with. On its own it would take more than a minute to the threshold, so the first
# three begin with what they would have after a while, and come to the threshold two seconds after one another.
_FRESH = 64
_HEAD_STARTS = (352, 344, 336)
# Below the limit: nobody kills a simulated container for memory, so no leak may get there.
_LEAK_ENDS = 480


@dataclass(frozen=True)
class Role:
    """One workload: what its pods do, and what has to become of them."""

    workload: str
    pods: int
    about: str
    """In a few words, for people."""
    manifests: Sequence[Json]
    left_alone: Reason | None
    """Why its pods must be left alone; None where they must be replaced."""


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


def roles() -> tuple[Role, ...]:
    """Who is on the stage."""
    limit = f"{LIMIT // MI}Mi"
    growth: dict[str, str] = workloads.behaviour(leak=f"{_LEAK}Mi", memory_max=f"{_LEAK_ENDS}Mi")

    def deployment(name: str, memory: int, *, replicas: int = 1, annotations: dict[str, str] | None = None) -> Json:
        return workloads.deployment(
            name, NAMESPACE, replicas=replicas, limit=limit, memory=f"{memory}Mi", annotations=annotations
        )

    marked = {**growth, "remediator.dev/opt-out": "true"}
    return (
        Role(
            "leaking",
            len(_HEAD_STARTS),
            f"leaks {_LEAK}Mi a second",
            [deployment("leaking", _FRESH, replicas=len(_HEAD_STARTS), annotations=growth)],
            None,
        ),
        Role("healthy", 1, "a neighbour that uses 128Mi", [deployment("healthy", 128)], Reason.BELOW_THRESHOLD),
        Role(
            "opted-out",
            1,
            "leaks too; annotated remediator.dev/opt-out",
            [deployment("opted-out", _HEAD_STARTS[0], annotations=marked)],
            Reason.OPTED_OUT,
        ),
        Role(
            "guarded",
            1,
            "leaks too; its disruption budget allows nothing",
            [
                deployment("guarded", _HEAD_STARTS[0], annotations=growth),
                workloads.pdb("guarded", NAMESPACE, max_unavailable=0),
            ],
            Reason.DISRUPTION_BUDGET,
        ),
    )


def policy() -> Json:
    """The policy file: one policy, with a demo's pace."""
    return {
        # For `--keep`: the defaults, 20 within an hour and 6 of a workload, would be spent in minutes.
        "safety": {"budget": {"actions": 500, "per": "1h"}},
        "policies": [
            {
                "name": "demo",
                "match": {"namespaces": [NAMESPACE]},
                "threshold": f"{PERCENT}% of limit",
                "for": f"{FOR}s",
                "every": "2s",
                "jitter": "0s",
                "action": "evict",
                "cooldown": "2s",
                "maxPerWorkload": {"actions": 500, "per": "1h"},
                "minAge": "0s",
                "readyTimeout": "30s",
            }
        ],
    }


def set_stage(cluster: Cluster) -> Stage:
    """Creates everything, waits until all pods are Ready, and gives the leaking ones their head start."""
    for name in (NAMESPACE, HOME):
        _namespace(cluster, name)
    create_account(cluster, HOME)
    cast = roles()
    for role in cast:
        for manifest in role.manifests:
            cluster.api.create(manifest)
    by_workload = {role.workload: role for role in cast}
    pods = cluster.ready_pods(NAMESPACE, sum(role.pods for role in cast))
    actors = [
        Actor(pod["metadata"]["name"], pod["metadata"]["uid"], by_workload[pod["metadata"]["labels"]["app"]])
        for pod in pods
    ]
    stage = Stage(
        actors=tuple(sorted(actors, key=lambda actor: (cast.index(actor.role), actor.pod))),
        kubeconfig=cluster.kubeconfig_for(HOME, HOME),
    )
    for actor, memory in zip(stage.to_replace, _HEAD_STARTS, strict=True):
        cluster.api.annotate("pods", NAMESPACE, actor.pod, workloads.behaviour(memory=f"{memory}Mi"))
    return stage


def _namespace(cluster: Cluster, name: str) -> None:
    cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    # Until then the admission of service accounts refuses every pod.
    cluster.wait(lambda: cluster.api.find("serviceaccounts", name, "default"), 30, f"{name} has its default account")
