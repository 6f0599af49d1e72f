"""How many pods each workload has that are Ready, at every moment: a watch of the API server by somebody else."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import orjson
import requests

from tests.rig.cluster import Cluster, is_ready

Json = dict[str, Any]
Workload = tuple[str, str]
"""Namespace and name; its pods are labelled ``app=NAME``."""


@dataclass
class Count:
    """Pure: the pods of each workload that there are, and what is missing; ``allowed`` is how many may be."""

    wanted: Mapping[Workload, int]
    allowed: Mapping[Workload, int]
    pods: dict[str, Json] = field(default_factory=dict)
    worst: dict[Workload, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def apply(self, kind: str, pod: Json) -> None:
        """One event of the watch, in order; pods of other workloads count for nothing."""
        workload = workload_of(pod)
        if workload not in self.wanted:
            return
        if kind == "DELETED":
            self.pods.pop(pod["metadata"]["uid"], None)
        else:
            self.pods[pod["metadata"]["uid"]] = pod
        missing = self.missing(workload)
        self.worst[workload] = max(self.worst.get(workload, 0), missing)
        if missing > self.allowed[workload]:
            words = f"{missing} pods of {'/'.join(workload)} were missing at once, {self.allowed[workload]} may be"
            if words not in self.violations:
                self.violations.append(words)

    def missing(self, workload: Workload) -> int:
        """How many pods fewer are available than are wanted."""
        there = (pod for pod in self.pods.values() if workload_of(pod) == workload)
        available = sum(is_ready(pod) and "deletionTimestamp" not in pod["metadata"] for pod in there)
        return self.wanted[workload] - available


def workload_of(pod: Json) -> Workload:
    """Whose pod it is."""
    metadata = pod["metadata"]
    return metadata["namespace"], (metadata.get("labels") or {}).get("app", "")


class Watcher:
    """Follows all pods from now on, when those that count are Ready; a context manager that ends it.

    The API server must not be broken meanwhile: what happens during a gap would not be seen, so a gap is an error.
    """

    def __init__(self, cluster: Cluster, count: Count) -> None:
        self.count = count
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = cluster.description.ca_file
        self._session.cert = (cluster.description.admin_certificate, cluster.description.admin_key)
        self._url = f"{cluster.api_url}/api/v1/pods"
        self._ending = threading.Event()
        self._version = self._list()
        self._thread = threading.Thread(target=self._follow, name="watcher", daemon=True)
        self.problem = ""

    def _list(self) -> str:
        found = orjson.loads(self._session.get(self._url, timeout=30).content)
        for pod in found["items"]:
            self.count.apply("ADDED", pod)
        # Until here not all were known.
        self.count.worst.clear()
        self.count.violations.clear()
        return str(found["metadata"]["resourceVersion"])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join(10)
        self._session.close()

    def _follow(self) -> None:
        try:
            while not self._ending.is_set():
                self._read_stream()
        except (requests.RequestException, orjson.JSONDecodeError, KeyError) as error:
            self.problem = f"the pods were not watched to the end: {error!r}"

    def _read_stream(self) -> None:
        query = {
            "watch": "1",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            # Short, so that it ends soon after it was told to: there is no gap between two of them.
            "timeoutSeconds": "5",
        }
        with self._session.get(self._url, params=query, stream=True, timeout=60) as answer:
            for line in answer.iter_lines(chunk_size=None):
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    message = f"the watch failed: {event['object']}"
                    raise requests.RequestException(message)
                if event["type"] != "BOOKMARK":
                    self.count.apply(event["type"], event["object"])
                self._version = event["object"]["metadata"]["resourceVersion"]
