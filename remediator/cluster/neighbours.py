"""Who in a pod's namespace would notice a surge: who selects pods, who would adopt one, what its quotas have left.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#non-template-pod-acquisitions
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from urllib.parse import quote

from remediator.cluster.api import ApiServer, Json
from remediator.cluster.footprint import parse_quantities
from remediator.errors import KubernetesOdd
from remediator.model.pods import LivePod
from remediator.model.selectors import LabelSelector
from remediator.model.surge import Footprint, Neighbours, Quota, Selecting

_ADOPTERS = {
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "Job": ("/apis/batch/v1", "jobs"),
}
_BY_LABELS = {"ReplicationController": ("/api/v1", "replicationcontrollers"), "Service": ("/api/v1", "services")}
_MANY_NODES = frozenset({"ReadWriteMany", "ReadOnlyMany"})


class Neighbourhood:
    """The namespaces of one cluster, as a pod that is replaced first meets them."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api

    def of(self, pod: LivePod) -> Neighbours:
        """Those of a pod that a ReplicaSet controls. Raises KubernetesError."""
        namespace = quote(pod.namespace, safe="")
        try:
            return Neighbours(
                own=self._own(pod, namespace),
                selecting=tuple(self._selecting(pod, namespace)),
                quotas=tuple(self._quotas(pod, namespace)),
                unshared=dict(self._unshared(pod, namespace)),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            message = f"an object in {pod.namespace} that would notice a surge can't be understood: {exc!r}"
            raise KubernetesOdd(message) from exc

    def wanted_of(self, namespace: str, replicaset: str, uid: str) -> int:
        """How many pods a ReplicaSet shall have; 0 where it is gone, going, or another one by now.

        Raises KubernetesError.
        """
        try:
            found = self._replicaset(quote(namespace, safe=""), replicaset, uid)
            if found is None or found["metadata"].get("deletionTimestamp"):
                return 0
            return int(found["spec"].get("replicas", 1))
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            message = f"ReplicaSet/{replicaset} in {namespace}: the API server's object can't be understood: {exc!r}"
            raise KubernetesOdd(message) from exc

    def _replicaset(self, namespace: str, name: str, uid: str) -> Json | None:
        found = self._api.find(f"/apis/apps/v1/namespaces/{namespace}/replicasets/{quote(name, safe='')}")
        return found if found is not None and found["metadata"]["uid"] == uid else None

    def _own(self, pod: LivePod, namespace: str) -> LabelSelector | None:
        if pod.controller is None:
            return None
        found = self._replicaset(namespace, pod.controller.name, pod.controller.uid)
        return None if found is None else LabelSelector.from_object(found["spec"]["selector"])

    def _selecting(self, pod: LivePod, namespace: str) -> Iterator[Selecting]:
        for kind, (group, plural) in _ADOPTERS.items():
            for item in self._items(group, plural, namespace):
                if pod.controller is None or item["metadata"]["uid"] != pod.controller.uid:
                    selector = LabelSelector.from_object(item["spec"].get("selector"))
                    yield Selecting(f"{kind}/{item['metadata']['name']}", selector, adopts=True)
        for kind, (group, plural) in _BY_LABELS.items():
            for item in self._items(group, plural, namespace):
                # A Service without a selector selects nothing; so does a ReplicationController that is not there yet.
                if labels := item["spec"].get("selector"):
                    name = f"{kind}/{item['metadata']['name']}"
                    selector = LabelSelector.from_object({"matchLabels": labels})
                    yield Selecting(name, selector, adopts=kind == "ReplicationController")
        for item in self._items("/apis/networking.k8s.io/v1", "networkpolicies", namespace):
            for peers in _of_network_policy(item["spec"]):
                yield Selecting(f"NetworkPolicy/{item['metadata']['name']}", LabelSelector.from_object(peers))

    def _quotas(self, pod: LivePod, namespace: str) -> Iterator[Quota]:
        for item in self._items("/api/v1", "resourcequotas", namespace):
            if not all(_is_in(scope, pod.footprint) for scope in _scopes(item["spec"])):
                continue
            status = item.get("status") or {}
            hard, used = parse_quantities(status.get("hard")), parse_quantities(status.get("used"))
            left = {name: amount - used.get(name, Decimal(0)) for name, amount in hard.items()}
            yield Quota(item["metadata"]["name"], left)

    def _unshared(self, pod: LivePod, namespace: str) -> Iterator[tuple[str, str]]:
        for claim in pod.footprint.claims:
            found = self._api.find(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{quote(claim, safe='')}")
            modes = (found or {"spec": {}})["spec"].get("accessModes") or ()
            if not _MANY_NODES & set(modes):
                yield claim, ", ".join(modes) or "unknown"

    def _items(self, group: str, plural: str, namespace: str) -> Iterable[Json]:
        items, _ = self._api.list(f"{group}/namespaces/{namespace}/{plural}")
        return items


def _of_network_policy(spec: Json) -> Iterator[Mapping[str, object]]:
    yield spec.get("podSelector") or {}
    for rule in (*(spec.get("ingress") or ()), *(spec.get("egress") or ())):
        for peer in (*(rule.get("from") or ()), *(rule.get("to") or ())):
            yield peer.get("podSelector") or {}


def _scopes(spec: Json) -> Iterator[Json]:
    """Which pods a quota counts: those that are in all of them."""
    for name in spec.get("scopes") or ():
        yield {"scopeName": name, "operator": "Exists"}
    yield from (spec.get("scopeSelector") or {}).get("matchExpressions") or ()


def _is_in(scope: Json, footprint: Footprint) -> bool:
    """Whether such a pod is in the scope; in doubt it is.

    Source: https://kubernetes.io/docs/concepts/policy/resource-quotas/#quota-scopes
    """
    match str(scope["scopeName"]):
        case "Terminating":
            return footprint.ends
        case "NotTerminating":
            return not footprint.ends
        case "BestEffort":
            return footprint.best_effort
        case "NotBestEffort":
            return not footprint.best_effort
        case "PriorityClass" as name:
            # It compares as a label does.
            selector = LabelSelector.from_object({"matchExpressions": [{**scope, "key": name}]})
            return selector.matches({name: footprint.priority_class} if footprint.priority_class else {})
        case _:
            return True
