"""Why a replacement is not there yet, in Kubernetes' own words where it has any. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.model.pods import LivePod
from remediator.model.workloads import Workload

_NEEDS_A_HAND = frozenset(
    {
        "CreateContainerConfigError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
"""Reasons of a waiting container that time alone does not mend.

Source: ``pkg/kubelet/images/types.go`` and ``pkg/kubelet/kuberuntime/kuberuntime_container.go`` of Kubernetes 1.36.
"""


def why_not_ready(workload: Workload, new: Sequence[LivePod]) -> str:
    """One sentence about the replacement of one pod; ``new`` are the pods that may become it and are not available."""
    living = [pod for pod in new if not pod.finished and not pod.terminating]
    for pod in living:
        if words := _words(pod):
            return f"{pod.name}: {words}"
    if living:
        what = "available" if any(pod.ready_since for pod in living) else "Ready"
        return f"{', '.join(sorted(pod.name for pod in living))} {'is' if len(living) == 1 else 'are'} not {what}"
    if workload.creation_failure:
        return workload.creation_failure
    return f"{workload.ref} has not made a new pod"


def hopeless(workload: Workload, new: Sequence[LivePod]) -> float | None:
    """Since when nothing but somebody's hand can help (seconds since the epoch); None while time may.

    As long as one of the new pods may still become Ready, there is hope.
    """
    living = [pod for pod in new if not pod.finished and not pod.terminating]
    if not living:
        return workload.creation_failed_at if workload.creation_failure else None
    if all(_is_lost(pod) for pod in living):
        return max(pod.created_at for pod in living)
    return None


def _is_lost(pod: LivePod) -> bool:
    waiting = (pod.initializing, *(container.waiting for container in pod.containers))
    return bool(pod.unschedulable) or any(words.partition(":")[0] in _NEEDS_A_HAND for words in waiting)


def _words(pod: LivePod) -> str:
    if pod.unschedulable:
        return f"Unschedulable: {pod.unschedulable}"
    if pod.initializing:
        return f"an init container: {pod.initializing}"
    waiting = next((f"container {c.name}: {c.waiting}" for c in pod.containers if c.waiting), "")
    return waiting or pod.unready
