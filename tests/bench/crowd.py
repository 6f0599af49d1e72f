"""Many pods that exist, run and are Ready, made in seconds: two requests each, and nobody simulates them.

KWOK and the controllers need some ten writes for a pod, minutes for thousands. Here a pod is bound to its node as it
is created, and its status is written once; an annotation keeps KWOK's hands off it. For the API server, for
kube-state-metrics and for the daemon it is a pod like any other.
"""

import hashlib
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from tests.bench.exporter import LIMIT, pod_name
from tests.rig import workloads
from tests.rig.api import Api, Json
from tests.rig.cluster import Cluster

_AT_ONCE = 6


class Crowd:
    """The pods of one namespace, named by a prefix and a number, on one node."""

    def __init__(self, cluster: Cluster, *, namespace: str, prefix: str, node: str) -> None:
        self._description = cluster.description
        self._namespace = namespace
        self._prefix = prefix
        self._node = node
        self._count = 0

    def grow(self, count: int) -> None:
        """Until there are so many. Raises ApiError."""
        numbers = iter(range(self._count, count))
        lock = threading.Lock()

        def some() -> None:
            # A connection for each thread: one `Api` sends one request at a time.
            described = self._description
            certificate = (described.admin_certificate, described.admin_key)
            api = Api(described.api_url, ca_file=described.ca_file, certificate=certificate)
            for number in _shared(numbers, lock):
                self._make(api, pod_name(self._prefix, number))

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for done in [pool.submit(some) for _ in range(_AT_ONCE)]:
                done.result()
        self._count = max(self._count, count)

    def _make(self, api: Api, name: str) -> None:
        container = workloads.container(limit=str(LIMIT))
        spec = {"nodeName": self._node, "terminationGracePeriodSeconds": 1}
        unmanaged = workloads.behaviour(never_start="true")
        api.create(
            workloads.pod(name, self._namespace, containers=[container], annotations=unmanaged, spec=spec)
            | {"apiVersion": "v1", "kind": "Pod"}
        )
        api.patch("pods", self._namespace, name, {"status": _running(self._namespace, name)}, subresource="status")


def _shared(numbers: Iterator[int], lock: threading.Lock) -> Iterator[int]:
    """Takes from an iterator that other threads take from as well."""
    for _ in itertools.count():
        with lock:
            number = next(numbers, None)
        if number is None:
            return
        yield number


def _running(namespace: str, name: str) -> Json:
    """The status of a pod whose container runs and is Ready."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    resources = workloads.container(limit=str(LIMIT))["resources"]
    status = {
        "name": "app",
        "image": workloads.IMAGE,
        "imageID": workloads.IMAGE,
        "containerID": "containerd://" + hashlib.sha256(f"{namespace}/{name}".encode()).hexdigest(),
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": now}},
        # KWOK would put a resize into force where they differ from the spec.
        "resources": resources,
        "allocatedResources": resources["requests"],
    }
    return {
        "phase": "Running",
        "startTime": now,
        "conditions": [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in kinds],
        "containerStatuses": [status],
    }
