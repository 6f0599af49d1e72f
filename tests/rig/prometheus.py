"""Prometheus and kube-state-metrics: what they scrape, and asking Prometheus.

The job, its labels and the relabelling are those of kube-prometheus-stack's kubelet ServiceMonitor, where they bear on
memory.
"""

import json
from dataclasses import dataclass
from typing import Any

import requests

from tests.rig.control_plane import HOST, Site
from tests.rig.kwok import CADVISOR
from tests.rig.processes import Component

# What kube-state-metrics watches: the objects that bear on memory and on who owns a pod.
_RESOURCES = "pods,deployments,replicasets,statefulsets,daemonsets,jobs,nodes,namespaces,poddisruptionbudgets"


@dataclass(frozen=True)
class Sample:
    """One series of an instant query's answer."""

    labels: dict[str, str]
    value: float
    time: float
    """Unix seconds at which the query was evaluated."""


def configuration(
    site: Site, *, scrape_interval: float, scrape_configs: list[dict[str, Any]]
) -> dict[str, Any]:
    """Prometheus's configuration: the kubelets' cAdvisor, kube-state-metrics, and the given scrape configurations."""
    interval = f"{round(scrape_interval * 1000)}ms"
    node = ["__meta_kubernetes_node_name"]
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "scrape_configs": [
            {
                "job_name": "kubelet",
                "honor_timestamps": True,
                "kubernetes_sd_configs": [
                    {"role": "node", "kubeconfig_file": str(site.kubeconfig("prometheus"))},
                ],
                "relabel_configs": [
                    {"source_labels": node, "target_label": "node"},
                    {
                        "source_labels": node,
                        "target_label": "__metrics_path__",
                        "replacement": CADVISOR.replace("{nodeName}", "$1"),
                    },
                    {"target_label": "metrics_path", "replacement": "/metrics/cadvisor"},
                    {"target_label": "endpoint", "replacement": "https-metrics"},
                ],
                "metric_relabel_configs": [
                    # KWOK has series for containers that don't run; a kubelet has none.
                    {"source_labels": ["__name__", "id"], "regex": "container_.*;", "action": "drop"},
                ],
            },
            {
                "job_name": "kube-state-metrics",
                "honor_labels": True,
                "static_configs": [{"targets": [f"{HOST}:{site.ports['kube-state-metrics']}"]}],
            },
            *scrape_configs,
        ],
    }


def prometheus(site: Site, *, scrape_interval: float, scrape_configs: list[dict[str, Any]]) -> Component:
    """A Prometheus that keeps its samples in the site's folder."""
    config = site.folder / "prometheus.json"
    made = configuration(site, scrape_interval=scrape_interval, scrape_configs=scrape_configs)
    config.write_text(json.dumps(made, indent=2))
    url = site.url("prometheus")
    return site.component(
        "prometheus",
        [
            f"--config.file={config}",
            f"--storage.tsdb.path={site.folder / 'prometheus'}",
            "--storage.tsdb.no-lockfile",
            f"--web.listen-address={HOST}:{site.ports['prometheus']}",
            # How long a new target waits at least; 5 s by default.
            "--scrape.discovery-reload-interval=200ms",
            "--web.enable-lifecycle",
            "--web.enable-admin-api",
            "--log.level=warn",
        ],
        health=f"{url}/-/ready",
    )


def kube_state_metrics(site: Site) -> Component:
    """kube-state-metrics for the objects that bear on memory."""
    port, telemetry = site.ports["kube-state-metrics"], site.ports["kube-state-metrics-telemetry"]
    return site.component(
        "kube-state-metrics",
        [
            f"--kubeconfig={site.kubeconfig('kube-state-metrics')}",
            f"--host={HOST}",
            f"--port={port}",
            f"--telemetry-host={HOST}",
            f"--telemetry-port={telemetry}",
            f"--resources={_RESOURCES}",
        ],
        health=f"{site.url('kube-state-metrics')}/healthz",
    )


def query(url: str, promql: str, *, time: float | None = None) -> list[Sample]:
    """Evaluates an instant query now, or at a Unix time. Raises `AssertionError` where Prometheus refuses it."""
    parameters = {"query": promql} | ({"time": str(time)} if time is not None else {})
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(f"{url}/api/v1/query", data=parameters, timeout=30)
    content = answer.json()
    assert content["status"] == "success", f"Prometheus refused {promql!r}: {content.get('error')}"
    return [
        Sample(labels=series["metric"], value=float(series["value"][1]), time=float(series["value"][0]))
        for series in content["data"]["result"]
    ]
