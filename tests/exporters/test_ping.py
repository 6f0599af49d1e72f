"""The module `ping` in a network namespace like a pod's, with the rights that the chart gives, and no others."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.exporters.chart import modules, rendered, the
from tests.image import namespaces
from tests.rig.api import Json
from tests.rig.helm import Helm
from tests.rig.tools import ensure

SCRIPT = Path(__file__).with_name("alone.py")

NOBODY = "1 0"
"""The kernel's own default: no group may open ping sockets."""


def pod(helm: Helm, **blackbox: object) -> Json:
    """The exporter's pod with these values."""
    made = rendered(helm, {"blackbox": {"enabled": True, **blackbox}})
    found: Json = the(made, "Deployment", "-blackbox")["spec"]["template"]["spec"]
    return found


def sysctls(pod: Mapping[str, Any]) -> dict[str, str]:
    """Its sysctls by name."""
    return {one["name"]: one["value"] for one in pod["securityContext"].get("sysctls", [])}


def pinged(helm: Helm, folder: Path, pod: Json) -> dict[str, str]:
    """What the exporter says of two pings, one answered and one not, with the rights of this pod."""
    file = folder / "modules.yaml"
    file.write_text(modules(helm), "utf-8")
    capabilities = pod["containers"][0]["securityContext"]["capabilities"].get("add", [])
    command = [
        *namespaces.network(),
        sys.executable, "-I", str(SCRIPT), str(ensure("blackbox_exporter")["blackbox_exporter"]), str(file),
        sysctls(pod).get("net.ipv4.ping_group_range", NOBODY), *(one.lower() for one in capabilities),
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, str] = orjson.loads(ran.stdout)
    return found


@pytest.mark.parametrize("way", ["sysctl", "netRaw"])
def test_what_answers_is_told_from_what_does_not(helm: Helm, tmp_path: Path, way: str) -> None:
    """An answered ping is a success with its round trip; an unanswered one is a failure, with a round trip of 0."""
    found = pinged(helm, tmp_path, pod(helm, ping=way))
    assert "\nprobe_success 1\n" in found["answered"], found["answered"]
    assert 'probe_icmp_duration_seconds{phase="rtt"} ' in found["answered"]
    assert "\nprobe_success 0\n" in found["ignored"], found["ignored"]
    assert 'probe_icmp_duration_seconds{phase="rtt"} 0\n' in found["ignored"]


def test_without_either_nothing_can_be_pinged(helm: Helm, tmp_path: Path) -> None:
    """Where neither chart nor runtime allows it the probe fails and says why: the rights are what lets it through."""
    found = pinged(helm, tmp_path, pod(helm, ping="runtime"))
    assert "\nprobe_success 0\n" in found["answered"]
    assert "operation not permitted" in found["answered"]


def test_ping_needs_neither_root_nor_a_capability(helm: Helm) -> None:
    """By default the pod has a sysctl that the Pod Security level `restricted` admits, and gives everything else up."""
    made = pod(helm)
    assert sysctls(made) == {"net.ipv4.ping_group_range": "0 2147483647"}
    assert made["securityContext"]["runAsNonRoot"] is True
    assert made["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_capability_is_there_where_ping_is(helm: Helm) -> None:
    """NET_RAW comes with a module that pings, when it is asked for, and with root, which alone can use it."""
    context = pod(helm, ping="netRaw")["containers"][0]["securityContext"]
    assert context["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}
    assert context["runAsUser"] == 0
    assert context["allowPrivilegeEscalation"] is False


@pytest.mark.parametrize("way", ["sysctl", "netRaw"])
def test_without_a_module_that_pings_there_is_no_right_to(helm: Helm, way: str) -> None:
    """Whoever takes `ping` away takes its right away."""
    made = pod(helm, ping=way, modules={"ping": None})
    assert sysctls(made) == {}
    context = made["containers"][0]["securityContext"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert "runAsUser" not in context
