"""Faults of Prometheus and of the API server: nothing is taken, it is said what is wrong, and work goes on."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.cluster.conftest import STEADY, STEADY_FOR, StartDaemon, policy_file
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.proxy import Cut, Drip, Fault, Hang, Proxy, Request, Respond

QUICK = {"REMEDIATOR_PROMETHEUS_TIMEOUT": "2s"}


def vector(*values: str) -> bytes:
    """A successful answer with these values."""
    labels = {"namespace": "any", "pod": "any", "container": "app"}
    result = [{"metric": labels, "value": [1, value]} for value in values]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


def with_more(**fields: object) -> bytes:
    """An empty successful answer that says more of itself."""
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": []}, **fields}).encode()


def error(kind: str) -> bytes:
    """Prometheus' own form of an error."""
    return json.dumps({"status": "error", "errorType": kind, "error": f"the {kind} of the test"}).encode()


PROMETHEUS_FAULTS: dict[str, tuple[Fault, str]] = {
    "cut": (Cut(forwarded=False), "can't be reached"),
    "cut after the question": (Cut(forwarded=True), "can't be reached"),
    "hangs": (Hang(), "had not answered"),
    "drips its body": (Drip(), "Prometheus at"),
    "drips its header": (Drip(headers=True), "had not answered"),
    "400": (Respond(400, error("bad_data")), "answered 400: bad_data"),
    "401": (Respond(401), "does not accept our credentials"),
    "403": (Respond(403), "does not allow us to query"),
    "404 in HTML": (Respond(404, b"<html>no such page</html>"), "answered 404"),
    "500": (Respond(500, error("internal")), "answered 500: internal"),
    "503": (Respond(503, error("unavailable")), "answered 503"),
    "redirect": (Respond(302, headers={"Location": "http://127.0.0.1:1/"}), "redirects (302)"),
    "200 in HTML": (Respond(200, b"<html>log in</html>"), "not Prometheus' JSON"),
    "200 and empty": (Respond(200), "not Prometheus' JSON"),
    "200 with status error": (Respond(200, error("execution")), "execution: the execution of the test"),
    "warnings": (Respond(200, with_more(warnings=["a store did not answer"])), "a store did not answer"),
    "isPartial": (Respond(200, with_more(isPartial=True)), "isPartial"),
    "NaN": (Respond(200, vector("NaN")), "counted nan"),
    "infinity": (Respond(200, vector("+Inf")), "counted inf"),
    "a value that is none": (Respond(200, vector("many")), "a series in the answer"),
}


def test_no_fault_of_prometheus_takes_a_pod(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, prometheus: Proxy
) -> None:
    """Twenty ways to give no usable answer: each is an evaluation that failed with its own sentence, and no act."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.ready_pods(namespace, 1)
    prometheus.fault = lambda _request: Respond(500)
    daemon = start_daemon(policy_file(namespace), prometheus_url=prometheus.url, environment=QUICK)
    daemon.wait_for("evaluation failed")
    for name, (fault, words) in PROMETHEUS_FAULTS.items():
        before = len(daemon.events("evaluation failed"))
        prometheus.fault = lambda _request, fault=fault: fault  # type: ignore[misc]

        def said(before: int = before, words: str = words) -> list[str]:
            lines = daemon.events("evaluation failed")[before:]
            return [line["error"] for line in lines if words in line["error"]]

        (sentence, *_) = daemon.until(said, what=f"{name}: an evaluation fails with {words!r}")
        assert "\n" not in sentence
        if "counted" not in words:
            daemon.until(lambda: daemon.get("/readyz").status_code == 503, what=f"{name}: it is not Ready")
    assert cluster.taken(namespace) == []
    assert daemon.events("remediation intended") == []
    prometheus.fault = lambda _request: None
    daemon.wait_for("remediation settled", outcome="replaced")
    daemon.until(lambda: daemon.get("/readyz").status_code == 200, what="it is Ready again")


def test_an_empty_answer_is_no_data_and_not_nobody_is_over(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, prometheus: Proxy
) -> None:
    """A Prometheus that knows nothing: the evaluation's outcome is ``no-data``, in the log and in the metric."""
    prometheus.fault = lambda _request: Respond(200, with_more())
    daemon = start_daemon(policy_file(namespace), prometheus_url=prometheus.url)
    daemon.wait_for("evaluation", outcome="no-data")
    daemon.until(
        lambda: daemon.metric("remediator_evaluations_total", policy="leaky", outcome="no-data"), what="it is counted"
    )
    assert "matches no series" in daemon.events("nothing was measured")[0]["why"]


def test_a_second_look_that_disagrees_calls_the_act_off(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, prometheus: Proxy
) -> None:
    """Between intent and act the samples are gone: nothing is taken, and the budget is given back."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.ready_pods(namespace, 1)
    prometheus.fault = lambda _request: Respond(503)
    daemon = start_daemon(policy_file(namespace, cooldown="10m"), prometheus_url=prometheus.url)

    def second_is_empty(request: Request) -> Fault | None:
        query = parse_qs(request.body.decode()).get("query", [""])[0]
        if "pod=~" not in query:
            return None
        empty = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}}).encode()
        return Respond(200, empty) if daemon.events("remediation intended") else None

    prometheus.fault = second_is_empty
    (settled,) = daemon.wait_for("remediation settled")
    assert settled["outcome"] == "called-off"
    assert cluster.taken(namespace) == []
    daemon.until(lambda: daemon.metric("remediator_budget_remaining") == 20, what="the budget is given back")


def test_an_api_server_that_is_away_is_waited_for(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """Away while a replacement is waited for: nothing is lost, and the record is settled when it is back."""
    slow = workloads.behaviour(ready_delay="4")
    cluster.api.create(workloads.deployment("web", namespace, replicas=2, memory=OVER, annotations=slow))
    cluster.ready_pods(namespace, 2)
    policy = policy_file(namespace, for_=STEADY_FOR, cooldown="10m", readyTimeout="60s")
    daemon = start_daemon(policy, kubeconfig=kubeconfig, sample_interval=STEADY)
    daemon.wait_for("remediation taken")
    api.fault = lambda _request: Cut(forwarded=False)
    daemon.until(lambda: "did not answer" in daemon.ready(), what="/readyz names the API server")
    assert daemon.get("/healthz").status_code == 200
    api.fault = lambda _request: None
    (settled,) = daemon.wait_for("remediation settled")
    assert settled["outcome"] == "replaced"
    assert len(cluster.taken(namespace)) == 1


def test_an_api_server_that_is_away_longer_than_the_lease_costs_nothing(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """The lease runs out meanwhile: it steps down, leads again when the server is back, and carries on its record."""
    slow = workloads.behaviour(ready_delay="4")
    cluster.api.create(workloads.deployment("web", namespace, replicas=2, memory=OVER, annotations=slow))
    cluster.ready_pods(namespace, 2)
    policy = policy_file(namespace, for_=STEADY_FOR, cooldown="10m", readyTimeout="60s")
    daemon = start_daemon(policy, kubeconfig=kubeconfig, sample_interval=STEADY)
    daemon.wait_for("remediation taken")
    api.fault = lambda _request: Cut(forwarded=False)
    daemon.wait_for("not leading", timeout=90)
    api.fault = lambda _request: None
    daemon.wait_for("leading", count=2)
    (settled,) = daemon.wait_for("remediation settled")
    assert settled["outcome"] == "replaced"
    assert len(cluster.taken(namespace)) == 1
    text = cluster.api.get("configmaps", home, "remediator-journal")["data"]["journal.json"]
    assert json.loads(text)["ledger"]["epoch"] == 2


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe", b"policies: [", b"a" * (2 << 20), b"policies: []\npolicies: []"]
)
def test_a_broken_policy_file_evaluates_nothing_until_it_is_right(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, content: bytes
) -> None:
    """Un-Ready with the problem in /readyz and log, nothing evaluated; a corrected file works without a restart."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.ready_pods(namespace, 1)
    daemon = start_daemon(policy_file(namespace, cooldown="10m"))
    daemon.stop()
    daemon.policy_file.write_bytes(content)
    seen = len(daemon.events("evaluation"))
    daemon.start()
    (said,) = daemon.wait_for("policy file refused; nothing is evaluated")
    assert said["problems"]
    daemon.until(lambda: "policy: " in daemon.ready() and "policy: ok" not in daemon.ready(), what="/readyz says it")
    daemon.until(lambda: daemon.metric("remediator_policy_reload_success") == 0, what="the metric says it")
    assert len(daemon.events("evaluation")) == seen
    daemon.write_policy(policy_file(namespace, cooldown="10m"))
    daemon.wait_for("remediation settled")
    assert daemon.metric("remediator_policy_reload_success") == 1


def test_a_broken_reload_changes_nothing(cluster: Cluster, namespace: str, start_daemon: StartDaemon) -> None:
    """While it runs, a broken file leaves the policies as they were, and a metric and the log say so."""
    daemon = start_daemon(policy_file(namespace))
    daemon.wait_for("evaluation")
    daemon.write_policy("policies: nonsense")
    (said,) = daemon.wait_for("policy file refused; the policies read before stay in force")
    assert "policies" in said["problems"][0]
    assert daemon.metric("remediator_policy_reload_success") == 0
    seen = len(daemon.events("evaluation"))
    daemon.wait_for("evaluation", count=seen + 3)
    assert "policy: ok" in daemon.ready()


def test_a_watch_that_is_forbidden_is_said_and_bridged(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """Without the right to watch, the pods are listed now and then: the record ends as replaced."""
    cluster.api.create(workloads.deployment("web", namespace, replicas=2, memory=OVER))
    cluster.ready_pods(namespace, 2)
    forbidden = Respond(403, b'{"kind": "Status", "reason": "Forbidden", "message": "cannot watch pods"}')
    api.fault = lambda request: forbidden if "watch=1" in request.path else None
    policy = policy_file(namespace, for_=STEADY_FOR, cooldown="10m", readyTimeout="5m")
    daemon = start_daemon(policy, kubeconfig=kubeconfig, sample_interval=STEADY)
    (settled,) = daemon.wait_for("remediation settled")
    assert settled["outcome"] == "replaced"
    waiting = [line["words"] for line in daemon.events("remediation waiting")]
    assert any("cannot watch pods" in words for words in waiting)
