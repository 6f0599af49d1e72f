"""Who is behind a Service, from moment to moment: what the users of a workload notice of a replacement."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

import requests

from tests.rig.api import Api

Json = dict[str, Any]


class Endpoints:
    """Watches the endpoints of one Service while the context lasts; ``fewest`` were ready at the worst moment.

    A restart of the API server ends it: ``fewest`` is then what was seen until then, and ``ended`` says so.
    """

    def __init__(self, api: Api, namespace: str, service: str) -> None:
        self._api = api
        self._where = (namespace, f"kubernetes.io/service-name={service}")
        self._ready: dict[str, frozenset[str]] = {}
        self._seen = threading.Event()
        self._leaving = False
        self._thread = threading.Thread(target=self._follow, name=f"endpoints-{service}", daemon=True)
        self.counts: list[int] = []
        self.ended = ""

    @property
    def fewest(self) -> int:
        """The least number of ready endpoints that was ever seen."""
        assert not self.ended, self.ended
        return min(self.counts)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._seen.wait(30), "no endpoints were seen within 30 s"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving = True

    def _follow(self) -> None:
        namespace, labels = self._where
        try:
            with self._api.watch("discovery.k8s.io/v1/endpointslices", namespace, labels=labels) as events:
                for event in events:
                    if self._leaving:
                        return
                    self._apply(event)
        except requests.RequestException as exc:
            # Read time-outs of a quiet watch as well: whoever asks for ``fewest`` has to know.
            self.ended = "" if self._leaving else f"the watch of endpoints ended: {exc}"

    def _apply(self, event: Json) -> None:
        slice_ = event["object"]
        ready = frozenset(
            endpoint["targetRef"]["uid"]
            for endpoint in slice_.get("endpoints") or ()
            if endpoint["conditions"].get("ready")
        )
        self._ready[slice_["metadata"]["name"]] = frozenset() if event["type"] == "DELETED" else ready
        self.counts.append(len(frozenset().union(*self._ready.values())))
        self._seen.set()
