"""Which probe or gate keeps a pod from being Ready.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-readiness-gate
"""

from __future__ import annotations

from remediator.cluster.api import Json
from remediator.cluster.containers import with_status


def why_unready(spec: Json, status: Json) -> str:
    """In one sentence; empty where all containers are ready and all gates are open, or nothing runs yet."""
    for container, seen in with_status(spec, status):
        if seen.get("ready") or not (seen.get("state") or {}).get("running"):
            continue
        if container.get("startupProbe") and not seen.get("started"):
            return f"container {container['name']}: its startup probe has not passed"
        if container.get("readinessProbe"):
            return f"container {container['name']}: its readiness probe has not passed"
        return f"container {container['name']} is not ready"
    passed = {c["type"] for c in status.get("conditions") or () if c["status"] == "True"}
    gates = [gate["conditionType"] for gate in spec.get("readinessGates") or ()]
    closed = [gate for gate in gates if gate not in passed]
    return f"the readiness gate {closed[0]} is not open" if closed else ""
