"""Replace first, remove after: no replica is missing, whatever the budget says, and every way back works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.api import Api, ApiError, path
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon, allow_surge
from tests.rig.endpoints import Endpoints

Json = dict[str, Any]
HASH = "pod-template-hash"
SURGE = "remediator-surge"
COST = "controller.kubernetes.io/pod-deletion-cost"
ADMISSION = Path(__file__).resolve().parents[2] / "deploy" / "surge" / "admission.yaml"
POLICIES = "admissionregistration.k8s.io/v1/validatingadmissionpolicies"
WIDE = {"maxConcurrent": 20, "budget": {"actions": 100, "per": "1h"}}


@pytest.fixture
def surge(cluster: Cluster, home: str) -> None:
    """The rights that a surge needs."""
    allow_surge(cluster, home)


def service(name: str, namespace: str) -> Json:
    """A Service over the pods labelled ``app=NAME``."""
    spec = {"selector": {"app": name}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def claim(name: str, namespace: str) -> tuple[Json, Json]:
    """A volume and a claim of it that one node at a time may mount."""
    common = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{namespace}-{name}"},
        "spec": {
            **common,
            "capacity": {"storage": "1Gi"},
            "hostPath": {"path": "/nowhere"},
            "claimRef": {"namespace": namespace, "name": name},
        },
    }
    wanted = {"requests": {"storage": "1Gi"}}
    claimed = {**common, "resources": wanted, "volumeName": f"{namespace}-{name}"}
    metadata = {"name": name, "namespace": namespace}
    return volume, {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claimed}


def policy(namespace: str, **more: Any) -> Json:  # noqa: ANN401
    """A policy that surges."""
    return policy_file(namespace, safety=WIDE, action="surge", **{"cooldown": "10m", "readyTimeout": "60s", **more})


def orphans(cluster: Cluster, namespace: str) -> list[Json]:
    """The pods that are out of their ReplicaSets."""
    return cluster.pods(namespace, labels=f"{HASH}={SURGE}")


def leaving_the_pool(cluster: Cluster, namespace: str, name: str, **more: Any) -> None:  # noqa: ANN401
    """A Deployment whose pods run, and whose next pod finds no node."""
    pool = {f"pool.example/{namespace}": "in"}
    for node in cluster.api.list("nodes"):
        cluster.api.patch("nodes", None, node["metadata"]["name"], {"metadata": {"labels": pool}})
    cluster.api.create(workloads.deployment(name, namespace, spec={"nodeSelector": pool}, **more))
    cluster.ready_pods(namespace, more.get("replicas", 1), labels=f"app={name}", deadline=60)
    for node in cluster.api.list("nodes"):
        cluster.api.patch("nodes", None, node["metadata"]["name"], {"metadata": {"labels": dict.fromkeys(pool)}})


def settled(daemon: Daemon, workload: str, *, timeout: float = 90) -> Json:
    """How the remediation of a workload ended."""
    (line, *_) = daemon.wait_for("remediation settled", workload=workload, timeout=timeout)
    return line


@pytest.mark.usefixtures("surge")
def test_where_no_budget_allows_an_eviction_a_surge_replaces_the_pod_and_nobody_is_missing(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """``minAvailable`` of all, 100%, ``maxUnavailable: 0``, and one replica: Endpoints never have fewer than wanted."""
    budgets: dict[str, Json] = {
        "all": {"min_available": 3},
        "percent": {"min_available": "100%"},
        "none": {"max_unavailable": 0},
        "single": {"min_available": 1},
    }
    wanted = {name: 1 if name == "single" else 3 for name in budgets}
    for name, allowed in budgets.items():
        slow = workloads.behaviour(ready_delay="2")
        cluster.api.create(workloads.deployment(name, namespace, replicas=wanted[name], annotations=slow))
        cluster.api.create(workloads.pdb(name, namespace, **allowed))
        cluster.api.create(service(name, namespace))
    pods = cluster.ready_pods(namespace, sum(wanted.values()), deadline=60)
    over = {name: next(pod for pod in pods if pod["metadata"]["labels"]["app"] == name) for name in budgets}
    cluster.wait(
        lambda: all(
            budget.get("status", {}).get("currentHealthy") == wanted[budget["metadata"]["name"]]
            for budget in cluster.api.list("policy/v1/poddisruptionbudgets", namespace)
        ),
        60,
        "the budgets are computed",
    )
    with ExitStack() as watching:
        seen = {name: watching.enter_context(Endpoints(cluster.api, namespace, name)) for name in budgets}
        cluster.wait(lambda: all(one.counts[-1] == wanted[name] for name, one in seen.items()), 60, "all are ready")
        for one in seen.values():
            one.counts.clear()
        for pod in over.values():
            cluster.api.annotate("pods", namespace, pod["metadata"]["name"], workloads.behaviour(memory=OVER))
        daemon = start_daemon(policy(namespace))
        for name in budgets:
            line = settled(daemon, f"Deployment/{name}")
            assert (line["outcome"], line["uid"]) == ("replaced", over[name]["metadata"]["uid"])
        cluster.ready_pods(namespace, sum(wanted.values()))
        assert {name: one.fewest for name, one in seen.items()} == wanted
    taken = [event.uid for event in cluster.taken(namespace)]
    assert sorted(taken) == sorted(pod["metadata"]["uid"] for pod in over.values())
    assert orphans(cluster, namespace) == []


@pytest.mark.usefixtures("surge")
def test_a_surge_whose_pod_never_comes_is_taken_back_and_bystanders_stay(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """No node for the new pods of two at a time: the old ones are back, and no one took the other for its new pod."""
    leaving_the_pool(cluster, namespace, "web", replicas=4)
    before = {pod["metadata"]["uid"]: pod["metadata"] for pod in cluster.pods(namespace)}
    over = [metadata["name"] for metadata in before.values()][:2]
    for name in over:
        cluster.api.annotate("pods", namespace, name, workloads.behaviour(memory=OVER))
    daemon = start_daemon(policy(namespace, readyTimeout="15s", cooldown="1s", maxUnavailable=2))
    lines = daemon.wait_for("remediation settled", count=2, timeout=90)
    assert [(line["outcome"], line["breaker_opened"]) for line in lines] == [("rolled-back", True)] * 2
    assert {line["pod"] for line in lines} == {*over}
    assert any("didn't match" in line["detail"] for line in lines)
    assert {pod["metadata"]["uid"] for pod in cluster.ready_pods(namespace, 4)} == set(before)
    for pod in cluster.pods(namespace):
        back = pod["metadata"]
        assert back["labels"] == before[back["uid"]]["labels"]
        assert [(ref["kind"], ref["controller"]) for ref in back["ownerReferences"]] == [("ReplicaSet", True)]
        assert not [key for key in back["annotations"] if key.startswith("remediator.dev/")]
    assert cluster.taken(namespace) == []


@pytest.mark.usefixtures("surge")
def test_a_workload_that_changes_during_a_surge_ends_it_by_name_and_leaves_nothing_behind(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """Scaled down, rolled out, deleted, the old pod ended: it goes, no breaker; its owner alone deleted: it is back."""
    api, held, quick = cluster.api, workloads.behaviour(ready_delay="3600"), workloads.behaviour(ready_delay="0")
    replicas = {"shrinking": 3, "rolling": 2, "leaving": 1, "leaving-pods": 1, "dying": 1}
    for name, number in replicas.items():
        api.create(workloads.deployment(name, namespace, replicas=number, annotations=held))
    made = cluster.wait(
        lambda: found if len(found := cluster.pods(namespace)) == sum(replicas.values()) else None, 60, "all pods"
    )
    for pod in made:
        api.annotate("pods", namespace, pod["metadata"]["name"], quick)
    pods = cluster.ready_pods(namespace, sum(replicas.values()), deadline=90)
    over = {pod["metadata"]["labels"]["app"]: pod["metadata"]["name"] for pod in pods}
    for name in over.values():
        api.annotate("pods", namespace, name, workloads.behaviour(memory=OVER))
    daemon = start_daemon(policy(namespace))
    daemon.wait_for("remediation taken out", count=len(replicas))
    assert {pod["metadata"]["name"] for pod in orphans(cluster, namespace)} == set(over.values())

    api.scale("apps/v1/deployments", namespace, "shrinking", 2)
    template = {"labels": {"release": "2"}, "annotations": quick}
    api.patch("apps/v1/deployments", namespace, "rolling", {"spec": {"template": {"metadata": template}}})
    api.delete("apps/v1/deployments", namespace, "leaving")
    api.delete("apps/v1/deployments", namespace, "leaving-pods", propagation="Orphan")
    api.patch("pods", namespace, over["dying"], {"status": {"phase": "Failed"}}, subresource="status")
    # Of all new pods this one alone is wanted.
    (new,) = cluster.wait(
        lambda: [
            pod for pod in cluster.pods(namespace, labels="app=dying") if pod["metadata"]["name"] != over["dying"]
        ],
        60,
        "there is a new pod for the one that has ended",
    )
    api.annotate("pods", namespace, new["metadata"]["name"], quick)

    outcomes = {name: settled(daemon, f"Deployment/{name}") for name in replicas}
    assert {name: line["outcome"] for name, line in outcomes.items()} == {
        "shrinking": "scaled-down",
        "rolling": "rolled-out",
        "leaving": "owner-gone",
        "leaving-pods": "owner-gone",
        "dying": "replaced",
    }
    assert not any(line["breaker_opened"] for line in outcomes.values())
    cluster.wait(lambda: not orphans(cluster, namespace), 60, "no orphan is left")
    cluster.ready_pods(namespace, 6, deadline=60)
    assert over["leaving-pods"] in {pod["metadata"]["name"] for pod in cluster.pods(namespace)}


@pytest.mark.usefixtures("surge")
def test_where_a_surge_is_impossible_the_fallback_is_done(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """Adopted by somebody, selected by its hash, a claim of one node, Recreate, a StatefulSet: evicted instead."""
    api, names = cluster.api, ("adopted", "by-hash", "recreated", "claimed", "plain")
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    for manifest in claim("data", namespace):
        api.create(manifest)
    for name in names:
        strategy = {"type": "Recreate"} if name == "recreated" else None
        spec = {"volumes": [volume]} if name == "claimed" else None
        api.create(workloads.deployment(name, namespace, replicas=2, strategy=strategy, spec=spec))
    api.create(workloads.statefulset("db", namespace, replicas=2, parallel=True))
    pods = cluster.ready_pods(namespace, 12, deadline=60)
    wide = workloads.replicaset("wide", namespace, replicas=0)
    wide["spec"]["selector"] = {"matchLabels": {"app": "adopted"}}
    wide["spec"]["template"]["metadata"]["labels"] = {"app": "adopted"}
    by_hash = service("by-hash", namespace)
    by_hash["spec"]["selector"][HASH] = next(
        pod["metadata"]["labels"][HASH] for pod in pods if pod["metadata"]["labels"]["app"] == "by-hash"
    )
    api.create(wide)
    api.create(by_hash)
    over = {pod["metadata"]["labels"]["app"]: pod["metadata"]["name"] for pod in pods}
    for name in over.values():
        api.annotate("pods", namespace, name, workloads.behaviour(memory=OVER))
    daemon = start_daemon(policy(namespace))
    refs = [*(f"Deployment/{name}" for name in names), "StatefulSet/db"]
    assert {ref: settled(daemon, ref)["outcome"] for ref in refs} == dict.fromkeys(refs, "replaced")
    said = {line["workload"]: line["words"] for line in daemon.events("remediation fallback")}
    assert set(said) == {*refs} - {"Deployment/plain"}
    assert "its claim data may be mounted by one node at a time (ReadWriteOnce)" in said["Deployment/claimed"]
    assert "ReplicaSet/wide would adopt the pod" in said["Deployment/adopted"]
    assert f"Service/by-hash selects on {HASH}" in said["Deployment/by-hash"]
    assert "its strategy is Recreate" in said["Deployment/recreated"]
    assert "has no ReplicaSet between itself and its pods" in said["StatefulSet/db"]
    patched = {event.name for event in cluster.audit() if event.namespace == namespace and _is_surge(event)}
    assert patched == {over["plain"]}


def _is_surge(event: Any) -> bool:  # noqa: ANN401
    labels = ((event.request or {}).get("metadata") or {}).get("labels") or {}
    return event.resource == "pods" and event.verb == "patch" and SURGE in labels.values()


def test_without_the_rights_the_fallback_is_done_and_the_right_is_named(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """``fallback: notify``: the pod stays, and it is said which right is missing."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.ready_pods(namespace, 1)
    daemon = start_daemon(policy(namespace, fallback="notify"))
    line = settled(daemon, "Deployment/web")
    assert line["outcome"] == "notified"
    (said,) = daemon.wait_for("remediation fallback")
    assert 'cannot list resource "replicasets"' in said["words"]
    assert cluster.taken(namespace) == []


@contextmanager
def admission(cluster: Cluster, name: str, spec: Json, *, namespace: str) -> Iterator[None]:
    """A ValidatingAdmissionPolicy of that spec, for one namespace alone."""
    version = "admissionregistration.k8s.io/v1"
    metadata = {"name": name}
    only = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    bound = {"policyName": name, "validationActions": ["Deny"], "matchResources": only}
    kind = "ValidatingAdmissionPolicy"
    cluster.api.create({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})
    try:
        cluster.api.create({"apiVersion": version, "kind": f"{kind}Binding", "metadata": metadata, "spec": bound})
        yield
    finally:
        cluster.api.delete(f"{version}/validatingadmissionpolicybindings", None, name)
        cluster.api.delete(POLICIES, None, name)


def refused(api: Api, namespace: str, pod: str, body: Json) -> bool:
    """Whether a change of a pod would be refused by an admission policy."""
    try:
        api.request(
            "PATCH",
            path("pods", namespace, pod),
            body=body,
            parameters={"dryRun": "All"},
            content_type="application/merge-patch+json",
        )
    except ApiError as error:
        return "ValidatingAdmissionPolicy" in error.message
    return False


@pytest.mark.usefixtures("surge")
def test_the_right_to_patch_pods_is_good_for_a_surge_and_for_nothing_else(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """Under deploy/surge/admission.yaml: image, labels, annotations, owners and finalizers stay, and a surge works."""
    text = ADMISSION.read_text("utf-8").replace("serviceaccount:remediator:", f"serviceaccount:{home}:")
    spec = next(yaml.safe_load_all(text))["spec"]
    cluster.api.create(workloads.deployment("web", namespace, memory="20Mi"))
    (pod,) = cluster.ready_pods(namespace, 1)
    leaving_the_pool(cluster, namespace, "stuck", memory=OVER)
    name = pod["metadata"]["name"]
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "00000000-0000-0000-0000-000000000000"}
    api = cluster.api_as(home, "remediator")
    with admission(cluster, f"surge-{home}", spec, namespace=namespace):
        cluster.wait(
            lambda: refused(api, namespace, name, {"metadata": {"labels": {"try": "1"}}}), 60, "the policy holds"
        )
        bodies: tuple[Json, ...] = (
            {"spec": {"containers": [{**pod["spec"]["containers"][0], "image": "evil:1"}]}},
            {"metadata": {"labels": {"app": "other"}}},
            {"metadata": {"labels": {"more": "1"}}},
            {"metadata": {"labels": {"app": None}}},
            {"metadata": {"annotations": {"more": "1"}}},
            {"metadata": {"annotations": {f"{workloads.PREFIX}memory": None}}},
            {"metadata": {"annotations": {"remediator.dev/opt-out": "false"}}},
            {"metadata": {"annotations": {COST: "1"}}},
            {"metadata": {"finalizers": ["example.com/stay"]}},
            {"metadata": {"labels": {HASH: "other"}}},
            {"metadata": {"labels": {HASH: None}}},
            {"metadata": {"labels": {f"rollouts-{HASH}": "1"}}},
            {"metadata": {"labels": {HASH: SURGE}}},
            {"metadata": {"ownerReferences": []}},
            {"metadata": {"ownerReferences": [owner]}},
            {"metadata": {"labels": {HASH: SURGE}, "ownerReferences": []}},
            {"metadata": {"labels": {HASH: SURGE}, "ownerReferences": [{**owner, "controller": True}]}},
        )
        for body in bodies:
            assert refused(api, namespace, name, body), body
        cluster.api.annotate("pods", namespace, name, workloads.behaviour(memory=OVER))
        file = policy(namespace)
        stuck = {"name": "stuck", "match": {"namespaces": [namespace], "workload": "Deployment/stuck"}}
        file["policies"].insert(0, {**file["policies"][0], **stuck, "readyTimeout": "15s"})
        daemon = start_daemon(file)
        assert settled(daemon, "Deployment/web")["outcome"] == "replaced"
        assert settled(daemon, "Deployment/stuck")["outcome"] == "rolled-back"


@pytest.mark.usefixtures("surge")
def test_where_admission_wants_owners_a_surge_works_or_is_refused_and_replicasets_go_on_healing(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """Pods need an owner: it has one. Pods need a controller: the PATCH is refused, and a deleted peer comes back."""
    owners, controls = "object.metadata.?ownerReferences.orValue([])", "o.?controller.orValue(false)"
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["pods"]}
            ]
        },
        "validations": [
            {"expression": f"size({owners}) > 0", "message": "a pod needs an owner"},
            {
                "expression": f"object.metadata.labels['app'] != 'strict' || {owners}.exists(o, {controls})",
                "message": "a pod needs a controller",
                "reason": "Forbidden",
            },
        ],
    }
    for name in ("strict", "lenient"):
        cluster.api.create(workloads.deployment(name, namespace, replicas=2))
    pods = cluster.ready_pods(namespace, 4)
    with admission(cluster, f"owners-{namespace}", spec, namespace=namespace):
        first = pods[0]["metadata"]["name"]
        cluster.wait(
            lambda: refused(cluster.api, namespace, first, {"metadata": {"ownerReferences": []}}),
            60,
            "the policy holds",
        )
        over = {pod["metadata"]["labels"]["app"]: pod["metadata"]["name"] for pod in pods}
        for name in over.values():
            cluster.api.annotate("pods", namespace, name, workloads.behaviour(memory=OVER))
        daemon = start_daemon(policy(namespace))
        assert settled(daemon, "Deployment/lenient")["outcome"] == "replaced"
        line = settled(daemon, "Deployment/strict")
        assert (line["outcome"], line["breaker_opened"]) == ("failed", True)
        assert "a pod needs a controller" in line["detail"]
        (peer,) = (
            pod for pod in cluster.pods(namespace, labels="app=strict") if pod["metadata"]["name"] != over["strict"]
        )
        cluster.api.delete("pods", namespace, peer["metadata"]["name"])
        cluster.ready_pods(namespace, 4)
    assert len(cluster.taken(namespace)) == 2, "one by the daemon, and the peer by hand"
