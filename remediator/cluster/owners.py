"""From a pod to the workload that cooldowns, limits and breakers are kept for, and what it wants now.

The workload is the pod's controller or, where that is a ReplicaSet with a controller of its own, that one.
Who owns a Deployment does not matter.
"""

from __future__ import annotations

import threading
from dataclasses import replace

from remediator.cluster.api import ApiServer, Json
from remediator.cluster.pods import Pods, controller_of
from remediator.errors import KubernetesOdd, KubernetesRefused
from remediator.model.pods import LivePod, OwnerReference
from remediator.model.selectors import LabelSelector
from remediator.model.workloads import Workload, WorkloadRef

_PLURALS = {"Deployment": "deployments", "ReplicaSet": "replicasets"}
_NOT_FOUND = 404
_REMEMBERED = 10_000
"""ReplicaSets whose controller is kept in mind: each rollout makes new ones, for as long as we run."""


class Owners:
    """Workloads of one cluster. Who controls a ReplicaSet is kept in mind for its many pods."""

    def __init__(self, api: ApiServer, pods: Pods) -> None:
        self._api = api
        self._pods = pods
        self._lock = threading.Lock()
        self._controllers: dict[str, OwnerReference | None] = {}

    def workload_of(self, pod: LivePod, *, fresh: bool = False) -> WorkloadRef | None:
        """The pod's workload; None where it has no controller, or its ReplicaSet is gone. Raises KubernetesError.

        Who controls a ReplicaSet changes rarely (orphaned, adopted), but it does: ``fresh`` asks anew.
        """
        owner = pod.controller
        if owner is None:
            return None
        if _is_replicaset(owner):
            known, controller = self._controller_of(pod.namespace, owner, fresh=fresh)
            if not known:
                return None
            owner = controller or owner
        return WorkloadRef(owner.kind, pod.namespace, owner.name, owner.uid)

    def describe(self, ref: WorkloadRef) -> Workload | None:
        """The workload now, without its pods; None where it is gone or has another UID. Raises KubernetesError.

        A kind that this version does not know, as in a newer one's journal, is KubernetesOdd.
        """
        if ref.kind not in _PLURALS:
            message = f"{ref} in {ref.namespace}: this version can't read a {ref.kind}"
            raise KubernetesOdd(message)
        try:
            found = self._api.get(f"/apis/apps/v1/namespaces/{ref.namespace}/{_PLURALS[ref.kind]}/{ref.name}")
        except KubernetesRefused as exc:
            if exc.status.code == _NOT_FOUND:
                return None
            raise
        if found.get("metadata", {}).get("uid") != ref.uid:
            return None
        try:
            return _workload(ref, found)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            message = f"{ref} in {ref.namespace}: the API server's object can't be understood: {exc!r}"
            raise KubernetesOdd(message) from exc

    def read(self, ref: WorkloadRef) -> Workload | None:
        """The workload and its pods now; None where it is gone or has another UID. Raises KubernetesError."""
        workload = self.describe(ref)
        if workload is None:
            return None
        matching, version = self._pods.select(ref.namespace, str(workload.selector or ""))
        pods = tuple(pod for pod in matching if self._belongs(pod, ref))
        return replace(workload, pods=pods, pods_version=version)

    def _belongs(self, pod: LivePod, ref: WorkloadRef) -> bool:
        found = self.workload_of(pod)
        return found is not None and found.uid == ref.uid

    def _controller_of(
        self, namespace: str, owner: OwnerReference, *, fresh: bool
    ) -> tuple[bool, OwnerReference | None]:
        with self._lock:
            if not fresh and owner.uid in self._controllers:
                return True, self._controllers[owner.uid]
        try:
            found = self._api.get(f"/apis/apps/v1/namespaces/{namespace}/replicasets/{owner.name}")
        except KubernetesRefused as exc:
            if exc.status.code == _NOT_FOUND:
                return False, None
            raise
        if found.get("metadata", {}).get("uid") != owner.uid:
            return False, None
        controller = controller_of(found["metadata"])
        with self._lock:
            if len(self._controllers) >= _REMEMBERED:
                self._controllers.pop(next(iter(self._controllers)))
            self._controllers[owner.uid] = controller
        return True, controller


def _is_replicaset(owner: OwnerReference) -> bool:
    return owner.kind == "ReplicaSet" and owner.api_version.startswith("apps/")


def _workload(ref: WorkloadRef, found: Json) -> Workload:
    metadata, spec, status = found["metadata"], found["spec"], found.get("status") or {}
    failures = [
        f"{c.get('reason', '')}: {c.get('message', '')}"
        for c in status.get("conditions") or ()
        if c["type"] == "ReplicaFailure" and c["status"] == "True"
    ]
    return Workload(
        ref=ref,
        wanted=int(spec.get("replicas", 1)),
        selector=LabelSelector.from_object(spec["selector"]),
        min_ready_seconds=int(spec.get("minReadySeconds") or 0),
        rollout=_rollout(ref.kind, metadata, spec, status),
        creation_failure=failures[0] if failures else "",
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
    )


def _rollout(kind: str, metadata: Json, spec: Json, status: Json) -> str:
    """What is being rolled out, paused or not: an eviction would let the ReplicaSet of another template refill."""
    generation, observed = metadata.get("generation", 0), status.get("observedGeneration", 0)
    if observed < generation:
        return f"its controller has seen generation {observed} of {generation}"
    if kind != "Deployment":
        return ""
    wanted, updated = int(spec.get("replicas", 1)), int(status.get("updatedReplicas") or 0)
    if updated != wanted:
        return f"{updated} of {wanted} replicas have the newest template"
    # With a surge all of the new ones may be there, un-Ready, beside the old ones.
    if (old := int(status.get("replicas") or 0) - updated) > 0:
        return f"{old} pods of an older template are still there"
    return ""
