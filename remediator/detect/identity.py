"""Whose a series is: pure.

A name is no identity: a successor has it, another cluster has it, and Prometheus shows the dead for five minutes.
cAdvisor's ``name`` is the container ID and its ``id`` the cgroup path, with the pod's UID in it (the systemd driver
writes ``-`` as ``_``). Where relabelling dropped both, the node has to agree and time has to tell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from remediator.errors import MeasurementError
from remediator.model.measures import Series, Veto
from remediator.model.pods import LivePod
from remediator.model.vocabulary import Reason

Samples = Sequence[tuple[float, float]]

OWN = ""
"""Stands for the pod's own cgroup where others have the name of a container, as in cAdvisor's labels."""
_CLUSTER = re.compile(r"((k8s|kube|kubernetes)_)?cluster(_?(name|id))?", re.IGNORECASE)
"""Names that a cluster goes by as an external label; cAdvisor and kube-state-metrics have none of them."""


def names_a_cluster(label: str) -> bool:
    """Whether a label is one by which the series of several clusters are told apart."""
    return _CLUSTER.fullmatch(label) is not None


def one_cluster(series: Sequence[Series], pod: LivePod) -> None:
    """Raise MeasurementError, with the matcher to set, where the series belong to more than one cluster."""
    found: dict[str, set[str]] = {}
    for one in series:
        for label, value in one.labels.items():
            if names_a_cluster(label):
                found.setdefault(label, set()).add(value)
    for label, values in sorted(found.items()):
        if len(values) > 1:
            first, *_ = names = sorted(values)
            message = (
                f"pod {pod.namespace}/{pod.name} is measured in several clusters ({', '.join(names)}): "
                f'set REMEDIATOR_MATCHERS to the one that this is, for example {label}="{first}"'
            )
            raise MeasurementError(message)


def of_container(series: Series, pod: LivePod) -> Samples | Veto:
    """The samples that are certainly of the container that a series is named after, as it runs now."""
    labels = series.labels
    name = labels.get("container", "")
    container = next((c for c in pod.containers if c.name == name), None)
    if container is None or not container.running or container.started_at is None:
        return _stranger(f"container {name!r} does not run in the pod now")
    cgroup, runtime_id = labels.get("id", ""), labels.get("name", "")
    if cgroup and not _holds_uid(cgroup, pod):
        return _stranger(f"container {name}: the samples are of another pod of that name, {cgroup}")
    if runtime_id and runtime_id != container.id:
        return _stranger(f"container {name} has restarted since: the samples are of its past")
    if container.id in cgroup and container.id not in cgroup.rpartition("/")[2]:
        return _stranger(f"container {name}: the samples are of a part of it, {cgroup}")
    if runtime_id or container.id in cgroup:
        return series.samples
    if cgroup and not _holds_uid(cgroup.rpartition("/")[2], pod):
        # Beneath the pod's own path each container has one of its own, and this one's is another.
        return _stranger(f"container {name}: the samples are of another container of the pod, {cgroup}")
    if not cgroup and (doubt := _elsewhere(series, pod)):
        return _stranger(f"container {name}: {doubt}")
    return _since(container.started_at, series)


def of_pod(series: Series, pod: LivePod) -> Samples | Veto:
    """The samples that are certainly of the pod's own cgroup, which holds all of its containers.

    Its path ends with the UID, which no other cgroup's does. Without a path, whatever carries the pod's name on the
    pod's node is the pod or a part of it, since all that runs in it now was started.
    """
    labels = series.labels
    if labels.get("name") or labels.get("image"):
        return _stranger("the pod as a whole: the samples are of a container without a name")
    cgroup = labels.get("id", "")
    if cgroup:
        head, _, uid = cgroup.rpartition("/")[2].removesuffix(".slice").rpartition("pod")
        if uid in {pod.uid, pod.uid.replace("-", "_")} and head[-1:] in {"", "-"}:
            return series.samples
        return _stranger(f"the pod as a whole: the samples are of another cgroup, {cgroup}")
    if doubt := _elsewhere(series, pod):
        return _stranger(f"the pod as a whole: {doubt}")
    starts = [one.started_at for one in pod.containers if one.running and one.started_at is not None]
    return _since(max(starts), series) if starts else _stranger("the pod as a whole: none of its containers runs now")


def _holds_uid(cgroup: str, pod: LivePod) -> bool:
    return pod.uid in cgroup or pod.uid.replace("-", "_") in cgroup


def _elsewhere(series: Series, pod: LivePod) -> str:
    """Why a series without a path is not known to be of the pod's node; empty where it is."""
    node = series.labels.get("node", "")
    if node == pod.node:
        return ""
    seen = node or "no label tells of which node"
    return f"can't tell whether the samples are of this pod (it is on {pod.node}; {seen})"


def _since(started: float, series: Series) -> Samples:
    # The start has whole seconds only: a sample of that second may be the predecessor's.
    return [sample for sample in series.samples if not sample[0] <= started]


def _stranger(detail: str) -> Veto:
    return Veto(Reason.REPLACED_SINCE_SAMPLE, detail)
