"""API server and etcd crash, freeze and come back in the middle of a wait: the real ones, on a cluster of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chaos.steps import in_journal
from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster, is_ready

Json = dict[str, Any]
NUDGE = 20
"""Seconds after which a pod that is not Ready is changed, so that KWOK tries again."""
pytestmark = pytest.mark.xdist_group("own cluster whose control plane breaks")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of this module alone."""
    with Cluster.start() as cluster:
        yield cluster


def test_a_control_plane_that_breaks_in_the_middle_of_a_wait_costs_nothing(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """API server and etcd killed, and the API server frozen for longer than the lease: one pod each, all replaced."""
    # So long that the new pod turns Ready when all is well again: KWOK tries only once, until the pod changes.
    for app, seconds in (("killed-apiserver", 15), ("killed-etcd", 15), ("frozen-apiserver", 35)):
        calm = workloads.behaviour(memory="20Mi", ready_delay=seconds)
        cluster.api.create(workloads.deployment(app, namespace, annotations=calm))
    cluster.ready_pods(namespace, 3, deadline=180)
    daemon = start_daemon(policy_file(namespace, cooldown="20m", readyTimeout="2m"))

    def taken(number: int, app: str) -> None:
        (pod,) = cluster.pods(namespace, labels=f"app={app}")
        name = pod["metadata"]["name"]
        cluster.api.annotate("pods", namespace, name, workloads.behaviour(memory=OVER))
        daemon.wait_for("remediation taken", count=number, timeout=180)
        cluster.wait(lambda: not cluster.api.find("pods", namespace, name), 90, f"{name} is gone")

    def settled(number: int) -> None:
        nudged = time.monotonic()

        def over() -> list[Json] | None:
            nonlocal nudged
            if time.monotonic() - nudged > NUDGE:
                nudged = time.monotonic()
                for pod in cluster.pods(namespace):
                    if not is_ready(pod):
                        cluster.api.annotate(
                            "pods", namespace, pod["metadata"]["name"], {"example.com/at": str(nudged)}
                        )
            found = daemon.events("remediation settled")
            return found if len(found) >= number else None

        lines: list[Json] = daemon.until(over, what=f"{number} records are settled", timeout=300)
        assert {line["outcome"] for line in lines} == {"replaced"}
        assert len(lines) == len(cluster.taken(namespace)) == number

    taken(1, "killed-apiserver")
    cluster.stop_component("kube-apiserver", grace=0)
    daemon.until(lambda: "did not answer" in daemon.ready(), what="/readyz says that the API server is away")
    cluster.start_component("kube-apiserver")
    settled(1)

    taken(2, "killed-etcd")
    cluster.stop_component("etcd", grace=0)
    cluster.start_component("etcd")
    settled(2)

    taken(3, "frozen-apiserver")
    lost = len(daemon.events("not leading"))
    cluster.pause("kube-apiserver")
    try:
        daemon.wait_for("not leading", count=lost + 1, timeout=120)
        assert daemon.get("/healthz").status_code == 200, "a silent server is no reason to be restarted"
    finally:
        cluster.resume("kube-apiserver")
    settled(3)

    ledger = in_journal(cluster, home)
    assert len(ledger["acts"]) == len(ledger["settled"]) == 3
    assert ledger["in_flight"] == ledger["breakers"] == {}
    cluster.ready_pods(namespace, 3)
