"""The plain manifests in deploy/, rendered from the chart by Helm: a file a concern, and a folder a feature.

They are a release `remediator` in the namespace `remediator` with the values in deploy-values.yaml. What names Helm in
their labels is taken out, because nobody who applies them has it; what the templates say in comments stays. The
namespace, the kustomizations and the overlay in examples/ are written by hand.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from generate.errors import GenerateError
from tests.rig.helm import Helm

NAME = "remediator"
VALUES = "generate/deploy-values.yaml"
CHART = "charts/remediator"

_HEADER = "# Made from {chart} by `make generate`: change that, or lay an overlay over it, as examples/overlay does.\n"
_SOURCE = re.compile(r"^# Source: remediator/templates/(.*)$", re.MULTILINE)
_OF_HELM = re.compile(
    r"^ *(app\.kubernetes\.io/instance|app\.kubernetes\.io/managed-by|helm\.sh/chart): .*\n", re.MULTILINE
)
_NAMESPACE = re.compile(r"^  namespace: .*\n", re.MULTILINE)


@dataclass(frozen=True)
class _Manifest:
    """A file of deploy/: the templates that go into it, and what is said at its top."""

    templates: tuple[str, ...]
    about: tuple[str, ...] = ()
    of_a_namespace: bool = True
    """Whether its objects name a namespace; where not, one is given when they are applied."""


_MANIFESTS: Mapping[str, _Manifest] = {
    "rbac.yaml": _Manifest(
        tuple(f"rbac/{name}.yaml" for name in ("serviceaccount", "read", "nodes", "evict", "own")),
        ("The rights of the daemon: what it uses, to the verb, and nothing else.",),
    ),
    "policy.yaml": _Manifest(
        ("policy.yaml",),
        (
            "The policy. Paused: everything is measured, judged and logged, and nothing is taken. Read the log for",
            'some days (event "left alone", reasons ["paused"]), then take `paused` out. `enabled: false` in it would',
            "ask nothing, show nothing, and leave the pod un-Ready.",
        ),
    ),
    "deployment.yaml": _Manifest(
        ("deployment.yaml",),
        (
            "Two things to change in an overlay: the image, which has to be built and pushed, and where Prometheus",
            "answers. This is the Service that the Prometheus operator makes in the namespace `monitoring`.",
        ),
    ),
    "service.yaml": _Manifest(("service.yaml",)),
    "surge/rbac.yaml": _Manifest(
        ("rbac/surge.yaml",), ("The rights that `action: surge` needs beside those of deploy/rbac.yaml, to the verb.",)
    ),
    "surge/admission.yaml": _Manifest(("admission.yaml",), ("Needs Kubernetes 1.30 or newer.",)),
    "delete/rbac.yaml": _Manifest(
        ("rbac/delete.yaml",), ("The right that `action: delete` needs beside those of deploy/rbac.yaml.",)
    ),
    "exec/rbac.yaml": _Manifest(
        ("rbac/exec.yaml",),
        ("The right that `exec` hooks need beside those of deploy/rbac.yaml, in the namespace that it is applied to.",),
        of_a_namespace=False,
    ),
}


def files(root: Path) -> Mapping[str, str]:
    """Gives the manifests. Raises `GenerateError` where the chart has no such template, or Helm refuses it."""
    with TemporaryDirectory() as home:
        rendered = Helm(4, Path(home)).render(root / CHART, values=[root / VALUES], name=NAME, namespace=NAME)
    found: dict[str, list[str]] = {}
    for document in re.split(r"^---\n", rendered, flags=re.MULTILINE):
        if source := _SOURCE.search(document):
            found.setdefault(source[1], []).append(_plain(document))
    return {f"deploy/{name}": _made(manifest, found) for name, manifest in _MANIFESTS.items()}


def _plain(document: str) -> str:
    """An object without what is Helm's own."""
    return _OF_HELM.sub("", _SOURCE.sub("", document)).strip() + "\n"


def _made(manifest: _Manifest, found: Mapping[str, list[str]]) -> str:
    if missing := [template for template in manifest.templates if template not in found]:
        message = f"the chart renders nothing from templates/{missing[0]}; see {VALUES} and generate/manifests.py"
        raise GenerateError(message)
    objects = [text for template in manifest.templates for text in found[template]]
    if not manifest.of_a_namespace:
        objects = [_NAMESPACE.sub("", text) for text in objects]
    about = "".join(f"# {line}\n" for line in manifest.about)
    return _HEADER.format(chart=CHART) + about + "---\n".join(objects)
