"""Who in a namespace would notice a surge, as the API server's objects say it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from remediator.cluster.api import ApiServer
from remediator.cluster.neighbours import Neighbourhood
from remediator.errors import KubernetesOdd, KubernetesRefused
from remediator.model.selectors import LabelSelector
from remediator.model.surge import Footprint, Neighbours, Quota, Selecting
from tests.unit.cluster.objects import Json, list_of, replicaset_object, status_object
from tests.unit.make import pod
from tests.unit.servers import Server, http

APPS, CORE = "/apis/apps/v1/namespaces/shop", "/api/v1/namespaces/shop"
LISTS = (
    f"{APPS}/replicasets",
    f"{APPS}/statefulsets",
    f"{APPS}/daemonsets",
    "/apis/batch/v1/namespaces/shop/jobs",
    f"{CORE}/replicationcontrollers",
    f"{CORE}/services",
    "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies",
    f"{CORE}/resourcequotas",
)
OWN = f"{APPS}/replicasets/web-5d4f"
CLAIM = f"{CORE}/persistentvolumeclaims/data"
Objects = dict[str, Json]


@pytest.fixture
def objects(server: Server) -> Objects:
    """A namespace with the pod's ReplicaSet and nothing else, by path; what is not in it is 404."""
    there: Objects = {path: list_of() for path in LISTS} | {OWN: replicaset_object()}

    def answer(request: Any, _connection: object) -> bytes:  # noqa: ANN401
        found = there.get(request.path)
        return http(404, status_object(404)) if found is None else http(200, found)

    server.answer = answer
    return there


@pytest.fixture
def neighbourhood(api: ApiServer, objects: Objects) -> Neighbourhood:
    """Of that server."""
    assert objects
    return Neighbourhood(api)


def named(name: str, spec: Json, **more: Any) -> Json:  # noqa: ANN401
    """An object."""
    return {"metadata": {"name": name, "uid": f"{name}-uid"}, "spec": spec, **more}


def by(**labels: str) -> Json:
    """A selector."""
    return {"matchLabels": labels}


def test_alone_in_its_namespace(neighbourhood: Neighbourhood, objects: Objects) -> None:
    """Nobody but its own ReplicaSet, whose selector tells by which label it knows its pods."""
    objects[LISTS[0]] = list_of(replicaset_object())
    found = neighbourhood.of(pod())
    assert found == Neighbours(LabelSelector.from_object(replicaset_object()["spec"]["selector"]))


@pytest.mark.parametrize(
    ("path", "item", "selecting"),
    [
        (LISTS[0], named("wide", {"selector": by(app="web")}), [("ReplicaSet/wide", "app in (web)", True)]),
        (LISTS[1], named("db", {"selector": by(app="db")}), [("StatefulSet/db", "app in (db)", True)]),
        (LISTS[2], named("agent", {"selector": by(app="a")}), [("DaemonSet/agent", "app in (a)", True)]),
        (LISTS[3], named("once", {"selector": by(j="1")}), [("Job/once", "j in (1)", True)]),
        (LISTS[4], named("old", {"selector": {"app": "web"}}), [("ReplicationController/old", "app in (web)", True)]),
        (LISTS[5], named("web", {"selector": {"app": "web"}}), [("Service/web", "app in (web)", False)]),
        (LISTS[5], named("external", {"type": "ExternalName"}), []),
        (
            LISTS[6],
            named(
                "net",
                {
                    "podSelector": by(app="web"),
                    "ingress": [{"from": [{"podSelector": by(a="1")}, {"ipBlock": {"cidr": "::/0"}}]}, {}],
                    "egress": [{"to": [{"namespaceSelector": {}, "podSelector": by(b="2")}]}],
                },
            ),
            [("NetworkPolicy/net", text, False) for text in ("app in (web)", "a in (1)", "", "b in (2)")],
        ),
    ],
)
def test_who_selects_pods(
    neighbourhood: Neighbourhood, objects: Objects, path: str, item: Json, selecting: list[tuple[str, str, bool]]
) -> None:
    """Controllers would adopt one; Services and NetworkPolicies would lose one."""
    objects[path] = list_of(item)
    expected = tuple(Selecting(name, LabelSelector.parse(text), adopts) for name, text, adopts in selecting)
    assert neighbourhood.of(pod()).selecting == expected


def test_what_a_quota_has_left(neighbourhood: Neighbourhood, objects: Objects) -> None:
    """What is allowed less what is used; one that is not computed yet says nothing."""
    hard, used = {"pods": "10", "requests.memory": "4Gi", "limits.cpu": "2"}, {"pods": "9", "requests.memory": "1Gi"}
    objects[LISTS[7]] = list_of(named("small", {}, status={"hard": hard, "used": used}), named("new", {"hard": hard}))
    left = {"pods": Decimal(1), "requests.memory": Decimal(3 << 30), "limits.cpu": Decimal(2)}
    assert neighbourhood.of(pod()).quotas == (Quota("small", left), Quota("new", {}))


def priority(operator: str, *values: str) -> Json:
    """A quota's scope of priority classes."""
    one = {"scopeName": "PriorityClass", "operator": operator, **({"values": list(values)} if values else {})}
    return {"scopeSelector": {"matchExpressions": [one]}}


@pytest.mark.parametrize(
    ("spec", "footprint", "counts"),
    [
        ({"scopes": ["BestEffort"]}, Footprint(), False),
        ({"scopes": ["BestEffort"]}, Footprint(best_effort=True), True),
        ({"scopes": ["NotBestEffort", "NotTerminating"]}, Footprint(), True),
        ({"scopes": ["NotBestEffort", "Terminating"]}, Footprint(), False),
        ({"scopes": ["NotTerminating"]}, Footprint(ends=True), False),
        ({"scopes": ["PriorityClass"]}, Footprint(), False),
        (priority("In", "high"), Footprint(priority_class="high"), True),
        (priority("In", "high"), Footprint(), False),
        (priority("NotIn", "high"), Footprint(), True),
        (priority("Exists"), Footprint(priority_class="low"), True),
        (priority("DoesNotExist"), Footprint(priority_class="low"), False),
        ({"scopes": ["CrossNamespacePodAffinity"]}, Footprint(), True),
    ],
)
def test_a_quota_of_other_pods_says_nothing(
    neighbourhood: Neighbourhood, objects: Objects, spec: Json, footprint: Footprint, *, counts: bool
) -> None:
    """One that forbids best-effort pods, say, leaves all others alone; of an unknown scope it counts the pod."""
    objects[LISTS[7]] = list_of(named("scoped", {**spec, "hard": {"pods": "0"}}, status={"hard": {"pods": "0"}}))
    assert bool(neighbourhood.of(pod(footprint=footprint)).quotas) == counts


@pytest.mark.parametrize(
    ("modes", "unshared"),
    [
        (["ReadWriteMany"], {}),
        (["ReadOnlyMany"], {}),
        (["ReadWriteOnce", "ReadWriteMany"], {}),
        (["ReadWriteOnce"], {"data": "ReadWriteOnce"}),
        (["ReadWriteOncePod"], {"data": "ReadWriteOncePod"}),
        (None, {"data": "unknown"}),
    ],
)
def test_which_claims_two_nodes_can_not_mount(
    neighbourhood: Neighbourhood, objects: Objects, modes: list[str] | None, unshared: dict[str, str]
) -> None:
    """By the access modes of the claim; one that can't be found might be any."""
    if modes:
        objects[CLAIM] = named("data", {"accessModes": modes})
    assert neighbourhood.of(pod(footprint=Footprint(claims=("data",)))).unshared == unshared


def test_its_replicaset_is_gone_or_another_one(neighbourhood: Neighbourhood, objects: Objects) -> None:
    """By UID; then it wants no pods either."""
    assert neighbourhood.wanted_of("shop", "web-5d4f", "rs-uid") > 0
    objects[OWN] = named("web-5d4f", {"selector": by(app="web")})
    assert neighbourhood.of(pod()).own is None
    assert neighbourhood.wanted_of("shop", "web-5d4f", "rs-uid") == 0
    del objects[OWN]
    assert neighbourhood.of(pod()).own is None
    assert neighbourhood.wanted_of("shop", "web-5d4f", "rs-uid") == 0


def test_what_can_not_be_read_or_understood_is_an_error(
    neighbourhood: Neighbourhood, objects: Objects, server: Server
) -> None:
    """Nobody is taken for nobody."""
    objects[LISTS[5]] = list_of({"metadata": {"name": "odd"}})
    with pytest.raises(KubernetesOdd, match="would notice a surge can't be understood"):
        neighbourhood.of(pod())
    server.answer = lambda _request, _connection: http(403, status_object(403))
    with pytest.raises(KubernetesRefused):
        neighbourhood.of(pod())


@pytest.mark.parametrize("rubbish", [{"metadata": {}}, {"metadata": {"uid": "rs-uid"}}, {"metadata": []}])
def test_a_replicaset_that_can_not_be_understood_is_an_error(
    neighbourhood: Neighbourhood, objects: Objects, rubbish: Json
) -> None:
    """Neither "it is gone" nor a thread that dies of it."""
    objects[OWN] = rubbish
    with pytest.raises(KubernetesOdd, match="ReplicaSet/web-5d4f in shop"):
        neighbourhood.wanted_of("shop", "web-5d4f", "rs-uid")
