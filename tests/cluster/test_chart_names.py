"""Whatever a release is called, and whatever else is installed: its parts find each other, and no others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.chart.charts import CHART
from tests.cluster.conftest import NewRelease, policies
from tests.cluster.releases import ChartRelease, pace
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster

Json = dict[str, Any]
MONITORS = "monitoring.coreos.com/v1/ServiceMonitor"
LEASES = "coordination.k8s.io/v1/leases"

LONGEST = "remember-53-characters-are-the-most-that-helm-accepts"
NAMES = {
    "a.b.c": "a-b-c-remediator",
    LONGEST: LONGEST,
    "my-remediator-2": "my-remediator-2",
    "2nd": "remediator-2nd",
    "0.remediator": "remediator-0-remediator",
    f"7{LONGEST[1:]}": f"remediator-7{LONGEST[1:]}"[:53].rstrip("-"),
}
"""Names of releases, with those of their objects."""

SERVICE = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
"""What a Service may be called everywhere; from 1.36 on it may begin with a digit as well."""


def selected(cluster: Cluster, kind: str, home: str, labels: Mapping[str, str]) -> set[str]:
    """The names of what a selector finds in a namespace."""
    text = ",".join(f"{key}={value}" for key, value in labels.items())
    assert text, "an empty selector finds everything"
    return {item["metadata"]["name"] for item in cluster.api.list(kind, home, labels=text)}


def values(cluster: Cluster, **more: Any) -> Json:  # noqa: ANN401 (values of any kind)
    """Those with everything that selects something."""
    return pace(cluster.prometheus_url, runs=False, replicas=2, networkPolicy={"enabled": True}, **more)


def assert_joined(cluster: Cluster, release: ChartRelease) -> None:
    """All that selects something selects the pods, or the Service, of this release."""
    home, name = release.home, release.installed.name
    service = cluster.api.get("services", home, name)["spec"]
    budget = cluster.api.get("policy/v1/poddisruptionbudgets", home, name)
    network = cluster.api.get("networking.k8s.io/v1/networkpolicies", home, name)["spec"]
    deployment = cluster.api.get("apps/v1/deployments", home, name)
    pods = owned(cluster, deployment)
    assert len(pods) == 2
    for selector in (
        service["selector"],
        budget["spec"]["selector"]["matchLabels"],
        network["podSelector"]["matchLabels"],
        deployment["spec"]["selector"]["matchLabels"],
    ):
        assert selected(cluster, "pods", home, selector) == pods
    assert {port["port"] for rule in network["ingress"] for port in rule["ports"]} == {"metrics"}

    (slices,) = cluster.wait(
        lambda: _slices(cluster, release, len(pods)), 60, f"the Service of {name} has endpoints for its pods"
    )
    assert {endpoint["targetRef"]["name"] for endpoint in slices["endpoints"]} == pods
    assert [(port["name"], port["port"]) for port in slices["ports"]] == [("metrics", 8080)]

    (monitor,) = release.helm.template(
        CHART,
        values=[values(cluster, serviceMonitor={"enabled": True})],
        name=release.name,
        namespace=home,
        apis=[MONITORS],
        more=["--show-only", "templates/servicemonitor.yaml"],
    )
    assert monitor["spec"]["namespaceSelector"]["matchNames"] == [home]
    assert selected(cluster, "services", home, monitor["spec"]["selector"]["matchLabels"]) == {name}
    assert [end["port"] for end in monitor["spec"]["endpoints"]] == [port["name"] for port in service["ports"]]


def owned(cluster: Cluster, deployment: Json) -> set[str]:
    """The names of the pods of a Deployment, by their owners alone."""
    home = deployment["metadata"]["namespace"]
    owners = {deployment["metadata"]["uid"]}
    for kind in ("apps/v1/replicasets", "pods"):
        items = [item["metadata"] for item in cluster.api.list(kind, home)]
        children = [item for item in items if owners & {owner["uid"] for owner in item.get("ownerReferences", ())}]
        owners = {child["uid"] for child in children}
    return {child["name"] for child in children}


def _slices(cluster: Cluster, release: ChartRelease, pods: int) -> list[Json] | None:
    labels = f"kubernetes.io/service-name={release.installed.name}"
    found = cluster.api.list("discovery.k8s.io/v1/endpointslices", release.home, labels=labels)
    return found if found and len(found[0].get("endpoints") or ()) == pods else None


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name if len(name) < 20 else f"{name[:4]}...")
def test_an_odd_name_is_installed_and_everything_meets(cluster: Cluster, new_release: NewRelease, name: str) -> None:
    """With dots, digits first, the chart's name within, and of the length that Helm allows: Ready, and found."""
    assert re.fullmatch(SERVICE, NAMES[name])
    release = new_release(name=name, fullname=NAMES[name], runs=False)
    release.install(values(cluster, policy=policies("shop", action="surge")))
    assert_joined(cluster, release)


def test_the_longest_name_is_good_for_the_lease_and_the_journal(
    cluster: Cluster, namespace: str, new_release: NewRelease
) -> None:
    """A daemon of that name becomes Ready, leads by a Lease of it, and keeps a journal."""
    release = new_release(name=LONGEST)
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    release.install(pace(cluster.prometheus_url, policy=policies(namespace, action="notify")))
    (daemon,) = release.installed.rolled_out()
    daemon.wait_for("remediation settled")
    assert cluster.api.find(LEASES, release.home, LONGEST)
    assert cluster.api.find("configmaps", release.home, f"{LONGEST}-journal")
    assert release.refused() == []


def test_several_releases_have_nothing_in_common(cluster: Cluster, new_release: NewRelease) -> None:
    """Two in one namespace, and two of one name in two: each has its own pods and rights, until it goes."""
    first = new_release(runs=False)
    beside = new_release(home=first.home, name="second", fullname="second-remediator", runs=False)
    elsewhere = new_release(runs=False)
    for release in (first, beside, elsewhere):
        release.install(values(cluster, policy=policies("shop")))
    for release in (first, beside, elsewhere):
        assert_joined(cluster, release)
    first.uninstall()
    cluster.wait(lambda: not first.may("create", "pods/eviction"), 60, "the first one's rights are gone")
    for release in (beside, elsewhere):
        assert release.may("create", "pods/eviction")
        own = {"namespace": release.home, "name": release.installed.name}
        assert release.may("update", "leases", group="coordination.k8s.io", **own)
        assert_joined(cluster, release)
