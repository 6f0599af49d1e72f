"""The programs that the rig runs, built from pinned Go modules into a cache that outlives the clone.

`ensure()` gives their paths and builds what is missing. `python -m tests.rig.tools` builds all of them, or
those that are named. A program is built from its own module under tests/cluster/tools, so that no two
programs' dependencies have to agree, with `-mod=readonly`: what go.sum does not know is refused.

A build is kept (see cache.py) under a hash of the module's go.mod and go.sum, the build's flags and the platform.
`$KUBEBUILDER_ASSETS`, the folder that controller-runtime's envtest uses, is asked first: a binary that it holds is
taken as it is.
"""

import hashlib
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.rig.cache import cache_folder, keep
from tests.rig.console import say
from tests.rig.errors import ToolError
from tests.rig.golang import download, go

MODULES = Path(__file__).resolve().parent.parent / "cluster" / "tools"


@dataclass(frozen=True)
class Program:
    """One module under tests/cluster/tools and what is built from it."""

    name: str
    """The module's folder."""
    binaries: tuple[str, ...]
    """The names under which its binaries are kept."""
    expect: str
    """About how long the first build takes on two cores, downloads included, for the person who waits."""
    tags: str = ""
    variables: tuple[str, ...] = ()
    """Each `variable=value` for the linker: what its makers' own build tells it. `{version}` is that of its go.mod."""
    renamed: dict[str, str] = field(default_factory=dict)
    """What `go build` calls a binary, where that is not its name."""
    placeholders: tuple[str, ...] = ()
    """Files that its makers generate and its module lacks, though it does not compile without: empty ones serve."""

    @property
    def module(self) -> Path:
        """The folder of its go.mod."""
        return MODULES / self.name

    @property
    def path(self) -> str:
        """The path of the Go module that it is built from: the first that its go.mod requires."""
        return self._required[0]

    @property
    def version(self) -> str:
        """That module's version as its makers write it, without the leading v."""
        return self._required[1].removeprefix("v")

    @property
    def _required(self) -> tuple[str, str]:
        found = re.search(r"^require (\S+) (\S+)$", (self.module / "go.mod").read_text(), re.MULTILINE)
        if found is None:
            msg = f"{self.module / 'go.mod'} has no `require MODULE VERSION` on a line of its own"
            raise ToolError(msg)
        return found[1], found[2]

    @property
    def key(self) -> str:
        """Its name with a hash of what goes into its build."""
        digest = hashlib.sha256()
        for part in (
            (self.module / "go.mod").read_bytes(),
            (self.module / "go.sum").read_bytes(),
            "\0".join((*self.flags, *self.placeholders)).encode(),
            f"{platform.system()}/{platform.machine()}".encode(),
        ):
            digest.update(hashlib.sha256(part).digest())
        return f"{self.name}-{digest.hexdigest()[:16]}"

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of `go build`; they are part of the cache's key."""
        ldflags = " ".join(("-s -w", *(f"-X {text.format(version=self.version)}" for text in self.variables)))
        tags = (f"-tags={self.tags}",) if self.tags else ()
        return ("-mod=readonly", "-trimpath", "-buildvcs=false", *tags, f"-ldflags={ldflags}")


_COMMON_VERSION = "github.com/prometheus/common/version.Version={version}"

PROGRAMS = (
    Program(
        "kubernetes",
        ("kube-apiserver", "kube-controller-manager", "kube-scheduler"),
        "about 4 min",
        variables=("k8s.io/component-base/version.gitVersion=v{version}",),
    ),
    Program("etcd", ("etcd",), "about 30 s", renamed={"server": "etcd"}),
    Program("kwok", ("kwok",), "about 1 min"),
    # All service discoveries but that of Kubernetes stay out: they are two thirds of what there is to
    # compile.
    Program("prometheus", ("prometheus", "promtool"), "about 2 min", tags="remove_all_sd,enable_kubernetes_sd"),
    Program("kube-state-metrics", ("kube-state-metrics",), "about 1 min"),
    Program(
        "helm",
        ("helm4",),
        "about 1 min 30 s",
        variables=("helm.sh/helm/v4/internal/version.version=v{version}",),
        renamed={"helm": "helm4"},
    ),
    Program(
        "helm3",
        ("helm3",),
        "about 1 min 30 s",
        # Helm 3 does not ask its modules which Kubernetes it knows (client-go 0.37), and says 1.20 unless it is told.
        variables=(
            "helm.sh/helm/v3/internal/version.version=v{version}",
            *(
                f"helm.sh/helm/v3/pkg/{package}.k8sVersion{part}"
                for package in ("chartutil", "lint/rules")
                for part in ("Major=1", "Minor=37")
            ),
        ),
        renamed={"helm": "helm3"},
    ),
    Program("kubeconform", ("kubeconform",), "about 10 s", variables=("main.version=v{version}",)),
    Program(
        "prometheus-operator",
        ("prometheus-operator",),
        "about 1 min 30 s",
        variables=(_COMMON_VERSION,),
        renamed={"operator": "prometheus-operator"},
    ),
    Program("actionlint", ("actionlint",), "about 10 s", variables=("github.com/rhysd/actionlint.version={version}",)),
    Program("helm-docs", ("helm-docs",), "about 15 s", variables=("main.version={version}",)),
    Program("blackbox_exporter", ("blackbox_exporter",), "about 20 s", variables=(_COMMON_VERSION,)),
    Program("mysqld_exporter", ("mysqld_exporter",), "about 10 s", variables=(_COMMON_VERSION,)),
    # Its page is built by npm; the API, and all that it does with alerts, is Go.
    Program(
        "alertmanager",
        ("alertmanager", "amtool"),
        "about 1 min",
        variables=(_COMMON_VERSION,),
        placeholders=("ui/app/dist/elm/index.html", "ui/app/dist/mantine/index.html"),
    ),
)

CONTROL_PLANE = ("kubernetes", "etcd", "kwok", "prometheus", "kube-state-metrics")
"""The programs that a cluster of the rig consists of; the others are tools of single tests."""


def ensure(*names: str) -> dict[str, Path]:
    """Gives the path of every binary of the named programs (of all of them, if none is named) by its name.

    Builds what is neither in `$KUBEBUILDER_ASSETS` nor in the cache, one program at a time, and says so on
    standard error as it goes. Raises `ToolError` where there is no Go that can build them, or a build fails.
    """
    found: dict[str, Path] = {}
    missing: list[Program] = []
    for wanted in [program(name) for name in names] or PROGRAMS:
        assets = _from_assets(wanted.binaries)
        kept = _in_folder(_folder(wanted), wanted.binaries)
        found |= kept or {}
        found |= assets
        if kept is None and len(assets) < len(wanted.binaries):
            missing.append(wanted)
    for number, lacking in enumerate(missing, 1):
        found |= {**_build(lacking, f"[{number}/{len(missing)}]"), **_from_assets(lacking.binaries)}
    return found


def program(name: str) -> Program:
    """The named program. Raises `ToolError` where there is none of that name."""
    for found in PROGRAMS:
        if found.name == name:
            return found
    msg = f"no such program: {name}; there are {', '.join(found.name for found in PROGRAMS)}"
    raise ToolError(msg)


def source(name: str, folder: str) -> Path:
    """A folder of the source that the named program is built from, copied beside the builds.

    It comes out of Go's module cache, into which it is downloaded where it is not there. Raises `ToolError` where that
    can't be done.
    """
    of = program(name)
    what = f"fetching {folder} of {of.path}"

    def make(made: Path) -> None:
        _copy(download(of.module, of.path, what=what) / folder, made)

    return keep(cache_folder() / "sources" / of.key / folder, make, what=what, expect="seconds")


def _from_assets(binaries: Iterable[str]) -> dict[str, Path]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        return {}
    paths = {name: Path(assets).expanduser().resolve() / name for name in binaries}
    return {name: path for name, path in paths.items() if os.access(path, os.X_OK)}


def _in_folder(folder: Path, binaries: Iterable[str]) -> dict[str, Path] | None:
    paths = {name: folder / name for name in binaries}
    return paths if all(path.is_file() for path in paths.values()) else None


def _copy(source: Path, target: Path) -> None:
    """Copies contents alone: Go's module cache is read-only, and the copy shall not be."""
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        copy.mkdir() if path.is_dir() else shutil.copyfile(path, copy)


def _completed(program: Program, scratch: Path, *, what: str) -> tuple[str, ...]:
    """The flags by which a build takes the module's source from a copy that has the placeholders, if it needs any.

    Go refuses overlays of its module cache; what go.sum says of the module is checked before it is copied.
    """
    if not program.placeholders:
        return ()
    (completed := scratch / "source").mkdir()
    _copy(download(program.module, program.path, what=what), completed)
    for name in program.placeholders:
        (completed / name).parent.mkdir(parents=True, exist_ok=True)
        (completed / name).touch(exist_ok=False)
    text = (program.module / "go.mod").read_text("utf-8")
    (scratch / "go.mod").write_text(f"{text}\nreplace {program.path} => {completed}\n", "utf-8")
    shutil.copyfile(program.module / "go.sum", scratch / "go.sum")
    return (f"-modfile={scratch / 'go.mod'}",)


def _folder(program: Program) -> Path:
    return cache_folder() / "tools" / program.key


def _build(program: Program, which: str) -> dict[str, Path]:
    what = f"{which} building {', '.join(program.binaries)}"

    def make(made: Path) -> None:
        flags = (*program.flags, *_completed(program, made.parent, what=what))
        go(program.module, ("build", *flags, "-o", f"{made}{os.sep}", "tool"), what=what)
        for built, name in program.renamed.items():
            (made / built).rename(made / name)
        if _in_folder(made, program.binaries) is None:
            there = ", ".join(sorted(path.name for path in made.iterdir()))
            msg = f"the build of {program.name} gave {there} instead of {', '.join(program.binaries)}"
            raise ToolError(msg)

    def complete(folder: Path) -> bool:
        return _in_folder(folder, program.binaries) is not None

    folder = keep(_folder(program), make, complete=complete, what=what, expect=f"{program.expect} on 2 cores")
    return {name: folder / name for name in program.binaries}


def main(arguments: list[str]) -> int:
    """Builds the named programs, or all, and prints where each binary is. Gives the exit code."""
    try:
        binaries = ensure(*arguments)
    except ToolError as error:
        say(f"error: {error}")
        return 1
    for name, path in sorted(binaries.items()):
        print(f"{name:25} {path}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
