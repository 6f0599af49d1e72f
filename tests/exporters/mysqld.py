"""A real mysqld_exporter, started as the chart's pod starts it: its arguments, its variables, its files."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.exporters.chart import rendered, the
from tests.rig.api import Json
from tests.rig.helm import Helm
from tests.rig.loopback import answers, read
from tests.rig.processes import Component
from tests.rig.program import Program
from tests.rig.servers import HOST
from tests.rig.tools import ensure

_FOLDER = "/etc/mysqld-exporter"
_PORT = ":9104"


class MysqldExporter(Program):
    """The exporter of one server with that my.cnf; a context manager that ends it."""

    def __init__(self, helm: Helm, address: str, my_cnf: str) -> None:
        super().__init__()
        (port,) = self._claim.ports(1)
        self.address = f"{HOST}:{port}"
        container = _container(helm, address)
        (mount,) = container["volumeMounts"]
        assert mount["mountPath"] == _FOLDER
        file = self._claim.folder / "my.cnf"
        file.touch(mode=0o400)
        file.chmod(0o600)
        file.write_text(my_cnf, "utf-8")
        file.chmod(0o400)
        arguments = [
            one.replace(f"{_FOLDER}/", f"{self._claim.folder}/").replace(_PORT, self.address)
            for one in container["args"]
        ]
        self._component = Component(
            name="mysqld_exporter",
            command=[str(ensure("mysqld_exporter")["mysqld_exporter"]), *arguments],
            log=self._claim.folder / "mysqld_exporter.log",
            # What the pod's own probes ask.
            healthy=lambda: answers(f"http://{self.address}{container['readinessProbe']['httpGet']['path']}"),
            environment={one["name"]: one["value"] for one in container["env"]},
        )

    def scrape(self) -> Mapping[str, Metric]:
        """What it exposes now, by the names of the metrics."""
        exposed = read(f"http://{self.address}/metrics", timeout=60).text
        return {family.name: family for family in text_string_to_metric_families(exposed)}

    def log(self) -> str:
        """The end of what it has said."""
        return self._component.tail()


def value(scraped: Mapping[str, Metric], name: str) -> float:
    """The value of a metric that has one series."""
    (sample,) = scraped[name].samples
    return float(sample.value)


def failed_collectors(scraped: Mapping[str, Metric]) -> set[str]:
    """The collectors that say of themselves that they have failed."""
    samples = scraped["mysql_exporter_collector_success"].samples
    return {one.labels["collector"].removeprefix("collect.") for one in samples if one.value != 1}


def collectors(scraped: Mapping[str, Metric]) -> set[str]:
    """All collectors that have run."""
    samples = scraped["mysql_exporter_collector_success"].samples
    return {one.labels["collector"].removeprefix("collect.") for one in samples}


def _container(helm: Helm, address: str) -> Json:
    values = {"mysqld": {"servers": {"shop": {"address": address, "secret": "shop-db-exporter"}}}}
    deployment = the(rendered(helm, values), "Deployment", "-mysqld-shop")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(container)
