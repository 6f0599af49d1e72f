"""What the admission policy that comes with surge leaves of the right to patch pods: a surge, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from tests.cluster.asking import MERGE, Ask, well_formed
from tests.cluster.conftest import policies
from tests.cluster.releases import PROBING, chart_releases, pace
from tests.cluster.test_surge import COST, HASH, SURGE
from tests.rig import workloads
from tests.rig.api import Api, ApiError
from tests.rig.cluster import Cluster
from tests.rig.helm import Helm

Json = dict[str, Any]
pytestmark = pytest.mark.xdist_group("chart-admission")

STRATEGIC, JSON_PATCH = "application/strategic-merge-patch+json", "application/json-patch+json"
SPEC = "may not change the spec"
LABELS = "may change no label"
ANNOTATIONS = "may change no annotation"
OWNER = "may change the owner of a pod only"
FINALIZERS = "may not change the finalizers"

GONE: Json = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "00000000-0000-0000-0000-000000000000"}
DEPLOYMENT: Json = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "name": "web",
    "uid": "<deployment-uid>",
    "controller": False,
}
REPLICASET: Json = {
    "apiVersion": "apps/v1",
    "kind": "ReplicaSet",
    "name": "<replicaset>",
    "uid": "<replicaset-uid>",
    "controller": True,
}


def labels(**changed: str | None) -> Json:
    """A change of labels; `_` stands for the hash label."""
    return {"metadata": {"labels": {HASH if key == "_" else key: value for key, value in changed.items()}}}


def notes(changed: Json) -> Json:
    """A change of annotations."""
    return {"metadata": {"annotations": changed}}


def owners(*references: Json, **changed: str | None) -> Json:
    """A change of owners, and of labels."""
    return {"metadata": {"ownerReferences": list(references), **labels(**changed)["metadata"]}}


OUT = {
    "metadata": {
        "labels": {HASH: SURGE},
        "ownerReferences": [DEPLOYMENT],
        "annotations": {"remediator.dev/surge": "{}", "remediator.dev/epoch": "1"},
    }
}
"""How a surge takes a pod out."""

BACK = {
    "metadata": {
        "labels": {HASH: "<hash>"},
        "ownerReferences": [REPLICASET],
        "annotations": {"remediator.dev/surge": None, "remediator.dev/epoch": None},
    }
}
"""And how it puts it back."""


@dataclass(frozen=True)
class Change:
    """A patch of a pod, the words of the rule that forbids it, and the kind of patch that it is."""

    what: str
    words: str
    body: Any
    content: str = MERGE
    pod: str = "<pod>"
    """`<out>` is one that is out of its ReplicaSet."""

    def __str__(self) -> str:
        return self.what

    @property
    def ask(self) -> Ask:
        """It as a request."""
        return Ask("patch", "pods", "<shop>", self.pod, body=self.body, content=self.content)


def step(op: str, path: str, value: object = None) -> list[Json]:
    """A JSON patch of one step."""
    return [{"op": op, "path": path, **({"value": value} if op != "remove" else {})}]


IMAGE: Json = {"spec": {"containers": [{"name": "app", "image": "evil:1"}]}}
TOLERATES: Json = {"spec": {"tolerations": [{"key": "gone", "operator": "Exists"}]}}
REFUSED = [
    Change("another image", SPEC, IMAGE, STRATEGIC),
    Change("another image by JSON patch", SPEC, step("replace", "/spec/containers/0/image", "evil:1"), JSON_PATCH),
    Change("another image with a surge", SPEC, {**OUT, **IMAGE}, STRATEGIC),
    Change("another image of one that is out", SPEC, IMAGE, STRATEGIC, "<out>"),
    Change("a toleration", SPEC, TOLERATES, STRATEGIC),
    Change("an end", SPEC, {"spec": {"activeDeadlineSeconds": 1}}),
    Change("another label", LABELS, labels(app="other")),
    Change("a label more", LABELS, labels(more="1")),
    Change("a label less", LABELS, labels(app=None)),
    Change("a label less by JSON patch", LABELS, step("remove", "/metadata/labels/app"), JSON_PATCH),
    Change("another hash", LABELS, labels(_="other")),
    Change("no hash", LABELS, labels(_=None)),
    Change("the hash of another controller", LABELS, labels(**{f"rollouts-{HASH}": SURGE})),
    Change("another label with a surge", LABELS, owners(DEPLOYMENT, _=SURGE, app="other")),
    Change("another label of one that is out", LABELS, labels(app="other"), pod="<out>"),
    Change("another hash of one that is out", OWNER, labels(_="other"), pod="<out>"),
    Change("an annotation more", ANNOTATIONS, notes({"more": "1"})),
    Change("another annotation", ANNOTATIONS, notes({"team": "other"})),
    Change("an annotation less", ANNOTATIONS, notes({"team": None})),
    Change("our own opt-out", ANNOTATIONS, notes({"remediator.dev/opt-out": "false"})),
    Change("another threshold", ANNOTATIONS, notes({"remediator.dev/threshold": "1Mi"})),
    Change("another tool's mark", ANNOTATIONS, notes({"karpenter.sh/do-not-disrupt": None})),
    Change("a deletion cost", ANNOTATIONS, notes({COST: "1"})),
    Change("a finalizer more", FINALIZERS, {"metadata": {"finalizers": ["example.com/stay", "example.com/more"]}}),
    Change("no finalizer", FINALIZERS, {"metadata": {"finalizers": None}}),
    Change("no finalizer with a surge", FINALIZERS, {"metadata": {**OUT["metadata"], "finalizers": None}}),
    Change("no owner", OWNER, owners()),
    Change("another owner", OWNER, owners(GONE)),
    Change("one owner more", OWNER, owners(REPLICASET, GONE)),
    Change("a surge without an owner", OWNER, owners(_=SURGE)),
    Change("a surge with the owner that it has", OWNER, labels(_=SURGE)),
    Change("a surge with two owners", OWNER, owners(DEPLOYMENT, GONE, _=SURGE)),
    Change("a surge to a controller", OWNER, owners({**DEPLOYMENT, "controller": True}, _=SURGE)),
    Change("another owner of one that is out", OWNER, owners(GONE), pod="<out>"),
    Change("back to no ReplicaSet", OWNER, owners({**DEPLOYMENT, "controller": True}, _="<hash>"), pod="<out>"),
    Change("back without a controller", OWNER, owners({**REPLICASET, "controller": False}, _="<hash>"), pod="<out>"),
]
ALLOWED = [
    Change("a surge", "", OUT),
    Change("back from it", "", BACK, pod="<out>"),
    Change("a new epoch", "", notes({"remediator.dev/epoch": "2"}), pod="<out>"),
    Change("the lowest deletion cost", "", notes({COST: "-2147483647"})),
]


@dataclass(frozen=True)
class Stage:
    """Who asks, and what is there to be changed."""

    api: Api
    names: dict[str, str]
    policy: str


@pytest.fixture(scope="module")
def stage(cluster: Cluster, helm4: Helm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two pods of a Deployment, one of them taken out by a patch of the account, and the policy in force."""
    shop = cluster.namespace("shop")
    marks = {"team": "shop", "karpenter.sh/do-not-disrupt": "true"}
    cluster.api.create(workloads.deployment("web", shop, replicas=2, annotations=marks))
    pods = [pod["metadata"] for pod in cluster.ready_pods(shop, 2)]
    owner = pods[0]["ownerReferences"][0]
    names = {
        "shop": shop,
        "pod": pods[0]["name"],
        "out": pods[1]["name"],
        "replicaset": owner["name"],
        "replicaset-uid": owner["uid"],
        "deployment-uid": cluster.api.get("apps/v1/deployments", shop, "web")["metadata"]["uid"],
        "hash": pods[0]["labels"][HASH],
    }
    for pod in pods:
        cluster.api.patch("pods", shop, pod["name"], {"metadata": {"finalizers": ["example.com/stay"]}})
    with chart_releases(cluster, helm4, tmp_path_factory.mktemp("releases")) as new_release:
        release = new_release(at=PROBING, runs=False)
        values = pace(cluster.prometheus_url, policy=policies(shop, action="surge"), replicas=0)
        release.install(values, wait=False)
        api, numbers = release.api(), count()

        def in_force() -> bool:
            try:
                api.patch("pods", shop, names["pod"], labels(attempt=str(next(numbers))))
            except ApiError as error:
                return "ValidatingAdmissionPolicy" in error.message
            return False

        # The admission of the API server learns of a new policy a moment after it was stored.
        cluster.wait(in_force, 60, "the policy is in force")
        Change("it out", "", OUT, pod="<out>").ask.send(api, names, admin=cluster.api)
        yield Stage(api, names, f"remediator.{release.home}-surge")
    for pod in pods:
        cluster.api.patch("pods", shop, pod["name"], {"metadata": {"finalizers": None}})
    cluster.api.delete("namespaces", None, shop)


@pytest.mark.parametrize("change", REFUSED, ids=str)
def test_a_change_that_is_no_surge_is_refused(cluster: Cluster, stage: Stage, change: Change) -> None:
    """By the policy, in the words of the rule that it breaks; nobody else would be refused it."""
    well_formed(change.ask, stage.names, admin=cluster.api)
    with pytest.raises(ApiError) as caught:
        change.ask.send(stage.api, stage.names, admin=cluster.api)
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    assert f"ValidatingAdmissionPolicy '{stage.policy}'" in caught.value.message
    assert f"remediator {change.words}" in caught.value.message


@pytest.mark.parametrize("change", ALLOWED, ids=str)
def test_each_step_of_a_surge_is_let_through(cluster: Cluster, stage: Stage, change: Change) -> None:
    """As the daemon sends it: out, back, a new leader's epoch, and the new pod that shall go first."""
    change.ask.send(stage.api, stage.names, admin=cluster.api, dry_run=True)
