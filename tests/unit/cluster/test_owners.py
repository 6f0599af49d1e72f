"""From a pod to its workload, and what that wants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from remediator.cluster.api import ApiServer
from remediator.cluster.disruption import DisruptionBudgets
from remediator.cluster.owners import Owners
from remediator.cluster.pods import Pods, parse_pod
from remediator.errors import KubernetesOdd, KubernetesRefused
from remediator.model.pods import LivePod, OwnerReference
from remediator.model.selectors import LabelSelector
from remediator.model.workloads import DisruptionBudget, WorkloadRef
from tests.unit.cluster.objects import Json, deployment_object, list_of, pod_object, replicaset_object, status_object
from tests.unit.make import DEPLOYMENT, pod
from tests.unit.servers import Server, http

DEPLOYMENTS, REPLICASETS = "/apis/apps/v1/namespaces/shop/deployments", "/apis/apps/v1/namespaces/shop/replicasets"
PODS = "/api/v1/namespaces/shop/pods"
BUDGETS = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets"

Objects = dict[str, Json]


@pytest.fixture
def objects(server: Server) -> Objects:
    """What the API server has, by path; everything else is 404."""
    there: Objects = {
        f"{DEPLOYMENTS}/web": deployment_object(),
        f"{REPLICASETS}/web-5d4f": replicaset_object(),
        PODS: list_of(pod_object()),
    }

    def answer(request: Any, _connection: object) -> bytes:  # noqa: ANN401
        found = there.get(request.path)
        return http(404, status_object(404)) if found is None else http(200, found)

    server.answer = answer
    return there


@pytest.fixture
def owners(api: ApiServer, objects: Objects) -> Owners:
    """Workloads of that server."""
    return Owners(api, Pods(api))


def controlled(kind: str, api_version: str = "apps/v1", name: str = "it", uid: str = "it-uid") -> LivePod:
    """A pod with that controller."""
    return pod(controller=OwnerReference(api_version, kind, name, uid))


# Whose pod it is


def test_a_pod_of_a_deployment(owners: Owners) -> None:
    """The ReplicaSet's controller is the workload."""
    assert owners.workload_of(parse_pod(pod_object())) == DEPLOYMENT


def test_who_controls_a_replicaset_is_asked_once(owners: Owners, server: Server) -> None:
    """That never changes, and there may be thousands of its pods."""
    for _ in range(5):
        owners.workload_of(parse_pod(pod_object()))
    assert len(server.requests) == 1


def test_a_replicaset_that_was_adopted_is_asked_about_anew(owners: Owners, objects: Objects) -> None:
    """Orphaned, and adopted by a new Deployment: what is decided on is not what was true once."""
    assert owners.workload_of(parse_pod(pod_object())) == DEPLOYMENT
    objects[f"{REPLICASETS}/web-5d4f"]["metadata"]["ownerReferences"][0]["uid"] = "new"
    for fresh in (True, False):
        found = owners.workload_of(parse_pod(pod_object()), fresh=fresh)
        assert found is not None
        assert found.uid == "new"


def test_a_pod_without_a_controller_has_no_workload(owners: Owners, server: Server) -> None:
    """Nobody is asked."""
    assert owners.workload_of(pod(controller=None)) is None
    assert server.requests == []


def test_a_replicaset_of_its_own_is_the_workload(owners: Owners, objects: Objects) -> None:
    """Without a controller above it."""
    objects[f"{REPLICASETS}/web-5d4f"]["metadata"]["ownerReferences"] = []
    found = owners.workload_of(parse_pod(pod_object()))
    assert found == WorkloadRef("ReplicaSet", "shop", "web-5d4f", "rs-uid")


def test_a_replicaset_of_somebody_else_is_that_ones(owners: Owners, objects: Objects) -> None:
    """Such as a Rollout."""
    reference = objects[f"{REPLICASETS}/web-5d4f"]["metadata"]["ownerReferences"][0]
    reference |= {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "uid": "ro"}
    assert owners.workload_of(parse_pod(pod_object())) == WorkloadRef("Rollout", "shop", "web", "ro")


def test_a_replicaset_that_is_gone_leaves_no_workload(owners: Owners, objects: Objects) -> None:
    """Also where another one has its name now."""
    objects[f"{REPLICASETS}/web-5d4f"]["metadata"]["uid"] = "another"
    assert owners.workload_of(parse_pod(pod_object())) is None
    del objects[f"{REPLICASETS}/web-5d4f"]
    assert owners.workload_of(parse_pod(pod_object())) is None


@pytest.mark.parametrize(
    ("kind", "api_version"),
    [("StatefulSet", "apps/v1"), ("Job", "batch/v1"), ("Node", "v1"), ("Cluster", "x/v1"), ("ReplicaSet", "x/v1")],
)
def test_every_other_controller_is_the_workload(owners: Owners, server: Server, kind: str, api_version: str) -> None:
    """It is named as it is; who owns it does not matter."""
    assert owners.workload_of(controlled(kind, api_version)) == WorkloadRef(kind, "shop", "it", "it-uid")
    assert server.requests == []


# What it wants


def test_a_deployment_is_described(owners: Owners) -> None:
    """Replicas, selector, ``minReadySeconds`` and annotations."""
    found = owners.describe(DEPLOYMENT)
    assert found is not None
    assert (found.ref, found.wanted, found.min_ready_seconds) == (DEPLOYMENT, 3, 5)
    assert found.selector == LabelSelector.parse("app=web")
    assert (found.rollout, found.creation_failure) == ("", "")
    assert found.annotations == {"remediator.dev/opt-out": "false"}
    assert (found.pods, found.pods_version) == ((), "")


def test_a_workload_that_is_gone_is_none(owners: Owners, objects: Objects) -> None:
    """Also where another one has its name now."""
    assert owners.describe(WorkloadRef("Deployment", "shop", "gone", "g")) is None
    objects[f"{DEPLOYMENTS}/web"]["metadata"]["uid"] = "another"
    assert owners.describe(DEPLOYMENT) is None
    assert owners.read(DEPLOYMENT) is None


def set_to(*path: str, value: object) -> Callable[[Json], None]:
    """A change of one field."""

    def change(found: Json) -> None:
        for key in path[:-1]:
            found = found[key]
        if value is None:
            found.pop(path[-1], None)
        else:
            found[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_to("metadata", "generation", value=5), "its controller has seen generation 4 of 5"),
        (set_to("status", "observedGeneration", value=None), "its controller has seen generation 0 of 4"),
        (set_to("status", value={}), "its controller has seen generation 0 of 4"),
        (set_to("status", "updatedReplicas", value=1), "1 of 3 replicas have the newest template"),
        (set_to("status", "updatedReplicas", value=None), "0 of 3 replicas have the newest template"),
        (set_to("status", "updatedReplicas", value=4), "4 of 3 replicas have the newest template"),
        (set_to("status", "replicas", value=4), "1 pods of an older template are still there"),
        (set_to("spec", "paused", value=True), ""),
        (set_to("spec", "replicas", value=3), ""),
    ],
)
def test_what_is_being_rolled_out(owners: Owners, objects: Objects, change: Callable[[Json], None], words: str) -> None:
    """A generation that nobody has seen yet, and pods of the newest template that are not all there."""
    change(objects[f"{DEPLOYMENTS}/web"])
    found = owners.describe(DEPLOYMENT)
    assert found is not None
    assert found.rollout == words


def test_a_paused_rollout_is_one(owners: Owners, objects: Objects) -> None:
    """Paused halfway, an eviction would be refilled from either template."""
    set_to("spec", "paused", value=True)(objects[f"{DEPLOYMENTS}/web"])
    set_to("status", "updatedReplicas", value=1)(objects[f"{DEPLOYMENTS}/web"])
    found = owners.describe(DEPLOYMENT)
    assert found is not None
    assert found.rollout


def test_replicas_left_out_are_one(owners: Owners, objects: Objects) -> None:
    """The API's default; scaled to nothing is something else."""
    set_to("spec", "replicas", value=None)(objects[f"{DEPLOYMENTS}/web"])
    found = owners.describe(DEPLOYMENT)
    assert found is not None
    assert found.wanted == 1
    objects[f"{DEPLOYMENTS}/web"]["spec"]["replicas"] = 0
    found = owners.describe(DEPLOYMENT)
    assert found is not None
    assert found.wanted == 0


def test_why_pods_can_t_be_made(owners: Owners, objects: Objects) -> None:
    """The condition ReplicaFailure, in Kubernetes' words."""
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
    objects[f"{DEPLOYMENTS}/web"]["status"]["conditions"].append(condition)
    found = owners.describe(DEPLOYMENT)
    assert found is not None
    assert found.creation_failure == "FailedCreate: exceeded quota"


@pytest.mark.parametrize(
    "change",
    [
        set_to("spec", value=None),
        set_to("spec", "selector", value=None),
        set_to("spec", "replicas", value="many"),
        set_to("spec", "selector", value={"matchExpressions": [{"key": "a", "operator": "Near"}]}),
        set_to("status", "conditions", value=[{}]),
    ],
)
def test_an_odd_workload_is_odd(owners: Owners, objects: Objects, change: Callable[[Json], None]) -> None:
    """A selector that can't be read selects nothing by guess."""
    change(objects[f"{DEPLOYMENTS}/web"])
    with pytest.raises(KubernetesOdd, match="Deployment/web in shop"):
        owners.describe(DEPLOYMENT)


def test_a_workload_is_read_with_its_own_pods(owners: Owners, objects: Objects, server: Server) -> None:
    """Somebody else's pod that matches the selector is not counted, nor is nobody's; one that we took out is apart."""
    stranger = pod_object(name="stranger", uid="s", ownerReferences=None)
    other = pod_object(name="other", uid="o")
    other["metadata"]["ownerReferences"][1] |= {"name": "other-1", "uid": "other-rs"}
    out = pod_object(name="out", uid="x", ownerReferences=None, labels={"pod-template-hash": "remediator-surge"})
    objects[PODS] = list_of(pod_object(), stranger, other, out, version="77")
    found = owners.read(DEPLOYMENT)
    assert found is not None
    assert [one.name for one in found.pods] == ["web-5d4f-abcde"]
    assert [one.name for one in found.outside] == ["out"]
    assert found.pods_version == "77"
    asked = next(request for request in server.requests if request.path == PODS)
    assert asked.query["labelSelector"] == "app in (web)"


def test_a_refusal_is_an_error_and_not_an_absence(owners: Owners, server: Server) -> None:
    """Without the right to look, nothing is known."""
    server.answer = lambda _request, _connection: http(403, status_object(403))
    with pytest.raises(KubernetesRefused):
        owners.describe(DEPLOYMENT)
    with pytest.raises(KubernetesRefused):
        owners.workload_of(parse_pod(pod_object()))


# Disruption budgets


def budget(**changes: Any) -> Json:  # noqa: ANN401
    """A budget as the API gives it."""
    return {
        "metadata": {"name": "web", "namespace": "shop", "generation": 2},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}},
        "status": {
            "observedGeneration": 2,
            "disruptionsAllowed": 1,
            "currentHealthy": 3,
            "desiredHealthy": 2,
            "expectedPods": 3,
            "conditions": [{"type": "DisruptionAllowed", "status": "True", "reason": "SufficientPods", "message": ""}],
        },
        **changes,
    }


def budgets(api: ApiServer, objects: Objects, *some: Json) -> tuple[DisruptionBudget, ...]:
    """What is read of these."""
    objects[BUDGETS] = list_of(*some)
    return DisruptionBudgets(api).of("shop")


def test_a_budget_is_read(api: ApiServer, objects: Objects) -> None:
    """What it selects and allows, and how many are healthy."""
    found = budgets(api, objects, budget())
    app = LabelSelector.parse("app=web")
    assert found == (DisruptionBudget("web", app, allowed=1, healthy=3, desired=2, expected=3),)
    assert budgets(api, objects) == ()


@pytest.mark.parametrize(("selector", "covers"), [({}, True), (None, False), ({"matchLabels": {"app": "x"}}, False)])
def test_an_empty_selector_selects_all_and_an_absent_one_none(
    api: ApiServer,
    objects: Objects,
    selector: Json | None,
    covers: bool,  # noqa: FBT001
) -> None:
    """As policy/v1 has it."""
    spec = {"minAvailable": 1, **({} if selector is None else {"selector": selector})}
    [found] = budgets(api, objects, budget(spec=spec))
    assert found.covers(pod()) is covers


def test_a_budget_that_will_never_allow_anything(api: ApiServer, objects: Objects) -> None:
    """SyncFailed is a misconfiguration; too few pods are not."""
    status = budget()["status"]
    failed = {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": "no scale"}
    few = {"type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": ""}
    [found] = budgets(api, objects, budget(status={**status, "conditions": [failed]}))
    assert found.broken == "no scale"
    [found] = budgets(api, objects, budget(status={**status, "conditions": [few]}))
    assert found.broken == ""


@pytest.mark.parametrize(
    ("written", "always"),
    [
        ({}, False),
        ({"unhealthyPodEvictionPolicy": "IfHealthyBudget"}, False),
        ({"unhealthyPodEvictionPolicy": "AlwaysAllow"}, True),
    ],
)
def test_what_a_budget_says_of_unready_pods(
    api: ApiServer,
    objects: Objects,
    written: Json,
    always: bool,  # noqa: FBT001
) -> None:
    """AlwaysAllow is the only word by which a budget lets every pod go that is not Ready."""
    [found] = budgets(api, objects, budget(spec={**budget()["spec"], **written}))
    assert found.always_allows_unready is always


def test_a_budget_that_is_still_computed(api: ApiServer, objects: Objects) -> None:
    """A new one has no status yet, a changed one an old one."""
    for status in ({}, None, {"observedGeneration": 1, "disruptionsAllowed": 5}):
        [found] = budgets(api, objects, budget(status=status))
        assert not found.observed


@pytest.mark.parametrize(
    "odd",
    [
        {},
        budget(metadata={}),
        budget(spec={"selector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}),
        budget(status={"disruptionsAllowed": "many"}),
        budget(status={"conditions": [{}]}),
    ],
)
def test_an_odd_budget_is_odd(api: ApiServer, objects: Objects, odd: Json) -> None:
    """A budget that can't be understood is not overlooked."""
    with pytest.raises(KubernetesOdd, match="PodDisruptionBudget in shop"):
        budgets(api, objects, odd)


def test_a_kind_without_a_group_can_not_be_asked_for(owners: Owners, server: Server) -> None:
    """A record of an older version with a kind that we don't know: its pods are told by their controller."""
    found = owners.describe(WorkloadRef("Rollout", "shop", "db", "uid"))
    assert found is not None
    assert (found.wanted, found.selector) == (None, None)
    assert server.requests == []


# What is kept in mind, and odd objects


def bare(objects: Objects) -> None:
    """Take the ReplicaSet away from its Deployment."""
    objects[f"{REPLICASETS}/web-5d4f"]["metadata"]["ownerReferences"] = []


def test_a_bare_replicaset_that_was_adopted_is_no_workload_any_more(owners: Owners, objects: Objects) -> None:
    """Whoever looks at it learns it, and so does everybody who asks whose a pod is."""
    adopted = objects[f"{REPLICASETS}/web-5d4f"]["metadata"]["ownerReferences"]
    bare(objects)
    ref = owners.workload_of(parse_pod(pod_object()))
    assert ref == WorkloadRef("ReplicaSet", "shop", "web-5d4f", "rs-uid", "apps/v1")
    assert owners.read(ref) is not None
    objects[f"{REPLICASETS}/web-5d4f"]["metadata"]["ownerReferences"] = adopted
    assert owners.describe(ref) is None
    assert owners.workload_of(parse_pod(pod_object())) == DEPLOYMENT


def test_a_replicaset_that_was_orphaned_is_a_workload_of_its_own(owners: Owners, objects: Objects) -> None:
    """The cache still says otherwise until somebody asks anew; the Deployment itself is not asked about."""
    assert owners.workload_of(parse_pod(pod_object())) == DEPLOYMENT
    bare(objects)
    assert owners.workload_of(parse_pod(pod_object())) == DEPLOYMENT
    found = owners.workload_of(parse_pod(pod_object()), fresh=True)
    assert found is not None
    assert found.kind == "ReplicaSet"


def test_the_group_of_the_owner_is_kept(owners: Owners) -> None:
    """For the one who has to ask for it; records of before have none, and mean the same workload."""
    found = owners.workload_of(controlled("CloneSet", "apps.kruise.io/v1alpha1"))
    assert found is not None
    assert found.api_version == "apps.kruise.io/v1alpha1"
    found = owners.workload_of(parse_pod(pod_object()))
    assert found is not None
    assert found.api_version == "apps/v1"
    assert found == DEPLOYMENT == WorkloadRef("Deployment", "shop", "web", "dep-uid")


def test_a_record_without_a_group_is_described(owners: Owners) -> None:
    """As an older version has written it."""
    ref = WorkloadRef("Deployment", "shop", "web", "dep-uid")
    found = owners.describe(ref)
    assert found is not None
    assert found.wanted == 3


def test_so_many_replicasets_are_kept_in_mind_and_no_more(
    owners: Owners, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rollout makes new ones, for as long as we run; the oldest is asked about again."""
    monkeypatch.setattr("remediator.cluster.owners._REMEMBERED", 3)

    def answer(request: Any, _connection: object) -> bytes:  # noqa: ANN401
        return http(200, {"metadata": {"uid": request.path.rpartition("/")[2]}})

    server.answer = answer
    for name in ("a", "b", "c", "d", "b", "c", "d", "a"):
        owners.workload_of(controlled("ReplicaSet", name=name, uid=name))
    assert [request.path.rpartition("/")[2] for request in server.requests] == ["a", "b", "c", "d", "a"]
    assert len(owners._controllers) == 3


def test_a_replicaset_that_is_gone_is_not_kept_in_mind(owners: Owners, objects: Objects, server: Server) -> None:
    """It may only not have been there yet."""
    there = objects.pop(f"{REPLICASETS}/web-5d4f")
    assert owners.workload_of(parse_pod(pod_object())) is None
    objects[f"{REPLICASETS}/web-5d4f"] = there
    assert owners.workload_of(parse_pod(pod_object())) == DEPLOYMENT
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"metadata": None},
        {"metadata": "rs-uid"},
        {"metadata": {"uid": "rs-uid", "ownerReferences": [{"controller": True}]}},
        {"metadata": {"uid": "rs-uid", "ownerReferences": ["web"]}},
        {"metadata": {"uid": "rs-uid", "ownerReferences": 5}},
    ],
)
def test_an_odd_replicaset_is_odd(owners: Owners, objects: Objects, odd: Json) -> None:
    """An error like every other, and nobody's guess at whose pod it is."""
    objects[f"{REPLICASETS}/web-5d4f"] = odd
    for fresh in (True, False):
        with pytest.raises(KubernetesOdd, match="ReplicaSet/web-5d4f in shop"):
            owners.workload_of(parse_pod(pod_object()), fresh=fresh)


def test_the_name_of_an_owner_leads_nowhere_else(owners: Owners, server: Server) -> None:
    """Whoever may make pods writes it."""
    owners.workload_of(controlled("ReplicaSet", name="../deployments/web?x="))
    owners.describe(WorkloadRef("StatefulSet", "shop", "../deployments/web", "uid", "apps/v1"))
    assert [request.target for request in server.requests] == [
        f"{REPLICASETS}/..%2Fdeployments%2Fweb%3Fx%3D",
        "/apis/apps/v1/namespaces/shop/statefulsets/..%2Fdeployments%2Fweb",
    ]


def test_pods_are_read_anew_of_a_workload_that_is_not(owners: Owners, objects: Objects, server: Server) -> None:
    """What is known of the workload stays; one list is all that is asked for."""
    workload = owners.read(DEPLOYMENT)
    assert workload is not None
    objects[PODS] = list_of(pod_object(), pod_object(name="web-2", uid="second"), version="200")
    objects[f"{DEPLOYMENTS}/web"]["spec"]["replicas"] = 7
    server.requests = []
    found = owners.with_pods(workload)
    assert [one.name for one in found.pods] == ["web-5d4f-abcde", "web-2"]
    assert (found.pods_version, found.wanted) == ("200", 3)
    assert [request.path for request in server.requests] == [PODS]
