"""Events: Kubernetes' own words for what went wrong with an object.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from remediator.cluster.api import ApiServer, Json
from remediator.cluster.pods import parse_time
from remediator.errors import KubernetesOdd

LATEST = 3
"""Warnings about one object that are told: the last ones."""


class Events:
    """The events of one cluster."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api

    def warnings(self, namespace: str, uids: Iterable[str], *, since: float) -> tuple[str, ...]:
        """The latest warnings about these objects, as ``Reason: message``, each once.

        Those that were seen last before ``since`` (seconds since the epoch) tell of something else. Raises
        KubernetesError.
        """
        found: dict[str, None] = {}
        for uid in uids:
            query = {"fieldSelector": f"regarding.uid={uid},type=Warning"}
            path = f"/apis/events.k8s.io/v1/namespaces/{quote(namespace, safe='')}/events"
            items, _ = self._api.list(path, query)
            try:
                latest = sorted((one for one in items if _time(one) >= since), key=_time)[-LATEST:]
                found |= dict.fromkeys(
                    f"{one.get('reason') or ''}: {(one.get('note') or '').strip()}" for one in latest
                )
            except (KeyError, TypeError, ValueError, AttributeError) as exc:
                message = f"an event in {namespace} can't be understood: {exc!r}"
                raise KubernetesOdd(message) from exc
        return tuple(found)


def _time(event: Json) -> float:
    """When it was last seen, in seconds since the epoch."""
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("deprecatedLastTimestamp"), event.get("eventTime"))
    seen = next((time for time in times if time), event["metadata"].get("creationTimestamp"))
    return parse_time(seen) or 0.0
