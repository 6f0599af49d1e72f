"""Pods: read one, list a workload's, and trim the API's object to what is decided on.

Source of the fields: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

from kubernetes.utils.quantity import parse_quantity

from remediator.cluster.api import ApiServer, Json
from remediator.cluster.containers import with_status
from remediator.cluster.footprint import parse_footprint
from remediator.cluster.placement import made_for
from remediator.cluster.readiness import why_unready
from remediator.errors import KubernetesOdd
from remediator.model.pods import Container, LivePod, OwnerReference

NO_LIMIT = 1 << 60
"""At and above this many bytes a limit stands for "none" (2^63 less a page, 2^64-1)."""
RESIZING = "PodResizeInProgress"


class Pods:
    """The pods of one cluster."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api

    def read(self, namespace: str, name: str) -> LivePod | None:
        """The pod of that name now; None where there is none. Raises KubernetesError."""
        found = self._api.find(pod_path(namespace, name))
        return None if found is None else parse_pod(found)

    def select(self, namespace: str, selector: str) -> tuple[tuple[LivePod, ...], str]:
        """The pods that match a selector (in its API text form), and the list's resourceVersion."""
        query = {"labelSelector": selector} if selector else {}
        pods: list[LivePod] = []
        version = ""
        # A namespace that a label of a series has named may be anything.
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods"
        for page, version in self._api.pages(path, query):  # noqa: B007
            pods.extend(parse_pod(item) for item in page)
        return tuple(pods), version

    def everywhere(self) -> Iterator[LivePod]:
        """The pods of all namespaces, trimmed page by page: one page is held at most. Raises KubernetesError."""
        for page, _ in self._api.pages("/api/v1/pods"):
            yield from map(parse_pod, page)


def pod_path(namespace: str, name: str) -> str:
    """The API path of one pod."""
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(name, safe='')}"


def parse_pod(pod: Json) -> LivePod:
    """The API's pod, trimmed. Raises KubernetesOdd where it lacks what every pod has."""
    try:
        return _parse(pod)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as exc:
        metadata = pod.get("metadata")
        name = metadata.get("name", "?") if isinstance(metadata, dict) else "?"
        message = f"pod {name}: the API server's object can't be understood: {exc!r}"
        raise KubernetesOdd(message) from exc


def parse_time(text: str | None) -> float | None:
    """Seconds since the epoch of an API time."""
    return datetime.fromisoformat(text).timestamp() if text else None


def parse_memory(quantity: object) -> int | None:
    """Bytes of a limit or request; None for none, however it is written."""
    if quantity is None:
        return None
    value = int(parse_quantity(str(quantity)))  # type: ignore[no-untyped-call]
    return value if 0 < value < NO_LIMIT else None


def controller_of(metadata: Json) -> OwnerReference | None:
    """The owner reference that says ``controller: true``."""
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            return OwnerReference(owner["apiVersion"], owner["kind"], owner["name"], owner["uid"])
    return None


def _parse(pod: Json) -> LivePod:
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    ready, disrupted, scheduled = (conditions.get(kind) or {} for kind in ("Ready", "DisruptionTarget", "PodScheduled"))
    # Kubernetes 1.35 had the second form.
    group = (spec.get("schedulingGroup") or {}).get("podGroupName") or (spec.get("workloadRef") or {}).get("podGroup")
    return LivePod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        phase=status.get("phase", ""),
        node=made_for(spec),
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        controller=controller_of(metadata),
        containers=tuple(_containers(spec, status)),
        created_at=parse_time(metadata["creationTimestamp"]) or 0.0,
        deleted_at=parse_time(metadata.get("deletionTimestamp")),
        grace_period=int(spec.get("terminationGracePeriodSeconds") or 0),
        ready_since=parse_time(ready.get("lastTransitionTime")) if ready.get("status") == "True" else None,
        disruption_target=_words(disrupted) if disrupted.get("status") == "True" else "",
        unschedulable=scheduled.get("message", "") if scheduled.get("reason") == "Unschedulable" else "",
        pod_group=group or "",
        unready="" if ready.get("status") == "True" else why_unready(spec, status),
        initializing=_initializing(status),
        finalizers=tuple(metadata.get("finalizers") or ()),
        memory_limit=_pod_limit(spec, status),
        resizing=_resizing(conditions.get(RESIZING) or {}, status),
        ip=status.get("podIP") or "",
        other_owners=tuple(
            f"{owner['kind']}/{owner['name']}"
            for owner in metadata.get("ownerReferences") or ()
            if not owner.get("controller")
        ),
        restart_policy=spec.get("restartPolicy") or "Always",
        footprint=parse_footprint(spec),
    )


def _containers(spec: Json, status: Json) -> Iterable[Container]:
    for container, seen in with_status(spec, status):
        running = (seen.get("state") or {}).get("running") or {}
        waiting = (seen.get("state") or {}).get("waiting") or {}
        started_at = parse_time(running.get("startedAt"))
        yield Container(
            name=container["name"],
            id=seen.get("containerID", "").partition("://")[2] if started_at is not None else "",
            started_at=started_at,
            memory_limit=_in_force("limits", container, seen),
            image=container.get("image", ""),
            waiting=_words(waiting),
            memory_request=_in_force("requests", container, seen),
        )


def _initializing(status: Json) -> str:
    waiting = [(s.get("state") or {}).get("waiting") or {} for s in status.get("initContainerStatuses") or ()]
    return next((_words(one) for one in waiting if one.get("reason") not in {None, "PodInitializing"}), "")


def _pod_limit(spec: Json, status: Json) -> int | None:
    """The limit of the pod as a whole, where its author has set one.

    The spec says whether, the status how much: the kubelet of 1.36 writes ``status.resources`` for each pod, and keeps
    in it the sum over those containers that have a limit, also where others have none and the pod is unlimited.
    """
    return _in_force("limits", spec, status) if _memory("limits", spec) else None


def _in_force(which: str, spec: Json, status: Json) -> int | None:
    """The status names what the node has put into force; only a server without that field leaves the spec to say.

    Source: KEP-1287, in-place pod resize: ``status.containerStatuses[].resources`` and ``status.resources``.
    """
    return _memory(which, status if status.get("resources") is not None else spec)


def _memory(which: str, holder: Json) -> int | None:
    return parse_memory(((holder.get("resources") or {}).get(which) or {}).get("memory"))


def _resizing(condition: Json, status: Json) -> str:
    """Kubernetes' words for a resize that the node carries out now; one that is only pending has not begun.

    Usually they are none but the condition's name. Before 1.33 the word stood in ``status.resize``.
    """
    if condition.get("status") == "True":
        return _words(condition) or RESIZING
    return RESIZING if status.get("resize") == "InProgress" else ""


def _words(condition: dict[str, Any]) -> str:
    return ": ".join(filter(None, (condition.get("reason", ""), condition.get("message", ""))))
