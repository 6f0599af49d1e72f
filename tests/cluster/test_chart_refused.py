"""What the daemon's account may not do, with the fullest rights that the chart gives: evict, surge and delete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.asking import Ask, refused_by_rbac
from tests.cluster.conftest import policies
from tests.cluster.releases import PROBING, chart_releases, pace
from tests.rig import workloads
from tests.rig.api import Api
from tests.rig.cluster import Cluster
from tests.rig.helm import Helm

Json = dict[str, Any]
pytestmark = pytest.mark.xdist_group("chart-refused")

RBAC = "rbac.authorization.k8s.io/v1"
ADMISSION = "admissionregistration.k8s.io/v1"
SHOP, HOME, KUBE, POD = "<shop>", "<home>", "kube-system", "<pod>"
COLLECTOR = "system:serviceaccount:kube-system:generic-garbage-collector"
UPGRADE = "Upgrade request required"
# Whoever may, is not let through to an address of the API server's own machine, where all of the rig is.
LOOPBACK = "address not allowed"


def new(version: str, kind: str, *, name: str = "new", **rest: Any) -> Json:  # noqa: ANN401 (fields of any kind)
    """A manifest."""
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **rest}


ROLE: Json = {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
BOUND: Json = {
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "ServiceAccount", "name": "remediator", "namespace": HOME}],
}
HOOK: Json = {
    "webhooks": [
        {
            "name": "a.example.com",
            "clientConfig": {"url": "https://127.0.0.1:1/"},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
    ]
}
LEASE = new("coordination.k8s.io/v1", "Lease", spec={"holderIdentity": "me"})
CUSTOM: Json = {
    "group": "example.com",
    "scope": "Namespaced",
    "names": {"kind": "Thing", "plural": "things"},
    "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}],
}
EVENT: Json = {
    "reason": "Evicted",
    "type": "Normal",
    "action": "Evict",
    "reportingController": "remediator",
    "reportingInstance": "here",
    "eventTime": "2026-01-02T03:04:05.000000Z",
    "regarding": {"kind": "Pod", "namespace": SHOP, "name": POD},
}
BARE_POD = new("v1", "Pod", spec={"containers": [workloads.container()]})

SECRETS = [
    Ask("list", "secrets"),
    Ask("watch", "secrets"),
    Ask("get", "secrets", SHOP, "keys"),
    Ask("list", "secrets", HOME),
    Ask("get", "secrets", HOME, "sh.helm.release.v1.remediator.v1"),
    Ask("create", "secrets", HOME, body=new("v1", "Secret")),
    Ask("patch", "secrets", SHOP, "keys"),
    Ask("delete", "secrets", SHOP, "keys"),
]
CONFIG_MAPS = [
    Ask("list", "configmaps", HOME),
    Ask("watch", "configmaps", HOME),
    Ask("get", "configmaps", HOME, "remediator-policy"),
    Ask("update", "configmaps", HOME, "remediator-policy"),
    Ask("patch", "configmaps", HOME, "remediator-policy"),
    Ask("delete", "configmaps", HOME, "remediator-policy"),
    Ask("patch", "configmaps", HOME, "remediator-journal"),
    Ask("delete", "configmaps", HOME, "remediator-journal"),
    Ask("deletecollection", "configmaps", HOME),
    Ask("get", "configmaps", SHOP, "settings"),
    Ask("create", "configmaps", SHOP, body=new("v1", "ConfigMap")),
    Ask("get", "configmaps", KUBE, "extension-apiserver-authentication"),
]
LEASES = [
    Ask("list", "coordination.k8s.io/v1/leases", HOME),
    Ask("get", "coordination.k8s.io/v1/leases", HOME, "other"),
    Ask("update", "coordination.k8s.io/v1/leases", HOME, "other"),
    Ask("patch", "coordination.k8s.io/v1/leases", HOME, "remediator"),
    Ask("delete", "coordination.k8s.io/v1/leases", HOME, "remediator"),
    Ask("deletecollection", "coordination.k8s.io/v1/leases", HOME),
    Ask("create", "coordination.k8s.io/v1/leases", KUBE, body=LEASE),
    Ask("update", "coordination.k8s.io/v1/leases", "kube-node-lease", "node-0"),
]
PODS = [
    Ask("create", "pods", SHOP, body=BARE_POD),
    Ask("patch", "pods", SHOP, "new", body=BARE_POD, words='cannot create resource "pods"',
        content="application/apply-patch+yaml", query={"fieldManager": "me"}),
    Ask("update", "pods", SHOP, POD),
    Ask("deletecollection", "pods", SHOP),
    Ask("patch", "pods", SHOP, POD, "status"),
    Ask("update", "pods", SHOP, POD, "status"),
    Ask("patch", "pods", SHOP, POD, "ephemeralcontainers"),
    Ask("patch", "pods", SHOP, POD, "resize"),
    Ask("create", "pods", SHOP, "waiting", "binding",
        body=new("v1", "Binding", name="waiting", target={"kind": "Node", "name": "node-0"})),
    Ask("get", "pods", SHOP, POD, "log", admin="no logs"),
    Ask("create", "pods", SHOP, POD, "exec", query={"command": "id"}, admin=UPGRADE),
    Ask("create", "pods", SHOP, POD, "attach", admin=UPGRADE),
    Ask("create", "pods", SHOP, POD, "portforward", admin=UPGRADE),
    Ask("get", "pods", SHOP, POD, "proxy", admin=LOOPBACK),
]  # fmt: skip
WORKLOADS = [
    Ask("patch", "apps/v1/deployments", SHOP, "web"),
    Ask("update", "apps/v1/deployments", SHOP, "web"),
    Ask("delete", "apps/v1/deployments", SHOP, "web"),
    Ask("list", "apps/v1/deployments", SHOP),
    Ask("create", "apps/v1/deployments", SHOP, body=workloads.deployment("new", SHOP)),
    Ask("patch", "apps/v1/deployments", SHOP, "web", "scale", body={"spec": {"replicas": 0}}),
    Ask("get", "apps/v1/deployments", SHOP, "web", "scale"),
    Ask("patch", "apps/v1/deployments", HOME, "remediator"),
    Ask("patch", "apps/v1/replicasets", SHOP, "<replicaset>"),
    Ask("delete", "apps/v1/replicasets", SHOP, "<replicaset>"),
    Ask("patch", "apps/v1/statefulsets", SHOP, "db"),
    Ask("patch", "apps/v1/statefulsets", SHOP, "db", "scale", body={"spec": {"replicas": 0}}),
    Ask("patch", "apps/v1/daemonsets", SHOP, "agent"),
    Ask("create", "batch/v1/jobs", SHOP, body=workloads.job("new", SHOP)),
]
CLUSTER = [
    Ask("list", "nodes"),
    Ask("watch", "nodes"),
    Ask("patch", "nodes", None, "node-0"),
    Ask("delete", "nodes", None, "node-0"),
    Ask("patch", "nodes", None, "node-0", "status"),
    Ask("get", "nodes", None, "node-0", "proxy", admin=LOOPBACK),
    Ask("create", "namespaces", body=new("v1", "Namespace")),
    Ask("patch", "namespaces", None, SHOP),
    Ask("delete", "namespaces", None, SHOP),
    Ask("list", "namespaces"),
    Ask("create", "apiextensions.k8s.io/v1/customresourcedefinitions", body=new(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", name="things.example.com", spec=CUSTOM)),
    Ask("get", "/metrics"),
    Ask("get", "/debug/pprof/"),
]  # fmt: skip
RIGHTS = [
    Ask("create", f"{RBAC}/clusterroles", body=new(RBAC, "ClusterRole", **ROLE)),
    Ask("create", f"{RBAC}/clusterrolebindings", body=new(RBAC, "ClusterRoleBinding", **BOUND)),
    Ask("create", f"{RBAC}/rolebindings", HOME, body=new(RBAC, "RoleBinding", **BOUND)),
    Ask("patch", f"{RBAC}/clusterroles", None, "<clusterrole>", body=ROLE),
    Ask("patch", f"{RBAC}/roles", HOME, "remediator", body=ROLE),
    Ask("create", "serviceaccounts", HOME, "remediator", "token",
        body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}),
    Ask("patch", "serviceaccounts", HOME, "remediator"),
    Ask("list", "pods", SHOP, headers={"Impersonate-User": COLLECTOR}, words="cannot impersonate"),
    Ask("list", "pods", SHOP, headers={"Impersonate-User": "x", "Impersonate-Group": "system:masters"},
        words="cannot impersonate"),
    Ask("create", "authentication.k8s.io/v1/tokenreviews", body=new(
        "authentication.k8s.io/v1", "TokenReview", spec={"token": "x"})),
    Ask("create", "authorization.k8s.io/v1/subjectaccessreviews", body=new(
        "authorization.k8s.io/v1", "SubjectAccessReview", name="",
        spec={"user": "x", "nonResourceAttributes": {"path": "/", "verb": "get"}})),
]  # fmt: skip
GUARDS = [
    Ask("patch", f"{ADMISSION}/validatingadmissionpolicies", None, "<admission>"),
    Ask("delete", f"{ADMISSION}/validatingadmissionpolicies", None, "<admission>"),
    Ask("patch", f"{ADMISSION}/validatingadmissionpolicybindings", None, "<admission>"),
    Ask("delete", f"{ADMISSION}/validatingadmissionpolicybindings", None, "<admission>"),
    Ask("create", f"{ADMISSION}/validatingwebhookconfigurations",
        body=new(ADMISSION, "ValidatingWebhookConfiguration", **HOOK)),
    Ask("create", f"{ADMISSION}/mutatingwebhookconfigurations",
        body=new(ADMISSION, "MutatingWebhookConfiguration", **HOOK)),
    Ask("create", "policy/v1/poddisruptionbudgets", SHOP,
        body=workloads.pdb("new", SHOP, app="other", max_unavailable=1)),
    Ask("patch", "policy/v1/poddisruptionbudgets", SHOP, "web"),
    Ask("delete", "policy/v1/poddisruptionbudgets", SHOP, "web"),
    Ask("delete", "resourcequotas", SHOP, "few"),
    Ask("delete", "networking.k8s.io/v1/networkpolicies", SHOP, "closed"),
]  # fmt: skip
OTHERS = [
    Ask("patch", "services", SHOP, "web"),
    Ask("delete", "services", SHOP, "web"),
    Ask("get", "services", SHOP, "web", "proxy", admin="no endpoints available"),
    Ask("list", "endpoints", SHOP),
    Ask("list", "persistentvolumeclaims", SHOP),
    Ask("patch", "persistentvolumeclaims", SHOP, "data"),
    Ask("delete", "persistentvolumeclaims", SHOP, "data"),
    Ask("create", "events", SHOP, body={**new("v1", "Event"), "involvedObject": {"namespace": SHOP}}),
    Ask("create", "events.k8s.io/v1/events", SHOP, body={**new("events.k8s.io/v1", "Event"), **EVENT}),
]
ALL = [*SECRETS, *CONFIG_MAPS, *LEASES, *PODS, *WORKLOADS, *CLUSTER, *RIGHTS, *GUARDS, *OTHERS]


@dataclass(frozen=True)
class Stage:
    """Who asks, and what is there to be asked for."""

    api: Api
    names: dict[str, str]


@pytest.fixture(scope="module")
def stage(cluster: Cluster, helm4: Helm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A namespace with something of everything, and a release whose policies evict, surge and delete."""
    shop = cluster.namespace("shop")
    for item in (
        workloads.deployment("web", shop, annotations=workloads.behaviour(pod_ip="127.0.0.1")),
        workloads.statefulset("db", shop),
        workloads.daemonset("agent", shop),
        workloads.pdb("web", shop, max_unavailable=1),
        workloads.pod("waiting", shop, spec={"nodeSelector": {"nobody": "has-this"}}),
        {**new("v1", "Secret", name="keys"), "stringData": {"key": "x"}},
        {**new("v1", "ConfigMap", name="settings"), "data": {"key": "x"}},
        {**new("v1", "Service", name="web"), "spec": {"selector": {"app": "nobody"}, "ports": [{"port": 80}]}},
        {**new("v1", "ResourceQuota", name="few"), "spec": {"hard": {"pods": "100"}}},
        {**new("networking.k8s.io/v1", "NetworkPolicy", name="closed"), "spec": {"podSelector": {}}},
        {
            **new("v1", "PersistentVolumeClaim", name="data"),
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        },
    ):
        item["metadata"]["namespace"] = shop
        cluster.api.create(item)
    with chart_releases(cluster, helm4, tmp_path_factory.mktemp("releases")) as new_release:
        release = new_release(at=PROBING, runs=False)
        actions = [policies(shop, action=action)["policies"][0] for action in ("evict", "surge", "delete")]
        several = [{**policy, "name": f"policy-{number}"} for number, policy in enumerate(actions)]
        release.install(pace(cluster.prometheus_url, policy={"policies": several}, replicas=0), wait=False)
        for item in (
            {**new("v1", "ConfigMap", name="remediator-journal"), "data": {}},
            {**LEASE, "metadata": {"name": "remediator"}},
            {**LEASE, "metadata": {"name": "other"}},
        ):
            item["metadata"]["namespace"] = release.home
            cluster.api.create(item)
        cluster.wait(
            lambda: cluster.api.get("apps/v1/deployments", shop, "web").get("status", {}).get("readyReplicas"),
            60,
            "web is Ready",
        )
        (pod,) = cluster.pods(shop, labels="app=web")
        names = {
            "shop": shop,
            "home": release.home,
            "pod": pod["metadata"]["name"],
            "replicaset": pod["metadata"]["ownerReferences"][0]["name"],
            "clusterrole": f"remediator.{release.home}-read",
            "admission": f"remediator.{release.home}-surge",
        }
        yield Stage(release.api(), names)
    cluster.api.delete("namespaces", None, shop)


@pytest.mark.parametrize("ask", ALL, ids=str)
def test_rbac_refuses(cluster: Cluster, stage: Stage, ask: Ask) -> None:
    """The account asks for it and is refused by the name of the right; the same request of the admin is a good one."""
    refused_by_rbac(ask, stage.names, api=stage.api, admin=cluster.api)
