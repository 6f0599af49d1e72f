"""Taking a pod out of its ReplicaSet so that another one is made, and putting it back: one conditional PATCH each.

The label alone would do, and must not: then the ReplicaSet releases the pod itself, and where admission forbids pods
without an owner it stops healing all of its pods. So the owner reference is replaced in the same request.
Source: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#isolating-pods-from-a-replicaset and
``pkg/controller/controller_ref_manager.go`` of Kubernetes 1.36.
"""

from __future__ import annotations

from remediator.cluster.api import ApiServer, Json
from remediator.cluster.pods import parse_pod, pod_path
from remediator.cluster.removal import DRY_RUN, Removal, Taken
from remediator.model.pods import LivePod, OwnerReference
from remediator.model.surge import HASH_LABELS, ORPHAN, hash_label
from remediator.model.vocabulary import ANNOTATIONS
from remediator.model.workloads import WorkloadRef

NOTE = f"{ANNOTATIONS}/surge"
"""The annotation with what putting the pod back needs, and which remediation it is."""
EPOCH = f"{ANNOTATIONS}/epoch"
"""The annotation with the epoch of the leader that looked after the pod last."""
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
LOWEST_COST = "-2147483647"
_MERGE = "application/merge-patch+json"


class Orphans:
    """Pods that were taken out of their ReplicaSets, in one cluster. Every write but the marks is conditional."""

    def __init__(self, api: ApiServer, removal: Removal) -> None:
        self._api = api
        self._removal = removal

    def take_out(self, pod: LivePod, *, owner: WorkloadRef, note: str, epoch: int, dry_run: bool = False) -> Taken:
        """Take exactly this pod, as it was just read, out of its ReplicaSet; that one's owner owns it from now on.

        That owner is not its controller, so that nobody adopts or deletes it, but for the garbage collector once the
        owner is gone. Raises NotLeader.
        """
        metadata: Json = {
            "labels": {hash_label(pod.labels): ORPHAN},
            "ownerReferences": [_reference(owner, controller=False)],
            "annotations": {NOTE: note, EPOCH: str(epoch)},
        }
        return self._change(pod, metadata, query=DRY_RUN if dry_run else "")

    def put_back(self, pod: LivePod, *, replicaset: OwnerReference, template_hash: str) -> Taken:
        """Give the pod back to its ReplicaSet, as it was before. Raises NotLeader.

        Its reference does not block the deletion of the owner any more: setting that may need a right of its own.
        """
        metadata: Json = {
            "labels": {hash_label(pod.labels): template_hash},
            "ownerReferences": [_reference(replicaset, controller=True)],
            "annotations": {NOTE: None, EPOCH: None},
        }
        return self._change(pod, metadata)

    def stamp(self, *, namespace: str, name: str, uid: str, epoch: int) -> Taken:
        """Change the pod's resourceVersion: every conditional request that was sent before fails from now on.

        Raises NotLeader.
        """
        return self._mark(namespace, name, uid, {EPOCH: str(epoch)})

    def offer_up(self, pod: LivePod) -> Taken:
        """Make it the first that its ReplicaSet removes, among those that are as Ready as it. Raises NotLeader.

        Source: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#pod-deletion-cost
        """
        return self._mark(pod.namespace, pod.name, pod.uid, {DELETION_COST: LOWEST_COST})

    def find(self, namespace: str | None = None) -> tuple[LivePod, ...]:
        """All of them, in one namespace or in all. Raises KubernetesError."""
        path = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
        found: list[LivePod] = []
        for label in HASH_LABELS:
            items, _ = self._api.list(path, {"labelSelector": f"{label}={ORPHAN}"})
            found.extend(map(parse_pod, items))
        return tuple(found)

    def _change(self, pod: LivePod, metadata: Json, *, query: str = "") -> Taken:
        conditions = {"uid": pod.uid, "resourceVersion": pod.resource_version}
        return self._patch(f"{pod_path(pod.namespace, pod.name)}{query}", {**conditions, **metadata})

    def _mark(self, namespace: str, name: str, uid: str, annotations: Json) -> Taken:
        return self._patch(pod_path(namespace, name), {"uid": uid, "annotations": annotations})

    def _patch(self, path: str, metadata: Json) -> Taken:
        return self._removal.send("patch", "PATCH", path, {"metadata": metadata}, content_type=_MERGE)


def _reference(owner: WorkloadRef | OwnerReference, *, controller: bool) -> Json:
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": controller,
    }
