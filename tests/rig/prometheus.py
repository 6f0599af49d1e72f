"""Prometheus and kube-state-metrics: what they scrape, and asking Prometheus.

The job, its labels and the relabelling are those of kube-prometheus-stack's kubelet ServiceMonitor, where
they bear on memory.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.rig import tools
from tests.rig.api import Json
from tests.rig.claim import Claim
from tests.rig.control_plane import HOST, Site
from tests.rig.kwok import CADVISOR
from tests.rig.loopback import answers, ask
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


@dataclass(frozen=True)
class Scraping:
    """How Prometheus gets its samples."""

    interval: float = 1.0
    """Seconds between scrapes."""
    cadvisor_every: float | None = None
    """Seconds between cAdvisor's looks at the containers, which then give the samples their timestamps; None
    for samples without, which get the scrape's (see cadvisor.py)."""
    track_timestamps_staleness: bool = False
    """Whether a series that has timestamps and ends is marked stale."""
    more: tuple[Json, ...] = ()
    """Further entries of `scrape_configs`."""


def configuration(site: Site, scraping: Scraping) -> Json:
    """Prometheus's configuration: the kubelets' cAdvisor, kube-state-metrics, the scheduler, and what is asked for."""
    interval = f"{round(scraping.interval * 1000)}ms"
    node = ["__meta_kubernetes_node_name"]
    kubelet: Json = {
        "job_name": "kubelet",
        "honor_timestamps": True,
        "track_timestamps_staleness": scraping.track_timestamps_staleness,
        "kubernetes_sd_configs": [{"role": "node", "kubeconfig_file": str(site.kubeconfig("prometheus"))}],
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
        # KWOK has series for containers that don't run; a kubelet has none.
        "metric_relabel_configs": [{"source_labels": ["__name__", "id"], "regex": "container_.*;", "action": "drop"}],
    }
    if scraping.cadvisor_every is not None:
        address = {"target_label": "__address__", "replacement": f"{HOST}:{site.ports['cadvisor']}"}
        kubelet["relabel_configs"] = [*kubelet["relabel_configs"], address]
    kube_state_metrics = {
        "job_name": "kube-state-metrics",
        "honor_labels": True,
        "static_configs": [{"targets": [f"{HOST}:{site.ports['kube-state-metrics']}"]}],
    }
    # The limits of pods as wholes; not in kube-prometheus-stack's monitor, which has only /metrics.
    credential = site.watcher
    scheduler = {
        "job_name": "kube-scheduler",
        "honor_labels": True,
        "scheme": "https",
        "metrics_path": "/metrics/resources",
        "tls_config": {
            "ca_file": str(site.ca_file),
            "cert_file": str(credential.certificate),
            "key_file": str(credential.key),
        },
        "static_configs": [{"targets": [f"{HOST}:{site.ports['kube-scheduler']}"]}],
    }
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "scrape_configs": [kubelet, kube_state_metrics, scheduler, *scraping.more],
    }


def configuration_file(folder: Path) -> Path:
    """The file from which Prometheus reads its configuration (JSON is YAML)."""
    return folder / "prometheus.json"


def prometheus(site: Site, scraping: Scraping) -> Component:
    """A Prometheus that keeps its samples in the site's folder."""
    file = configuration_file(site.folder)
    file.write_text(json.dumps(configuration(site, scraping), indent=2))
    url = site.url("prometheus")
    return site.component(
        "prometheus",
        [
            f"--config.file={file}",
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


def cadvisor(site: Site, *, every: float) -> Component:
    """The endpoint that gives KWOK's samples a cAdvisor's timestamps; it looks every so many seconds."""
    port = site.ports["cadvisor"]
    script = Path(__file__).with_name("cadvisor.py")
    return site.component(
        "cadvisor",
        [str(port), site.url("kwok"), str(every)],
        program=[sys.executable, str(script)],
        health=f"{site.url('cadvisor')}/healthz",
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


def reload(url: str) -> None:
    """Makes Prometheus read its configuration again. Raises `AssertionError` where it refuses."""
    answer = ask("POST", f"{url}/-/reload")
    assert answer.status_code == 200, answer.text


def query(url: str, promql: str, *, time: float | None = None) -> list[Sample]:
    """Evaluates an instant query now, or at a Unix time. Raises `AssertionError` if it is refused."""
    parameters = {"query": promql} | ({"time": str(time)} if time is not None else {})
    content = ask("POST", f"{url}/api/v1/query", data=parameters).json()
    assert content["status"] == "success", f"Prometheus refused {promql!r}: {content.get('error')}"
    return [
        Sample(labels=series["metric"], value=float(series["value"][1]), time=float(series["value"][0]))
        for series in content["data"]["result"]
    ]


@contextmanager
def another(folder: Path, change: Callable[[Json], Json]) -> Iterator[str]:
    """One more Prometheus beside a running cluster's, from whose folder it takes its configuration, changed; its URL.

    It has scraped nothing yet when it answers, and ends with the context. Raises `StartError`.
    """
    with alone(change(json.loads(configuration_file(folder).read_text()))) as url:
        yield url


@contextmanager
def alone(content: Json) -> Iterator[str]:
    """A Prometheus with this configuration and no past; its URL. It ends with the context. Raises `StartError`."""
    claim = Claim()
    try:
        (port,) = claim.ports(1)
        configuration_file(claim.folder).write_text(json.dumps(content, indent=2))
        url = f"http://{HOST}:{port}"
        component = Component(
            name="prometheus",
            command=[
                str(tools.ensure("prometheus")["prometheus"]),
                f"--config.file={configuration_file(claim.folder)}",
                f"--storage.tsdb.path={claim.folder / 'prometheus'}",
                "--storage.tsdb.no-lockfile",
                f"--web.listen-address={HOST}:{port}",
                "--scrape.discovery-reload-interval=200ms",
                "--log.level=warn",
            ],
            log=claim.folder / "prometheus.log",
            healthy=lambda: answers(f"{url}/-/ready"),
        )
        component.start()
        try:
            component.wait_healthy(60)
            yield url
        finally:
            component.stop(grace=0)
    finally:
        claim.release()
