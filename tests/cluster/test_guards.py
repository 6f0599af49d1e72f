"""Guards on real objects that need something to happen first, or a daemon of their own.

Those that a workload alone can raise are in test_guards_each.py, one by one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.measured import over_for
from tests.rig import workloads
from tests.rig.cluster import Cluster, is_ready
from tests.rig.daemon import Process, create_account
from tests.rig.proxy import Proxy, Respond

Json = dict[str, Any]
OVER = "250Mi"


def left_alone(daemon: Process, pod: str, reason: str, *, timeout: float = 90) -> Json:
    """The line that says that a pod of this name (or beginning) was left alone for that reason."""

    def found() -> Json | None:
        lines = daemon.events("left alone")
        return next((li for li in lines if li["pod"].startswith(pod) and reason in li["reasons"]), None)

    return dict(daemon.until(found, what=f"{pod} is left alone for {reason}", timeout=timeout))


def test_policy_and_pace_hold_pods_back(cluster: Cluster, namespace: str, start_daemon: StartDaemon) -> None:
    """While one is replaced the others wait (in-flight, concurrency), then for cooldown, budget, per-workload-limit."""
    slow = workloads.behaviour(ready_delay="6")
    cluster.api.create(workloads.deployment("web", namespace, replicas=2, memory=OVER, annotations=slow))
    cluster.api.create(workloads.deployment("api", namespace, memory=OVER, annotations=slow))
    cluster.ready_pods(namespace, 3)
    over_for(cluster, namespace, 3, seconds=5)
    safety = {"maxConcurrent": 1, "budget": {"actions": 2, "per": "1h"}}
    once = {"actions": 1, "per": "1h"}
    daemon = start_daemon(policy_file(namespace, safety=safety, cooldown="5m", for_="3s", maxPerWorkload=once))
    first = daemon.wait_for("remediation intended", count=1)[0]
    other = "api" if first["workload"].endswith("web") else "web"
    left_alone(daemon, other, "concurrency")
    daemon.wait_for("remediation settled", count=2)
    left_alone(daemon, "web", "cooldown")
    left_alone(daemon, "web", "budget")
    limited = left_alone(daemon, "web", "per-workload-limit")
    assert "maxPerWorkload allows 1; the next is allowed at" in limited["detail"]
    assert len(cluster.taken(namespace)) == 2
    reasons = {reason for line in daemon.events("left alone") for reason in line["reasons"]}
    assert "in-flight" in reasons


def test_a_mass_breach_holds_the_policy_until_somebody_believes_it(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """Twenty-one workloads over at once, and most of all: nothing is taken, with few questions, told in one line."""
    names = [f"over-{n}" for n in range(21)]
    for name in names:
        cluster.api.create(workloads.deployment(name, namespace, memory=OVER))
    cluster.ready_pods(namespace, len(names), deadline=60)
    # One fewer would be no mass breach, and pods would go.
    over_for(cluster, namespace, len(names), seconds=12)
    policy = policy_file(namespace, every="2s", cooldown="1h", for_="10s")
    daemon = start_daemon(policy, kubeconfig=kubeconfig)
    line = daemon.wait_for("mass breach")[0]
    assert (line["nominated"], line["measured"], line["outcome"]) == (21, 21, "held")
    assert "of more than 20 workloads, and safety.maxBreaching is 50%" in line["why"]
    held = daemon.wait_for("evaluation", outcome="held", count=2)
    assert held[0]["begun"] == 0
    assert daemon.metric("remediator_vetoes_total", policy="leaky", reason="mass-breach")
    asked = [r for r in api.requests if f"/{namespace}/" in r.path and r.method == "GET"]
    # The evaluation that asks now has not told of it yet.
    told = daemon.wait_for("mass breach", count=len(daemon.events("mass breach")) + 1)
    assert len(asked) <= 43 * len(told), "one pod of each, and its ReplicaSet once"
    assert daemon.events("remediation intended") == []
    assert cluster.taken(namespace) == []
    daemon.write_policy(policy | {"safety": {"maxBreaching": "100%"}})
    daemon.wait_for("remediation settled", outcome="replaced")


def test_a_queue_slower_than_the_leak_is_told_with_what_to_set(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """Three replicas in lockstep, six minutes from their limits, and an hour between two of them: late, in numbers."""
    cluster.api.create(workloads.deployment("web", namespace, replicas=3, leak="128Ki"))
    # The new pod is not to stand in line as well.
    for pod in cluster.ready_pods(namespace, 3):
        cluster.api.annotate("pods", namespace, pod["metadata"]["name"], workloads.behaviour(memory="210Mi"))
    # So long that a scrape or two that are late do not bend the line through the samples.
    over_for(cluster, namespace, 3, seconds=17)
    policy = policy_file(namespace, cooldown="1h", every="2s", for_="15s")
    daemon = start_daemon(policy)
    # Told again as it gets worse: Prometheus may show one of the three a scrape later than the others.
    line = daemon.wait_for("queue slower than the leak", timeout=90, waiting=2, late=2)[0]
    assert line["workload"] == "Deployment/web"
    assert line["seconds_to_limit"] < 400
    assert line["seconds_to_turn"] > 3600
    assert "cooldown: " in line["remedy"]

    def late() -> float | None:
        return daemon.metric("remediator_late_pods", namespace=namespace, workload="Deployment/web")

    daemon.until(lambda: late() == 2, what="two are late in the metrics")
    policy["policies"][0]["threshold"] = "99% of limit"
    daemon.write_policy(policy)
    daemon.wait_for("queue in time again", workload="Deployment/web")
    daemon.until(lambda: late() is None, what="nobody is late in the metrics")
    assert len(daemon.events("queue slower than the leak")) <= 2


def test_a_role_without_nodes_is_named_and_can_be_lived_with(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """Without the right to read nodes nothing is taken, and it is said; with the setting, only Ready pods are."""
    create_account(cluster, home, name="blind", without=["nodes"])
    for name in ("well", "sick"):
        cluster.api.create(workloads.deployment(name, namespace, memory=OVER))
    pods = cluster.ready_pods(namespace, 2)
    cluster.api.annotate("pods", namespace, pods[0]["metadata"]["name"], workloads.behaviour(never_ready="true"))
    cluster.wait(lambda: [is_ready(pod) for pod in cluster.pods(namespace)] == [False, True], 60, "one is sick")
    blind, policy = cluster.kubeconfig_for(home, "blind"), policy_file(namespace, cooldown="1h", every="2s")
    daemon = start_daemon(policy, kubeconfig=blind)
    line = daemon.wait_for("namespace left alone", namespace=namespace)[0]
    assert "cannot get resource" in line["error"]
    assert "the right to `get` nodes is missing" in line["error"]
    daemon.wait_for("evaluation", outcome="error")
    daemon.stop()
    assert cluster.taken(namespace) == []
    daemon = start_daemon(policy, kubeconfig=blind, environment={"REMEDIATOR_NODES": "false"})
    (settled,) = daemon.wait_for("remediation settled")
    assert settled["workload"] == "Deployment/well"
    assert "nodes may not be read" in left_alone(daemon, "sick", "node-not-ready")["detail"]


def test_paused_holds_all_and_is_seen(cluster: Cluster, namespace: str, start_daemon: StartDaemon) -> None:
    """The kill switch: evaluations go on and say ``held``, no pod goes; switched off, it goes, without a restart."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.ready_pods(namespace, 1)
    daemon = start_daemon(policy_file(namespace, safety={"paused": True}))
    left_alone(daemon, "web", "paused")
    daemon.wait_for("evaluation", outcome="held")
    assert daemon.metric("remediator_hold_active", gate="paused") == 1
    assert cluster.taken(namespace) == []
    daemon.write_policy(policy_file(namespace, cooldown="10m"))
    daemon.wait_for("remediation settled")
    assert daemon.metric("remediator_hold_active", gate="paused") == 0


def test_a_pod_belongs_to_the_first_policy_that_matches_it(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """A lenient policy in front protects its pods from a harsher one behind; a selector is asked of the live pod."""
    gold = {"tier": "gold"}
    cluster.api.create(workloads.deployment("gold", namespace, memory=OVER, labels=gold))
    cluster.api.create(workloads.deployment("plain", namespace, memory=OVER))
    cluster.ready_pods(namespace, 2)
    policy = policy_file(namespace, cooldown="10m")
    lenient = {
        **policy["policies"][0],
        "name": "lenient",
        "match": {"namespaces": [namespace], "selector": "tier=gold"},
        "threshold": "99% of limit",
    }
    policy["policies"].insert(0, lenient)
    daemon = start_daemon(policy, environment={"REMEDIATOR_LOG_LEVEL": "debug"})
    (settled,) = daemon.wait_for("remediation settled")
    assert settled["workload"] == "Deployment/plain"
    left_alone(daemon, "gold", "not-matched")
    assert len(cluster.taken(namespace)) == 1


def test_excluded_namespaces_are_not_even_asked_for(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """A policy for all namespaces sees neither an excluded one nor the daemon's own."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.api.create(workloads.deployment("own", home, memory=OVER))
    cluster.ready_pods(namespace, 1)
    cluster.ready_pods(home, 1)
    names = f"{namespace}|{home}"
    policy = policy_file(names, safety={"namespaces": {"exclude": [namespace]}})
    daemon = start_daemon(policy)
    daemon.wait_for("evaluation", count=8, outcome="no-data")
    assert cluster.taken(namespace) == []
    assert cluster.taken(home) == []


def test_a_restarted_container_is_no_breach_until_it_has_been_over_itself(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """Samples of a container's past don't count: after a restart `for` begins anew."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    (pod,) = cluster.ready_pods(namespace, 1)
    name, held = pod["metadata"]["name"], 15

    def started() -> datetime:
        (status,) = cluster.api.get("pods", namespace, name)["status"]["containerStatuses"]
        return datetime.fromisoformat(status["state"]["running"]["startedAt"])

    first = started()
    cluster.wait(lambda: (datetime.now(UTC) - first).total_seconds() > held, 60, "its first life was over for `for`")
    cluster.api.annotate("pods", namespace, name, workloads.behaviour(restart="1"))
    cluster.wait(lambda: started() > first, 60, "the container has restarted")
    daemon = start_daemon(policy_file(namespace, for_=f"{held}s"))
    restarted = started()
    daemon.wait_for("remediation settled")
    # A scrape is dated at its beginning, and may see what happens in the second that it may take.
    assert (cluster.taken(namespace)[0].received - restarted).total_seconds() >= held - 1


def test_a_stuck_rollout_with_surge_protects_the_last_healthy_pod(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """All new pods are there and un-Ready beside the old one: ``updatedReplicas`` equals ``replicas``, and yet."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    (old,) = cluster.ready_pods(namespace, 1)
    broken = {"metadata": {"annotations": workloads.behaviour(never_ready="true", memory="20Mi")}}
    cluster.api.patch("apps/v1/deployments", namespace, "web", {"spec": {"template": broken}})
    cluster.wait(lambda: len(cluster.pods(namespace)) == 2, 60, "the new pod is there")
    daemon = start_daemon(policy_file(namespace))
    left_alone(daemon, old["metadata"]["name"], "rollout-in-progress")
    assert cluster.taken(namespace) == []


def test_a_replicaset_that_was_adopted_meanwhile_is_known_by_its_new_owner(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """Bare when first seen, a Deployment's afterwards: its rollout protects the pod, without a restart of ours."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.ready_pods(namespace, 1)
    orphan = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Orphan"}
    cluster.api.request("DELETE", f"/apis/apps/v1/namespaces/{namespace}/deployments/web", body=orphan)

    def owned() -> list[bool]:
        return ["ownerReferences" in rs["metadata"] for rs in cluster.api.list("apps/v1/replicasets", namespace)]

    cluster.wait(lambda: owned() == [False], 60, "the ReplicaSet is bare")
    daemon = start_daemon(policy_file(namespace, safety={"paused": True}))
    daemon.until(
        lambda: [line for line in daemon.events("left alone") if line["workload"].startswith("ReplicaSet/")],
        what="the workload is the bare ReplicaSet",
    )
    paused = workloads.deployment("web", namespace, memory=OVER, paused=True, labels={"release": "2"})
    cluster.api.create(paused)
    cluster.wait(lambda: owned() == [True], 60, "the ReplicaSet is adopted")
    daemon.write_policy(policy_file(namespace))
    said = left_alone(daemon, "web", "rollout-in-progress")
    assert said["workload"] == "Deployment/web"
    assert cluster.taken(namespace) == []


def test_a_namespace_without_rights_does_not_stop_the_others(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """Where budgets may not be listed nothing is taken, it is said, and the other namespace's pod is replaced."""
    closed = cluster.namespace("closed")
    for where, memory in ((closed, "252Mi"), (namespace, OVER)):
        cluster.api.create(workloads.deployment("web", where, memory=memory))
        cluster.ready_pods(where, 1)
    forbidden = Respond(403, b'{"kind": "Status", "message": "poddisruptionbudgets is forbidden", "details": ["odd"]}')
    api.fault = lambda request: forbidden if f"/{closed}/poddisruptionbudgets" in request.path else None
    policy = policy_file(namespace, match={"namespaces": [namespace, closed]}, cooldown="10m")
    daemon = start_daemon(policy, kubeconfig=kubeconfig)
    (settled,) = daemon.wait_for("remediation settled")
    assert settled["namespace"] == namespace
    assert "is forbidden" in daemon.wait_for("namespace left alone", namespace=closed)[0]["error"]
    assert cluster.taken(closed) == []
    cluster.api.delete("namespaces", None, closed)
