"""Objects as the API server of Kubernetes 1.36 gives them, shortened of what nobody reads."""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]

UID = "0a1b2c3d-1111-2222-3333-444455556666"


def pod_object(**metadata: Any) -> Json:  # noqa: ANN401 (fields of the metadata)
    """A running pod of a Deployment with a native sidecar, an init container that has ended, and managed fields."""
    return copy.deepcopy(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "web-5d4f-abcde",
                "generateName": "web-5d4f-",
                "namespace": "shop",
                "uid": UID,
                "resourceVersion": "4711",
                "generation": 1,
                "creationTimestamp": "2026-11-25T10:00:00Z",
                "labels": {"app": "web", "pod-template-hash": "5d4f"},
                "annotations": {"example.com/note": "x"},
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Thing", "name": "t", "uid": "t-uid"},
                    {
                        "apiVersion": "apps/v1",
                        "kind": "ReplicaSet",
                        "name": "web-5d4f",
                        "uid": "rs-uid",
                        "controller": True,
                        "blockOwnerDeletion": True,
                    },
                ],
                "finalizers": ["example.com/held"],
                "managedFields": [{"manager": "kubelet", "operation": "Update"}],
                **metadata,
            },
            "spec": {
                "nodeName": "node-1",
                "terminationGracePeriodSeconds": 45,
                "restartPolicy": "Always",
                "initContainers": [
                    {"name": "setup", "image": "setup:1", "resources": {"limits": {"memory": "8Gi"}}},
                    {
                        "name": "proxy",
                        "image": "proxy:1",
                        "restartPolicy": "Always",
                        "resources": {"limits": {"memory": "64Mi"}},
                    },
                ],
                "containers": [
                    {
                        "name": "app",
                        "image": "app:1",
                        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"memory": "512Mi"}},
                    },
                    {"name": "free", "image": "free:1", "resources": {}},
                ],
            },
            "status": {
                "phase": "Running",
                "observedGeneration": 1,
                "conditions": [
                    {
                        "type": "PodReadyToStartContainers",
                        "status": "True",
                        "lastProbeTime": None,
                        "lastTransitionTime": "2026-11-25T10:00:01Z",
                    },
                    {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-25T10:00:00Z"},
                    {
                        "type": "Ready",
                        "status": "True",
                        "lastProbeTime": None,
                        "lastTransitionTime": "2026-11-25T10:00:05Z",
                    },
                ],
                "initContainerStatuses": [
                    {
                        "name": "setup",
                        "state": {"terminated": {"exitCode": 0, "reason": "Completed"}},
                        "containerID": "containerd://5e709",
                        "restartCount": 0,
                    },
                    {
                        "name": "proxy",
                        "state": {"running": {"startedAt": "2026-11-25T10:00:02Z"}},
                        "containerID": "containerd://p40c1",
                        "restartCount": 1,
                        "resources": {"limits": {"memory": "64Mi"}},
                    },
                ],
                "containerStatuses": [
                    {
                        "name": "app",
                        "state": {"running": {"startedAt": "2026-11-25T10:00:03Z"}},
                        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                        "ready": True,
                        "restartCount": 2,
                        "containerID": "containerd://c0ffee",
                        "image": "docker.io/library/app:1",
                        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"memory": "512Mi"}},
                    },
                    {
                        "name": "free",
                        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                        "restartCount": 5,
                        "containerID": "containerd://dead",
                    },
                ],
            },
        }
    )


def deployment_object() -> Json:
    """A Deployment of three that rolls nothing out."""
    return copy.deepcopy(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "web",
                "namespace": "shop",
                "uid": "dep-uid",
                "resourceVersion": "90",
                "generation": 4,
                "labels": {"team": "shop"},
                "annotations": {"remediator.dev/opt-out": "false"},
            },
            "spec": {"replicas": 3, "minReadySeconds": 5, "selector": {"matchLabels": {"app": "web"}}, "template": {}},
            "status": {
                "observedGeneration": 4,
                "replicas": 3,
                "updatedReplicas": 3,
                "readyReplicas": 3,
                "availableReplicas": 3,
                "conditions": [
                    {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "fine"},
                    {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": "done"},
                ],
            },
        }
    )


def replicaset_object() -> Json:
    """The Deployment's ReplicaSet."""
    return copy.deepcopy(
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": "web-5d4f",
                "namespace": "shop",
                "uid": "rs-uid",
                "resourceVersion": "91",
                "generation": 2,
                "ownerReferences": [
                    {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "dep-uid", "controller": True}
                ],
            },
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web", "pod-template-hash": "5d4f"}}},
            "status": {"observedGeneration": 2, "replicas": 3},
        }
    )


def list_of(*items: Json, version: str = "100", more: str = "") -> Json:
    """A list of them."""
    metadata = {"resourceVersion": version, **({"continue": more} if more else {})}
    return {"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": list(items)}


def status_object(code: int, message: str = "no", reason: str = "", **details: Any) -> Json:  # noqa: ANN401
    """What the API server says with an error."""
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
        "details": details,
    }
