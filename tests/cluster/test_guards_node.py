"""A node that is lost, and nodes that go: on a cluster that may lose them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER, left_alone
from tests.rig import workloads
from tests.rig.cluster import Cluster, is_ready
from tests.rig.workloads import behaviour

pytestmark = pytest.mark.xdist_group("own cluster with a lost node")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of this module alone."""
    with Cluster.start() as cluster:
        yield cluster


def test_node_not_ready(cluster: Cluster, namespace: str, start_daemon: StartDaemon) -> None:
    """Of two pods that are over, one on a lost node stays: deleted there it would be Terminating for ever."""
    for node in ("node-0", "node-1"):
        cluster.api.create(workloads.deployment(node, namespace, memory=OVER, spec={"nodeName": node}))
    cluster.ready_pods(namespace, 2)
    cluster.api.annotate("nodes", None, "node-1", behaviour(never_ready="true"))
    conditions = cluster.api.get("nodes", None, "node-1")["status"]["conditions"]
    place = next(n for n, condition in enumerate(conditions) if condition["type"] == "Ready")
    lost = {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "no network"}
    change = [{"op": "replace", "path": f"/status/conditions/{place}", "value": lost}]
    cluster.api.patch("nodes", None, "node-1", change, subresource="status")
    cluster.wait(lambda: not is_ready(cluster.api.get("nodes", None, "node-1")), 60, "the node is lost")
    daemon = start_daemon(policy_file(namespace, cooldown="1h"))
    line = left_alone(daemon, "node-1", "node-not-ready")
    assert "its node node-1 is not Ready: KubeletNotReady: no network" in line["detail"]
    (settled,) = daemon.wait_for("remediation settled")
    assert (settled["node"], settled["outcome"]) == ("node-0", "replaced")
    assert [event.name for event in cluster.taken(namespace)] == [settled["pod"]]


def test_a_daemonsets_pod_is_not_waited_for_where_its_node_has_gone(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """The Node is deleted while the new pod starts, or while the old one ends: over long before its time."""
    nodes, pool = {"starting": "node-2", "ending": "node-3"}, f"pool.example/{namespace}"
    behaviours = {"starting": behaviour(never_ready="true"), "ending": behaviour(delete_delay="never")}
    for app, node in nodes.items():
        metadata = {"name": node, "labels": {"kubernetes.io/hostname": node, pool: app}}
        cluster.api.create({"apiVersion": "v1", "kind": "Node", "metadata": metadata})
        there = {"nodeSelector": {pool: app}}
        cluster.api.create(workloads.daemonset(app, namespace, memory=OVER, annotations=behaviours[app], spec=there))
    cluster.wait(lambda: len(cluster.pods(namespace)) == 2, 60, "there is a pod on each")
    (first,) = cluster.pods(namespace, labels="app=starting")
    cluster.api.annotate("pods", namespace, first["metadata"]["name"], dict.fromkeys(behaviours["starting"]))
    old = {pod["metadata"]["labels"]["app"]: pod["metadata"] for pod in cluster.ready_pods(namespace, 2, deadline=60)}
    daemon = start_daemon(policy_file(namespace, cooldown="1h", readyTimeout="10m"))

    def gone(app: str) -> bool:
        return cluster.api.find("pods", namespace, old[app]["name"]) is None

    def ends_soon(app: str) -> None:
        (line,) = daemon.wait_for("remediation settled", workload=f"DaemonSet/{app}", timeout=60)
        assert (line["outcome"], line["detail"]) == ("scaled-down", f"node {nodes[app]} is gone")
        assert not line["breaker_opened"]

    daemon.wait_for("remediation taken", count=2)
    cluster.wait(lambda: gone("starting"), 60, "the old pod has gone")
    for node in nodes.values():
        cluster.api.delete("nodes", None, node)
    ends_soon("starting")
    # Nobody ends it on a node that is gone; Kubernetes collects it after a while.
    cluster.wait(lambda: gone("ending"), 150, "the old pod is collected")
    ends_soon("ending")
    assert {event.uid for event in cluster.taken(namespace)} == {pod["uid"] for pod in old.values()}
