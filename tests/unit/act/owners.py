"""Workloads of each kind with a pod that was taken from them, as the wait for its replacement meets them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from remediator.model.pods import LivePod, OwnerReference
from remediator.model.remediations import Baseline, Remediation
from remediator.model.workloads import Revisions, Workload, WorkloadRef
from tests.unit.make import NOW, UID, breach, pod, record, workload

STATEFULSET = WorkloadRef("StatefulSet", "shop", "db", "sts-uid", "apps/v1")
DAEMONSET = WorkloadRef("DaemonSet", "shop", "agent", "ds-uid", "apps/v1")
CUSTOM = WorkloadRef("CloneSet", "shop", "clones", "cs-uid", "apps.kruise.io/v1alpha1")
REVISION = "controller-revision-hash"
OLD = "db-7d9"
"""The revision that all pods were made from before the act."""


def controlled(ref: WorkloadRef, **changes: Any) -> LivePod:  # noqa: ANN401 (fields of a pod)
    """A Ready pod of that workload, on its node for a day."""
    usual: dict[str, Any] = {
        "controller": OwnerReference(ref.api_version, ref.kind, ref.name, ref.uid),
        "labels": {"app": ref.name, REVISION: OLD},
    }
    return pod(**{**usual, **changes})


def member(number: int, uid: str, *, ref: WorkloadRef = STATEFULSET, **changes: Any) -> LivePod:  # noqa: ANN401
    """A pod of a StatefulSet, by its ordinal."""
    return controlled(ref, name=f"db-{number}", uid=uid, **changes)


def agent(node: str, uid: str, *, ref: WorkloadRef = DAEMONSET, **changes: Any) -> LivePod:  # noqa: ANN401
    """A pod of a DaemonSet on that node."""
    return controlled(ref, name=f"agent-{uid}", uid=uid, node=node, **changes)


def fresh(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """What a new pod has: made and Ready just now, unless it is said otherwise."""
    return {"created_at": NOW - 9.0, "ready_since": NOW - 1.0, **changes}


def statefulset(**changes: Any) -> Workload:  # noqa: ANN401
    """A StatefulSet of three that makes its pods in order."""
    usual = workload(ref=STATEFULSET, wanted=3, ordered=True, revisions=Revisions(OLD, OLD), pods=())
    return replace(usual, **changes)


def daemonset(**changes: Any) -> Workload:  # noqa: ANN401
    """A DaemonSet on three nodes."""
    return replace(workload(ref=DAEMONSET, wanted=3, pods=()), **changes)


def custom(**changes: Any) -> Workload:  # noqa: ANN401
    """A workload of another project of which nothing but its name is known."""
    return replace(workload(ref=CUSTOM, wanted=None, selector=None, pods=()), **changes)


def of_statefulset(number: int = 1, **baseline: Any) -> Remediation:  # noqa: ANN401
    """``db-N`` was taken ten seconds ago."""
    return _record(STATEFULSET, f"db-{number}", "node-1", **baseline)


def of_daemonset(**baseline: Any) -> Remediation:  # noqa: ANN401
    """The pod on node-1 was taken ten seconds ago."""
    return _record(DAEMONSET, "agent-old", "node-1", **baseline)


def of_custom(**baseline: Any) -> Remediation:  # noqa: ANN401
    """One of its three pods was taken ten seconds ago."""
    return _record(CUSTOM, "clones-old", "node-1", **baseline)


def _record(ref: WorkloadRef, name: str, node: str, **baseline: Any) -> Remediation:  # noqa: ANN401
    usual: dict[str, Any] = {
        "pods": frozenset({UID, "peer-1", "peer-2"}),
        "wanted": 3,
        "available": 3,
        "pods_version": "40",
        "revision": OLD,
        "selector": f"app in ({ref.name})",
    }
    return record(workload=ref, breach=breach(pod=name, node=node, uid=UID), baseline=Baseline(**{**usual, **baseline}))
