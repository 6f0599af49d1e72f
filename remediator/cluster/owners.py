"""From a pod to the workload that cooldowns, limits and breakers are kept for, and what it wants now.

The workload is the pod's controller or, where that is a ReplicaSet with a controller of its own, that one.
Who owns a Deployment does not matter.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from urllib.parse import quote

from remediator.cluster.api import ApiServer, Json
from remediator.cluster.custom import CustomWorkloads
from remediator.cluster.pods import Pods, controller_of
from remediator.cluster.workloads import parse_workload
from remediator.errors import KubernetesOdd
from remediator.model.pods import LivePod, OwnerReference
from remediator.model.surge import is_orphan
from remediator.model.workloads import Workload, WorkloadRef

_PLURALS = {
    "Deployment": "deployments",
    "ReplicaSet": "replicasets",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
}
_REMEMBERED = 10_000
"""ReplicaSets whose controller is kept in mind: each rollout makes new ones, for as long as we run."""


class Owners:
    """Workloads of one cluster. Who controls a ReplicaSet is kept in mind for its many pods."""

    def __init__(self, api: ApiServer, pods: Pods) -> None:
        self._api = api
        self._pods = pods
        self._custom = CustomWorkloads(api)
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
        return WorkloadRef(owner.kind, pod.namespace, owner.name, owner.uid, owner.api_version)

    def describe(self, ref: WorkloadRef) -> Workload | None:
        """The workload now, without its pods. Raises KubernetesError.

        None where it is gone, has another UID, or is a ReplicaSet that has a controller now: then the workload is that
        one. Of a kind that is not of the apps group as much as can be read.
        """
        if not ref.is_a(*_PLURALS):
            return self._custom.describe(ref)
        found = self._get(ref.kind, ref.namespace, ref.name)
        if found is None:
            return None
        try:
            if found["metadata"]["uid"] != ref.uid:
                return None
            if ref.kind == "ReplicaSet":
                controller = controller_of(found["metadata"])
                self._remember(ref.uid, controller)
                if controller is not None:
                    return None
            return parse_workload(ref, found)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            message = f"{ref} in {ref.namespace}: the API server's object can't be understood: {exc!r}"
            raise KubernetesOdd(message) from exc

    def read(self, ref: WorkloadRef) -> Workload | None:
        """The workload and its pods now; None where it is gone or has another UID. Raises KubernetesError."""
        workload = self.describe(ref)
        return None if workload is None else self.with_pods(workload)

    def read_with(self, ref: WorkloadRef, uid: str) -> Workload | None:
        """The same, where the pod of that UID counts as its own although it may have been taken out."""
        workload = self.describe(ref)
        return None if workload is None else self._with_pods(workload, also=uid)

    def with_pods(self, workload: Workload) -> Workload:
        """The workload as it was described, with its pods as they are now. Raises KubernetesError.

        Without a selector these are the pods of the namespace whose controller it is.
        """
        return self._with_pods(workload)

    def _with_pods(self, workload: Workload, *, also: str = "") -> Workload:
        matching, version = self._pods.select(workload.ref.namespace, str(workload.selector or ""))
        pods = tuple(pod for pod in matching if pod.uid == also or self._belongs(pod, workload.ref))
        outside = tuple(pod for pod in matching if is_orphan(pod.labels))
        return replace(workload, pods=pods, outside=outside, pods_version=version)

    def _belongs(self, pod: LivePod, ref: WorkloadRef) -> bool:
        found = self.workload_of(pod)
        return found is not None and found.uid == ref.uid

    def _controller_of(
        self, namespace: str, owner: OwnerReference, *, fresh: bool
    ) -> tuple[bool, OwnerReference | None]:
        with self._lock:
            if not fresh and owner.uid in self._controllers:
                return True, self._controllers[owner.uid]
        found = self._get("ReplicaSet", namespace, owner.name)
        if found is None:
            return False, None
        try:
            if found["metadata"]["uid"] != owner.uid:
                return False, None
            controller = controller_of(found["metadata"])
        except (KeyError, TypeError, AttributeError) as exc:
            message = f"ReplicaSet/{owner.name} in {namespace}: the API server's object can't be understood: {exc!r}"
            raise KubernetesOdd(message) from exc
        self._remember(owner.uid, controller)
        return True, controller

    def _get(self, kind: str, namespace: str, name: str) -> Json | None:
        # Whoever may make pods has written the name: it must not lead to another object.
        path = f"/apis/apps/v1/namespaces/{quote(namespace, safe='')}/{_PLURALS[kind]}/{quote(name, safe='')}"
        return self._api.find(path)

    def _remember(self, uid: str, controller: OwnerReference | None) -> None:
        with self._lock:
            if len(self._controllers) >= _REMEMBERED:
                self._controllers.pop(next(iter(self._controllers)))
            self._controllers[uid] = controller


def _is_replicaset(owner: OwnerReference) -> bool:
    return owner.kind == "ReplicaSet" and owner.api_version.startswith("apps/")
