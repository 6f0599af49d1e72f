"""The chart's monitoring by way of the Prometheus operator: a real Prometheus loads what it writes, and scrapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.conftest import StartDaemon, policy_file
from tests.rig.api import Json
from tests.rig.cluster import Cluster
from tests.rig.helm import Helm
from tests.rig.prometheus import query
from tests.rig.prometheus_operator import Operator, rules, targets

CHART = Path(__file__).resolve().parents[2] / "charts" / "remediator"


@pytest.mark.timeout(420)
def test_the_daemon_is_scraped_once_and_its_alerts_are_loaded(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, tmp_path: Path
) -> None:
    """One target for the pod, Ready or not, with its job and namespace; and each alert of the chart, in good health."""
    values = {
        "prometheus": {"url": cluster.prometheus_url},
        "serviceMonitor": {"enabled": True, "interval": "1s"},
        "rules": {"enabled": True},
        # The one that is un-Ready is the one whose metrics are wanted most.
        "podAnnotations": {"rig.remediator.dev/never-ready": "true"},
    }
    helm = Helm(4, tmp_path)
    daemon = start_daemon(policy_file("nowhere", every="1s"))
    with Operator(cluster, namespace) as operator:
        release = helm.install(
            "odd.name", CHART, kubeconfig=cluster.kubeconfig, namespace=namespace, values=[values], wait=False
        )
        job = f"serviceMonitor/{namespace}/odd-name-remediator/0"
        operator.wait({job}, rules=True)
        wanted = sum(item["kind"] == "PrometheusRule" for item in release.objects)
        cluster.wait(lambda: len(operator.rules()) == wanted, 60, "all rules are written", seen=operator.seen)
        (pod,) = cluster.wait(lambda: _with_address(cluster, namespace), 60, "the pod has an address")
        where = f"{pod['status']['podIP']}:8080"
        with operator.loaded({where: daemon.port}.get) as url:
            (target,) = cluster.wait(
                lambda: [one for one in targets(url) if one["health"] == "up"],
                60,
                "it is scraped",
                seen=lambda: targets(url),
            )
            assert (target["scrapePool"], target["labels"]["instance"]) == (job, where)
            assert (target["labels"]["job"], target["labels"]["namespace"]) == ("remediator", namespace)
            own = f'{{job="remediator",namespace="{namespace}"}}'
            leader = cluster.wait(lambda: query(url, f"remediator_leader{own}"), 60, "its series are there")
            assert [one.value for one in leader] == [1]
            written = {
                rule["alert"]
                for item in release.objects
                if item["kind"] == "PrometheusRule"
                for group in item["spec"]["groups"]
                for rule in group["rules"]
            }
            found = cluster.wait(lambda: _evaluated(url), 60, "each rule was evaluated", seen=lambda: rules(url))
            assert {*found} == written
            # Pending until the first scrape, and for good where job and namespace are not those of the target.
            cluster.wait(lambda: rules(url)["RemediatorDown"]["state"] == "inactive", 60, "nobody is said to be down")


def _evaluated(url: str) -> dict[str, Json] | None:
    found = rules(url)
    return found if all(rule["health"] == "ok" for rule in found.values()) else None


def _with_address(cluster: Cluster, namespace: str) -> list[Json] | None:
    pods = cluster.pods(namespace, labels="app.kubernetes.io/name=remediator")
    return pods if pods and all(pod["status"].get("podIP") for pod in pods) else None
