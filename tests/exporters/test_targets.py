"""What the annotations of a Service make of the target that is probed: the ScrapeConfig's relabelling, by promtool."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.exporters.chart import rendered, the
from tests.rig.helm import Helm
from tests.rig.tools import ensure

_META = "__meta_kubernetes"
_ANNOTATION = f"{_META}_service_annotation_prometheus_io_http_probe"


def target(helm: Helm, folder: Path, annotations: dict[str, str]) -> str:
    """The address that the exporter is asked to probe for the Service `web` in `shop` with these annotations."""
    made = the(rendered(helm, {"blackbox": {"enabled": True}, "probes": {"services": {"enabled": True}}}),
               "ScrapeConfig", "-services")  # fmt: skip
    words = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
    found = {f"{_META}_service_name": "web", f"{_META}_namespace": "shop", _ANNOTATION: "true"}
    labels = {**found, **{f"{_ANNOTATION}_{name}": value for name, value in annotations.items()}}
    job = {
        "job_name": "services",
        "relabel_configs": [
            {words.get(key, key): value for key, value in one.items()} for one in made["spec"]["relabelings"]
        ],
        "static_configs": [{"targets": ["web.shop.svc:80"], "labels": labels}],
    }
    file = folder / "prometheus.yaml"
    file.write_text(yaml.safe_dump({"scrape_configs": [job]}), "utf-8")
    command = [str(ensure("prometheus")["promtool"]), "check", "service-discovery", str(file), "services"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    (one,) = json.loads(said.stdout)
    address: str = one["labels"]["__param_target"]
    return address


@pytest.mark.parametrize(
    ("annotations", "address"),
    [
        ({}, "http://web.shop.svc/"),
        ({"port": "", "path": ""}, "http://web.shop.svc/"),
        ({"port": "8080", "path": "/healthz"}, "http://web.shop.svc:8080/healthz"),
        ({"port": "http"}, "http://web.shop.svc:http/"),
        ({"port": "80@elsewhere.test:81"}, "http://web.shop.svc:not-a-port/"),
        ({"port": "80/x?y="}, "http://web.shop.svc:not-a-port/"),
        ({"port": "80\n@elsewhere.test"}, "http://web.shop.svc:not-a-port/"),
        ({"path": "//elsewhere.test"}, "http://web.shop.svc//elsewhere.test"),
        ({"path": "@elsewhere.test"}, "http://web.shop.svc/@elsewhere.test"),
    ],
)
def test_no_annotation_leads_away_from_its_service(
    helm: Helm, tmp_path: Path, annotations: dict[str, str], address: str
) -> None:
    """Whoever may annotate a Service chooses port and path, never the host; what is no port is none, and is seen."""
    assert target(helm, tmp_path, annotations) == address
