"""`helm uninstall` leaves two objects of the daemon's own, and whoever installs again goes on from them."""

from __future__ import annotations

from typing import Any

from tests.chaos.steps import free_the_lease, in_journal
from tests.cluster.conftest import NewRelease, policies
from tests.cluster.releases import LONG, held, let_ready, pace
from tests.cluster.test_guards import OVER, left_alone
from tests.cluster.test_surge import orphans
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.helm import Helm

Json = dict[str, Any]
KINDS = ("configmaps", "secrets", "services", "serviceaccounts", "pods", "endpoints")
GROUPS = {
    "apps/v1": ("deployments", "replicasets"),
    "coordination.k8s.io/v1": ("leases",),
    "policy/v1": ("poddisruptionbudgets",),
    "networking.k8s.io/v1": ("networkpolicies",),
    "rbac.authorization.k8s.io/v1": ("roles", "rolebindings"),
    "discovery.k8s.io/v1": ("endpointslices",),
}
CLUSTER = {
    "rbac.authorization.k8s.io/v1": ("clusterroles", "clusterrolebindings"),
    "admissionregistration.k8s.io/v1": ("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
}
OF_KUBERNETES = {("configmaps", "kube-root-ca.crt"), ("serviceaccounts", "default")}
LEFT = {("configmaps", "remediator-journal"), ("coordination.k8s.io/v1/leases", "remediator")}
TRACKING = ("app.kubernetes.io/instance", "helm.sh/", "meta.helm.sh/", "argocd.argoproj.io/", "fluxcd.io/")


def left(cluster: Cluster, home: str) -> dict[tuple[str, str], Json]:
    """What is in the namespace of a release, and of the whole cluster what is named after it."""
    api = cluster.api
    kinds = [*KINDS, *(f"{group}/{kind}" for group, several in GROUPS.items() for kind in several)]
    found = {(kind, item["metadata"]["name"]): item for kind in kinds for item in api.list(kind, home)}
    for group, several in CLUSTER.items():
        for kind in several:
            for item in api.list(f"{group}/{kind}"):
                if f".{home}" in item["metadata"]["name"]:
                    found[f"{group}/{kind}", item["metadata"]["name"]] = item
    return {which: item for which, item in found.items() if which not in OF_KUBERNETES}


def test_what_is_left_is_the_daemons_memory_and_a_new_release_goes_on_with_it(
    cluster: Cluster, namespace: str, new_release: NewRelease, each_helm: Helm
) -> None:
    """Both Helms. The journal and the Lease carry nothing that GitOps would prune by, and the cooldown still holds."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.ready_pods(namespace, 1)
    release = new_release(by=each_helm)
    values = pace(
        cluster.prometheus_url,
        policy=policies(namespace, action="surge", cooldown="10m"),
        replicas=2,
        networkPolicy={"enabled": True},
    )
    release.install(values)
    daemons = release.installed.rolled_out()
    daemons[0].until(lambda: _settled(cluster, release.home), what="a pod is replaced", timeout=90)
    assert len(left(cluster, release.home)) > 20
    release.uninstall()
    assert all(daemon.exit_code == 0 for daemon in daemons)
    cluster.wait(
        lambda: set(left(cluster, release.home)) == LEFT,
        60,
        "nothing else is left",
        seen=lambda: sorted(left(cluster, release.home)),
    )
    for item in left(cluster, release.home).values():
        metadata = item["metadata"]
        marks = {**metadata.get("labels", {}), **metadata.get("annotations", {})}
        assert metadata["labels"] == {"app.kubernetes.io/managed-by": "remediator"}
        assert [key for key in marks if any(part in key for part in TRACKING)] == []
        assert "ownerReferences" not in metadata

    free_the_lease(cluster, release.home)
    release.install({**values, "replicas": 1})
    (daemon,) = release.installed.rolled_out()
    left_alone(daemon, "web", "cooldown")
    assert len(cluster.taken(namespace)) == 1
    assert in_journal(cluster, release.home)["epoch"] > 1


def test_a_surge_that_an_uninstall_cuts_short_is_finished_by_the_next_release(
    cluster: Cluster, namespace: str, new_release: NewRelease
) -> None:
    """The pod is out of its ReplicaSet and its new one not Ready; both go on running, and one goes once all is back.

    The account is gone before the daemon has ended, so the Lease is not released, and has to run out.
    """
    pod = held(cluster, namespace)
    cluster.api.annotate("pods", namespace, pod["metadata"]["name"], workloads.behaviour(memory=OVER))
    release = new_release()
    policy = policies(namespace, action="surge", **LONG)
    values = pace(cluster.prometheus_url, policy=policy)
    release.install(values)
    (daemon,) = release.installed.rolled_out()
    daemon.wait_for("remediation taken out")
    release.uninstall()
    let_ready(cluster, namespace)
    cluster.ready_pods(namespace, 2)
    assert [orphan["metadata"]["uid"] for orphan in orphans(cluster, namespace)] == [pod["metadata"]["uid"]]

    release.install(values)
    (daemon,) = release.installed.rolled_out()
    (settled,) = daemon.wait_for("remediation settled", timeout=120)
    assert (settled["outcome"], settled["uid"]) == ("replaced", pod["metadata"]["uid"])
    (successor,) = cluster.ready_pods(namespace, 1)
    assert successor["metadata"]["name"] == settled["replacement"]
    assert orphans(cluster, namespace) == []
    assert [event.uid for event in cluster.taken(namespace)] == [pod["metadata"]["uid"]]


def _settled(cluster: Cluster, home: str) -> bool:
    journal = cluster.api.find("configmaps", home, "remediator-journal")
    return journal is not None and bool(in_journal(cluster, home)["settled"])
