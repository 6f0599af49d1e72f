"""Can the node of a DaemonSet's pod have another one? Without that, none is to be waited for."""

from __future__ import annotations

from collections.abc import Iterable

from remediator.cluster.nodes import Nodes
from remediator.model.pods import LivePod
from remediator.model.remediations import Remediation
from remediator.model.workloads import Workload


def why_unfit(record: Remediation, workload: Workload, pods: Iterable[LivePod], nodes: Nodes) -> str:
    """Why it can't, empty where it can or where the workload is no DaemonSet; ``pods`` are the workload's.

    Raises KubernetesError.
    """
    if not record.workload.is_a("DaemonSet"):
        return ""
    name = record.breach.node
    node = nodes.read(name)
    if node is None:
        return f"node {name} is gone"
    if node.readable:
        return workload.placement.objection(node)
    # Fewer are wanted, and all of those are elsewhere. That fewer are wanted says alone that some node has left.
    elsewhere = {pod.node for pod in pods if pod.node != name and not pod.finished and not pod.terminating}
    if workload.wanted is None or workload.wanted >= record.baseline.wanted or len(elsewhere) < workload.wanted:
        return ""
    return f"{workload.ref} wants {workload.wanted} pods now, and has them on other nodes than {name}"
