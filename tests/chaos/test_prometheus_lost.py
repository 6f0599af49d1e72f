"""Prometheus replaced by one that has lost everything: what was seen before does not count any more."""

from __future__ import annotations

import time
from pathlib import Path

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.prometheus import another, query
from tests.rig.proxy import Proxy

FOR = 15


def test_a_prometheus_that_has_lost_everything_has_to_see_it_all_again(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, prometheus: Proxy
) -> None:
    """Empty, it takes nothing and a wait is carried on; with new samples only, ``for`` begins anew with the first."""
    slow = workloads.behaviour(ready_delay="8")
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER, annotations=slow))
    cluster.ready_pods(namespace, 1)
    policy = policy_file(namespace, for_=f"{FOR}s", cooldown="20m", readyTimeout="60s")
    daemon = start_daemon(policy, prometheus_url=prometheus.url)
    daemon.wait_for("remediation taken")
    cluster.api.create(workloads.deployment("api", namespace, memory=OVER))
    folder = Path(cluster.description.folder)
    with another(folder, lambda configuration: {**configuration, "scrape_configs": []}) as empty:
        prometheus.redirect(empty)
        (settled,) = daemon.wait_for("remediation settled")
        assert settled["outcome"] == "replaced"
        daemon.wait_for("evaluation", outcome="no-data", count=3)
        samples = f'timestamp(container_memory_working_set_bytes{{namespace="{namespace}",pod=~"api-.*"}})'
        # Whatever single scrapes it has missed.
        full = f"max({samples} - min_over_time({samples}[10m:1s])) > {FOR}"
        cluster.wait(lambda: cluster.query(full), 120, "the old one has seen it for long enough")
        assert len(cluster.taken(namespace)) == 1

    with another(folder, lambda configuration: configuration) as young:
        prometheus.redirect(young)
        daemon.wait_for("remediation settled", count=2, timeout=240)
        first = f'min(min_over_time(timestamp(container_memory_working_set_bytes{{namespace="{namespace}"}})[10m:1s]))'
        (oldest,) = query(young, first, time=time.time())
    evicted = cluster.taken(namespace)[-1]
    assert evicted.name.startswith("api-")
    assert evicted.received.timestamp() - oldest.value >= FOR - 1
    assert len(cluster.taken(namespace)) == 2
