"""deploy/ and the chart's README: made from the chart, and applied by kustomize as they are or with an overlay."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from generate import files
from remediator.policy import parse
from tests.rig.manifests import read

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
OVERLAY = ROOT / "examples" / "overlay"
KUSTOMIZATIONS = sorted(path.parent for path in [*DEPLOY.rglob("kustomization.yaml"), OVERLAY / "kustomization.yaml"])

Json = dict[str, Any]


@cache
def kustomized(folder: Path) -> tuple[Json, ...]:
    """The objects that `kubectl kustomize` gives for a folder. kubectl is the machine's, or the wheel's."""
    beside = Path(sys.executable).parent
    kubectl = shutil.which("kubectl", path=str(beside)) or shutil.which("kubectl")
    assert kubectl, "there is no kubectl; `make setup` brings it as a wheel"
    run = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return tuple(read(run.stdout))


def one(folder: Path, kind: str) -> Json:
    """The only object of a kind."""
    (found,) = (item for item in kustomized(folder) if item["kind"] == kind)
    return found


def container(folder: Path) -> Json:
    """The daemon's container."""
    (found,) = one(folder, "Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(found)


@pytest.mark.parametrize("name", sorted(files.NEED_PROGRAMS))
def test_nothing_has_drifted(name: str) -> None:
    """The README and the manifests are committed as helm-docs and Helm make them."""
    assert files.differing(name) == []


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_kustomization_builds(folder: Path) -> None:
    """Kustomize gives whole objects, none twice, and no word of Helm."""
    found = kustomized(folder)
    names = [(item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in found]
    assert len(set(names)) == len(names) > 0
    # What an overlay adds is the user's, and the examples are other applications.
    if folder != OVERLAY and folder.parent != DEPLOY / "examples":
        assert {item["metadata"]["labels"]["app.kubernetes.io/name"] for item in found} == {"remediator"}
    text = yaml.safe_dump_all(found)
    assert "helm" not in text.lower()
    assert "app.kubernetes.io/instance" not in text


def test_the_features_are_bound_to_the_daemons_account() -> None:
    """What surge, delete and exec add is for the account that the Deployment runs as."""
    account = one(DEPLOY, "ServiceAccount")["metadata"]
    wanted = {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    for feature in ("surge", "delete", "exec"):
        bindings = [item for item in kustomized(DEPLOY / feature) if item["kind"].endswith("RoleBinding")]
        assert [item["subjects"] for item in bindings] == [[wanted]]
    user = f"system:serviceaccount:{account['namespace']}:{account['name']}"
    (condition,) = one(DEPLOY / "surge", "ValidatingAdmissionPolicy")["spec"]["matchConditions"]
    assert condition["expression"] == f'request.userInfo.username == "{user}"'


def test_the_overlay_changes_what_it_says_and_nothing_else() -> None:
    """Image, Prometheus' address and sample interval, and the policy; everything else is as in deploy/."""
    base, changed = container(DEPLOY), container(OVERLAY)
    environment = {variable["name"]: variable["value"] for variable in changed["env"]}
    assert environment["REMEDIATOR_PROMETHEUS_URL"] == "https://prometheus.example.com"
    assert environment["REMEDIATOR_SCRAPE_INTERVAL"] == "60s"
    assert environment.keys() == {variable["name"] for variable in base["env"]}
    assert changed["image"] == "registry.example.com/sre/remediator:0.1.0"
    assert {key for key in base if base[key] != changed[key]} == {"env", "image"}
    policy = one(OVERLAY, "ConfigMap")
    assert policy["metadata"]["name"] == one(DEPLOY, "ConfigMap")["metadata"]["name"]
    assert policy["data"] == {"policy.yaml": (OVERLAY / "policy.yaml").read_text("utf-8")}
    kinds = {item["kind"] for item in kustomized(OVERLAY)}
    assert kinds == {item["kind"] for folder in (DEPLOY, DEPLOY / "surge") for item in kustomized(folder)}


@pytest.mark.parametrize("folder", [DEPLOY, OVERLAY], ids=["deploy", "overlay"])
def test_the_policies_load_and_take_nothing_yet(folder: Path) -> None:
    """Both are paused, so that nobody's first apply takes a pod."""
    policy = one(folder, "ConfigMap")["data"]["policy.yaml"]
    assert parse(policy, sample_interval=60).safety.paused


def test_the_overlay_has_the_rights_that_its_policy_needs() -> None:
    """Its policy surges, and it brings surge's rights and admission policy."""
    actions = {
        policy.action.value for policy in parse((OVERLAY / "policy.yaml").read_text(), sample_interval=60).policies
    }
    assert actions == {"surge", "notify"}
    assert one(OVERLAY, "ValidatingAdmissionPolicyBinding")
