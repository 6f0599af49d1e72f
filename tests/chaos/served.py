"""A workload that is used while a pod of it is replaced: who is behind its Service, and when its next pod is Ready."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.cluster.test_surge import service
from tests.rig import workloads
from tests.rig.audit import AuditEvent
from tests.rig.cluster import Cluster, is_ready
from tests.rig.daemon import Daemon
from tests.rig.endpoints import Endpoints

Json = dict[str, Any]
WANTED = 2


class Successor:
    """The pod that is made for the one that is over: it is not Ready before it is told to be."""

    def __init__(self, cluster: Cluster, namespace: str, before: list[Json]) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._before = {pod["metadata"]["uid"] for pod in before}

    def turn_ready(self) -> None:
        """As soon as it is there."""
        self._behave(ready_delay="0", never_ready="false")

    def turn_unready(self) -> None:
        """Returns when it is not Ready any more."""
        self._behave(never_ready="true")
        self._cluster.wait(lambda: not is_ready(self._pod()), 120, "the new pod is not Ready any more")

    def holds_up(self, daemon: Daemon) -> None:
        """Returns when the newest process of a daemon says that it waits for this pod, and for it to be Ready."""
        name = str(self._pod()["metadata"]["name"])

        def waits() -> bool:
            said = daemon.events()
            begun = max(place for place, line in enumerate(said) if line["event"] == "remediation inherited")
            waiting = (line for line in said[begun:] if line["event"] == "remediation waiting")
            return any(name in line["words"] for line in waiting)

        daemon.wait_for("remediation inherited", timeout=180)
        daemon.until(waits, what=f"it waits for {name}", timeout=180)

    def _pod(self) -> Json:
        def new() -> Json | None:
            pods = self._cluster.pods(self._namespace)
            return next((pod for pod in pods if pod["metadata"]["uid"] not in self._before), None)

        return self._cluster.wait(new, 180, "there is a new pod")

    def _behave(self, **how: str) -> None:
        name = self._pod()["metadata"]["name"]
        self._cluster.api.annotate("pods", self._namespace, name, workloads.behaviour(**how))


def served(cluster: Cluster, namespace: str, *, budget: str | None) -> Successor:
    """As many Ready pods as are wanted, behind a Service; the next one is not Ready before it is told to be.

    With a budget of all of them the API server refuses whatever comes too early; without, nobody does.
    """
    held = workloads.behaviour(ready_delay="3600")
    cluster.api.create(workloads.deployment("web", namespace, replicas=WANTED, annotations=held))
    cluster.api.create(service("web", namespace))
    made: list[Json] = cluster.wait(
        lambda: found if len(found := cluster.pods(namespace)) == WANTED else None, 60, "all pods are there"
    )
    for pod in made:
        cluster.api.annotate("pods", namespace, pod["metadata"]["name"], workloads.behaviour(ready_delay="0"))
    cluster.ready_pods(namespace, WANTED)
    if budget:
        cluster.api.create(workloads.pdb("web", namespace, min_available=budget))
        budgets = "policy/v1/poddisruptionbudgets"
        cluster.wait(
            lambda: cluster.api.get(budgets, namespace, "web").get("status", {}).get("currentHealthy") == WANTED,
            60,
            "the budget is computed",
        )
    return Successor(cluster, namespace, made)


@contextmanager
def behind_the_service(cluster: Cluster, namespace: str) -> Iterator[None]:
    """From when all are behind the Service until the end, never were fewer; else the end fails."""
    with Endpoints(cluster.api, namespace, "web") as seen:
        cluster.wait(lambda: seen.counts[-1] == WANTED, 60, "all are behind the Service")
        seen.counts[:-1] = []
        yield
        assert seen.fewest == WANTED, f"{seen.fewest} of {WANTED} were behind the Service at the worst moment"


def tried(cluster: Cluster, namespace: str) -> list[AuditEvent]:
    """What was asked for to take a pod of it, by whomever but the control plane, and whatever became of that."""
    asked = (event for event in cluster.audit() if event.namespace == namespace and not event.is_system)
    return [event for event in asked if event.takes_a_pod]
