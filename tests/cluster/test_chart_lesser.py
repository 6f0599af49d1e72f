"""A release has the rights that its policy needs and no others: fewer actions, fewer namespaces, fewer requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.cluster.asking import Ask, refused_by_rbac
from tests.cluster.conftest import NewRelease, policies
from tests.cluster.releases import PROBING, pace
from tests.rig import workloads
from tests.rig.api import ApiError
from tests.rig.cluster import Cluster

SHOP, POD = "<shop>", "<pod>"
EVICTION = Ask(
    "create",
    "pods",
    SHOP,
    POD,
    "eviction",
    body={"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": POD}},
)
READ = [
    Ask("get", "pods", SHOP, POD),
    Ask("list", "pods", SHOP),
    Ask("watch", "pods", SHOP),
    Ask("get", "apps/v1/deployments", SHOP, "web"),
    Ask("list", "policy/v1/poddisruptionbudgets", SHOP),
]
EVENTS = Ask("list", "events.k8s.io/v1/events", SHOP)
DELETE = Ask("delete", "pods", SHOP, POD)
SURGE = [
    Ask("patch", "pods", SHOP, POD),
    Ask("list", "apps/v1/replicasets", SHOP),
    Ask("list", "services", SHOP),
    Ask("list", "networking.k8s.io/v1/networkpolicies", SHOP),
    Ask("list", "resourcequotas", SHOP),
]
EXEC = Ask("create", "pods", SHOP, POD, "exec", query={"command": "id"}, admin="Upgrade request required")
NODE = Ask("get", "nodes", None, "node-0")


@pytest.fixture
def stage(cluster: Cluster, namespace: str) -> Iterator[dict[str, str]]:
    """Two namespaces with a Deployment each, the second under the names of the first with `other-` before them."""
    other = cluster.namespace("other")
    names: dict[str, str] = {}
    for prefix, place in (("", namespace), ("other-", other)):
        cluster.api.create(workloads.deployment("web", place))
        (pod,) = cluster.ready_pods(place, 1)
        names |= {f"{prefix}shop": place, f"{prefix}pod": pod["metadata"]["name"]}
    yield names
    cluster.api.delete("namespaces", None, other)


def elsewhere(ask: Ask) -> Ask:
    """The same in the other namespace."""
    name = "<other-pod>" if ask.name == POD else ask.name
    body = {**ask.body, "metadata": {"name": "<other-pod>"}} if ask.body else None
    return replace(ask, namespace="<other-shop>", name=name, body=body)


@pytest.mark.parametrize(
    ("action", "refused"),
    [
        ("notify", [EVICTION, DELETE, *SURGE, EXEC, EVENTS]),
        ("evict", [DELETE, *SURGE, EXEC]),
        ("delete", [EVICTION, *SURGE, EXEC]),
        ("surge", [DELETE, EXEC]),
    ],
)
def test_what_its_policy_does_not_do_is_refused(
    cluster: Cluster, new_release: NewRelease, stage: dict[str, str], action: str, refused: list[Ask]
) -> None:
    """With one action alone, the rights of the others are not there, nor is any command in a container."""
    release = new_release(at=PROBING, runs=False)
    release.install(pace(cluster.prometheus_url, policy=policies(stage["shop"], action=action), replicas=0), wait=False)
    # The authorizer of the API server learns of the rights a moment after they were stored.
    cluster.wait(lambda: release.may("list", "pods", namespace=stage["shop"]), 60, "its rights are in force")
    api = release.api()
    for ask in refused:
        refused_by_rbac(ask, stage, api=api, admin=cluster.api)


def test_roles_end_at_their_namespace(cluster: Cluster, new_release: NewRelease, stage: dict[str, str]) -> None:
    """In Role form everything is refused in the next namespace and in the cluster, and nothing of it in its own."""
    release = new_release(at=PROBING, runs=False)
    policy = policies(stage["shop"], action="surge")
    policy["policies"].append({**policies(stage["shop"], action="delete")["policies"][0], "name": "deletes"})
    rbac = {"namespaces": [stage["shop"]], "nodes": False, "exec": {"enabled": True, "namespaces": [stage["shop"]]}}
    release.install(pace(cluster.prometheus_url, policy=policy, rbac=rbac, replicas=0), wait=False)
    api = release.api()

    def said(ask: Ask) -> str:
        try:
            ask.send(api, stage, admin=cluster.api, dry_run=ask is not EXEC)
        except ApiError as error:
            return str(error)
        return "let through"

    expected = dict.fromkeys(map(str, (*READ, EVENTS, EVICTION, DELETE, *SURGE[1:])), "let through")
    expected |= {str(SURGE[0]): "ValidatingAdmissionPolicy", str(EXEC): EXEC.admin}
    for ask in (*READ, EVENTS, EVICTION, DELETE, *SURGE, EXEC):
        # The authorizer and the admission of the API server learn of what was installed a moment after it was stored.
        cluster.wait(
            lambda ask=ask: expected[str(ask)] in said(ask),  # type: ignore[misc]
            60,
            f"{ask} is answered with {expected[str(ask)]}",
            seen=lambda ask=ask: said(ask),  # type: ignore[misc]
        )
        refused_by_rbac(elsewhere(ask), stage, api=api, admin=cluster.api)
    for ask in (NODE, replace(READ[1], namespace=None), replace(READ[2], namespace=None)):
        refused_by_rbac(ask, stage, api=api, admin=cluster.api)
