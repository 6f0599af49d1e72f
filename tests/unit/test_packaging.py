"""What is shipped: the wheel, the lock files, the image's recipe and the manifests."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from remediator import __version__
from remediator.policy import parse
from remediator.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
DOCKERFILE = ROOT / "Dockerfile"
DEPLOY = ROOT / "deploy"

Json = dict[str, Any]


def project() -> Mapping[str, Any]:
    """``pyproject.toml``."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


# The wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from the tree as the Dockerfile builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_has_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Each file of the package is in it, and no test, no demo, no bytecode."""
    info = f"remediator-{__version__}.dist-info"
    names = {name for name in wheel.namelist() if not name.startswith(f"{info}/")}
    tree = {path for path in (ROOT / "remediator").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert names == {str(path.relative_to(ROOT)) for path in tree}


def test_the_wheel_has_licence_and_entry_point(wheel: zipfile.ZipFile) -> None:
    """Whoever installs it gets the licence's text and the command."""
    info = f"remediator-{__version__}.dist-info"
    assert wheel.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    entry_points = wheel.read(f"{info}/entry_points.txt").decode()
    assert "[console_scripts]\nremediator = remediator.cli:main" in entry_points


def test_the_wheels_metadata_is_whole(wheel: zipfile.ZipFile) -> None:
    """Version, licence, the least Python, and the README as the long description."""
    metadata = Parser().parsestr(wheel.read(f"remediator-{__version__}.dist-info/METADATA").decode())
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_payload() == (ROOT / "README.md").read_text("utf-8")


# The lock files


def locked(path: Path) -> dict[str, tuple[Requirement, list[str]]]:
    """The requirements of a lock file with their hashes, by name."""
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.strip().startswith("#")]
    entries = re.split(r"\n(?=\S)", "\n".join(lines).replace("\\\n", " "))
    found: dict[str, tuple[Requirement, list[str]]] = {}
    for entry in filter(str.strip, entries):
        hashes = re.findall(r"--hash=(\S+)", entry)
        requirement = Requirement(entry.partition(" --hash")[0].strip())
        found[canonicalize_name(requirement.name)] = (requirement, hashes)
    return found


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: str(path.name))
def test_every_locked_package_has_a_version_and_hashes(path: Path) -> None:
    """One exact version each, and at least one SHA-256 to hold it to."""
    for name, (requirement, hashes) in locked(path).items():
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), name
        assert hashes, name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), name


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: str(path.name))
def test_no_lock_file_names_an_index(path: Path) -> None:
    """Where packages come from is for the one who installs to say: a mirror, perhaps."""
    content = path.read_text("utf-8")
    assert "://" not in content
    assert not re.search(
        r"^\s*(-i|-f|--index-url|--extra-index-url|--find-links|--trusted-host)\b", content, re.MULTILINE
    )


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt"])
def test_the_lock_files_hold_what_the_project_asks_for(name: str) -> None:
    """Each dependency is locked to a version that ``pyproject.toml`` allows."""
    versions = locked(ROOT / "requirements" / name)
    for text in project()["project"]["dependencies"]:
        asked = Requirement(text)
        pinned, _ = versions[canonicalize_name(asked.name)]
        (specifier,) = pinned.specifier
        assert asked.specifier.contains(Version(specifier.version)), text


def test_what_is_tested_is_what_is_shipped() -> None:
    """The developers' lock file has the same versions and hashes as that of the image."""
    shipped, tested = (locked(ROOT / "requirements" / name) for name in ("runtime.txt", "dev.txt"))
    assert {name: tested[name] for name in shipped} == shipped


def test_the_build_backend_is_locked() -> None:
    """The image builds the wheel with the version that ``pyproject.toml`` names."""
    (asked,) = map(Requirement, project()["build-system"]["requires"])
    pinned, _ = locked(ROOT / "requirements" / "dev.txt")[asked.name]
    assert pinned.specifier == asked.specifier


# The image


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, comments left out and lines joined."""
    lines = [line for line in DOCKERFILE.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    pairs = [line.partition(" ") for line in joined.splitlines() if line.strip()]
    return [(word, rest.strip()) for word, _, rest in pairs]


def test_hadolint_has_nothing_to_say() -> None:
    """The Dockerfile is clean, without an exception."""
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, DOCKERFILE], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "hadolint ignore" not in DOCKERFILE.read_text("utf-8")


def test_the_base_is_pinned_once() -> None:
    """All stages stand on one exact tag, which release automation can give a digest."""
    written = instructions()
    assert written[0][0] == "ARG"
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.\d+\.\d+-slim-bookworm", written[0][1])
    assert all(rest.startswith("${PYTHON_IMAGE}") for word, rest in written if word == "FROM")


def test_the_images_python_is_one_that_is_supported() -> None:
    """The base's Python fits ``requires-python``, and the path of its standard library."""
    found = re.search(r"python:(3\.\d+)\.", instructions()[0][1])
    assert found is not None
    assert Version(found[1]) >= Version("3.11")
    paths = re.findall(r"/usr/local/lib/python(3\.\d+)", DOCKERFILE.read_text("utf-8"))
    assert paths == [found[1]]


def test_the_image_runs_as_nobody_and_without_a_shell() -> None:
    """A numeric user, an entry point in exec form, no health check, and the version as a label."""
    last = max(index for index, (word, _) in enumerate(instructions()) if word == "FROM")
    final = instructions()[last:]
    said = dict(final)
    assert said["USER"] == "65532:65532"
    assert said["ENTRYPOINT"] == '["/opt/remediator/bin/remediator"]'
    assert said["CMD"] == '["run"]'
    assert "HEALTHCHECK" not in said
    assert ("ARG", f"VERSION={__version__}") in final
    assert 'org.opencontainers.image.licenses="Apache-2.0"' in said["LABEL"]


def test_packages_come_by_hash_alone() -> None:
    """Each installation from an index is held to the lock file's hashes, and builds nothing."""
    installs = [part for word, rest in instructions() if word == "RUN" for part in rest.split("&&")]
    installs = [part for part in installs if " install " in part]
    assert len(installs) == 3
    for install in installs:
        assert "--no-index" in install or {"--require-hashes", "--only-binary"} <= set(install.split())


def test_the_context_holds_what_is_copied_and_no_more() -> None:
    """``.dockerignore`` lets through just the files that the Dockerfile copies."""
    copied = {
        source.rstrip("/")
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied
    assert "*" in lines
    assert all((ROOT / source).exists() for source in copied)


# The manifests


def objects(name: str) -> list[Json]:
    """The objects of one file of ``deploy/``."""
    return list(yaml.safe_load_all((DEPLOY / name).read_text("utf-8")))


def one(name: str) -> Json:
    """The only object of a file."""
    (found,) = objects(name)
    return dict(found)


def test_the_kustomization_lists_every_manifest() -> None:
    """Nothing in ``deploy/`` is forgotten."""
    kustomization = one("kustomization.yaml")
    files = {path.name for path in DEPLOY.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == files
    assert kustomization["images"] == [{"name": "remediator", "newName": "remediator", "newTag": __version__}]


def test_everything_is_in_one_namespace_and_labelled() -> None:
    """Whatever has a namespace has that one; all carry the name, and nothing release-tracking."""
    for file in one("kustomization.yaml")["resources"]:
        for item in objects(file):
            metadata = item["metadata"]
            if item["kind"] not in {"Namespace", "ClusterRole", "ClusterRoleBinding"}:
                assert metadata["namespace"] == "remediator"
            assert metadata["labels"]["app.kubernetes.io/name"] == "remediator"
            assert "app.kubernetes.io/instance" not in metadata["labels"]


def test_the_rights_are_these_and_no_others() -> None:
    """Verb by verb; a wider role has to be written here as well."""
    rules = {
        item["kind"]: {
            (group, resource, name, verb)
            for rule in item["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for name in rule.get("resourceNames", [""])
            for verb in rule["verbs"]
        }
        for item in objects("rbac.yaml")
        if "rules" in item
    }
    assert rules == {
        "ClusterRole": {
            ("", "pods", "", "get"),
            ("", "pods", "", "list"),
            ("", "pods", "", "watch"),
            ("apps", "replicasets", "", "get"),
            ("apps", "deployments", "", "get"),
            ("apps", "statefulsets", "", "get"),
            ("apps", "daemonsets", "", "get"),
            ("", "nodes", "", "get"),
            ("events.k8s.io", "events", "", "list"),
            ("policy", "poddisruptionbudgets", "", "list"),
            ("", "pods/eviction", "", "create"),
        },
        "Role": {
            ("coordination.k8s.io", "leases", "", "create"),
            ("coordination.k8s.io", "leases", "remediator", "get"),
            ("coordination.k8s.io", "leases", "remediator", "update"),
            ("", "configmaps", "", "create"),
            ("", "configmaps", "remediator-journal", "get"),
            ("", "configmaps", "remediator-journal", "update"),
        },
    }


def test_the_bindings_give_them_to_the_daemon_alone() -> None:
    """Both roles are bound to the one service account that the Deployment uses."""
    bindings = [item for item in objects("rbac.yaml") if item["kind"].endswith("Binding")]
    assert {item["roleRef"]["kind"] for item in bindings} == {"ClusterRole", "Role"}
    for item in bindings:
        assert item["roleRef"]["name"] == "remediator"
        assert item["subjects"] == [{"kind": "ServiceAccount", "name": "remediator", "namespace": "remediator"}]
    assert one("deployment.yaml")["spec"]["template"]["spec"]["serviceAccountName"] == "remediator"


def test_the_policy_that_is_shipped_takes_nothing() -> None:
    """It loads, it is evaluated, so that one sees what it would do, and it is paused."""
    content = one("policy.yaml")["data"]["policy.yaml"]
    policies = parse(content, sample_interval=30, own_namespace="remediator")
    assert policies.safety.paused
    assert all(policy.enabled for policy in policies.policies)
    assert policies.safety.excludes("kube-system")


def test_the_pod_passes_the_restricted_level() -> None:
    """What Pod Security asks for at its strictest, and a root file system that can't be written."""
    spec = one("deployment.yaml")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 65532
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    labels = one("namespace.yaml")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_deployment_can_be_rolled_out() -> None:
    """Only the leader is Ready, so the old pod has to go first, and has the time to finish a write."""
    spec = one("deployment.yaml")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] >= 45


def test_the_environment_holds_settings_only() -> None:
    """Each variable is a setting; those that a Service adds are kept away, because the daemon refuses them."""
    spec = one("deployment.yaml")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["enableServiceLinks"] is False
    names = {variable["name"] for variable in container["env"]}
    assert names <= {PREFIX + name.upper() for name in Settings.model_fields}
    assert PREFIX + "PROMETHEUS_URL" in names


def test_policy_ports_and_probes_meet() -> None:
    """The mounted directory holds the file that is read; Service and probes name the port that is served."""
    spec = one("deployment.yaml")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    (mount,), (volume,) = container["volumeMounts"], spec["volumes"]
    policy = one("policy.yaml")
    assert volume["configMap"]["name"] == policy["metadata"]["name"]
    assert mount["name"] == volume["name"]
    assert "subPath" not in mount
    assert container["args"] == ["run", f"{mount['mountPath']}/{next(iter(policy['data']))}"]
    (port,) = container["ports"]
    assert Settings.model_fields["http_address"].default.endswith(f":{port['containerPort']}")
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": port["name"]}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": port["name"]}
    service = one("service.yaml")["spec"]
    assert [each["targetPort"] for each in service["ports"]] == [port["name"]]
    assert service["publishNotReadyAddresses"] is True
    assert service["selector"].items() <= one("deployment.yaml")["spec"]["template"]["metadata"]["labels"].items()


def test_the_image_is_the_version_of_the_tree() -> None:
    """No moving tag, and none that was forgotten at a release."""
    (container,) = one("deployment.yaml")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"remediator:{__version__}"
    assert container["resources"]["limits"]["memory"]
    assert container["resources"]["requests"]["memory"]
