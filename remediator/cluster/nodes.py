"""Nodes: whether a pod that is deleted there would ever end.

Source: https://kubernetes.io/docs/reference/node/node-status/#condition
"""

from __future__ import annotations

from urllib.parse import quote

from remediator.cluster.api import ApiServer, Json
from remediator.errors import KubernetesOdd, KubernetesRefused
from remediator.model.nodes import Node, Taint


class Nodes:
    """The nodes of one cluster; where they may not be read (``readable``), nothing is asked."""

    def __init__(self, api: ApiServer, *, readable: bool) -> None:
        self._api = api
        self._readable = readable

    def read(self, name: str) -> Node | None:
        """The node of that name now; None where there is none. Raises KubernetesError."""
        if not self._readable:
            return Node(name, readable=False)
        try:
            found = self._api.find(f"/api/v1/nodes/{quote(name, safe='')}")
        except KubernetesRefused as exc:
            if not exc.forbidden:
                raise
            message = (
                f"{exc}; the right to `get` nodes is missing (deploy/rbac.yaml has it); where it can't be given, "
                "set REMEDIATOR_NODES=false, and the Ready condition of a pod alone tells of its node"
            )
            raise KubernetesRefused(message, status=exc.status) from exc
        try:
            return None if found is None else _node(found)
        except (KeyError, TypeError, AttributeError) as exc:
            message = f"node {name}: the API server's object can't be understood: {exc!r}"
            raise KubernetesOdd(message) from exc


def _node(found: Json) -> Node:
    metadata, conditions = found["metadata"], (found.get("status") or {}).get("conditions") or ()
    taints = (found.get("spec") or {}).get("taints") or ()
    ready: Json = next((c for c in conditions if c["type"] == "Ready"), {})
    words = f"{ready.get('reason', '')}: {ready.get('message', '')}".strip(": ") or "it has not said that it is Ready"
    return Node(
        metadata["name"],
        not_ready="" if ready.get("status") == "True" else words,
        labels=metadata.get("labels") or {},
        taints=tuple(Taint(t["key"], t.get("value") or "", t.get("effect") or "") for t in taints),
    )
