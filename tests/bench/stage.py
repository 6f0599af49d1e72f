"""What the parts have in common: a control plane, series beside it, and the daemon with its account."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.bench.samples import Page, read_page
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon, create_account, free_port
from tests.rig.processes import Component

Json = dict[str, Any]
Say = Callable[[str], None]

ROOT = Path(__file__).resolve().parents[2]
HOME = "remediator"
"""The daemon's own namespace, which is also the name of its account."""
ACCOUNT = f"system:serviceaccount:{HOME}:{HOME}"
"""The daemon as the audit log names it."""
PACE = 15
"""Seconds between scrapes where the figure is about a cluster's usual pace."""


@contextmanager
def exporting(folder: Path) -> Iterator[str]:
    """An exporter in a process of its own; gives its HOST:PORT."""
    port = free_port()

    def healthy() -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{port}/healthz", timeout=2).ok
        except requests.ConnectionError:
            return False

    exporter = Component(
        name="exporter",
        command=[sys.executable, str(Path(__file__).with_name("exporter.py")), str(port)],
        log=folder / "exporter.log",
        healthy=healthy,
    )
    exporter.start()
    try:
        exporter.wait_healthy(20)
        yield f"127.0.0.1:{port}"
    finally:
        exporter.stop(grace=0)


def only_nodes(nodes: str) -> Callable[[Json], Json]:
    """A change of Prometheus' configuration: of the kubelets, only those of nodes whose names match are scraped."""

    def change(configuration: Json) -> Json:
        for job in configuration["scrape_configs"]:
            if job["job_name"] == "kubelet":
                keep = {"action": "keep", "source_labels": ["__meta_kubernetes_node_name"], "regex": nodes}
                job["relabel_configs"] = [keep, *job["relabel_configs"]]
        return configuration

    return change


def exported(address: str, paths: Sequence[str]) -> Callable[[Json], Json]:
    """A change of Prometheus' configuration: these paths of an exporter are scraped, and no others of it."""

    def change(configuration: Json) -> Json:
        others = [job for job in configuration["scrape_configs"] if not job["job_name"].startswith("/")]
        return {**configuration, "scrape_configs": [*others, *(_scraped(address, path) for path in paths)]}

    return change


def _scraped(address: str, path: str) -> Json:
    """The entry of `scrape_configs` for one path."""
    # Named without the number of pods at its end: the series of another job would be shown for five minutes more.
    name, _, _ = path.rpartition("/")
    targets = [{"targets": [address]}]
    return {"job_name": name, "metrics_path": path, "honor_labels": True, "static_configs": targets}


def policy_file(
    namespaces: Sequence[str] = (), *, safety: Json | None = None, for_: str = "2m", **fields: object
) -> Json:
    """A policy file whose only policy acts without delay where it acts at all."""
    policy: Json = {
        "name": "bench",
        "match": {"namespaces": list(namespaces)} if namespaces else {},
        "threshold": "80% of limit",
        "for": for_,
        "every": "1m",
        "jitter": "0s",
        "cooldown": "10m",
        "minAge": "0s",
        "readyTimeout": "1m",
        **fields,
    }
    return {"safety": {"budget": {"actions": 500, "per": "1h"}, **(safety or {})}, "policies": [policy]}


def settle_in(cluster: Cluster, namespaces: Sequence[str]) -> None:
    """The daemon's namespace and account, and the namespaces of what it looks at."""
    for name in (HOME, *namespaces):
        cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        found = f"{name} has its default service account"
        cluster.wait(lambda name=name: cluster.api.find("serviceaccounts", name, "default"), 30, found)  # type: ignore[misc]
    create_account(cluster, HOME)


def daemon(
    cluster: Cluster,
    policy: Json,
    *,
    interval: int,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Daemon:
    """The daemon with the settings of a real installation, to be started; the interval is that of scraping."""
    return Daemon(
        kubeconfig=cluster.kubeconfig_for(HOME, HOME),
        prometheus_url=cluster.prometheus_url,
        namespace=HOME,
        policy=policy,
        sample_interval=interval,
        environment={"REMEDIATOR_LEASE_DURATION": "30s", **(environment or {})},
        folder=folder,
        name=HOME,
    )


def roles() -> list[Json]:
    """The objects of deploy/rbac.yaml."""
    return list(yaml.safe_load_all((ROOT / "deploy" / "rbac.yaml").read_text("utf-8")))


def server_page(cluster: Cluster, *names: str) -> Page:
    """These metrics of the API server."""
    # What is no JSON is given as a message.
    return read_page(str(cluster.api.request("GET", "/metrics")["message"]), names)


def prometheus_page(cluster: Cluster, *names: str) -> Page:
    """These metrics of Prometheus."""
    return read_page(requests.get(f"{cluster.prometheus_url}/metrics", timeout=30).text, names)


def stored(cluster: Cluster, selector: str, *, seconds: int) -> dict[str, list[tuple[float, float]]]:
    """The stored samples of the last so many seconds, pairs of time and value, by pod."""
    query = {"query": f"{selector}[{seconds}s]"}
    answer = requests.post(f"{cluster.prometheus_url}/api/v1/query", data=query, timeout=30).json()
    assert answer["status"] == "success", answer
    return {
        series["metric"]["pod"]: [(float(time), float(value)) for time, value in series["values"]]
        for series in answer["data"]["result"]
    }


def pause(seconds: float) -> None:
    """Let time pass that is itself what is measured, or that a measurement needs to be one."""
    time.sleep(seconds)
