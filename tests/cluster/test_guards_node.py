"""The guard node-not-ready, on a cluster that may lose a node."""

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
    cluster.wait(lambda: not is_ready(cluster.api.get("nodes", None, "node-1")), 30, "the node is lost")
    daemon = start_daemon(policy_file(namespace, cooldown="1h"))
    line = left_alone(daemon, "node-1", "node-not-ready")
    assert "its node node-1 is not Ready: KubeletNotReady: no network" in line["detail"]
    (settled,) = daemon.wait_for("remediation settled")
    assert (settled["node"], settled["outcome"]) == ("node-0", "replaced")
    assert [event.name for event in cluster.taken(namespace)] == [settled["pod"]]
