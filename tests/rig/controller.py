"""A controller of a kind that nobody knows: it makes pods itself, and has no ReplicaSet, selector or status."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

from tests.rig import workloads
from tests.rig.api import Api, ApiError
from tests.rig.cluster import Cluster

Json = dict[str, Any]
GROUP = "rig.example"
PACE = 0.3


def define(cluster: Cluster, kind: str) -> str:
    """Have the API server know a kind whose objects can be scaled; gives its apiVersion."""
    plural = f"{kind.lower()}s"
    replicas = {"type": "object", "properties": {"replicas": {"type": "integer"}}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": replicas, "status": replicas}}},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
    }
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }
    cluster.api.apply(definition)

    def served() -> bool:
        # What is served is not listed at once among the group's kinds, and by that list clients find it.
        try:
            kinds = cluster.api.request("GET", f"/apis/{GROUP}/v1")["resources"]
            cluster.api.request("GET", f"/apis/{GROUP}/v1/namespaces/default/{plural}")
        except ApiError:
            return False
        return any(one["kind"] == kind for one in kinds)

    cluster.wait(served, 90, f"{kind} is served")
    return f"{GROUP}/v1"


def owner(custom: Json) -> Json:
    """The reference that makes a custom object the controller of another one."""
    metadata = custom["metadata"]
    reference = {"apiVersion": custom["apiVersion"], "kind": custom["kind"], "controller": True}
    return {**reference, "name": metadata["name"], "uid": metadata["uid"]}


class Controller:
    """Keeps as many pods of a template as the custom object wants; a context manager that ends it."""

    def __init__(self, api: Api, custom: Json, **template: Any) -> None:  # noqa: ANN401
        self._api = api
        self._custom = custom
        self._template = template
        self._ending = threading.Event()
        self._made = 0
        self._thread = threading.Thread(target=self._run, name="controller", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        metadata = self._custom["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        plural = f"{self._custom['apiVersion']}/{self._custom['kind'].lower()}s"
        while not self._ending.wait(PACE):
            wanted = self._api.get(plural, namespace, name)["spec"]["replicas"]
            there = [pod for pod in self._api.list("pods", namespace, labels=f"app={name}") if _counts(pod)]
            for _ in range(len(there), wanted):
                self._made += 1
                pod = workloads.pod(f"{name}-{self._made}", namespace, labels={"app": name}, **self._template)
                pod["metadata"]["ownerReferences"] = [owner(self._custom)]
                self._api.create(pod)
            for pod in there[wanted:]:
                self._delete(namespace, pod["metadata"]["name"])

    def _delete(self, namespace: str, name: str) -> None:
        try:
            self._api.delete("pods", namespace, name)
        except ApiError as error:
            # Somebody else has taken it meanwhile.
            if error.code != 404:
                raise


def _counts(pod: Json) -> bool:
    return "deletionTimestamp" not in pod["metadata"]
