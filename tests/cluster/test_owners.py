"""Every kind of owner: its leaking pods are replaced by its own controller, once each, by the audit log."""

from __future__ import annotations

from typing import Any

from tests.cluster.conftest import StartDaemon, policy_file
from tests.rig import workloads
from tests.rig.cluster import Cluster

Json = dict[str, Any]
OVER = "250Mi"


def leak(**more: Any) -> dict[str, str]:  # noqa: ANN401
    """Over after some seconds, and each new pod again only after its own."""
    return workloads.behaviour(memory="20Mi", leak="16Mi", memory_max=OVER, **more)


def test_pods_of_every_kind_of_owner_are_replaced(cluster: Cluster, namespace: str, start_daemon: StartDaemon) -> None:
    """A Deployment, a bare ReplicaSet, StatefulSets in order and parallel, and a DaemonSet, in one run."""
    create, notes = cluster.api.create, leak()
    create(workloads.deployment("deployment", namespace, annotations=notes))
    create(workloads.replicaset("replicaset", namespace, annotations=notes))
    create(workloads.statefulset("ordered", namespace, replicas=2, annotations=notes))
    create(workloads.statefulset("parallel", namespace, replicas=2, parallel=True, annotations=notes))
    create(workloads.daemonset("daemonset", namespace, annotations=notes))
    nodes = len(cluster.api.list("nodes", None))
    before = {pod["metadata"]["uid"]: pod for pod in cluster.ready_pods(namespace, 6 + nodes)}
    wide = {"maxConcurrent": 20, "budget": {"actions": 100, "per": "1h"}}
    daemon = start_daemon(policy_file(namespace, safety=wide, cooldown="10m"))
    settled = daemon.wait_for("remediation settled", count=5, timeout=90)
    assert {line["outcome"] for line in settled} == {"replaced"}
    assert {line["workload"] for line in settled} == {
        "Deployment/deployment",
        "ReplicaSet/replicaset",
        "StatefulSet/ordered",
        "StatefulSet/parallel",
        "DaemonSet/daemonset",
    }
    taken = [(event.request or {})["deleteOptions"]["preconditions"]["uid"] for event in cluster.taken(namespace)]
    assert sorted(taken) == sorted(line["uid"] for line in settled)
    for line in settled:
        kind, new = line["workload"].partition("/")[0], cluster.api.get("pods", namespace, line["replacement"])
        assert new["metadata"]["uid"] not in before
        if kind == "StatefulSet":
            assert line["replacement"] == line["pod"]
        if kind == "DaemonSet":
            assert new["spec"]["nodeName"] == line["node"]
