"""Taking a pod out of its ReplicaSet and putting it back: one conditional PATCH each, to the letter."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from remediator.cluster.api import ApiServer
from remediator.cluster.orphans import Orphans
from remediator.cluster.removal import Answer, Removal
from remediator.errors import NotLeader
from remediator.model.workloads import WorkloadRef
from tests.unit.cluster.objects import list_of, status_object
from tests.unit.make import REPLICASET, UID, pod
from tests.unit.servers import Server, always, http

LABELS = {"app": "web", "pod-template-hash": "5d4f"}
PATH = "/api/v1/namespaces/shop/pods/web-5d4f-abcde"
OWNER = WorkloadRef("Deployment", "shop", "web", "dep-uid", "apps/v1")


@pytest.fixture
def orphans(api: ApiServer, server: Server) -> Orphans:
    """With a lease that lasts, and a server that accepts."""
    server.answer = always(http(200, {"kind": "Pod"}))
    return Orphans(api, Removal(api, fence=lambda _: None))


def test_taken_out_it_has_another_label_and_another_owner(orphans: Orphans, server: Server) -> None:
    """Exactly the pod that was read, in one request; its ReplicaSet's owner owns it, and does not control it."""
    assert orphans.take_out(pod(labels=LABELS), owner=OWNER, note="what it takes", epoch=7).answer is Answer.ACCEPTED
    [request] = server.requests
    assert (request.method, request.target) == ("PATCH", PATH)
    assert request.headers["content-type"] == "application/merge-patch+json"
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "dep-uid", "controller": False}
    assert request.json == {
        "metadata": {
            "uid": UID,
            "resourceVersion": "41",
            "labels": {"pod-template-hash": "remediator-surge"},
            "ownerReferences": [owner],
            "annotations": {"remediator.dev/surge": "what it takes", "remediator.dev/epoch": "7"},
        }
    }


def test_a_dry_run_changes_nothing(orphans: Orphans, server: Server) -> None:
    """The API server is told so in the query."""
    orphans.take_out(pod(labels=LABELS), owner=OWNER, note="", epoch=0, dry_run=True)
    assert server.requests[0].target == f"{PATH}?dryRun=All"


def test_put_back_it_is_as_before(orphans: Orphans, server: Server) -> None:
    """Label, controller, and none of our annotations; nothing that needs a right on finalizers."""
    out = pod(labels={**LABELS, "pod-template-hash": "remediator-surge"}, controller=None)
    assert orphans.put_back(out, replicaset=REPLICASET, template_hash="5d4f").answer is Answer.ACCEPTED
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f", "uid": "rs-uid", "controller": True}
    assert server.requests[0].json == {
        "metadata": {
            "uid": UID,
            "resourceVersion": "41",
            "labels": {"pod-template-hash": "5d4f"},
            "ownerReferences": [owner],
            "annotations": {"remediator.dev/surge": None, "remediator.dev/epoch": None},
        }
    }


def test_marks_are_for_one_instance_whatever_its_version(orphans: Orphans, server: Server) -> None:
    """A stamp has to succeed on a pod that changes all the time; another instance of that name refuses it."""
    orphans.stamp(namespace="shop", name="web-5d4f-abcde", uid=UID, epoch=8)
    orphans.offer_up(pod())
    stamp, cost = (request.json["metadata"] for request in server.requests)
    assert stamp == {"uid": UID, "annotations": {"remediator.dev/epoch": "8"}}
    assert cost == {"uid": UID, "annotations": {"controller.kubernetes.io/pod-deletion-cost": "-2147483647"}}


@pytest.mark.parametrize(
    ("code", "message", "answer"),
    [
        (409, "the object has been modified", Answer.CHANGED),
        (422, 'Pod "web" is invalid: metadata.uid: Invalid value: "x": field is immutable', Answer.CHANGED),
        (422, "a pod needs a controller", Answer.REFUSED),
        (404, "not found", Answer.GONE),
        (403, "cannot patch", Answer.FORBIDDEN),
        (429, "slow down", Answer.OVERLOAD),
    ],
)
def test_what_the_answers_mean(orphans: Orphans, server: Server, code: int, message: str, answer: Answer) -> None:
    """As those to an eviction; another instance of that name is told by its UID, which can't be changed."""
    server.answer = always(http(code, status_object(code, message=message)))
    taken = orphans.take_out(pod(labels=LABELS), owner=OWNER, note="", epoch=1)
    assert (taken.answer, message in taken.words) == (answer, True)


def test_without_the_lease_nothing_is_changed(api: ApiServer, server: Server) -> None:
    """The fence is asked first."""

    def fence(_: float) -> None:
        message = "not ours"
        raise NotLeader(message)

    with pytest.raises(NotLeader):
        Orphans(api, Removal(api, fence=fence)).stamp(namespace="shop", name="web", uid=UID, epoch=1)
    assert server.requests == []


def test_all_of_them_are_found_by_their_labels(orphans: Orphans, server: Server) -> None:
    """One list for each of the hash labels that there are, over all namespaces."""
    server.answer = always(http(200, list_of()))
    assert orphans.find() == ()
    assert [unquote(request.target) for request in server.requests] == [
        "/api/v1/pods?labelSelector=pod-template-hash=remediator-surge&limit=500",
        "/api/v1/pods?labelSelector=rollouts-pod-template-hash=remediator-surge&limit=500",
    ]
