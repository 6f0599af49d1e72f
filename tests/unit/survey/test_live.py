"""What is read of a cluster: in few requests, each thing once, and as far as the caller's rights reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remediator.cluster.api import ApiServer, connect
from remediator.errors import KubernetesRefused
from remediator.policy import Match
from remediator.survey.live import Live
from tests.unit.cluster.conftest import written
from tests.unit.cluster.objects import Json, list_of, pod_object, status_object
from tests.unit.make import policies, policy
from tests.unit.servers import Connection, Request, Server, http, serving


class Cluster:
    """An API server with pods of many Deployments, that may refuse some paths."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.pods: list[Json] = []
        self.asked: Counter[str] = Counter()

    def deploy(self, namespace: str, name: str, *, replicas: int = 1) -> None:
        """A Deployment's pods."""
        for number in range(replicas):
            owner = {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": f"{name}-rs",
                "uid": f"rs-{namespace}-{name}",
                "controller": True,
            }
            self.pods.append(
                pod_object(
                    namespace=namespace,
                    name=f"{name}-{number}",
                    uid=f"{namespace}-{name}-{number}",
                    ownerReferences=[owner],
                )
            )

    def __call__(self, request: Request, _connection: Connection) -> bytes:
        """Answer."""
        self.asked[request.path] += 1
        if request.path in self.refused:
            return http(403, status_object(403, f"you may not read {request.path}"))
        parts = request.path.strip("/").split("/")
        if request.path == "/api/v1/pods":
            return http(200, list_of(*self.pods))
        if parts[-1] == "pods":
            return http(200, list_of(*(one for one in self.pods if one["metadata"]["namespace"] == parts[-2])))
        if request.path == "/apis/apps/v1/replicasets":
            return http(200, list_of(*self._replicasets().values()))
        if parts[-2] == "replicasets":
            return http(200, self._replicasets()[parts[-3], parts[-1]])
        return http(404, status_object(404))

    def _replicasets(self) -> dict[tuple[str, str], Json]:
        found: dict[tuple[str, str], Json] = {}
        for one in self.pods:
            namespace, owner = one["metadata"]["namespace"], one["metadata"]["ownerReferences"][0]
            name = owner["name"].removesuffix("-rs")
            deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": f"dep-{name}"}
            found[namespace, owner["name"]] = {
                "metadata": {
                    "name": owner["name"],
                    "namespace": namespace,
                    "uid": owner["uid"],
                    "ownerReferences": [{**deployment, "controller": True}],
                },
                "status": {"replicas": 1},
            }
        return found


@pytest.fixture
def cluster() -> Cluster:
    """Without pods."""
    return Cluster()


@pytest.fixture
def live(cluster: Cluster, tmp_path: Path) -> Iterator[Live]:
    """What is read of it."""
    with serving(cluster) as server:
        yield of(server, tmp_path)


def of(server: Server, folder: Path) -> Live:
    """A look at that server."""
    api = ApiServer(connect(written(server.url, folder)), observe=lambda *_: None)
    return Live(api, nodes=True, tell=lambda _: None)


def matched(live: Live, **match: Any) -> list[tuple[str, str, str]]:  # noqa: ANN401
    """The pods that one policy matches: namespace, name, workload."""
    file = policies(policy(match=Match(**match)))
    live.read(file, measured=["shop", "kube-system"])
    return [(pod.namespace, pod.name, str(owner)) for pod, owner, _ in live.matched(file)]


def test_all_pods_are_listed_at_once_where_that_is_allowed(cluster: Cluster, live: Live) -> None:
    """One list; excluded namespaces and pods that have ended are left out."""
    for namespace in ("shop", "bank", "kube-system"):
        cluster.deploy(namespace, "web")
    ended = pod_object(namespace="shop", name="ended")
    ended["status"]["phase"] = "Succeeded"
    cluster.pods.append(ended)
    assert matched(live) == [("bank", "web-0", "Deployment/web"), ("shop", "web-0", "Deployment/web")]
    assert cluster.asked["/api/v1/pods"] == 1


def test_namespaces_that_are_named_outright_are_listed_alone(cluster: Cluster, live: Live) -> None:
    """Whoever looks at one namespace needs no right to all of them; expressions are no names."""
    cluster.deploy("shop", "web")
    cluster.deploy("bank", "web")
    assert [one[0] for one in matched(live, namespaces=("shop",))] == ["shop"]
    assert cluster.asked["/api/v1/pods"] == 0
    assert [one[0] for one in matched(live, namespaces=("sho.",))] == ["shop"]
    assert cluster.asked["/api/v1/pods"] == 1


def test_without_a_right_to_all_the_measured_namespaces_are_listed(cluster: Cluster, live: Live) -> None:
    """One after the other, and one that may not be read either is named with why."""
    cluster.deploy("shop", "web")
    cluster.refused = {"/api/v1/pods"}
    assert [one[0] for one in matched(live)] == ["shop"]
    assert live.refused == {}
    cluster.refused |= {"/api/v1/namespaces/shop/pods"}
    assert matched(live) == []
    assert "you may not read" in live.refused["shop"]
    with pytest.raises(KubernetesRefused):
        live.pods.read("shop", "web-0")


def test_who_controls_many_replicasets_is_read_in_one_list(cluster: Cluster, live: Live) -> None:
    """Not one by one, which would be thousands of requests."""
    for number in range(30):
        cluster.deploy("shop", f"web{number}", replicas=2)
    assert len(matched(live)) == 60
    assert {path for path in cluster.asked if "replicasets" in path} == {"/apis/apps/v1/replicasets"}


def test_without_the_right_to_that_list_each_is_asked_for_once(cluster: Cluster, live: Live) -> None:
    """The daemon's own role may get and not list them."""
    cluster.refused = {"/apis/apps/v1/replicasets"}
    for number in range(30):
        cluster.deploy("shop", f"web{number}", replicas=2)
    found = matched(live)
    assert len(found) == 60
    assert {workload for *_, workload in found} == {f"Deployment/web{number}" for number in range(30)}
    gets = {path: count for path, count in cluster.asked.items() if "/replicasets/" in path}
    assert len(gets) == 30
    assert set(gets.values()) == {1}


def test_what_was_listed_is_what_is_decided_on(cluster: Cluster, live: Live) -> None:
    """The daemon's own code reads and selects pods without another request."""
    cluster.deploy("shop", "web", replicas=3)
    matched(live)
    before = sum(cluster.asked.values())
    pod = live.pods.read("shop", "web-1")
    assert pod is not None
    assert live.pods.read("shop", "gone") is None
    assert len(live.pods.select("shop", "app=web")[0]) == 3
    assert live.pods.select("shop", "app=other")[0] == ()
    owner = live.owners.workload_of(pod)
    assert owner is not None
    assert [one.name for one in live.owners.pods_of(owner)] == ["web-0", "web-1", "web-2"]
    assert sum(cluster.asked.values()) == before
