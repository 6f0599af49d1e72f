"""What is shipped: the wheel, the lock files, the image's recipe and the manifests."""

from __future__ import annotations

import re
import shlex
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
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from remediator import __version__
from remediator.policy import parse
from remediator.settings import PREFIX, Settings
from tests.image.dockerfile import DOCKERFILE, ROOT, instructions
from tests.image.locks import locked

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
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


@pytest.mark.parametrize("name", ["runtime.txt", "build.txt"])
def test_what_is_tested_is_what_is_shipped(name: str) -> None:
    """The developers' lock file has the same versions and hashes as those of the image."""
    shipped, tested = (locked(ROOT / "requirements" / one) for one in (name, "dev.txt"))
    assert {name: tested[name] for name in shipped} == shipped


def test_the_build_backend_is_locked() -> None:
    """The image builds the wheel with the version that ``pyproject.toml`` names."""
    (asked,) = map(Requirement, project()["build-system"]["requires"])
    pinned, _ = locked(ROOT / "requirements" / "build.txt")[asked.name]
    assert pinned.specifier == asked.specifier


# The image


def test_hadolint_has_nothing_to_say() -> None:
    """The Dockerfile is clean, without an exception."""
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, DOCKERFILE], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "hadolint ignore" not in DOCKERFILE.read_text("utf-8")


def test_the_base_is_pinned_once() -> None:
    """All stages stand on one exact tag, or a digest of it; the wheel's on the builder's own platform."""
    written = instructions()
    assert written[0][0] == "ARG"
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.\d+\.\d+-slim-trixie(@sha256:[0-9a-f]{64})?", written[0][1])
    assert [rest.removesuffix(" AS install") for word, rest in written if word == "FROM"] == [
        "--platform=${BUILDPLATFORM} ${PYTHON_IMAGE} AS wheel",
        "${PYTHON_IMAGE}",
        "${PYTHON_IMAGE}",
    ]


def test_the_images_python_is_one_that_is_supported() -> None:
    """The base's Python fits ``requires-python``."""
    found = re.search(r"python:(3\.\d+\.\d+)-", instructions()[0][1])
    assert found is not None
    assert SpecifierSet(project()["project"]["requires-python"]).contains(found[1])


def test_the_image_runs_as_nobody_and_without_a_shell() -> None:
    """A numeric user, an entry point in exec form, and no health check."""
    said = dict(final_stage())
    assert said["USER"] == "65532:65532"
    assert said["ENTRYPOINT"] == '["/opt/remediator/bin/remediator"]'
    assert said["CMD"] == '["run"]'
    assert "HEALTHCHECK" not in said


def test_the_image_says_what_it_is() -> None:
    """Each label of the OCI's that a scanner or an update bot reads; those of a build are arguments of it."""
    labels = dict(pair.split("=", 1) for pair in shlex.split(dict(final_stage())["LABEL"]))
    of_a_build = {"version": "VERSION", "revision": "REVISION", "created": "CREATED", "source": "SOURCE"}
    assert labels == {
        "org.opencontainers.image.title": "remediator",
        "org.opencontainers.image.description": project()["project"]["description"].partition(",")[0],
        "org.opencontainers.image.licenses": project()["project"]["license"],
        **{f"org.opencontainers.image.{name}": f"${{{argument}}}" for name, argument in of_a_build.items()},
        "org.opencontainers.image.base.name": "${PYTHON_IMAGE}",
    }
    declared = [rest for word, rest in final_stage() if word == "ARG"]
    assert declared == ["PYTHON_IMAGE", f"VERSION={__version__}", "REVISION", "CREATED", "SOURCE"]


def final_stage() -> list[tuple[str, str]]:
    """The instructions after the last FROM."""
    last = max(index for index, (word, _) in enumerate(instructions()) if word == "FROM")
    return instructions()[last + 1 :]


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
    rules: dict[str, set[tuple[str, ...]]] = {}
    for item in objects("rbac.yaml"):
        rules.setdefault(item["kind"], set()).update(
            (group, resource, name, verb)
            for rule in item.get("rules", ())
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for name in rule.get("resourceNames", [""])
            for verb in rule["verbs"]
        )
    assert {kind: found for kind, found in rules.items() if found} == {
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


def test_the_right_to_run_commands_is_apart_and_of_a_namespace() -> None:
    """A Role, which names no namespace, so that one is given when it is applied; bound to the daemon alone."""
    assert one("exec/kustomization.yaml")["resources"] == ["rbac.yaml"]
    role, binding = objects("exec/rbac.yaml")
    assert (role["kind"], binding["kind"]) == ("Role", "RoleBinding")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create", "get"]}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "remediator", "namespace": "remediator"}]
    assert all("namespace" not in item["metadata"] for item in (role, binding))


def test_the_bindings_give_them_to_the_daemon_alone() -> None:
    """Each role is bound to the one service account that the Deployment uses."""
    given = objects("rbac.yaml")
    bindings = [item for item in given if item["kind"].endswith("Binding")]
    bound = {(item["roleRef"]["kind"], item["roleRef"]["name"]) for item in bindings}
    assert bound == {(item["kind"], item["metadata"]["name"]) for item in given if "rules" in item}
    for item in bindings:
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
    """The new pod stands by and is Ready; the old one has the time to finish a write and to hand its lease over."""
    spec = one("deployment.yaml")["spec"]
    assert spec["replicas"] == 1
    assert "strategy" not in spec, "the new one stands by until the old one hands its lease over"
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
