"""Helm as the tests drive it: versions 3 and 4 by the same words, each call with a home of its own.

Nothing of the machine's own Helm is read: no repository, no plugin, no variable. An error carries Helm's own words.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import orjson

from tests.rig import tools
from tests.rig.api import Json
from tests.rig.errors import RigError
from tests.rig.manifests import read

Version = Literal[3, 4]
VERSIONS: tuple[Version, ...] = (3, 4)

Values = Path | Mapping[str, Any]
"""A file of values, or the values themselves."""

_PROGRAMS: Mapping[Version, tuple[str, str]] = {3: ("helm3", "helm3"), 4: ("helm", "helm4")}

# Seconds that one call may take; Helm's own deadline for what it waits for is shorter.
_DEADLINE = 240.0
_WAIT = "180s"


class HelmError(RigError):
    """Helm refused; the text is the command and what Helm said."""

    def __init__(self, command: Sequence[str], code: int, said: str) -> None:
        self.said = said.strip()
        super().__init__(f"`{' '.join(command)}` ended with {code}: {self.said}")


@dataclass(frozen=True)
class Release:
    """A release as Helm knows it after it was installed or upgraded."""

    name: str
    namespace: str
    revision: int
    status: str
    """`deployed`, once Helm is content."""
    notes: str
    """NOTES.txt as rendered."""
    objects: tuple[Json, ...]
    """What Helm sent to the API server, hooks left out."""


class Helm:
    """One version of Helm. Its homes are folders in `home`, which belongs to it alone."""

    def __init__(self, version: Version, home: Path) -> None:
        self.version = version
        self._home = home
        program, binary = _PROGRAMS[version]
        self._binary = tools.ensure(program)[binary]

    def lint(self, chart: Path, *, values: Sequence[Values] = ()) -> str:
        """Lints the chart and gives what Helm says. Raises `HelmError` where it finds something, be it a warning."""
        return self.run("lint", "--strict", "--kube-version", _kubernetes(), str(chart), values=values)

    def template(
        self,
        chart: Path,
        *,
        values: Sequence[Values] = (),
        name: str = "remediator",
        namespace: str = "remediator",
        apis: Sequence[str] = (),
        more: Sequence[str] = (),
    ) -> list[Json]:
        """The objects that `render` gives as text."""
        return read(self.render(chart, values=values, name=name, namespace=namespace, apis=apis, more=more))

    def render(
        self,
        chart: Path,
        *,
        values: Sequence[Values] = (),
        name: str = "remediator",
        namespace: str = "remediator",
        apis: Sequence[str] = (),
        more: Sequence[str] = (),
    ) -> str:
        """Gives the manifests that the chart renders, hooks included, as for the rig's Kubernetes without a cluster.

        `apis` are the API versions (`group/version` or `group/version/Kind`) that the cluster has beside its own.
        Raises `HelmError` where the chart does not render.
        """
        flags = ["--namespace", namespace, "--kube-version", _kubernetes()]
        flags += [part for api in apis for part in ("--api-versions", api)]
        return self.run("template", name, str(chart), *flags, *more, values=values)

    def install(
        self,
        name: str,
        chart: Path,
        *,
        kubeconfig: Path,
        namespace: str,
        values: Sequence[Values] = (),
        wait: bool = True,
        more: Sequence[str] = (),
    ) -> Release:
        """Installs the chart as the kubeconfig's user, and waits until its workloads are ready unless told not to.

        Raises `HelmError` where the API server refuses something, or the wait is in vain.
        """
        return self._put("install", name, chart, kubeconfig, namespace, values, wait=wait, more=more)

    def upgrade(
        self,
        name: str,
        chart: Path,
        *,
        kubeconfig: Path,
        namespace: str,
        values: Sequence[Values] = (),
        wait: bool = True,
        more: Sequence[str] = (),
    ) -> Release:
        """Upgrades the release as `install` installs it: the values are these alone, not those of before."""
        return self._put("upgrade", name, chart, kubeconfig, namespace, values, wait=wait, more=more)

    def uninstall(self, name: str, *, kubeconfig: Path, namespace: str, more: Sequence[str] = ()) -> str:
        """Removes the release, waits until its objects are gone, and gives what Helm says was kept."""
        return self.run(
            "uninstall", name, "--namespace", namespace, "--wait", "--timeout", _WAIT, *more, kubeconfig=kubeconfig
        )

    def run(self, *arguments: str, values: Sequence[Values] = (), kubeconfig: Path | None = None) -> str:
        """Gives what Helm prints for a command of it. Raises `HelmError` with what it says where it fails."""
        with TemporaryDirectory(dir=self._home) as folder:
            command = [str(self._binary), *arguments]
            for number, given in enumerate(values):
                command += ["--values", str(_file(given, Path(folder) / f"values-{number}.json"))]
            ran = subprocess.run(
                command,
                env=self._environment(kubeconfig),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_DEADLINE,
                check=False,
            )
        if ran.returncode:
            # lint prints its findings on standard output, everything else its errors on standard error.
            raise HelmError(command, ran.returncode, f"{ran.stdout}{ran.stderr}" if "lint" in arguments else ran.stderr)
        return ran.stdout

    def _put(
        self,
        verb: str,
        name: str,
        chart: Path,
        kubeconfig: Path,
        namespace: str,
        values: Sequence[Values],
        *,
        wait: bool,
        more: Sequence[str],
    ) -> Release:
        flags = ["--namespace", namespace, "--timeout", _WAIT, "--output", "json", *(["--wait"] if wait else [])]
        said = orjson.loads(
            self.run(verb, name, str(chart), *flags, *more, values=values, kubeconfig=kubeconfig).encode()
        )
        return Release(
            name=said["name"],
            namespace=said["namespace"],
            revision=said["version"],
            status=said["info"]["status"],
            notes=said["info"].get("notes", ""),
            objects=tuple(read(said["manifest"])),
        )

    def _environment(self, kubeconfig: Path | None) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE"))}
        homes = {f"HELM_{name}_HOME": str(self._home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        # A command without a kubeconfig shall meet no cluster, and not the one of whoever runs the tests.
        return {**own, **homes, "KUBECONFIG": str(kubeconfig or self._home / "no-kubeconfig")}


def _kubernetes() -> str:
    return tools.program("kubernetes").version


def _file(given: Values, place: Path) -> Path:
    if isinstance(given, Path):
        return given
    # JSON is YAML.
    place.write_bytes(orjson.dumps(given))
    return place
