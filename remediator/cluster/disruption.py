"""PodDisruptionBudgets: what the eviction will be asked, read beforehand so that the reason can be told."""

from __future__ import annotations

from remediator.cluster.api import ApiServer, Json
from remediator.errors import KubernetesOdd
from remediator.model.selectors import LabelSelector
from remediator.model.workloads import DisruptionBudget


class DisruptionBudgets:
    """The budgets of one cluster."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api

    def of(self, namespace: str) -> tuple[DisruptionBudget, ...]:
        """All budgets of a namespace. Raises KubernetesError."""
        items, _ = self._api.list(f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets")
        try:
            return tuple(_budget(item) for item in items)
        except (KeyError, TypeError, ValueError) as exc:
            message = f"a PodDisruptionBudget in {namespace} can't be understood: {exc!r}"
            raise KubernetesOdd(message) from exc


def _budget(item: Json) -> DisruptionBudget:
    metadata, status = item["metadata"], item.get("status") or {}
    broken = [
        c.get("message", "")
        for c in status.get("conditions") or ()
        if c["type"] == "DisruptionAllowed" and c.get("reason") == "SyncFailed"
    ]
    # In policy/v1 an empty selector selects every pod of the namespace, an absent one none.
    selector = item["spec"].get("selector")
    return DisruptionBudget(
        name=metadata["name"],
        selector=None if selector is None else LabelSelector.from_object(selector),
        allowed=int(status.get("disruptionsAllowed") or 0),
        healthy=int(status.get("currentHealthy") or 0),
        desired=int(status.get("desiredHealthy") or 0),
        expected=int(status.get("expectedPods") or 0),
        broken=broken[0] if broken else "",
        observed=int(status.get("observedGeneration") or 0) >= int(metadata.get("generation") or 0),
        always_allows_unready=item["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow",
    )
