"""What a soak runs on: workloads of every kind of owner that leak, two daemons, and proxies before what they ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.soak.chronicle import Limits
from tests.chaos.soak.watcher import Workload
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.controller import Controller, define
from tests.rig.daemon import Daemon, allow_delete, allow_surge, create_account
from tests.rig.kubeconfig import by_way_of
from tests.rig.proxy import Fault, Proxy, Request
from tests.rig.takeover import identity

Json = dict[str, Any]
Mode = Callable[[Request], Fault | None]

ACTIONS: dict[str, Callable[[Cluster, str], object]] = {
    "evict": lambda *_: None,
    "delete": allow_delete,
    "surge": allow_surge,
}
"""Each has a policy and a namespace of its own; what gives the account in HOME the rights beside deploy/rbac.yaml."""
KINDS = ("deployment", "replicaset", "ordered", "parallel", "daemonset", "game")
REPLICAS = 2
LEASES = "coordination.k8s.io/v1/leases"
THRESHOLDS = ("80% of limit", "78% of limit", "200Mi")
"""What the policy file changes between: each is passed by every leak."""


@dataclass
class Stage:
    """The parts of one run; ``modes`` are what goes wrong now with requests to the API server and to Prometheus."""

    cluster: Cluster
    home: str
    namespaces: dict[str, str]
    wanted: dict[Workload, int]
    """How many pods each has."""
    allowed: dict[Workload, int]
    """How many of them may be missing at a time."""
    limits: Limits
    daemons: list[Daemon]
    modes: dict[str, list[Mode]] = field(default_factory=lambda: {"api": [], "prometheus": []})
    down: set[int] = field(default_factory=set)
    """The daemons that do not run now, by their place: killed, stopped, or frozen."""

    def lease(self) -> Json | None:
        """The Lease; None where somebody has deleted it."""
        return self.cluster.api.find(LEASES, self.home, "remediator")

    def ended(self) -> list[str]:
        """Daemons that have ended without having been told to, in words."""
        running = (daemon for place, daemon in enumerate(self.daemons) if place not in self.down)
        codes = ((daemon.folder.name, daemon.exit_code) for daemon in running)
        return [f"daemon {name} has ended by itself, with {code}" for name, code in codes if code is not None]

    def leader(self) -> int | None:
        """The place of the daemon that holds the Lease, and runs; None where there is none."""
        holder = ((self.lease() or {}).get("spec") or {}).get("holderIdentity")
        for place, daemon in enumerate(self.daemons):
            if place not in self.down and daemon.events("listening") and identity(daemon) == holder:
                return place
        return None

    def policy(self, threshold: str = THRESHOLDS[0]) -> Json:
        """The policy file."""
        common = {
            "threshold": threshold,
            "for": "5s",
            "every": "1s",
            "jitter": "0s",
            "cooldown": f"{self.limits.cooldown:g}s",
            "maxPerWorkload": {"actions": 1000, "per": "1h"},
            "minAge": "0s",
            "readyTimeout": "2m",
        }
        budget = {"actions": self.limits.budget, "per": f"{self.limits.per:g}s"}
        return {
            "safety": {"maxConcurrent": self.limits.concurrent, "maxBreaching": "100%", "budget": budget},
            "policies": [
                {"name": action, "match": {"namespaces": [namespace]}, "action": action, **common}
                for action, namespace in self.namespaces.items()
            ],
        }

    def write_policy(self, policy: Json | str) -> None:
        """Give both daemons another policy file."""
        for daemon in self.daemons:
            daemon.write_policy(policy)

    def pause(self) -> None:
        """Nothing new is begun from now on."""
        policy = self.policy()
        self.write_policy({**policy, "safety": {**policy["safety"], "paused": True}})


@contextmanager
def staged(
    cluster: Cluster, *, folder: Path, number: int, limits: Limits, say: Callable[[str], None]
) -> Iterator[Stage]:
    """So many workloads, Ready, spread over actions and kinds, and two daemons, the first one leading."""
    with ExitStack() as ends:
        home = cluster.namespace("soak-home")
        ends.callback(cluster.api.delete, "namespaces", None, home)
        create_account(cluster, home)
        namespaces = {}
        for action, give_rights in ACTIONS.items():
            namespaces[action] = cluster.namespace(f"soak-{action}")
            ends.callback(cluster.api.delete, "namespaces", None, namespaces[action])
            give_rights(cluster, home)
        say(f"{number} workloads in {', '.join(namespaces.values())}")
        wanted, allowed = _workloads(cluster, namespaces, number, ends)
        for namespace in namespaces.values():
            pods = sum(count for (where, _), count in wanted.items() if where == namespace)
            cluster.ready_pods(namespace, pods, deadline=120)
        stage = Stage(cluster, home, namespaces, wanted, allowed, limits, [])
        api = ends.enter_context(Proxy(cluster.api_url, ca_file=cluster.ca_file))
        prometheus = ends.enter_context(Proxy(cluster.prometheus_url))
        api.fault = lambda request: _first(stage.modes["api"], request)
        prometheus.fault = lambda request: _first(stage.modes["prometheus"], request)
        for name in ("a", "b"):
            where = folder / name
            where.mkdir()
            daemon = Daemon(
                kubeconfig=by_way_of(api.url, cluster.kubeconfig_for(home, "remediator"), path=where / "kubeconfig"),
                prometheus_url=prometheus.url,
                namespace=home,
                policy=stage.policy(),
                folder=where,
                environment={"REMEDIATOR_PROMETHEUS_TIMEOUT": "3s"},
            )
            stage.daemons.append(ends.enter_context(daemon))
            daemon.wait_for("listening")
        yield stage


def _first(modes: list[Mode], request: Request) -> Fault | None:
    return next((fault for mode in list(modes) if (fault := mode(request)) is not None), None)


def planned(number: int) -> list[tuple[str, str]]:
    """The action and the kind of each of so many workloads."""
    plan = []
    for place in range(number):
        row, column = divmod(place, len(ACTIONS))
        action = list(ACTIONS)[column]
        # Two kinds further on for each action, so that few workloads have all kinds among them. Of one kind alone the
        # pods are replaced first: it has every other workload there.
        surges = action == "surge" and row % 2 == 0
        plan.append((action, "deployment" if surges else KINDS[(row + 2 * column) % len(KINDS)]))
    return plan


def may_be_missing(action: str, kind: str) -> int:
    """How many pods of a workload may be missing at a time: no fault of a soak takes one, so it would be our doing."""
    return 0 if (action, kind) == ("surge", "deployment") else 1


def _workloads(
    cluster: Cluster, namespaces: Mapping[str, str], number: int, ends: ExitStack
) -> tuple[dict[Workload, int], dict[Workload, int]]:
    """Makes them; how many pods each wants, and how many of those may be missing."""
    version = define(cluster, "Game")
    nodes = len(cluster.api.list("nodes"))
    wanted, allowed = {}, {}
    for place, (action, kind) in enumerate(planned(number)):
        namespace, name = namespaces[action], f"{kind}-{place}"
        notes = workloads.behaviour(memory="20Mi", leak="16Mi", memory_max="250Mi", ready_delay=str(1 + place % 3))
        match kind:
            case "deployment":
                cluster.api.create(workloads.deployment(name, namespace, replicas=REPLICAS, annotations=notes))
            case "replicaset":
                cluster.api.create(workloads.replicaset(name, namespace, replicas=REPLICAS, annotations=notes))
            case "ordered" | "parallel":
                parallel = kind == "parallel"
                cluster.api.create(
                    workloads.statefulset(name, namespace, replicas=REPLICAS, parallel=parallel, annotations=notes)
                )
            case "daemonset":
                cluster.api.create(workloads.daemonset(name, namespace, annotations=notes))
            case _:
                metadata = {"namespace": namespace, "name": name}
                manifest = {"apiVersion": version, "kind": "Game", "metadata": metadata, "spec": {"replicas": REPLICAS}}
                game = cluster.api.create(manifest)
                ends.enter_context(Controller(cluster.api, game, annotations=notes))
        wanted[(namespace, name)] = nodes if kind == "daemonset" else REPLICAS
        allowed[(namespace, name)] = may_be_missing(action, kind)
    return wanted, allowed
