"""The containers of a pod that keep running, and what the kubelet says of them.

Source: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
"""

from __future__ import annotations

from collections.abc import Iterator

from remediator.cluster.api import Json


def kept_running(spec: Json) -> list[Json]:
    """The plain ones, after init containers with ``restartPolicy: Always``. Raises KeyError for an odd spec."""
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    return [*sidecars, *spec["containers"]]


def with_status(spec: Json, status: Json) -> Iterator[tuple[Json, Json]]:
    """Each of them with its status, which is empty while there is none. Raises KeyError for an odd pod."""
    statuses = {s["name"]: s for key in ("containerStatuses", "initContainerStatuses") for s in status.get(key) or ()}
    for container in kept_running(spec):
        yield container, statuses.get(container["name"]) or {}
