"""A Prometheus without the operator scrapes the daemon by the job that docs/prometheus.md shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.conftest import NewRelease, policies
from tests.cluster.releases import pace
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.prometheus import another, query
from tests.rig.prometheus_operator import Listeners, targets

Json = dict[str, Any]
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "prometheus.md"
_CONFIGURATION = re.compile(r"^```yaml\n(# prometheus\.yml\n.*?)^```$", re.MULTILINE | re.DOTALL)


def documented(job: str) -> Json:
    """That job, as the document has it."""
    (configuration,) = _CONFIGURATION.findall(DOCUMENT.read_text("utf-8"))
    (found,) = (one for one in yaml.safe_load(configuration)["scrape_configs"] if one["job_name"] == job)
    return dict(found)


def test_the_documented_job_finds_the_daemon_once_and_leaves_workloads_their_namespace(
    cluster: Cluster, namespace: str, new_release: NewRelease
) -> None:
    """One target, with the daemon's own namespace and pod; a remediation's series has that of its workload."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.ready_pods(namespace, 1)
    release = new_release()
    release.install(pace(cluster.prometheus_url, policy=policies(namespace, action="notify")))
    (daemon,) = release.installed.rolled_out()
    daemon.wait_for("remediation settled")
    (pod,) = cluster.pods(release.home)
    where = f"{pod['status']['podIP']}:8080"

    with Listeners({where: daemon.port}.get) as listeners:

        def change(beside: Json) -> Json:
            (nodes,) = beside["scrape_configs"][0]["kubernetes_sd_configs"]
            job = documented("remediator")
            # The release's namespace, and what is on a pod's machine: the way to the API server and to other pods.
            (discovery,) = job["kubernetes_sd_configs"]
            discovery |= {"namespaces": {"names": [release.home]}, "kubeconfig_file": nodes["kubeconfig_file"]}
            return {"global": beside["global"], "scrape_configs": [{**job, "proxy_url": listeners.url}]}

        with another(Path(cluster.description.folder), change) as url:
            told = cluster.wait(lambda: query(url, "remediator_remediations_total"), 60, "the daemon is scraped")
            (target,) = targets(url)
            # A scrape that comes too late marks all series as gone.
            (leader,) = cluster.wait(lambda: query(url, "remediator_leader"), 60, "and again")
    assert [(found.labels["namespace"], found.labels["workload"]) for found in told] == [(namespace, "Deployment/web")]
    assert not [label for found in told for label in found.labels if label.startswith("exported_")]
    own = {"job": "remediator", "instance": where, "namespace": release.home, "pod": pod["metadata"]["name"]}
    assert target["labels"] == own
    assert {key: leader.labels[key] for key in own} == own
    assert leader.value == 1
