"""``safety.holdWhen`` on a real Prometheus and a real control plane: what holds all action, and who is told of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml
from typer.testing import CliRunner

from remediator.cli.main import app
from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_faults import vector, with_more
from tests.cluster.test_guards import OVER, left_alone
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.history import history
from tests.rig.prometheus import query
from tests.rig.proxy import Cut, Fault, Proxy, Request, Respond

Json = dict[str, Any]
pytestmark = pytest.mark.xdist_group("holds")


def asks(request: Request, query: str) -> bool:
    """Whether that is the question."""
    return parse_qs(request.body.decode()).get("query") == [query]


def test_what_holds_all_action_holds_it_until_it_does_not(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, prometheus: Proxy
) -> None:
    """A series, an error, a partial answer and one that comes after the intent: no pod goes; without them it does."""
    # Over ten seconds: a scrape that comes too late marks its series as gone, and that would end the hold.
    series = f'kube_deployment_created{{namespace="{namespace}",deployment="maintenance"}}'
    holds, other = f"last_over_time({series}[10s])", "vector(1) == 0"
    cluster.api.create(workloads.deployment("maintenance", namespace, replicas=0))
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.api.create(workloads.deployment("told", namespace, memory=OVER))
    cluster.ready_pods(namespace, 2)
    file = policy_file(namespace, safety={"holdWhen": [other, holds]})
    report = {**file["policies"][0], "name": "report", "action": "notify", "cooldown": "10m"}
    file["policies"].insert(0, {**report, "match": {"namespaces": [namespace], "workload": "Deployment/told"}})

    def since() -> float | None:
        return daemon.metric("remediator_hold_since_timestamp_seconds", gate="hold-when-2")

    began = time.time()
    daemon = start_daemon(file, prometheus_url=prometheus.url)
    said = left_alone(daemon, "web", "held")
    assert 'hold-when-2: 1 series, such as {__name__="kube_deployment_created"' in said["detail"]
    daemon.wait_for("evaluation", policy="leaky", outcome="held")
    (line,) = daemon.events("hold begins")
    assert (line["gate"], line["expression"]) == ("hold-when-2", holds)
    assert daemon.metric("remediator_hold_active", gate="hold-when-2") == 1
    assert daemon.metric("remediator_hold_active", gate="hold-when-1") == 0
    first = since()
    assert first is not None
    assert began <= first <= time.time()
    (settled,) = daemon.wait_for("remediation settled")
    assert (settled["outcome"], settled["workload"]) == ("notified", "Deployment/told"), "a report takes nothing"

    faults: dict[str, Fault] = {
        "answered 503": Respond(503),
        "can't be reached": Cut(forwarded=False),
        "is not whole": Respond(200, with_more(warnings=["a store did not answer"])),
        "not Prometheus' JSON": Respond(200, b"<html>log in</html>"),
    }
    for words, fault in faults.items():
        prometheus.fault = lambda request, fault=fault: fault if asks(request, holds) else None  # type: ignore[misc]

        def held(words: str = words) -> list[str]:
            said = [line["detail"] for line in daemon.events("left alone")]
            return [one for one in said if "hold-when-2 can't be asked: " in one and words in one]

        daemon.until(held, what=f"it is held by {words!r}")
    assert len(daemon.events("hold begins", gate="hold-when-2")) == 1, "all of it was one hold"
    assert since() == first
    cluster.api.delete("apps/v1/deployments", namespace, "maintenance")

    def after_the_intent(request: Request) -> Fault | None:
        came = daemon.events("remediation intended") and asks(request, other)
        return Respond(200, vector("0")) if came else None

    cluster.wait(lambda: not cluster.query(holds), 90, "Prometheus has forgotten it")
    prometheus.fault = after_the_intent
    called_off = daemon.wait_for("remediation settled", outcome="called-off")[0]
    assert "held: hold-when-1: 1 series" in called_off["detail"]
    assert daemon.events("hold ends")[0]["gate"] == "hold-when-2"
    assert daemon.events("hold begins", gate="hold-when-1")
    assert cluster.taken(namespace) == []

    prometheus.fault = lambda _request: None
    replaced = daemon.wait_for("remediation settled", outcome="replaced")[0]
    assert cluster.taken(namespace)[0].uid == replaced["uid"]
    assert since() is None


Check = Callable[..., Json]


@pytest.fixture(scope="module")
def server(cluster: Cluster) -> Iterator[str]:
    """A Prometheus with three alerts: one that always fires, one that never does, and one that is pending."""
    rules = [
        {"alert": "Watchdog", "expr": "vector(1)"},
        {"alert": "KubeAPIDown", "expr": "vector(1) == 0"},
        {"alert": "KubeletDown", "expr": "vector(1)", "for": "1h"},
    ]
    with history(rules=rules) as url:
        cluster.wait(lambda: query(url, "count(ALERTS) == 2", time=int(time.time())), 60, "the rules were evaluated")
        yield url


@pytest.fixture
def check(server: str, tmp_path: Path) -> Check:
    """What ``check`` says of a file with these expressions."""

    def run(*expressions: str, url: str = server) -> Json:
        file = tmp_path / "policy.yaml"
        policy = {"name": "a", "threshold": "1Gi", "enabled": False}
        file.write_text(yaml.safe_dump({"safety": {"holdWhen": list(expressions)}, "policies": [policy]}))
        done = CliRunner().invoke(app, ["check", str(file), "--prometheus-url", url, "--output", "json"])
        assert done.stdout, done.output
        return {"code": done.exit_code, **json.loads(done.stdout)}

    return run


def test_check_says_what_holds_now_and_what_never_will(check: Check) -> None:
    """Each expression is asked once; a misspelt alert is named with the right one, a silent one is not named."""
    firing = 'ALERTS{alertname="Watchdog",alertstate="firing"}'
    said = check(firing, 'ALERTS{alertname="KubeAPIDown"}', 'ALERTS{alertname=~"KubeApiDown|KubeletDown"}')
    assert said["code"] == 0, "worth knowing, and nothing to fix"
    pending, holds, unknown = (
        [one for one in said["findings"] if one["where"].endswith(gate) and one["kind"] == kind]
        for gate, kind in (("hold-when-3", "holds-now"), ("hold-when-1", "holds-now"), ("hold-when-3", "unknown-alert"))
    )
    assert 'alertstate="pending"' in pending[0]["what"], "a pending alert holds, if nobody says otherwise"
    assert 'alertname="Watchdog"' in holds[0]["what"]
    assert "no rule of this Prometheus raises an alert 'KubeApiDown'" in unknown[0]["what"]
    assert unknown[0]["fix"] == "write KubeAPIDown"
    assert len(said["findings"]) == 3, said["findings"]
    assert [(one["gate"], one["holds"]) for one in said["holds"]] == [
        ("hold-when-1", True),
        ("hold-when-2", False),
        ("hold-when-3", True),
    ]


def test_check_that_can_not_ask_says_so(server: str, check: Check) -> None:
    """An expression that the server refuses would hold for ever: could not tell; without rules, series tell."""
    twice = " or ".join(f'label_replace(vector(1), "copy", "{n}", "", "")' for n in (1, 2))
    said = check(f"vector(1) * on () ({twice})")
    assert (said["code"], said["outcome"]) == (2, "could-not-tell")
    assert said["errors"][0].startswith("safety.holdWhen, hold-when-1: ")
    assert said["holds"][0]["holds"] is None
    with Proxy(server) as proxy:
        proxy.fault = lambda request: Respond(404) if request.path.startswith("/api/v1/rules") else None
        said = check('ALERTS{alertname="Watchdog"}', 'ALERTS{alertname="KubeAPIDown"}', url=proxy.url)
    (unknown,) = (one for one in said["findings"] if one["kind"] == "unknown-alert")
    assert "'KubeAPIDown'" in unknown["what"]
    assert "not all could be read: Prometheus at " in unknown["what"]
