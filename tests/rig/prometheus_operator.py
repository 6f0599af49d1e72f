"""The Prometheus operator against a cluster of the rig: what it makes of monitors, probes and rules.

It runs as a process of its own. Its Prometheus is a StatefulSet whose pods KWOK plays, so that nobody reads the
configuration that it writes; `loaded` gives it to a real Prometheus. Only this is changed in it: how the API server is
reached, where rule files are, and that scrapes go by way of a proxy, which knows where simulated pods really listen.
"""

import gzip
import http.client
import itertools
import json
import os
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.rig import loopback, tools
from tests.rig.api import ApiError, Json, path
from tests.rig.claim import Claim
from tests.rig.cluster import Cluster
from tests.rig.control_plane import HOST
from tests.rig.manifests import read
from tests.rig.processes import Component
from tests.rig.program import Program
from tests.rig.prometheus import another
from tests.rig.servers import Handler, LocalServer

GROUP = "monitoring.coreos.com/v1"
_NAME = "k8s"
_CRD = "apiextensions.k8s.io/v1/customresourcedefinitions"


def install_crds(cluster: Cluster) -> None:
    """Have the operator's kinds in the cluster; where they are there already, nothing changes."""
    for file in sorted(tools.source("prometheus-operator", "example/prometheus-operator-crd").glob("*.yaml")):
        (crd,) = read(file.read_text("utf-8"))
        name = crd["metadata"]["name"]
        cluster.api.request(
            "PATCH",
            path(_CRD, None, name),
            body=crd,
            parameters={"fieldManager": "rig", "force": "true"},
            content_type="application/apply-patch+yaml",
        )
        cluster.wait(lambda name=name: _served(cluster, name), 60, f"{name} is served")  # type: ignore[misc]


class Operator(Program):
    """The operator for one namespace with a Prometheus that takes every monitor and rule in it; a context manager."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        super().__init__()
        (port,) = self._claim.ports(1)
        given = cluster.description
        self._component = Component(
            name="prometheus-operator",
            command=[
                str(tools.ensure("prometheus-operator")["prometheus-operator"]),
                f"--apiserver={cluster.api_url}",
                f"--ca-file={given.ca_file}",
                f"--cert-file={given.admin_certificate}",
                f"--key-file={given.admin_key}",
                f"--namespaces={namespace}",
                f"--web.listen-address={HOST}:{port}",
            ],
            log=self._claim.folder / "prometheus-operator.log",
            healthy=lambda: loopback.answers(f"http://{HOST}:{port}/healthz"),
        )

    def start(self) -> None:
        """Starts it, and gives it its Prometheus."""
        install_crds(self._cluster)
        super().start()
        self._cluster.api.create(_prometheus(self._namespace))

    def configuration(self) -> Json:
        """What it has written for its Prometheus until now; empty before the first time."""
        secret = self._cluster.api.find("secrets", self._namespace, f"prometheus-{_NAME}")
        content = (secret or {}).get("data", {}).get("prometheus.yaml.gz")
        return read(gzip.decompress(b64decode(content)).decode())[0] if content else {}

    def rules(self) -> dict[str, str]:
        """The rule files that it has written until now, by name."""
        maps = (self._cluster.api.find("configmaps", self._namespace, name) for name in self._rule_maps())
        return {name: text for found in maps if found for name, text in found.get("data", {}).items()}

    def wait(self, jobs: set[str], *, rules: bool = False) -> Json:
        """The configuration, once it has these jobs, and rules where they are asked for."""

        def whole() -> Json | None:
            found = self.configuration()
            there = {entry["job_name"] for entry in found.get("scrape_configs", [])}
            return found if jobs <= there and (self.rules() or not rules) else None

        return self._cluster.wait(whole, 90, f"the operator has written {jobs}", seen=self.seen)

    def seen(self) -> str:
        """The jobs that are there, and the end of the operator's log."""
        jobs = [entry["job_name"] for entry in self.configuration().get("scrape_configs", [])]
        return f"{jobs}; rules: {[*self.rules()]}{self._component.tail()}"

    @contextmanager
    def loaded(self, listeners: Callable[[str], int | None]) -> Iterator[str]:
        """The URL of a real Prometheus with the configuration and the rules of now.

        ``listeners`` gives for the `host:port` of a target the port of this machine on which it really listens.
        """
        rules = self.rules()
        # As the config-reloader beside the first of its pods does.
        content = _expanded(self.configuration(), {"SHARD": "0", "POD_NAME": f"prometheus-{_NAME}-0"})
        with Listeners(listeners) as proxy, _folder_of(rules) as folder:

            def change(beside: Json) -> Json:
                (nodes,) = beside["scrape_configs"][0]["kubernetes_sd_configs"]
                return reached(content, kubeconfig=nodes["kubeconfig_file"], rule_files=f"{folder}/*", proxy=proxy.url)

            with another(Path(self._cluster.description.folder), change) as url:
                yield url

    def _rule_maps(self) -> Iterator[str]:
        for number in itertools.count():
            name = f"prometheus-{_NAME}-rulefiles-{number}"
            if self._cluster.api.find("configmaps", self._namespace, name) is None:
                return
            yield name


def _expanded(content: Json, variables: Mapping[str, str]) -> Json:
    text = json.dumps(content)
    for name, value in variables.items():
        text = text.replace(f"$({name})", value)
    return dict(json.loads(text))


def reached(content: Json, *, kubeconfig: str, rule_files: str, proxy: str) -> Json:
    """The operator's configuration with what is otherwise on the machine that it was written for."""
    scrapes = []
    for entry in content["scrape_configs"]:
        found = [{**one, "kubeconfig_file": kubeconfig} for one in entry.get("kubernetes_sd_configs", [])]
        # The token of a pod that is not there.
        kept = {key: value for key, value in entry.items() if key not in {"authorization", "bearer_token_file"}}
        scrapes.append({**kept, "proxy_url": proxy, **({"kubernetes_sd_configs": found} if found else {})})
    whole = {key: value for key, value in content.items() if key != "alerting"}
    return {**whole, "scrape_configs": scrapes, "rule_files": [rule_files]}


class Listeners(LocalServer):
    """A proxy for scrapes: a simulated pod's address leads to the port on which its program really listens."""

    def __init__(self, listeners: Callable[[str], int | None]) -> None:
        super().__init__(_Forward)
        self.listeners = listeners
        self.url = f"http://{HOST}:{self.port}"


class _Forward(Handler):
    server: Listeners

    def do_GET(self) -> None:  # noqa: N802  (the name is the base class's)
        """Pass the request on, or say that nobody listens there."""
        asked = urlsplit(self.path)
        port = self.server.listeners(asked.netloc)
        if port is None:
            self.send_error(502, f"nobody plays {asked.netloc}")
            return
        onward = http.client.HTTPConnection(HOST, port, timeout=10)
        try:
            onward.request("GET", asked._replace(scheme="", netloc="").geturl(), headers=dict(self.headers))
            answer = onward.getresponse()
            content = answer.read()
        except OSError as exc:
            self.send_error(502, str(exc))
            return
        finally:
            onward.close()
        self.send_response(answer.status)
        for name in ("Content-Type", "Content-Encoding"):
            if (value := answer.headers.get(name)) is not None:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def targets(url: str) -> list[Json]:
    """The active targets of a Prometheus."""
    return list(_get(url, "targets", state="active")["activeTargets"])


def rules(url: str) -> dict[str, Json]:
    """The rules of a Prometheus, by name."""
    return {rule["name"]: rule for group in _get(url, "rules")["groups"] for rule in group["rules"]}


def _get(url: str, what: str, **parameters: str) -> Any:  # noqa: ANN401
    return loopback.read(f"{url}/api/v1/{what}", params=parameters).json()["data"]


@contextmanager
def _folder_of(files: Mapping[str, str]) -> Iterator[Path]:
    claim = Claim()
    try:
        folder = claim.folder / "rules"
        folder.mkdir()
        for name, text in files.items():
            (folder / os.fspath(name)).write_text(text, "utf-8")
        yield folder
    finally:
        claim.release()


def _prometheus(namespace: str) -> Json:
    everything: Json = {}
    return {
        "apiVersion": GROUP,
        "kind": "Prometheus",
        "metadata": {"name": _NAME, "namespace": namespace},
        "spec": {
            "scrapeInterval": "1s",
            "evaluationInterval": "1s",
            "serviceMonitorSelector": everything,
            "podMonitorSelector": everything,
            "probeSelector": everything,
            "scrapeConfigSelector": everything,
            "ruleSelector": everything,
        },
    }


def _served(cluster: Cluster, name: str) -> bool:
    """Whether it is established, and discovery tells of it, which is a moment later."""
    crd = cluster.api.get(_CRD, None, name)
    conditions = crd.get("status", {}).get("conditions") or []
    if not any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
        return False
    plural, _, group = name.partition(".")
    versions = [one["name"] for one in crd["spec"]["versions"] if one["served"]]
    return all(plural in _discovered(cluster, f"/apis/{group}/{version}") for version in versions)


def _discovered(cluster: Cluster, where: str) -> set[str]:
    try:
        return {one["name"] for one in cluster.api.request("GET", where)["resources"]}
    except ApiError as error:
        if error.code == 404:
            return set()
        raise
