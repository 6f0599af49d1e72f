"""All that the chart makes for the Prometheus operator, at once: a real Prometheus loads it, each target once."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_exporters import Sites, ingress, service
from tests.exporters import speakers
from tests.exporters.blackbox import Blackbox
from tests.exporters.chart import CHART, the
from tests.exporters.mysqld import MysqldExporter
from tests.exporters.servers import my_cnf
from tests.rig.api import Json
from tests.rig.cluster import Cluster
from tests.rig.helm import Helm
from tests.rig.prometheus_operator import Operator, rules, targets
from tests.rules import chart

POOLS = {
    "PrometheusRule": "",
    "ServiceMonitor": "serviceMonitor/{namespace}/{name}/0",
    "Probe": "probe/{namespace}/{name}",
    "ScrapeConfig": "scrapeConfig/{namespace}/{name}",
}
"""What the operator calls a job, by the kind of the object that it is made of; of rules it makes none."""

SERVERS = {name: {"address": "127.0.0.1:1", "secret": "exporter"} for name in ("orders", "stock")}

Target = tuple[str, str, str]
"""Job, namespace and instance."""


def values(cluster: Cluster, namespace: str, proxy: str) -> Json:
    """Everything on, in the namespace alone. Probes go by way of a proxy that plays the sites."""
    own: Json = {"http": {"proxy_url": proxy, "skip_resolve_phase_with_proxy": True}}
    return {
        "prometheus": {"url": cluster.prometheus_url},
        "serviceMonitor": {"enabled": True, "interval": "1s"},
        "rules": {"enabled": True, **{group: {"enabled": True} for group in chart.GROUPS}},
        "blackbox": {"enabled": True, "replicas": 2, "modules": {"http_2xx": own}},
        "mysqld": {"servers": SERVERS},
        "probes": {
            "interval": "1s",
            "scrapeTimeout": "1s",
            "static": {
                "sites": {"module": "http_2xx", "targets": ["http://one.test/", "http://ill.test/"]},
                "doors": {"module": "tcp_connect", "targets": ["127.0.0.1:1"]},
            },
            "dns": {"enabled": True, "targets": ["127.0.0.1:1"]},
            "ingresses": {"enabled": True, "namespaces": [namespace]},
            "services": {"enabled": True, "namespaces": [namespace]},
        },
    }


def addresses(cluster: Cluster, namespace: str, count: int) -> dict[str, list[str]]:
    """The addresses of the release's pods by what they are, once there are so many."""

    def there() -> list[Json] | None:
        pods = cluster.pods(namespace, labels="app.kubernetes.io/instance=shop")
        return pods if len(pods) == count and all(pod["status"].get("podIP") for pod in pods) else None

    found: dict[str, list[str]] = {}
    for pod in cluster.wait(there, 60, f"{count} pods have addresses"):
        (port,) = pod["spec"]["containers"][0]["ports"]
        of = pod["metadata"]["labels"]["app.kubernetes.io/name"]
        found.setdefault(of, []).append(f"{pod['status']['podIP']}:{port['containerPort']}")
    return found


@pytest.mark.timeout(420)
def test_all_is_loaded_with_each_target_once_and_every_rule_in_good_health(
    cluster: Cluster, namespace: str, helm4: Helm, start_daemon: StartDaemon
) -> None:
    """Every group of rules, every ServiceMonitor, Probe and ScrapeConfig: no target but those asked for, none twice."""
    for one in (service(namespace, "web", 80, 8080, http_probe="true"), ingress(namespace, "web", {"web.test": ["/"]})):
        cluster.api.create(one)
    daemon = start_daemon(policy_file("nowhere", every="1s"))
    with ExitStack() as ends:
        proxy = ends.enter_context(speakers.web(Sites))
        operator = ends.enter_context(Operator(cluster, namespace))
        release = helm4.install(
            "shop",
            CHART,
            kubeconfig=cluster.kubeconfig,
            namespace=namespace,
            values=[values(cluster, namespace, proxy)],
            wait=False,
        )
        made = [one for one in release.objects if one["apiVersion"].startswith("monitoring.coreos.com/")]
        assert Counter(one["kind"] for one in made) == {
            "PrometheusRule": len(chart.GROUPS),
            "ServiceMonitor": 2 + len(SERVERS),
            "Probe": 4,
            "ScrapeConfig": 1,
        }
        names = {POOLS[one["kind"]].format_map({"namespace": namespace, **one["metadata"]}) for one in made} - {""}
        written = operator.wait(names, rules=True)
        cluster.wait(
            lambda: len(operator.rules()) == len(chart.GROUPS), 60, "all rules are written", seen=operator.seen
        )
        assert Counter(entry["job_name"] for entry in written["scrape_configs"]) == Counter(names)

        modules = the(list(release.objects), "ConfigMap", "-blackbox")["data"]["modules.yaml"]
        blackbox = ends.enter_context(Blackbox(modules))
        mysqld = ends.enter_context(MysqldExporter(helm4, "127.0.0.1:1", my_cnf()))
        pods = addresses(cluster, namespace, 1 + 2 + len(SERVERS))
        listeners = {f"shop-remediator-blackbox.{namespace}.svc:9115": blackbox.port}
        for app, port in (
            ("remediator", daemon.port),
            ("blackbox-exporter", blackbox.port),
            ("mysqld-exporter", int(mysqld.address.rpartition(":")[2])),
        ):
            listeners |= dict.fromkeys(pods[app], port)
        url = ends.enter_context(operator.loaded(listeners.get))

        expected: set[tuple[str, str]] = {
            *(("remediator", address) for address in pods["remediator"]),
            *(("blackbox-exporter", address) for address in pods["blackbox-exporter"]),
            *(("mysqld-exporter", server) for server in SERVERS),
            ("probe-sites", "http://one.test/"),
            ("probe-sites", "http://ill.test/"),
            ("probe-doors", "127.0.0.1:1"),
            ("probe-dns", "127.0.0.1:1"),
            ("probe-ingresses", "http://web.test/"),
            ("probe-services", f"http://web.{namespace}.svc/"),
        }

        def scraped() -> bool:
            there = Counter((one["labels"]["job"], one["labels"]["instance"]) for one in targets(url))
            return there == Counter(expected) and all(one["health"] == "up" for one in targets(url))

        cluster.wait(scraped, 90, f"each of {expected} is up, once", seen=lambda: _seen(url))
        assert {one["labels"]["namespace"] for one in targets(url)} == {namespace}
        assert {one["scrapePool"] for one in targets(url)} == names

        def evaluated() -> dict[str, Json] | None:
            found = rules(url)
            return found if all(rule["health"] == "ok" for rule in found.values()) else None

        found = cluster.wait(evaluated, 60, "every rule is in good health", seen=lambda: rules(url))
        assert {*found} == {*chart.ALERTS}

        # What the alerts choose by default is what the monitors and probes beside them bring.
        def told(alert: str) -> set[Any]:
            labels = [one["labels"] for one in rules(url)[alert]["alerts"]]
            return {(one["job"], one["instance"], one["namespace"] == namespace, one.get("module")) for one in labels}

        down = {("mysqld-exporter", server, True, None) for server in SERVERS}
        cluster.wait(lambda: told("MysqlDown") == down, 60, "no server is up", seen=lambda: told("MysqlDown"))
        # Each that fails is told of by the alert that is about it. An answer of the site that came too late was none,
        # and then BlackboxProbeFailed tells of it as well, for three minutes.
        failed = {
            "BlackboxHttpStatus": {("probe-sites", "http://ill.test/", True, "http_2xx")},
            "BlackboxDnsFailed": {("probe-dns", "127.0.0.1:1", True, "dns")},
            "BlackboxProbeFailed": {("probe-doors", "127.0.0.1:1", True, "tcp_connect")},
        }
        late = failed["BlackboxHttpStatus"]

        def fail() -> dict[str, set[Any]]:
            return {alert: told(alert) - (late if alert == "BlackboxProbeFailed" else set()) for alert in failed}

        cluster.wait(lambda: fail() == failed, 60, "three probes fail", seen=fail)
        cluster.wait(lambda: not rules(url)["RemediatorDown"]["alerts"], 60, "nobody says that the daemon is down")


def _seen(url: str) -> list[Any]:
    return sorted(
        (one["labels"]["job"], one["labels"]["instance"], one["health"], one["lastError"]) for one in targets(url)
    )
