"""``plan`` on a real cluster: each matched pod with its verdict and all reasons, and nothing changed by asking."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from remediator.act.journal import KEY, encode
from remediator.act.ledger import intended
from remediator.cli.main import app
from remediator.model.remediations import Ledger
from remediator.model.workloads import WorkloadRef
from tests.cluster.conftest import policy_file
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.api import Api, ApiError, path
from tests.rig.cluster import Cluster
from tests.rig.daemon import create_account
from tests.rig.proxy import Proxy, Respond
from tests.unit.make import record

Json = dict[str, Any]
pytestmark = pytest.mark.xdist_group("plan")

MI = 1 << 20
PACE = {"REMEDIATOR_SCRAPE_INTERVAL": "3s", "REMEDIATOR_KUBELET_INTERVAL": "3s"}
"""Slower than it is, so that a scrape or two may be missing on a busy machine."""
FOR = "10s"


class Planned:
    """What ``plan`` said."""

    def __init__(self, code: int, said: Json) -> None:
        self.code = code
        self.said = said

    def of(self, workload: str) -> list[Json]:
        """The pods of a workload, named by the beginning of their names."""
        return [pod for pod in self.said["pods"] if pod["pod"].startswith(workload)]

    def only(self, workload: str) -> Json:
        """The one pod of a workload."""
        (pod,) = self.of(workload)
        return pod

    def reasons(self, workload: str) -> set[str]:
        """Why that pod stays."""
        return {veto["reason"] for veto in self.only(workload)["reasons"]}


Plan = Callable[..., Planned]


@pytest.fixture(scope="module")
def home(cluster: Cluster) -> Iterator[str]:
    """The daemon's namespace, with its account; no daemon runs."""
    name = cluster.namespace("home")
    create_account(cluster, name)
    yield name
    cluster.api.delete("namespaces", None, name)


@pytest.fixture(scope="module")
def stage(cluster: Cluster) -> Iterator[str]:
    """A namespace with one workload for each thing that a plan has to say, all of them measured for long enough."""
    name = cluster.namespace()
    mute = {"remediator.dev/opt-out": "true"}
    for manifest in (
        workloads.deployment("leaking", name, replicas=2, memory=OVER),
        workloads.deployment("single", name, memory="240Mi"),
        workloads.deployment("healthy", name, memory="64Mi"),
        workloads.deployment("guarded", name, memory=OVER),
        workloads.deployment("mute", name, memory=OVER, annotations=mute),
        workloads.deployment("unlimited", name, memory=OVER, limit=None),
        workloads.pod("bare", name, memory=OVER),
        workloads.pdb("guarded", name, min_available=1),
        workloads.pdb("mute", name, max_unavailable=0),
    ):
        cluster.api.create(manifest)
    cluster.ready_pods(name, 8)
    at = f'timestamp(container_memory_working_set_bytes{{namespace="{name}",container="app"}})[5m:1s]'
    measured = f"count(max_over_time({at}) - min_over_time({at}) > 17) == 8"
    cluster.wait(lambda: cluster.query(measured), 90, "all pods are measured for long enough", every=0.5)
    yield name
    cluster.api.delete("namespaces", None, name)


@pytest.fixture
def plan(cluster: Cluster, stage: str, home: str, tmp_path: Path) -> Plan:
    """Runs ``plan`` with the daemon's own account; the keywords are fields of the policy."""

    def run(*arguments: str, policy: Json | None = None, account: str = "remediator", **fields: Any) -> Planned:  # noqa: ANN401
        file = tmp_path / "policy.yaml"
        file.write_text(yaml.safe_dump(policy or policy_file(stage, for_=FOR, **fields)))
        environment = {
            "REMEDIATOR_PROMETHEUS_URL": cluster.prometheus_url,
            "REMEDIATOR_KUBECONFIG": str(cluster.kubeconfig_for(home, account)),
            "REMEDIATOR_NAMESPACE": home,
            **PACE,
        }
        done = CliRunner().invoke(app, ["plan", str(file), "--output", "json", *arguments], env=environment)
        assert done.stdout, done.output
        return Planned(done.exit_code, json.loads(done.stdout))

    return run


def test_each_pod_has_its_verdict_with_all_reasons(cluster: Cluster, stage: str, home: str, plan: Plan) -> None:
    """What would go, what waits its turn, what is left alone and why, and what is below; the most urgent first."""
    planned = plan()
    assert (planned.code, planned.said["outcome"]) == (1, "would-act"), planned.said
    assert [pod["verdict"] for pod in planned.of("leaking")] == ["would-act", "waits"]
    waits = planned.of("leaking")[1]
    assert "in-flight" in {veto["reason"] for veto in waits["reasons"]}
    single = planned.only("single")
    assert (single["verdict"], single["only_replica"], single["workload"]) == ("would-act", True, "Deployment/single")
    assert (single["value"], single["rss"], single["limit"]) == (240 * MI, 210 * MI, 256 * MI)
    assert single["threshold"] == pytest.approx(0.8 * 256 * MI)
    assert planned.only("healthy")["verdict"] == "below"
    assert planned.reasons("guarded") == {"disruption-budget"}
    assert planned.reasons("mute") == {"opted-out", "disruption-budget"}, "the stages after the first one as well"
    assert planned.reasons("bare") == {"no-controller"}
    unlimited = planned.only("unlimited")
    assert (unlimited["verdict"], unlimited["limit"], unlimited["threshold"]) == ("below", None, None)
    assert len(planned.said["pods"]) == 8
    shares = [pod["share"] or 0 for pod in planned.said["pods"]]
    assert shares == sorted(shares, reverse=True)
    assert [one["outcome"] for one in planned.said["policies"]] == ["ok"]
    assert f"no journal remediator-journal in {home}" in planned.said["notes"][0]
    assert [pod["pod"] for pod in plan("--over").said["pods"] if pod["verdict"] == "below"] == []


def test_asking_changes_nothing(cluster: Cluster, stage: str, home: str, plan: Plan) -> None:
    """By the audit log: reads, and dry runs of the evictions of the pods that would go."""
    # What was asked before may come into the audit log after that.
    began = datetime.now(UTC)
    plan()
    user = f"system:serviceaccount:{home}:remediator"

    def asked() -> list[Any]:
        return [event for event in cluster.audit() if event.user == user and event.received >= began]

    def evictions() -> list[Any]:
        return [event for event in asked() if event.subresource == "eviction"]

    cluster.wait(lambda: len(evictions()) == 2, 60, "both dry runs are in the audit log")
    assert all(event.dry_run and event.code == 201 for event in evictions())
    assert {event.name.split("-")[0] for event in evictions()} == {"leaking", "single"}
    assert {event.verb for event in asked() if event.subresource != "eviction"} <= {"get", "list"}
    assert cluster.taken(stage) == []


def test_what_the_journal_holds_is_asked_too(cluster: Cluster, stage: str, home: str, plan: Plan) -> None:
    """A cooldown that the daemon has written down holds the plan back, as it would hold the daemon."""
    single = cluster.api.get("apps/v1/deployments", stage, "single")["metadata"]["uid"]
    begun = record(workload=WorkloadRef("Deployment", stage, "single", single), intended_at=time.time() - 1)
    ledger = replace(intended(Ledger(), begun), in_flight={})
    journal = {"apiVersion": "v1", "kind": "ConfigMap", "data": {KEY: encode(ledger)}}
    cluster.api.create({**journal, "metadata": {"namespace": home, "name": "remediator-journal"}})
    try:
        planned = plan(cooldown="10m")
        assert planned.only("single")["verdict"] == "left-alone"
        assert planned.reasons("single") == {"cooldown"}
        assert planned.said["notes"] == []
    finally:
        cluster.api.delete("configmaps", home, "remediator-journal")


def may_read(api: Api) -> bool:
    """Whether this account may list budgets everywhere: a right that was just given takes a moment."""
    try:
        return bool(api.request("GET", path("policy/v1/poddisruptionbudgets")))
    except ApiError:
        return False


def test_without_rights_it_says_what_it_could_not_tell(cluster: Cluster, home: str, plan: Plan) -> None:
    """An account that may only read knows neither journal nor dry run, and can do without the latter."""
    read = [
        {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["get", "list"]},
        {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["get", "list"]},
        {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": ["list"]},
    ]
    cluster.service_account(home, "reader", cluster_rules=read)
    cluster.wait(lambda: may_read(cluster.api_as(home, "reader")), 60, "its rights hold")
    planned = plan(account="reader")
    assert planned.code == 2
    assert planned.only("single")["verdict"] == "could-not-tell"
    assert "cannot create resource" in planned.only("single")["words"]
    assert "could not be read, so cooldowns" in planned.said["notes"][0]
    planned = plan("--no-dry-run", account="reader")
    assert (planned.code, planned.only("single")["verdict"]) == (1, "would-act")


def test_a_webhook_that_does_not_answer_makes_it_could_not_tell(cluster: Cluster, stage: str, plan: Plan) -> None:
    """Neither yes nor no; it is named."""
    name = f"{stage}.example.com"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods/eviction"]}
    hook = {
        "name": name,
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": stage}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    kind = "admissionregistration.k8s.io/v1"
    cluster.api.create(
        {"apiVersion": kind, "kind": "ValidatingWebhookConfiguration", "metadata": {"name": name}, "webhooks": [hook]}
    )
    try:
        planned = cluster.wait(
            lambda: found if name in (found := plan()).only("single")["words"] else None, 60, "the webhook is in force"
        )
    finally:
        cluster.api.delete(f"{kind}/validatingwebhookconfigurations", None, name)
    assert (planned.code, planned.only("single")["verdict"]) == (2, "could-not-tell")
    assert planned.reasons("guarded") == {"disruption-budget"}, "what is left alone anyway is not asked for"


def test_a_webhook_with_side_effects_makes_it_could_not_tell(
    cluster: Cluster, home: str, plan: Plan, api: Proxy, tmp_path: Path
) -> None:
    """It refuses every dry run. Only objects of an older API can say so, hence the words come from a proxy."""
    message = 'admission webhook "guard.example.com" does not support dry run'
    refusal = {"kind": "Status", "code": 400, "reason": "BadRequest", "message": message}
    api.fault = lambda request: Respond(400, json.dumps(refusal).encode()) if "/eviction" in request.path else None
    content = yaml.safe_load(cluster.kubeconfig_for(home, "remediator").read_text())
    content["clusters"][0]["cluster"] = {"server": api.url}
    proxied = tmp_path / "proxied.kubeconfig"
    proxied.write_text(yaml.safe_dump(content))
    planned = plan("--kubeconfig", str(proxied))
    assert (planned.code, planned.only("single")["verdict"]) == (2, "could-not-tell")
    assert "guard.example.com" in planned.only("single")["words"]


def test_a_policy_that_measures_nothing_is_could_not_tell(plan: Plan, stage: str) -> None:
    """No data is not "nobody is over"; the pods are shown all the same."""
    policy = policy_file(stage, for_=FOR)
    policy["policies"][0]["match"]["containers"] = ["nobody"]
    planned = plan(policy=policy)
    assert planned.code == 2
    assert [one["outcome"] for one in planned.said["policies"]] == ["no-data"]
    assert {pod["verdict"] for pod in planned.said["pods"]} == {"could-not-tell"}


def test_policies_that_take_nothing_are_told_apart(plan: Plan, stage: str) -> None:
    """A paused file, a policy on trial, a disabled one that owns its pods, and one that only reports."""
    paused = plan(safety={"paused": True})
    assert (paused.code, paused.said["paused"]) == (0, True)
    assert paused.reasons("single") == {"paused"}
    assert paused.reasons("guarded") == {"paused", "disruption-budget"}
    trial = plan(dryRun=True)
    assert trial.code == 0
    assert "would have accepted" in trial.only("single")["reasons"][0]["detail"]
    notify = plan(action="notify")
    assert (notify.code, notify.only("guarded")["verdict"]) == (1, "would-act")
    first = {"name": "hands-off", "match": {"namespaces": [stage], "selector": "app=single"}, "enabled": False}
    policy = policy_file(stage, for_=FOR)
    policy["policies"].insert(0, {**first, "threshold": "80% of limit", "for": FOR})
    disabled = plan(policy=policy)
    assert disabled.only("single")["policy"] == "hands-off"
    assert disabled.reasons("single") == {"not-matched"}


def test_for_people_there_is_a_line_for_each_pod(cluster: Cluster, stage: str, home: str, tmp_path: Path) -> None:
    """Without a terminal: plain text without escape codes, and a summary."""
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(policy_file(stage, for_=FOR)))
    done = CliRunner().invoke(
        app,
        ["plan", str(file), "--kubeconfig", str(cluster.kubeconfig), "--namespace", home, "--scrape-interval", "3s"],
        env={**PACE, "REMEDIATOR_PROMETHEUS_URL": cluster.prometheus_url},
    )
    assert done.exit_code == 1, done.output
    assert "\x1b" not in done.output
    (single,) = [row for row in done.stdout.splitlines() if "single" in row]
    assert single.startswith("would evict")
    assert "240 MiB" in single
    assert "256Mi" in single
    assert "only replica, down until the new one is Ready" in single
    assert any("no limit" in row and "unlimited" in row for row in done.stdout.splitlines())
    assert done.stdout.splitlines()[-1].startswith("8 pods: 2 to act on, 1 waiting their turn")


def test_a_hold_is_shown_with_every_reason_beside_it(stage: str, plan: Plan) -> None:
    """``safety.holdWhen``: nothing would act, and it is told what else stands against a pod."""
    planned = plan(policy=policy_file(stage, for_=FOR, safety={"holdWhen": ["vector(1) == 0", "vector(1)"]}))
    assert planned.code == 0, planned.said["errors"]
    assert [hold["gate"] for hold in planned.said["holds"]] == ["hold-when-2"]
    assert planned.reasons("single") == {"held"}
    assert planned.reasons("mute") == {"held", "opted-out", "disruption-budget"}
    assert (
        planned.said["notes"][-1] == "nothing is taken while this holds all action: hold-when-2: 1 series, such as {}"
    )
