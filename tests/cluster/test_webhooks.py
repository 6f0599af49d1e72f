"""Admission webhooks in the way of an eviction or of the replacement: real ones, asked by the real API server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_answers import WIDE, status
from tests.cluster.test_guards import OVER, left_alone
from tests.rig import workloads
from tests.rig.api import ApiError
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon
from tests.rig.proxy import Fault, Proxy, Request
from tests.rig.webhook import Verdict, Webhook, registered

Json = dict[str, Any]
IN_PROGRESS = "descheduler.alpha.kubernetes.io/eviction-in-progress"
MIGRATES = Verdict(allowed=False, code=429, message="the eviction is carried out by a migration")


def trial(cluster: Cluster, namespace: str, pod: str) -> int:
    """The code of the API server's answer to an eviction that changes nothing."""
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"namespace": namespace, "name": pod}}
    try:
        cluster.api.request(
            "POST", f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction", body=body, parameters={"dryRun": "All"}
        )
    except ApiError as error:
        return error.code
    return 201


@contextmanager
def intercepted(cluster: Cluster, namespace: str, folder: Path, verdict: Verdict = MIGRATES) -> Iterator[Webhook]:
    """A webhook that refuses evictions and marks the pod, as one that migrates it; on trial it only refuses."""

    def decide(request: Json) -> Verdict:
        if not request["dryRun"]:
            cluster.api.annotate("pods", namespace, request["name"], {IN_PROGRESS: ""})
        return verdict

    (pod, *_) = cluster.pods(namespace)
    with ExitStack() as stack:
        webhook = stack.enter_context(Webhook(folder, decide))
        stack.enter_context(
            registered(cluster, namespace, "pods/eviction", url=webhook.url, ca=webhook.ca, side_effects="NoneOnDryRun")
        )
        cluster.wait(
            lambda: trial(cluster, namespace, pod["metadata"]["name"]) == verdict.code, 60, "the webhook is asked"
        )
        webhook.asked.clear()
        yield webhook


def evictions(cluster: Cluster, namespace: str) -> list[tuple[str, int]]:
    """The pod and the code of each eviction that the daemon has sent."""
    return [
        (event.name, event.code)
        for event in cluster.audit()
        if event.namespace == namespace and event.subresource == "eviction" and event.user.endswith(":remediator")
    ]


def test_an_intercepted_eviction_is_in_flight_until_its_time_is_over(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, tmp_path: Path
) -> None:
    """Refused, and the pod is marked: counted once, no other pod of the workload is asked for, then it is blocked."""
    cluster.api.create(workloads.deployment("vm", namespace, replicas=3, memory=OVER))
    pods = cluster.ready_pods(namespace, 3)
    with intercepted(cluster, namespace, tmp_path) as webhook:
        daemon = start_daemon(policy_file(namespace, readyTimeout="12s", cooldown="10m"))
        (taken,) = daemon.wait_for("remediation taken")
        assert IN_PROGRESS in taken["words"]
        left_alone(daemon, "vm-", "in-flight")
        (settled,) = daemon.wait_for("remediation settled")
        assert (settled["outcome"], settled["breaker_opened"]) == ("blocked", False)
        assert settled["seconds_in_all"] >= 12
        left_alone(daemon, "vm-", "cooldown")
        assert [request["name"] for request in webhook.asked] == [settled["pod"]]
    assert evictions(cluster, namespace) == [(settled["pod"], 429)]
    daemon.until(lambda: daemon.metric("remediator_budget_remaining") == 20, what="the budget is given back")
    assert len(ledger(cluster, home)["acts"]) == 1
    assert cluster.taken(namespace) == []
    uids = {pod["metadata"]["uid"] for pod in pods}
    assert {pod["metadata"]["uid"] for pod in cluster.pods(namespace)} == uids


def test_an_intercepted_eviction_that_is_carried_out_after_all_is_replaced(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, tmp_path: Path
) -> None:
    """The slower end takes the pod within the time: the new pod settles the record."""
    cluster.api.create(workloads.deployment("vm", namespace, replicas=2, memory=OVER))
    cluster.ready_pods(namespace, 2)
    refuses = Verdict(allowed=False, code=403, message="a migration has begun")
    with intercepted(cluster, namespace, tmp_path, refuses):
        daemon = start_daemon(policy_file(namespace, readyTimeout="60s", cooldown="10m"))
        (taken,) = daemon.wait_for("remediation taken")
        cluster.api.delete("pods", namespace, taken["pod"])
        (settled,) = daemon.wait_for("remediation settled")
    assert (settled["outcome"], settled["pod"]) == ("replaced", taken["pod"])
    assert evictions(cluster, namespace) == [(taken["pod"], 403)]
    daemon.until(lambda: daemon.metric("remediator_budget_remaining") == 19, what="the budget is spent")


def test_a_webhook_that_refuses_and_marks_nothing_is_a_failure(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, tmp_path: Path
) -> None:
    """Its words are in the record, the breaker holds, and it is not asked again."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    (pod,) = cluster.ready_pods(namespace, 1)
    refuses = Verdict(allowed=False, code=403, message="not on a Friday")
    with (
        Webhook(tmp_path, lambda _: refuses) as webhook,
        registered(cluster, namespace, "pods/eviction", url=webhook.url, ca=webhook.ca),
    ):
        cluster.wait(lambda: trial(cluster, namespace, pod["metadata"]["name"]) == 403, 60, "the webhook is asked")
        daemon = start_daemon(policy_file(namespace))
        (settled,) = daemon.wait_for("remediation settled")
        left_alone(daemon, "web", "breaker-open")
    assert settled["outcome"] == "failed"
    assert "not on a Friday" in settled["detail"]
    assert [code for _, code in evictions(cluster, namespace)] == [403]


def test_on_trial_webhooks_are_told_that_it_is_one(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, tmp_path: Path
) -> None:
    """What a webhook does beside answering it does not do for a dry run: no pod is marked, no migration begins."""
    cluster.api.create(workloads.deployment("vm", namespace, replicas=2, memory=OVER))
    cluster.ready_pods(namespace, 2)
    refuses = Verdict(allowed=False, code=403, message="a migration would begin")
    with intercepted(cluster, namespace, tmp_path, refuses) as webhook:
        daemon = start_daemon(policy_file(namespace, dryRun=True))
        said = left_alone(daemon, "vm-", "dry-run")
        assert webhook.asked
        assert all(request["dryRun"] for request in webhook.asked)
    assert "would have refused the evict" in said["detail"]
    assert "a migration would begin" in said["detail"]
    assert not any(IN_PROGRESS in pod["metadata"].get("annotations", {}) for pod in cluster.pods(namespace))
    assert cluster.taken(namespace) == []


def test_a_webhook_that_takes_no_dry_run_does_not_stop_the_real_one(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """Refused for its side effects: "could not tell" and the webhook's name, neither yes nor no; acting still works."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.ready_pods(namespace, 1)
    # The API of today registers no such webhook any more; older servers have them.
    words = 'admission webhook "slow.example.com" does not support dry run'

    def refuse_trials(request: Request) -> Fault | None:
        if not request.is_("POST", "/eviction") or "dryRun" not in request.path:
            return None
        return status(400, reason="BadRequest", message=words)

    api.fault = refuse_trials
    daemon = start_daemon(policy_file(namespace, dryRun=True), kubeconfig=kubeconfig)
    said = left_alone(daemon, "web", "dry-run")
    assert said["reasons"] == ["dry-run"]
    assert said["detail"] == f"could not tell: {words}"
    assert daemon.events("remediation intended") == []
    daemon.write_policy(policy_file(namespace, cooldown="10m"))
    (settled,) = daemon.wait_for("remediation settled")
    assert settled["outcome"] == "replaced"
    assert len(cluster.taken(namespace)) == 1


KINDS = ("deployment", "replicaset", "statefulset", "daemonset")


def test_an_injection_webhook_that_is_down_costs_one_pod_of_each_workload(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, tmp_path: Path
) -> None:
    """No new pod is let in: the reason is quoted, the breaker holds the rest, and closes when pods come after all."""
    for kind in KINDS:
        more = {} if kind == "daemonset" else {"replicas": 2}
        cluster.api.create(getattr(workloads, kind)(f"{kind}", namespace, memory=OVER, **more))
    nodes = len(cluster.api.list("nodes"))
    cluster.ready_pods(namespace, 6 + nodes)
    down = Webhook(tmp_path, lambda _: Verdict(allowed=True))
    with down:
        """It had a certificate and an address."""
    with registered(cluster, namespace, "pods", url=down.url, ca=down.ca):
        cluster.wait(lambda: refused_new(cluster, namespace), 60, "no new pod is let in")
        daemon = start_daemon(policy_file(namespace, safety=WIDE, readyTimeout="12s"))
        settled = daemon.wait_for("remediation settled", count=4)
        for kind in KINDS:
            said = left_alone(daemon, kind, "breaker-open")
            assert "failed calling webhook" in said["detail"], kind
        enough(daemon)
        assert [line["outcome"] for line in settled] == ["not-ready"] * 4
        assert len(cluster.taken(namespace)) == 4
    closed = daemon.wait_for("remediation breaker-closed", count=4, timeout=180)
    assert {line["workload"].partition("/")[2] for line in closed} == set(KINDS)


def refused_new(cluster: Cluster, namespace: str) -> bool:
    """Whether a new pod would be refused."""
    pod = workloads.pod("trial", namespace)
    try:
        cluster.api.request("POST", f"/api/v1/namespaces/{namespace}/pods", body=pod, parameters={"dryRun": "All"})
    except ApiError as error:
        return "failed calling webhook" in error.message
    return False


def enough(daemon: Daemon) -> None:
    """Some more evaluations, in which nothing may happen."""
    seen = len(daemon.events("evaluation"))
    daemon.wait_for("evaluation", count=seen + 3)


def ledger(cluster: Cluster, home: str) -> Json:
    """The ledger as it is in the cluster."""
    stored = cluster.api.get("configmaps", home, "remediator-journal")
    return dict(json.loads(stored["data"]["journal.json"])["ledger"])
