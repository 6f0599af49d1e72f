"""The exporters on the control plane: admitted where Pod Security is strict, and their probes found by Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.cluster.conftest import NewRelease
from tests.exporters import speakers
from tests.exporters.blackbox import Blackbox
from tests.exporters.chart import CHART, rendered, the
from tests.rig.api import ApiError, Json
from tests.rig.cluster import Cluster
from tests.rig.helm import Helm
from tests.rig.prometheus import query
from tests.rig.prometheus_operator import Operator, targets
from tests.rig.servers import Handler

MYSQLD = {"servers": {"shop": {"address": "shop.test:3306", "secret": "shop"}}}


def test_they_run_where_pod_security_is_strict(cluster: Cluster, new_release: NewRelease) -> None:
    """In a namespace that enforces `restricted`, with the default way to ping, all pods are admitted and get Ready."""
    release = new_release()
    release.install(
        {"prometheus": {"url": cluster.prometheus_url}, "blackbox": {"enabled": True, "replicas": 2}, "mysqld": MYSQLD}
    )
    pods = cluster.ready_pods(release.home, 4)
    assert {one["metadata"]["labels"]["app.kubernetes.io/name"] for one in pods} == {
        "remediator",
        "blackbox-exporter",
        "mysqld-exporter",
    }


@pytest.mark.parametrize(
    ("way", "level", "refused"),
    [
        ("sysctl", "restricted", ""),
        ("runtime", "restricted", ""),
        ("netRaw", "baseline", "NET_RAW"),
        ("netRaw", "privileged", ""),
    ],
)
def test_which_level_a_way_to_ping_needs(cluster: Cluster, helm4: Helm, way: str, level: str, refused: str) -> None:
    """The API server's own word on the pod: a sysctl passes the strictest level, the capability the loosest alone."""
    namespace = cluster.namespace(labels={"pod-security.kubernetes.io/enforce": level})
    objects = rendered(helm4, {"blackbox": {"enabled": True, "ping": way}})
    template = the(objects, "Deployment", "-blackbox")["spec"]["template"]
    metadata = {"name": "blackbox", "namespace": namespace}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    try:
        if refused:
            with pytest.raises(ApiError, match=refused):
                cluster.api.create(pod)
        else:
            cluster.api.create(pod)
    finally:
        cluster.api.delete("namespaces", None, namespace)


class Sites(Handler):
    """A proxy behind which all sites are well, but for those whose names begin with `ill`."""

    def do_GET(self) -> None:  # noqa: N802  (http.server's name)
        """The request for any host."""
        self.send_response(500 if "//ill" in self.path else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()


def service(namespace: str, name: str, *ports: int, **annotations: str) -> Json:
    """A Service with these ports and `prometheus.io/http-probe…` annotations."""
    given = {f"prometheus.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "annotations": given},
        "spec": {"selector": {"app": name}, "ports": [{"name": f"p{port}", "port": port} for port in ports]},
    }


def ingress(namespace: str, name: str, hosts: dict[str, list[str]], *, probed: str = "true", tls: bool = False) -> Json:
    """An Ingress with these hosts and their paths."""
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": namespace, "labels": {"prometheus.io/http-probe": probed}},
        "spec": {
            "rules": [
                {
                    **({"host": host} if host else {}),
                    "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend} for path in paths]},
                }
                for host, paths in hosts.items()
            ],
            **({"tls": [{"hosts": list(hosts), "secretName": "tls"}]} if tls else {}),
        },
    }


@contextmanager
def prometheus(cluster: Cluster, helm: Helm, namespace: str, values: Json) -> Iterator[str]:
    """A Prometheus with what the operator makes of the chart with these values; its URL. Probes are real."""
    with ExitStack() as ends:
        proxy = ends.enter_context(speakers.web(Sites))
        own = {"http": {"proxy_url": proxy, "skip_resolve_phase_with_proxy": True}}
        given: dict[str, Any] = {
            **values,
            "prometheus": {"url": cluster.prometheus_url},
            "serviceMonitor": {"enabled": True, "interval": "1s"},
            "blackbox": {"enabled": True, "modules": {"http_2xx": own}},
        }
        operator = ends.enter_context(Operator(cluster, namespace))
        release = helm.install(
            "shop", CHART, kubeconfig=cluster.kubeconfig, namespace=namespace, values=[given], wait=False
        )
        modules = the(list(release.objects), "ConfigMap", "-blackbox")["data"]["modules.yaml"]
        exporter = ends.enter_context(Blackbox(modules))
        operator.wait({_job(one) for one in release.objects if one["kind"] in _JOBS})
        where = f"shop-remediator-blackbox.{namespace}.svc:9115"
        yield ends.enter_context(operator.loaded({where: exporter.port}.get))


_JOBS = {"Probe": "probe/{}", "ScrapeConfig": "scrapeConfig/{}", "ServiceMonitor": "serviceMonitor/{}/0"}
"""What the operator calls the job that it makes of an object."""


def _job(item: Json) -> str:
    return _JOBS[item["kind"]].format(f"{item['metadata']['namespace']}/{item['metadata']['name']}")


def found(cluster: Cluster, url: str, job: str, count: int) -> dict[str, Json]:
    """The targets of a job by their instances, once there are so many and all were scraped."""

    def whole() -> list[Json] | None:
        there = [one for one in targets(url) if one["labels"]["job"] == job]
        return there if len(there) == count and all(one["health"] != "unknown" for one in there) else None

    there = cluster.wait(whole, 60, f"{count} targets of {job}", seen=lambda: [one["labels"] for one in targets(url)])
    instances = {one["labels"]["instance"]: one for one in there}
    assert len(instances) == count
    return instances


def results(cluster: Cluster, url: str, job: str, expected: dict[str, float]) -> None:
    """Wait until `probe_success` of a job, by instance, is this; on a busy machine one that is well may fail before."""

    def found() -> dict[str, float]:
        return {one.labels["instance"]: one.value for one in query(url, f'probe_success{{job="{job}"}}')}

    cluster.wait(lambda: found() == expected, 90, f"the results of {job} are {expected}", seen=found)


@pytest.fixture(scope="module")
def site(cluster: Cluster) -> Iterator[str]:
    """A namespace with Services and Ingresses, some of which are to be probed."""
    name = cluster.namespace()
    for one in (
        service(name, "plain", 80, http_probe="true"),
        service(name, "ported", 9090, 8080, http_probe="true", http_probe_port="8080", http_probe_path="/healthz"),
        service(name, "slashless", 80, http_probe="true", http_probe_path="healthz?deep=1"),
        service(name, "ill", 80, http_probe="true"),
        service(name, "odd", 80, http_probe="true", http_probe_port="http"),
        service(name, "off", 80, http_probe="false"),
        service(name, "silent", 80),
        ingress(name, "web", {"web.test": ["/", "/api"], "*.wild.test": ["/"], "": ["/"]}),
        ingress(name, "safe", {"safe.test": ["/"]}, tls=True),
        ingress(name, "other", {"other.test": ["/"]}, probed="false"),
    ):
        cluster.api.create(one)
    yield name
    cluster.api.delete("namespaces", None, name)


@pytest.mark.timeout(420)
def test_each_target_is_probed_exactly_once(cluster: Cluster, helm4: Helm, namespace: str, site: str) -> None:
    """Fixed targets, Ingresses by label and Services by annotation: what was asked for, once, with its labels."""
    probes = {
        "interval": "1s",
        "scrapeTimeout": "1s",
        "static": {
            "sites": {"module": "http_2xx", "targets": ["http://one.test/", "http://ill.test/"]},
            "hosts": {"module": "ping", "targets": ["127.0.0.1"], "labels": {"rack": "a1", "namespace": "racks"}},
        },
        "dns": {"enabled": True, "targets": ["127.0.0.1:1"]},
        "ingresses": {"enabled": True, "namespaces": [site]},
        "services": {"enabled": True, "namespaces": [site]},
    }
    with prometheus(cluster, helm4, namespace, {"probes": probes}) as url:
        services = found(cluster, url, "probe-services", 5)
        of = {one["labels"]["service"]: instance for instance, one in services.items()}
        assert of == {
            "plain": f"http://plain.{site}.svc/",
            "ported": f"http://ported.{site}.svc:8080/healthz",
            "slashless": f"http://slashless.{site}.svc/healthz?deep=1",
            "ill": f"http://ill.{site}.svc/",
            "odd": f"http://odd.{site}.svc:http/",
        }
        for one in services.values():
            assert one["labels"] == {
                "instance": one["labels"]["instance"],
                "job": "probe-services",
                "module": "http_2xx",
                "namespace": site,
                "service": one["labels"]["service"],
            }
        # Of what can be told wrong, each is seen: a server that errs, and a port that is none.
        outcome = {instance: float(service not in {"ill", "odd"}) for service, instance in of.items()}
        results(cluster, url, "probe-services", outcome)

        ingresses = found(cluster, url, "probe-ingresses", 3)
        assert {instance: one["labels"]["ingress"] for instance, one in ingresses.items()} == {
            "http://web.test/": "web",
            "http://web.test/api": "web",
            "https://safe.test/": "safe",
        }
        assert {one["labels"]["namespace"] for one in ingresses.values()} == {site}
        assert {one["labels"]["module"] for one in ingresses.values()} == {"http_2xx"}

        results(cluster, url, "probe-sites", {"http://one.test/": 1, "http://ill.test/": 0})
        for job, count, module, where in (
            ("probe-sites", 2, "http_2xx", namespace),
            ("probe-hosts", 1, "ping", "racks"),
            ("probe-dns", 1, "dns", namespace),
        ):
            for one in found(cluster, url, job, count).values():
                assert (one["labels"]["module"], one["labels"]["namespace"]) == (module, where)
        results(cluster, url, "probe-dns", {"127.0.0.1:1": 0})


@pytest.mark.timeout(420)
def test_all_namespaces_are_looked_at_where_none_is_named(
    cluster: Cluster, helm4: Helm, namespace: str, site: str
) -> None:
    """Services and Ingresses of a namespace that no value names are found, those of this release's too."""
    cluster.api.create(service(namespace, "near", 80, http_probe="true"))
    cluster.api.create(ingress(namespace, "near", {"near.test": ["/"]}))
    probes = {"interval": "1s", "scrapeTimeout": "1s", "ingresses": {"enabled": True}, "services": {"enabled": True}}
    with prometheus(cluster, helm4, namespace, {"probes": probes}) as url:

        def there(job: str, label: str, names: set[str]) -> bool:
            pairs = {
                (one["labels"]["namespace"], one["labels"][label])
                for one in targets(url)
                if one["labels"]["job"] == job
            }
            return {(namespace, "near"), *((site, name) for name in names)} <= pairs

        cluster.wait(lambda: there("probe-services", "service", {"plain", "ported"}), 60, "Services everywhere")
        cluster.wait(lambda: there("probe-ingresses", "ingress", {"web", "safe"}), 60, "Ingresses everywhere")


@pytest.mark.timeout(420)
def test_each_exporter_is_scraped_once(cluster: Cluster, helm4: Helm, namespace: str) -> None:
    """One target for each, with its job; of mysqld_exporters each with the name of its server as `instance`."""
    servers = {name: {"address": f"{name}.test:3306", "secret": name} for name in ("shop", "stock")}
    with prometheus(cluster, helm4, namespace, {"mysqld": {"servers": servers}}) as url:
        databases = found(cluster, url, "mysqld-exporter", 2)
        assert databases.keys() == servers.keys()
        for server, one in databases.items():
            assert one["labels"]["namespace"] == namespace
            assert one["labels"]["service"] == f"shop-remediator-mysqld-{server}"
        (exporter,) = found(cluster, url, "blackbox-exporter", 1).values()
        assert exporter["labels"]["service"] == "shop-remediator-blackbox"
