"""Where the pods of a DaemonSet may be, and for which node one of them was made.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#how-daemon-pods-are-scheduled
"""

from __future__ import annotations

from remediator.cluster.api import Json
from remediator.model.placement import (
    DAEMON_TOLERATIONS,
    HOST_NETWORK_TOLERATION,
    NodeRequirement,
    Placement,
    Toleration,
)

_NAME = "metadata.name"


def parse_placement(spec: Json) -> Placement:
    """Of a template's pod spec. Raises KeyError, TypeError, AttributeError where it is odd."""
    terms = _terms(spec)
    added = (*DAEMON_TOLERATIONS, *((HOST_NETWORK_TOLERATION,) if spec.get("hostNetwork") else ()))
    written = tuple(
        Toleration(
            one.get("key") or "", one.get("operator") or "Equal", one.get("value") or "", one.get("effect") or ""
        )
        for one in spec.get("tolerations") or ()
    )
    return Placement(
        node_name=spec.get("nodeName") or "",
        node_selector=spec.get("nodeSelector") or {},
        terms=None if terms is None else tuple(map(_requirements, terms)),
        tolerations=(*written, *added),
    )


def made_for(spec: Json) -> str:
    """The node that a pod is on or, while it is on none, the only one that it can get on; empty where any will do.

    A DaemonSet makes a pod for one node, and leaves it to the scheduler to put it there. Raises as parse_placement.
    """
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    for term in _terms(spec) or ():
        for one in term.get("matchFields") or ():
            if (one["key"], one["operator"]) == (_NAME, "In") and len(one.get("values") or ()) == 1:
                return str(one["values"][0])
    return ""


def _terms(spec: Json) -> list[Json] | None:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required: Json | None = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return None if required is None else list(required.get("nodeSelectorTerms") or ())


def _requirements(term: Json) -> tuple[NodeRequirement, ...]:
    return tuple(
        NodeRequirement(one["key"], one["operator"], tuple(one.get("values") or ()), of_name=of_name)
        for of_name, part in ((False, "matchExpressions"), (True, "matchFields"))
        for one in term.get(part) or ()
    )
