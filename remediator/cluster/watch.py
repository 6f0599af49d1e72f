"""Following a workload's pods by watch: reconnected on a drop, listed anew on 410, ended on silence.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias

from remediator.cluster.api import ApiServer, Json, Stream
from remediator.cluster.pods import Pods, parse_pod
from remediator.errors import KubernetesError, KubernetesOdd, KubernetesRefused, Status
from remediator.model.pods import LivePod
from remediator.pulse import Pulse

SILENCE = 75.0
"""Seconds without a byte: bookmarks come about once a minute, so the connection is dead."""
HANGS = SILENCE + 15
"""Seconds without an event or a new stream, after which the watch itself is not believed any more."""
SERVER_TIMEOUT = 300
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_EXPIRED = 410


@dataclass(frozen=True, slots=True)
class Seen:
    """A pod was added or changed."""

    pod: LivePod


@dataclass(frozen=True, slots=True)
class Gone:
    """A pod's object was removed."""

    pod: LivePod


@dataclass(frozen=True, slots=True)
class Listed:
    """All pods as they are, after events were lost."""

    pods: tuple[LivePod, ...]


Change: TypeAlias = Seen | Gone | Listed


class PodWatch:
    """A watch in a thread of its own, from a list's resourceVersion on; use it as a context manager."""

    def __init__(
        self, api: ApiServer, pods: Pods, *, namespace: str, selector: str, version: str, pulse: Pulse
    ) -> None:
        self._api = api
        self._pods = pods
        self._namespace = namespace
        self._selector = selector
        self._version = version
        self._changes: queue.SimpleQueue[Change] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._stream: Stream | None = None
        self._pulse = pulse
        self._problem = ""
        self._moved = time.monotonic()
        self._thread = threading.Thread(target=self._follow, name=f"watch-{namespace}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._stream is not None:
            self._stream.stop()

    @property
    def problem(self) -> str:
        """Why no stream is up, or that nothing comes from it, not even a bookmark; empty while all is well."""
        still = time.monotonic() - self._moved
        return self._problem or (f"it has been silent for {still:.0f} s" if still > HANGS else "")

    def next(self, timeout: float) -> Change | None:
        """The next change; None when there was none in that many seconds."""
        try:
            return self._changes.get(timeout=max(timeout, 0.0))
        except queue.Empty:
            return None

    def _follow(self) -> None:
        with self._pulse.working(f"the watch of {self._namespace}"):
            self._keep_up()

    def _keep_up(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._read_stream()
                # A server that closes at once must not be asked in a loop.
                lasted = time.monotonic() - began > 1
                pause = _FIRST_PAUSE if lasted else min(pause * 2, _LONGEST_PAUSE)
            except KubernetesError as exc:
                self._problem = str(exc)
                if isinstance(exc, KubernetesRefused) and exc.status.code == _EXPIRED:
                    self._version = ""
                else:
                    pause = min(pause * 2, _LONGEST_PAUSE)
            self._beat()
            self._stopping.wait(pause)

    def _beat(self) -> None:
        self._moved = time.monotonic()
        self._pulse.beat()

    def _read_stream(self) -> None:
        if not self._version:
            pods, self._version = self._pods.select(self._namespace, self._selector)
            self._changes.put(Listed(pods))
        query = {"resourceVersion": self._version, "allowWatchBookmarks": "true", "timeoutSeconds": str(SERVER_TIMEOUT)}
        if self._selector:
            query["labelSelector"] = self._selector
        path = f"/api/v1/namespaces/{self._namespace}/pods"
        self._stream = self._api.watch(path, query, silence=SILENCE)
        self._problem = ""
        if self._stopping.is_set():
            self._stream.stop()
        for kind, item in self._stream:
            self._take(kind, item)

    def _take(self, kind: str, item: Json) -> None:
        self._beat()
        if not isinstance(item, dict):
            message = f"the watch sent an event whose object is none: {item!r}"[:200]
            raise KubernetesOdd(message)
        if kind == "ERROR":
            code = int(item.get("code") or 0)
            message = str(item.get("message", "the watch failed"))
            raise KubernetesRefused(message, status=Status(code=code, message=message))
        if kind != "BOOKMARK":
            pod = parse_pod(item)
            self._changes.put(Gone(pod) if kind == "DELETED" else Seen(pod))
        self._version = str((item.get("metadata") or {}).get("resourceVersion") or self._version)
