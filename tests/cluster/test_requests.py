"""What the daemon asks of the API server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import left_alone
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon
from tests.rig.proxy import Proxy, Request


def until_strays_were_looked_for(daemon: Daemon, api: Proxy) -> None:
    """A new leader asks once, by two labels, for pods that are out of their ReplicaSets."""
    daemon.until(
        lambda: any("rollouts-pod-template-hash" in request.path for request in api.requests),
        what="the new leader has looked for strays",
    )


def test_while_nobody_is_over_only_the_lease_is_renewed(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """Evaluations cost the API server nothing, whatever the number of pods."""
    cluster.api.create(workloads.deployment("calm", namespace, replicas=5, memory="20Mi"))
    cluster.ready_pods(namespace, 5)
    daemon = start_daemon(policy_file(namespace), kubeconfig=kubeconfig)
    daemon.wait_for("evaluation", outcome="ok")
    until_strays_were_looked_for(daemon, api)
    begun = len(api.requests)
    seen = len(daemon.events("evaluation"))

    def asked() -> set[tuple[str, str]]:
        return {(request.method, request.path.split("/")[-2]) for request in api.requests[begun:]}

    daemon.wait_for("evaluation", count=seen + 12)
    daemon.until(asked, what="the lease is renewed")
    assert asked() == {("PUT", "leases")}


def test_one_remediation_asks_a_fixed_number_of_questions(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """What is read for the breach and for each look, one eviction, one watch, and two writes of the journal."""
    names = ("web", "api", "db")
    for name in names:
        cluster.api.create(workloads.deployment(name, namespace, replicas=3, memory="250Mi"))
    cluster.ready_pods(namespace, 9)
    daemon = start_daemon(policy_file(namespace, cooldown="10m", safety={"paused": True}), kubeconfig=kubeconfig)
    for name in names:
        left_alone(daemon, name, "paused")
    until_strays_were_looked_for(daemon, api)
    for name in names:
        begun = len(api.requests)
        match = {"namespaces": [namespace], "pods": [f"{name}-.*"]}
        daemon.write_policy(policy_file(namespace, cooldown="10m", match=match))
        (settled,) = daemon.wait_for("remediation settled", workload=f"Deployment/{name}")
        asked = [words(request) for request in api.requests[begun:] if "/leases/" not in request.path]
        # The evaluations before and after it read the pods that are over, to judge them.
        judging = {f"get pods/{pod['metadata']['name']}" for pod in cluster.pods(namespace)}
        found = [one for one in asked if one not in {*judging, f"get pods/{settled['pod']}"}]
        # Who controls the ReplicaSet is known from the evaluations before; once in a process' life it is asked for.
        look = [f"get deployments/{name}", "list pods", f"get nodes/{settled['node']}", "list poddisruptionbudgets"]
        journal, act = "update configmaps/remediator-journal", ["create eviction", "watch pods"]
        before, after = found[: found.index("watch pods") + 1], found[found.index("watch pods") + 1 :]
        # A workload whose pod does not come is looked at again each ten seconds.
        later = int(settled["seconds_to_available"] // 10)
        assert after in [[*[look[0]] * looks, journal] for looks in range(later + 1)]
        if before == [*look, journal, "list pods", *act]:
            return
        # Whoever was held up for two seconds looks at everything anew: then the next one has to show it.
        assert before == [*look, journal, *look, *act]
    pytest.fail("each time everything was looked at twice")


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
