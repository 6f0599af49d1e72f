"""The manifests applied by somebody else than Helm, as Argo CD does: no drift, and nothing that it would prune."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.chart.charts import CHART
from tests.cluster.conftest import NewRelease, policies
from tests.cluster.releases import ChartRelease, pace, unmoved
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.manifests import write

Json = dict[str, Any]
MANAGER = "argocd-controller"
TRACKING = {"argocd.argoproj.io/tracking-id": "remediator:/all:home/remediator"}
OWN = {("configmaps", "remediator-journal"), ("coordination.k8s.io/v1/leases", "remediator")}


def apply(cluster: Cluster, items: list[Json]) -> list[Json]:
    """Server-side apply of them as that tool does it, without forcing. Raises `ApiError` 409 for a conflict."""
    found = []
    for item in items:
        collection, name = cluster.api.where(item)
        parameters = {"fieldManager": MANAGER}
        content = "application/apply-patch+yaml"
        found.append(
            cluster.api.request("PATCH", f"{collection}/{name}", body=item, parameters=parameters, content_type=content)
        )
    return found


def differences(cluster: Cluster, items: list[Json], folder: Path) -> str:
    """What `kubectl diff --server-side` says."""
    kubectl = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which("kubectl")
    assert kubectl, "there is no kubectl; `make setup` brings it as a wheel"
    file = folder / "manifests.yaml"
    file.write_text(write(items))
    command = [kubectl, "diff", "--server-side", f"--field-manager={MANAGER}", f"--kubeconfig={cluster.kubeconfig}"]
    ran = subprocess.run([*command, f"--filename={file}"], capture_output=True, text=True, check=False)
    assert ran.returncode in {0, 1}, ran.stderr
    return ran.stdout


@contextmanager
def applied(cluster: Cluster, release: ChartRelease, values: Json) -> Iterator[list[Json]]:
    """The release as manifests that are applied; in the end all of them are deleted."""
    items = release.helm.template(CHART, values=[values], name=release.name, namespace=release.home)
    for item in items:
        item["metadata"]["annotations"] = {**item["metadata"].get("annotations", {}), **TRACKING}
    apply(cluster, items)
    try:
        yield items
    finally:
        for item in items:
            collection, name = cluster.api.where(item)
            cluster.api.request("DELETE", f"{collection}/{name}")


def test_once_applied_there_is_no_difference_to_what_is_there(
    cluster: Cluster, namespace: str, new_release: NewRelease, tmp_path: Path
) -> None:
    """After the controllers have defaulted and the daemon has done a surge: another apply and a diff change nothing."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.ready_pods(namespace, 1)
    release = new_release()
    policy = policies(namespace, action="surge", cooldown="10m")
    values = pace(
        cluster.prometheus_url,
        policy=policy,
        replicas=2,
        networkPolicy={"enabled": True, "metricsFrom": [{"namespaceSelector": {}}]},
        extraEnv=[{"name": "TZ", "value": "UTC"}],
        extraVolumes=[{"name": "more", "emptyDir": {}}],
        extraVolumeMounts=[{"name": "more", "mountPath": "/var/more"}],
    )
    with applied(cluster, release, values) as items:
        daemons = release.installed.rolled_out()
        daemons[0].until(
            lambda: [line for one in daemons for line in one.events("remediation settled")], what="a pod is replaced"
        )
        before = [unmoved(_live(cluster, item)) for item in items]
        apply(cluster, items)
        assert [unmoved(_live(cluster, item)) for item in items] == before
        # The state of an object may change while kubectl looks; a difference that is one is there each time.
        cluster.wait(
            lambda: not differences(cluster, items, tmp_path),
            60,
            "there is no difference",
            seen=lambda: differences(cluster, items, tmp_path),
        )
        changed = [item for item in items if item["kind"] == "ConfigMap"]
        changed[0]["data"]["policy.yaml"] += "# changed\n"
        assert "+    # changed" in differences(cluster, changed, tmp_path)
        for kind, name in OWN:
            metadata = cluster.api.get(kind, release.home, name)["metadata"]
            assert metadata["labels"] == {"app.kubernetes.io/managed-by": "remediator"}
            assert not set(TRACKING) & set(metadata.get("annotations", {}))
            assert "ownerReferences" not in metadata
    release.installed.wait_gone()


def _live(cluster: Cluster, item: Json) -> Json:
    collection, name = cluster.api.where(item)
    return cluster.api.request("GET", f"{collection}/{name}")
