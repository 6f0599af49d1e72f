"""The examples in deploy/examples, applied to the control plane by kubectl as their first lines say."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.rig.cluster import Cluster

EXAMPLES = Path(__file__).resolve().parents[2] / "deploy" / "examples"


def kubectl(*arguments: str) -> str:
    """What kubectl prints. Raises `AssertionError` with what it says where it fails."""
    program = shutil.which("kubectl") or str(Path(sys.executable).parent / "kubectl")
    ran = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(params=["post-probe", "workloads"])
def applied(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """The namespace of an example that was applied; it is removed afterwards."""
    folder = EXAMPLES / request.param
    (namespace,) = (
        one["metadata"]["name"]
        for one in yaml.safe_load_all(kubectl("kustomize", str(folder)))
        if one["kind"] == "Namespace"
    )
    kubectl("--kubeconfig", str(cluster.kubeconfig), "apply", "--kustomize", str(folder))
    yield namespace
    cluster.api.delete("namespaces", None, namespace)


def test_an_example_runs_where_pod_security_is_strict(cluster: Cluster, applied: str) -> None:
    """Its namespace enforces `restricted`, all its pods get Ready, and each Service has the pods of its Deployment."""
    namespace = cluster.api.get("namespaces", None, applied)
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    deployments = cluster.api.list("apps/v1/deployments", applied)
    assert deployments
    cluster.ready_pods(applied, sum(one["spec"]["replicas"] for one in deployments))
    for service in cluster.api.list("services", applied):
        pods = cluster.pods(
            applied, labels=",".join(f"{key}={value}" for key, value in service["spec"]["selector"].items())
        )
        owners = {one["metadata"]["ownerReferences"][0]["name"].rpartition("-")[0] for one in pods}
        assert owners == {service["metadata"]["name"]}


@pytest.mark.parametrize("example", ["post-probe", "workloads"])
def test_the_images_of_an_example_are_pinned(example: str) -> None:
    """Each has a tag that says a version."""
    for one in yaml.safe_load_all(kubectl("kustomize", str(EXAMPLES / example))):
        if one["kind"] == "Deployment":
            for container in one["spec"]["template"]["spec"]["containers"]:
                assert container["image"].rpartition(":")[2].lstrip("v").replace(".", "").isdecimal()
