"""Events: Kubernetes' own words for what went wrong with an object.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from remediator.cluster.api import ApiServer, Json
from remediator.errors import KubernetesOdd

LATEST = 3
"""Warnings about one object that are told: the last ones."""


class Events:
    """The events of one cluster."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api

    def warnings(self, namespace: str, uids: Iterable[str]) -> tuple[str, ...]:
        """The latest warnings about these objects, as ``Reason: message``, each once. Raises KubernetesError."""
        found: dict[str, None] = {}
        for uid in uids:
            query = {"fieldSelector": f"regarding.uid={uid},type=Warning"}
            path = f"/apis/events.k8s.io/v1/namespaces/{quote(namespace, safe='')}/events"
            items, _ = self._api.list(path, query)
            try:
                latest = sorted(items, key=_time)[-LATEST:]
                found |= dict.fromkeys(f"{one.get('reason', '')}: {(one.get('note') or '').strip()}" for one in latest)
            except (KeyError, TypeError, AttributeError) as exc:
                message = f"an event in {namespace} can't be understood: {exc!r}"
                raise KubernetesOdd(message) from exc
        return tuple(found)


def _time(event: Json) -> str:
    """When it was last seen; API times in UTC sort as text."""
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("deprecatedLastTimestamp"), event.get("eventTime"))
    return next((str(time) for time in times if time), str(event["metadata"].get("creationTimestamp") or ""))
