"""Stage two: what the pod itself says."""

from __future__ import annotations

from collections.abc import Mapping

from remediator.model.measures import Breach, Veto
from remediator.model.pods import LivePod
from remediator.model.vocabulary import ANNOTATIONS, EVICTION_IN_PROGRESS, Reason
from remediator.model.workloads import WorkloadRef
from remediator.policy import Policy
from remediator.policy.durations import format_duration
from remediator.policy.words import quote

OPT_OUT = f"{ANNOTATIONS}/opt-out"
MIRROR = "kubernetes.io/config.mirror"
GROUPS = (
    "scheduling.x-k8s.io/pod-group",
    "pod-group.scheduling.sigs.k8s.io",
    "scheduling.k8s.io/group-name",
    "scheduling.volcano.sh/group-name",
    "kueue.x-k8s.io/pod-group-name",
    "gang.scheduling.koordinator.sh/name",
)
"""Labels and annotations by which schedulers are told that pods start together or not at all."""


def about_pod(
    breach: Breach, *, pod: LivePod, owner: WorkloadRef | None, policy: Policy, now: float
) -> tuple[Veto, ...]:
    """Every veto of this stage; ``now`` in seconds since the epoch."""
    vetoes = (
        opted_out(pod.annotations, f"pod {pod.name}"),
        replaced(breach, pod),
        terminating(pod),
        not_running(pod),
        too_young(pod, policy, now),
        resize_in_progress(pod),
        unsupported_owner(pod),
        no_controller(pod, owner),
    )
    return tuple(veto for veto in vetoes if veto)


def opted_out(annotations: Mapping[str, str], what: str) -> Veto | None:
    """Our own mark: every value but ``false`` opts out, a misspelt ``ture`` as well."""
    value = annotations.get(OPT_OUT)
    if value is not None and value != "false":
        return Veto(Reason.OPTED_OUT, f"{what} has the annotation {OPT_OUT}: {quote(value)}")
    return None


def replaced(breach: Breach, pod: LivePod) -> Veto | None:
    """The pod that was measured is the pod that goes."""
    if pod.uid != breach.uid:
        return Veto(Reason.REPLACED_SINCE_SAMPLE, f"{breach.uid} was measured, {pod.uid} is there now")
    return None


def terminating(pod: LivePod) -> Veto | None:
    """Somebody else is taking it already."""
    if pod.terminating:
        return Veto(Reason.TERMINATING, "its deletion has been asked for")
    if pod.disruption_target:
        return Veto(Reason.TERMINATING, f"it is about to be terminated: {pod.disruption_target}")
    if EVICTION_IN_PROGRESS in pod.annotations:
        return Veto(Reason.TERMINATING, f"its eviction has begun: annotation {EVICTION_IN_PROGRESS}")
    return None


def not_running(pod: LivePod) -> Veto | None:
    """Memory of a pod that does not run frees nothing."""
    if pod.phase != "Running":
        return Veto(Reason.NOT_RUNNING, f"its phase is {pod.phase or 'unknown'}")
    return None


def too_young(pod: LivePod, policy: Policy, now: float) -> Veto | None:
    """What has just started may still be warming up, and a restart would only start that anew."""
    started = [container.started_at for container in pod.containers if container.started_at is not None]
    if not started:
        return None
    age = now - max(started)
    if age < policy.min_age:
        detail = f"its youngest container started {age:.0f} s ago, minAge is {format_duration(policy.min_age)}"
        return Veto(Reason.TOO_YOUNG, detail)
    return None


def resize_in_progress(pod: LivePod) -> Veto | None:
    """The limit is changing under it. One that is only pending is no reason to wait: the limit in force counts."""
    if pod.resizing:
        return Veto(Reason.RESIZE_IN_PROGRESS, f"a resize in place is being carried out: {pod.resizing}")
    return None


def no_controller(pod: LivePod, owner: WorkloadRef | None) -> Veto | None:
    """Nobody would make another one."""
    if pod.controller is None:
        return Veto(Reason.NO_CONTROLLER, "no controller would replace it")
    if owner is None:
        return Veto(Reason.NO_CONTROLLER, f"its {pod.controller.kind} {pod.controller.name} is gone")
    return None


def unsupported_owner(pod: LivePod) -> Veto | None:
    """Static pods, members of a group and what runs to an end, as Jobs' pods do, are nobody's to replace one by one.

    Workflows, pipelines, Spark and CI runners have controllers of their own kinds: their pods are known by their
    restart policy, because whatever is kept running has no other one than Always.
    Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
    """
    kind = pod.controller.kind if pod.controller else ""
    if kind == "Node" or MIRROR in pod.annotations:
        return Veto(Reason.UNSUPPORTED_OWNER, f"a static pod of node {pod.node}")
    if kind == "Job":
        return Veto(Reason.UNSUPPORTED_OWNER, "a pod of a Job, whose work would be lost")
    # (Of a bare pod it is said that nobody would make another one.)
    if kind and pod.restart_policy != "Always":
        detail = (
            f"a pod of a {kind} that runs to an end (restartPolicy {pod.restart_policy}), and its work would be lost"
        )
        return Veto(Reason.UNSUPPORTED_OWNER, detail)
    if group := _group(pod):
        return Veto(Reason.UNSUPPORTED_OWNER, f"a member of the pod group {group}")
    return None


def _group(pod: LivePod) -> str:
    marks = (told.get(key) for key in GROUPS for told in (pod.labels, pod.annotations))
    return pod.pod_group or next(filter(None, marks), "")
