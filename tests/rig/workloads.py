"""Manifests of workloads whose memory, readiness and end are simulated, for `Api.create`.

How a pod behaves is said by annotations `rig.remediator.dev/...` of the pod, which kwok.yaml acts upon. All
of them can be set in a manifest and changed on a live pod with `Api.annotate`; a pod that is replaced starts
again with those of its template.

| annotation | meaning |
|---|---|
| `memory` | bytes used (a quantity; 16Mi without it); `memory.CONTAINER` for one |
| `leak` | bytes more (a quantity) each second since the container's start; `leak.CONTAINER` for one |
| `swing` | bytes more (a quantity) at the top of a saw-tooth: it rises evenly, and falls back at once |
| `swing-period` | whole seconds from one tooth to the next (30 without it) |
| `swing-after` | whole seconds from the container's start to the first tooth (0 without it) |
| `swing-shape` | `burst`: it rises at once instead, and falls evenly |
| `noise` | bytes more at most (a quantity): each second another share of it, and always the same ones |
| `memory-max` | the bytes that all of this does not exceed |
| `ready-delay` | whole seconds from start to Ready (1 without it) |
| `never-ready` | `true`: the pod turns and stays un-Ready (a node as well) |
| `never-start` | `true`: the pod stays Pending, without containers |
| `restart` | how often the containers have been restarted; raise it, and they restart with new IDs |
| `restart-reason` | why they did, for the last state (`OOMKilled` without it) |
| `delete-delay` | whole seconds from the delete to the end, or `never` (0 without it) |
| `complete-delay` | seconds from Ready to Succeeded for a Job's pod, or `never` (1 without it) |
| `resize` | `deferred`: a resize of the pod stays pending |
| `pod-ip` | the pod's address |
| `memory.SIDECAR` | the bytes of the first native sidecar, which all that is above does not concern |
| `cgroup-driver` | `cgroupfs`: the form of the `id` label (systemd without it) |
"""

from typing import Any, TypedDict, Unpack

Json = dict[str, Any]

PREFIX = "rig.remediator.dev/"
IMAGE = "registry.example/app:1.0"


class Template(TypedDict, total=False):
    """The arguments of `template` that the workloads pass on."""

    limit: str | None
    memory: str | None
    leak: str | None
    annotations: dict[str, str] | None
    labels: dict[str, str] | None
    containers: list[Json] | None
    spec: Json | None


def behaviour(**annotations: str | int | None) -> dict[str, str]:
    """The rig's annotations: `behaviour(memory="64Mi", never_ready="true")`; None leaves one out."""
    return {f"{PREFIX}{key.replace('_', '-')}": str(value) for key, value in annotations.items() if value is not None}


def container(name: str = "app", *, limit: str | None = "256Mi", image: str = IMAGE) -> Json:
    """A container with a memory limit (and a request of the same), or with none. It passes `restricted`."""
    resources = {"limits": {"memory": limit}, "requests": {"memory": limit}} if limit else {}
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {"name": name, "image": image, "resources": resources, "securityContext": security}


def template(
    name: str,
    *,
    limit: str | None = "256Mi",
    memory: str | None = None,
    leak: str | None = None,
    annotations: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    containers: list[Json] | None = None,
    spec: Json | None = None,
) -> Json:
    """A pod template labelled `app=NAME`, of one container `app` or the given ones and more `spec`."""
    return {
        "metadata": {
            "labels": {"app": name, **(labels or {})},
            "annotations": {**behaviour(memory=memory, leak=leak), **(annotations or {})},
        },
        "spec": {"containers": containers or [container(limit=limit)], **(spec or {})},
    }


def deployment(
    name: str,
    namespace: str,
    *,
    replicas: int = 1,
    strategy: Json | None = None,
    paused: bool = False,
    **pod: Unpack[Template],
) -> Json:
    """A Deployment; further arguments are those of `template`."""
    spec = {"replicas": replicas, "paused": paused, **({"strategy": strategy} if strategy else {})}
    return _workload("Deployment", name, namespace, spec, pod)


def replicaset(name: str, namespace: str, *, replicas: int = 1, **pod: Unpack[Template]) -> Json:
    """A bare ReplicaSet; further arguments are those of `template`."""
    return _workload("ReplicaSet", name, namespace, {"replicas": replicas}, pod)


def statefulset(
    name: str,
    namespace: str,
    *,
    replicas: int = 1,
    update: str = "RollingUpdate",
    parallel: bool = False,
    **pod: Unpack[Template],
) -> Json:
    """A StatefulSet, updated by RollingUpdate or OnDelete; further arguments are those of `template`."""
    spec = {
        "replicas": replicas,
        "serviceName": name,
        "updateStrategy": {"type": update},
        "podManagementPolicy": "Parallel" if parallel else "OrderedReady",
    }
    return _workload("StatefulSet", name, namespace, spec, pod)


def daemonset(name: str, namespace: str, *, update: str = "RollingUpdate", **pod: Unpack[Template]) -> Json:
    """A DaemonSet, updated by RollingUpdate or OnDelete; further arguments are those of `template`."""
    return _workload("DaemonSet", name, namespace, {"updateStrategy": {"type": update}}, pod)


def job(name: str, namespace: str, *, parallelism: int = 1, **pod: Unpack[Template]) -> Json:
    """A Job whose pods succeed after `complete-delay`; further arguments are those of `template`."""
    pod["spec"] = {"restartPolicy": "Never", **(pod.get("spec") or {})}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"parallelism": parallelism, "completions": parallelism, "template": template(name, **pod)},
    }


def pod(name: str, namespace: str, **parts: Unpack[Template]) -> Json:
    """A pod that nobody owns; arguments are those of `template`."""
    made = template(name, **parts)
    made["metadata"] |= {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", **made}


def pdb(
    name: str,
    namespace: str,
    *,
    app: str | None = None,
    min_available: int | str | None = None,
    max_unavailable: int | str | None = None,
    unready: str | None = None,
) -> Json:
    """A disruption budget for the pods labelled `app=APP` (of the same name, where not given).

    `unready` is its policy for pods that are not Ready.
    """
    limits = {"minAvailable": min_available, "maxUnavailable": max_unavailable, "unhealthyPodEvictionPolicy": unready}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": {"app": app or name}},
            **{key: value for key, value in limits.items() if value is not None},
        },
    }


def _workload(kind: str, name: str, namespace: str, spec: Json, pod: Template) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {**spec, "selector": {"matchLabels": {"app": name}}, "template": template(name, **pod)},
    }
