"""Every kind of owner: its leaking pods are replaced by its own controller, once each, by the audit log."""

from __future__ import annotations

from typing import Any

from tests.cluster.conftest import STEADY, STEADY_FOR, StartDaemon, policy_file
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.controller import GROUP, Controller, define, owner
from tests.rig.daemon import allow

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
    policy = policy_file(namespace, safety=wide, for_=STEADY_FOR, cooldown="10m")
    daemon = start_daemon(policy, sample_interval=STEADY)
    settled = daemon.wait_for("remediation settled", count=5, timeout=90)
    assert {line["outcome"] for line in settled} == {"replaced"}
    assert {line["workload"] for line in settled} == {
        "Deployment/deployment",
        "ReplicaSet/replicaset",
        "StatefulSet/ordered",
        "StatefulSet/parallel",
        "DaemonSet/daemonset",
    }
    taken = [event.uid for event in cluster.taken(namespace)]
    assert sorted(taken) == sorted(line["uid"] for line in settled)
    for line in settled:
        kind, new = line["workload"].partition("/")[0], cluster.api.get("pods", namespace, line["replacement"])
        assert new["metadata"]["uid"] not in before
        if kind == "StatefulSet":
            assert line["replacement"] == line["pod"]
        if kind == "DaemonSet":
            assert new["spec"]["nodeName"] == line["node"]


def test_pods_of_controllers_that_nobody_knows_are_replaced(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """A custom kind with pods of its own, and one with a ReplicaSet, whether we may read their scale or not."""
    version = define(cluster, "Game")
    allow(cluster, home, {"apiGroups": [GROUP], "resources": ["games", "games/scale"], "verbs": ["get"]})
    custom = {}
    for name, kind, replicas in (("chess", "Game", 2), ("rolled", "Game", 1), ("ball", "Toy", 2)):
        define(cluster, kind)
        manifest = {"apiVersion": version, "kind": kind, "metadata": {"namespace": namespace, "name": name}}
        custom[name] = cluster.api.create({**manifest, "spec": {"replicas": replicas}})
    rolled = workloads.replicaset("rolled", namespace, annotations=leak())
    rolled["metadata"]["ownerReferences"] = [owner(custom["rolled"])]
    cluster.api.create(rolled)
    api = cluster.api
    with (
        Controller(api, custom["chess"], annotations=leak()),
        Controller(api, custom["ball"], annotations=leak(ready_delay="3")),
    ):
        before = {pod["metadata"]["uid"] for pod in cluster.ready_pods(namespace, 5)}
        daemon = start_daemon(policy_file(namespace, for_=STEADY_FOR, cooldown="10m"), sample_interval=STEADY)
        settled = daemon.wait_for("remediation settled", count=3, timeout=90)
        assert {(line["workload"], line["outcome"]) for line in settled} == {
            ("Game/chess", "replaced"),
            ("Game/rolled", "replaced"),
            ("Toy/ball", "replaced"),
        }
        assert len(cluster.taken(namespace)) == 3
        for line in settled:
            assert cluster.api.get("pods", namespace, line["replacement"])["metadata"]["uid"] not in before


def test_what_is_written_on_a_custom_workload_holds(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """Its scale has no annotations; an opt-out is read of the workload itself."""
    version = define(cluster, "Game")
    allow(cluster, home, {"apiGroups": [GROUP], "resources": ["games", "games/scale"], "verbs": ["get"]})
    metadata = {"namespace": namespace, "name": "kept", "annotations": {"remediator.dev/opt-out": "true"}}
    custom = cluster.api.create({"apiVersion": version, "kind": "Game", "metadata": metadata, "spec": {"replicas": 1}})
    with Controller(cluster.api, custom, annotations=workloads.behaviour(memory=OVER)):
        cluster.ready_pods(namespace, 1)
        daemon = start_daemon(policy_file(namespace))
        daemon.until(
            lambda: [one for one in daemon.events("left alone") if one["reasons"] == ["opted-out"]],
            what="a pod of a workload that has opted out",
        )
        assert cluster.taken(namespace) == []


def test_a_custom_workload_that_is_scaled_down_meanwhile(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """Its scale says that one pod less is wanted: no breaker."""
    version = define(cluster, "Game")
    allow(cluster, home, {"apiGroups": [GROUP], "resources": ["games/scale"], "verbs": ["get"]})
    manifest = {"apiVersion": version, "kind": "Game", "metadata": {"namespace": namespace, "name": "go"}}
    custom = cluster.api.create({**manifest, "spec": {"replicas": 2}})
    with Controller(cluster.api, custom, annotations=leak(ready_delay="15")):
        cluster.ready_pods(namespace, 2, deadline=60)
        policy = policy_file(namespace, for_=STEADY_FOR, cooldown="10m", readyTimeout="60s")
        daemon = start_daemon(policy, sample_interval=STEADY)
        daemon.wait_for("remediation taken")
        cluster.api.patch(f"{version}/games", namespace, "go", {"spec": {"replicas": 1}})
        (settled,) = daemon.wait_for("remediation settled")
        assert (settled["outcome"], settled["breaker_opened"]) == ("scaled-down", False)
        # The custom controller removes one as well, where it had made the new one already.
        assert len([event for event in cluster.taken(namespace) if event.subresource == "eviction"]) == 1
