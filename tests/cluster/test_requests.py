"""What the daemon asks of the API server."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.conftest import StartDaemon, policy_file
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.proxy import Proxy


def test_while_nobody_is_over_only_the_lease_is_renewed(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """Evaluations cost the API server nothing, whatever the number of pods."""
    cluster.api.create(workloads.deployment("calm", namespace, replicas=5, memory="20Mi"))
    cluster.ready_pods(namespace, 5)
    daemon = start_daemon(policy_file(namespace), kubeconfig=kubeconfig)
    daemon.wait_for("evaluation", outcome="ok")
    begun = len(api.requests)
    seen = len(daemon.events("evaluation"))
    daemon.wait_for("evaluation", count=seen + 12)
    asked = {(request.method, request.path.split("/")[-2]) for request in api.requests[begun:]}
    assert asked == {("PUT", "leases")}


def test_one_remediation_asks_a_fixed_number_of_questions(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """From breach to settled: each read once per look, one eviction, one watch, two writes of the journal."""
    cluster.api.create(workloads.deployment("web", namespace, replicas=3, memory="250Mi"))
    cluster.ready_pods(namespace, 3)
    daemon = start_daemon(
        policy_file(namespace, cooldown="10m", match={"namespaces": [namespace], "pods": ["web-.*"]}),
        kubeconfig=kubeconfig,
    )
    daemon.wait_for("remediation settled")
    requests = [request for request in api.requests if "/leases/" not in request.path]
    counts = {
        "evictions": sum(request.path.endswith("/eviction") for request in requests),
        "watches": sum("watch=1" in request.path for request in requests),
        "journal writes": sum(request.method == "PUT" for request in requests),
    }
    # The epoch of the new leader is the third write.
    assert counts == {"evictions": 1, "watches": 1, "journal writes": 3}
