"""Samples with timestamps of their own, as cAdvisor's have: no staleness marker, the dead stay visible."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster

Json = dict[str, Any]
FOR = timedelta(seconds=40)

pytestmark = pytest.mark.xdist_group("own cluster with timestamps")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster whose kubelets give each sample the time at which it was measured."""
    with Cluster.start(cadvisor_every=1.0) as cluster:
        yield cluster


def test_a_dead_container_that_prometheus_still_shows_is_no_breach(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """Over until it was restarted, calm since: the instant query still shows it over, and it is left alone."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    (pod,) = cluster.ready_pods(namespace, 1)
    name = pod["metadata"]["name"]
    old = pod["status"]["containerStatuses"][0]["containerID"].partition("://")[2]
    measured = f'container_memory_working_set_bytes{{pod="{name}",container="app"'
    series = f'{measured},name="{old}"}}'
    # As long as `for` before it is restarted, so that its past alone would be a whole window.
    cluster.wait(lambda: cluster.query(f"count_over_time({series}[90s]) > 45"), 150, "the first container is measured")
    cluster.api.annotate("pods", namespace, name, workloads.behaviour(restart="1"))

    def second() -> Json | None:
        (status,) = cluster.api.get("pods", namespace, name)["status"]["containerStatuses"]
        return dict(status["state"]) if status["restartCount"] == 1 and "running" in status["state"] else None

    state = cluster.wait(second, 60, "the container has restarted")
    restarted = datetime.fromisoformat(state["running"]["startedAt"])
    # Not before, or the last sample of the first container could be a calm one.
    cluster.api.annotate("pods", namespace, name, workloads.behaviour(memory="20Mi"))
    calm = f'{measured},name!="{old}"}} == 20 * 2^20'
    cluster.wait(lambda: cluster.query(calm), 60, "the second container is calm")
    daemon = start_daemon(policy_file(namespace, for_=f"{FOR.seconds}s"), environment={"REMEDIATOR_LOG_LEVEL": "debug"})
    daemon.wait_for("evaluation", count=20)
    (shown,) = cluster.query(series)
    assert shown.value == 250 << 20, "Prometheus shows the dead container as it was"
    assert [line for line in daemon.events("evaluation") if line["nominated"]], "so the query names the pod"
    assert daemon.events("remediation intended") == []
    # Until the second container has been measured for as long as `for`, nobody can say that it is below.
    early = [line for line in daemon.events("left alone") if datetime.fromisoformat(line["time"]) - restarted < FOR]
    reasons = {reason for line in early for reason in line["reasons"]}
    assert reasons
    assert reasons <= {"replaced-since-sample", "sample-gap"}


def test_a_leak_is_found_all_the_same(cluster: Cluster, namespace: str, start_daemon: StartDaemon) -> None:
    """With timestamps that lag behind the scrape the whole way still works."""
    cluster.api.create(workloads.deployment("web", namespace, memory="150Mi", leak="10Mi"))
    cluster.ready_pods(namespace, 1)
    daemon = start_daemon(policy_file(namespace, cooldown="10m"))
    (settled,) = daemon.wait_for("remediation settled", timeout=90)
    assert settled["outcome"] == "replaced"
    assert len(cluster.taken(namespace)) == 1
