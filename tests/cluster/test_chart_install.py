"""The chart is installed, and the daemon does its whole work as in its pod: by its account, files and settings."""

from __future__ import annotations

import pytest

from tests.cluster.conftest import NewRelease, policies
from tests.cluster.releases import ChartRelease, pace
from tests.cluster.test_guards import OVER
from tests.cluster.test_surge import SURGE
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.helm import Helm
from tests.rig.installed import PodDaemon


def test_with_nothing_but_an_address_it_becomes_ready_and_may_take_nothing(
    cluster: Cluster, new_release: NewRelease, each_helm: Helm
) -> None:
    """Both Helms: one value set, both probes content, its policy evaluated, and no right to a pod but a look."""
    release = new_release(by=each_helm)
    installed = release.install({"prometheus": {"url": cluster.prometheus_url}})
    assert installed.status == "deployed"
    assert "Its policy takes nothing" in installed.notes
    (daemon,) = release.installed.rolled_out()
    probes = ("livenessProbe", "readinessProbe")
    daemon.until(lambda: [daemon.probe(kind) for kind in probes] == [200, 200], what="both probes are content")
    daemon.wait_for("evaluation", policy="everyone")
    verbs = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
    assert [verb for verb in verbs if release.may(verb, "pods")] == ["get", "list", "watch"]
    assert not release.may("create", "pods/eviction")
    assert release.refused() == []


def test_a_policy_that_notifies_tells_and_takes_nothing(
    cluster: Cluster, namespace: str, new_release: NewRelease
) -> None:
    """The chart's own action: a pod over its threshold is told of, and it stays."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    (pod,) = cluster.ready_pods(namespace, 1)
    release = new_release()
    policy = policies(namespace, action="notify", threshold="90% of limit", cooldown="10m")
    release.install(pace(cluster.prometheus_url, policy=policy))
    (daemon,) = release.installed.rolled_out()
    (told,) = daemon.wait_for("remediation settled")
    assert (told["outcome"], told["pod"]) == ("notified", pod["metadata"]["name"])
    assert cluster.taken(namespace) == []
    assert release.refused() == []


@pytest.mark.parametrize(
    ("action", "form"),
    [
        ("evict", "ClusterRole"),
        ("delete", "ClusterRole"),
        ("surge", "ClusterRole"),
        ("evict", "Role"),
        ("surge", "Role"),
    ],
)
def test_a_whole_remediation_with_the_rights_of_the_chart(
    cluster: Cluster, namespace: str, new_release: NewRelease, action: str, form: str
) -> None:
    """By the audit log its own account took that pod in that way, was refused nothing, and a new one is there."""
    cluster.api.create(workloads.deployment("web", namespace, replicas=2))
    (pod, _) = cluster.ready_pods(namespace, 2)
    cluster.api.annotate("pods", namespace, pod["metadata"]["name"], workloads.behaviour(memory=OVER))
    release = new_release()
    roles = {"namespaces": [namespace], "nodes": False} if form == "Role" else {}
    policy = policies(namespace, action=action, cooldown="10m")
    installed = release.install(pace(cluster.prometheus_url, policy=policy, rbac=roles))
    kinds = {item["kind"] for item in installed.objects}
    assert ("ClusterRole" in kinds, "ClusterRoleBinding" in kinds) == (form == "ClusterRole",) * 2

    (daemon,) = release.installed.rolled_out()
    (settled,) = daemon.wait_for("remediation settled", timeout=90)
    assert (settled["outcome"], settled["action"]) == ("replaced", action)
    (taken,) = cluster.taken(namespace)
    assert (taken.user, taken.uid) == (release.user, pod["metadata"]["uid"])
    assert (taken.verb, taken.subresource) == (("delete", "") if action == "delete" else ("create", "eviction"))
    assert bool(_patches(release, namespace)) == (action == "surge")
    assert settled["replacement"] in {pod["metadata"]["name"] for pod in cluster.ready_pods(namespace, 2)}
    # What a daemon that died may have left is looked for everywhere first, and then where there are Roles.
    everywhere = {("list", "pods", "")} if form == "Role" else set()
    assert {(event.verb, event.resource, event.namespace) for event in release.refused()} == everywhere


def _patches(release: ChartRelease, namespace: str) -> list[str]:
    """The pods that its account has taken out of their ReplicaSets."""
    return [
        event.name
        for event in release.asked()
        if (event.namespace, event.resource, event.verb) == (namespace, "pods", "patch")
        and SURGE in (((event.request or {}).get("metadata") or {}).get("labels") or {}).values()
    ]


def _missing(daemon: PodDaemon) -> dict[str, str]:
    """What keeps it from being ready, in its words."""
    lines = dict(line.split(": ", 1) for line in daemon.ready().splitlines())
    return {name: words for name, words in lines.items() if words != "ok"}


def test_for_a_wrong_address_it_stays_unready_and_says_what_and_why(cluster: Cluster, new_release: NewRelease) -> None:
    """Nobody listens there: the readiness probe names Prometheus and the refusal, and the liveness probe is content."""
    release = new_release()
    release.install(pace("http://127.0.0.1:1"), wait=False)
    (daemon,) = release.installed.started()
    daemon.until(lambda: set(_missing(daemon)) == {"prometheus"}, what="all but Prometheus is ready")
    # Before it is the leader it has asked nobody.
    daemon.until(lambda: "127.0.0.1:1" in _missing(daemon).get("prometheus", ""), what="it says where it has asked")
    assert "refused" in _missing(daemon)["prometheus"].lower()
    assert daemon.probe("readinessProbe") == 503
    assert daemon.probe("livenessProbe") == 200
    assert cluster.api.get("apps/v1/deployments", release.home, "remediator")["status"].get("readyReplicas", 0) == 0
