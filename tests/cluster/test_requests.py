"""What the daemon asks of the API server."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import left_alone
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.proxy import Proxy, Request


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
    """What is read for the breach and for each look, one eviction, one watch, and two writes of the journal."""
    cluster.api.create(workloads.deployment("web", namespace, replicas=3, memory="250Mi"))
    cluster.ready_pods(namespace, 3)
    daemon = start_daemon(policy_file(namespace, cooldown="10m", safety={"paused": True}), kubeconfig=kubeconfig)
    left_alone(daemon, "web", "paused")
    begun = len(api.requests)
    daemon.write_policy(policy_file(namespace, cooldown="10m", match={"namespaces": [namespace], "pods": ["web-.*"]}))
    (settled,) = daemon.wait_for("remediation settled")
    asked = [words(request) for request in api.requests[begun:] if "/leases/" not in request.path]
    # The evaluations before and after it read the pods that are over, to judge them.
    judging = [f"get pods/{pod['metadata']['name']}" for pod in cluster.pods(namespace)] + [
        f"get pods/{settled['pod']}"
    ]
    # Who controls the ReplicaSet is known from the evaluations before; once in a process' life it is asked for.
    assert [one for one in asked if one not in judging] == [
        "get deployments/web",
        "list pods",
        f"get nodes/{settled['node']}",
        "list poddisruptionbudgets",
        "update configmaps/remediator-journal",
        "list pods",
        "create eviction",
        "watch pods",
        "update configmaps/remediator-journal",
    ]


def words(request: Request) -> str:
    """A request in the words of RBAC."""
    path, _, query = request.path.partition("?")
    *_, kind, name = path.split("/")
    if request.method == "POST":
        return f"create {name}"
    if request.method == "PUT":
        return f"update {kind}/{name}"
    if "watch=1" in query:
        return f"watch {name}"
    return f"list {name}" if name in {"pods", "poddisruptionbudgets"} else f"get {kind}/{name}"
