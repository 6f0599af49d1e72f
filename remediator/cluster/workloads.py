"""What a workload of the apps group says of itself: how many pods it wants, and from which template it makes them.

Source of the fields: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/
"""

from __future__ import annotations

from dataclasses import replace

from remediator.cluster.api import Json
from remediator.cluster.containers import kept_running
from remediator.cluster.placement import parse_placement
from remediator.cluster.pods import parse_time
from remediator.model.selectors import LabelSelector
from remediator.model.workloads import Revisions, Workload, WorkloadRef

_ON_DELETE = "OnDelete"


def parse_workload(ref: WorkloadRef, found: Json) -> Workload:
    """The workload without its pods. Raises KeyError, TypeError, ValueError, AttributeError for an odd object."""
    metadata, spec, status = found["metadata"], found["spec"], found.get("status") or {}
    failed: Json = next((c for c in status.get("conditions") or () if _is_failure(c)), {})
    template = (spec.get("template") or {}).get("spec") or {}
    common = Workload(
        ref=ref,
        wanted=_wanted(spec),
        selector=LabelSelector.from_object(spec["selector"]),
        min_ready_seconds=int(spec.get("minReadySeconds") or 0),
        creation_failure=f"{failed.get('reason', '')}: {failed.get('message', '')}" if failed else "",
        creation_failed_at=parse_time(failed.get("lastTransitionTime")) or 0.0,
        annotations=metadata.get("annotations") or {},
        is_ending="deletionTimestamp" in metadata,
    )
    match ref.kind:
        case "StatefulSet":
            more = _statefulset(spec, status)
        case "DaemonSet":
            more = _daemonset(spec, status, template)
        case "Deployment":
            more = {"rollout": _deployment_rollout(spec, status), "never_more": _never_more(spec)}
        case "ReplicaSet":
            more = {"images": _images(template)}
        case _:
            more = {}
    generation, observed = metadata.get("generation", 0), status.get("observedGeneration", 0)
    if observed < generation:
        more["rollout"] = f"its controller has seen generation {observed} of {generation}"
    return replace(common, **more)


def _is_failure(condition: Json) -> bool:
    return bool(condition["type"] == "ReplicaFailure" and condition["status"] == "True")


def _wanted(spec: Json) -> int:
    return int(spec.get("replicas", 1))


def _deployment_rollout(spec: Json, status: Json) -> str:
    """Paused or not: an eviction would let the ReplicaSet of another template refill."""
    wanted, updated = _wanted(spec), int(status.get("updatedReplicas") or 0)
    if updated != wanted:
        return f"{updated} of {wanted} replicas have the newest template"
    # With a surge all of the new ones may be there, un-Ready, beside the old ones.
    if (old := int(status.get("replicas") or 0) - updated) > 0:
        return f"{old} pods of an older template are still there"
    return ""


def _never_more(spec: Json) -> str:
    """Why its author does not want a pod more than ``replicas``, not even during a rollout."""
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return "its strategy is Recreate"
    surge = (strategy.get("rollingUpdate") or {}).get("maxSurge", 1)
    return f"its maxSurge is {surge}" if str(surge) in {"0", "0%"} else ""


def _statefulset(spec: Json, status: Json) -> Json:
    strategy = spec.get("updateStrategy") or {}
    on_delete = strategy.get("type") == _ON_DELETE
    first = int((spec.get("ordinals") or {}).get("start") or 0)
    held = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    current, update = status.get("currentRevision") or "", status.get("updateRevision") or ""
    updated, due = int(status.get("updatedReplicas") or 0), max(_wanted(spec) - held, 0)
    rolling = current != update and not on_delete and (held == 0 or updated < due)
    return {
        # The controller counts its partition from the first ordinal.
        "revisions": Revisions(current, update, first + held, on_delete),
        "first_ordinal": first,
        "ordered": spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady",
        "rollout": f"revision {update} is replacing {current}" if rolling else "",
    }


def _images(template: Json) -> Json:
    """By container, of those that keep running."""
    return {one["name"]: one.get("image", "") for one in kept_running({"containers": (), **template})}


def _daemonset(spec: Json, status: Json, template: Json) -> Json:
    wanted, updated = int(status.get("desiredNumberScheduled") or 0), int(status.get("updatedNumberScheduled") or 0)
    on_delete = (spec.get("updateStrategy") or {}).get("type") == _ON_DELETE
    rolling = updated < wanted and not on_delete
    return {
        "wanted": wanted,
        "outdated": max(wanted - updated, 0),
        "placement": parse_placement(template),
        "rollout": f"{updated} of {wanted} nodes have the newest template" if rolling else "",
    }
