"""Go as the rig uses it: finding one that is new enough, running it undisturbed, and a module's source."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import orjson

from tests.rig.cache import fetch
from tests.rig.errors import ToolError


def go(module: Path, arguments: Sequence[str], *, what: str) -> str:
    """Gives what `go` writes when it runs in this folder of a go.mod.

    Raises `ToolError` where there is no Go that the go.mod is content with, or the command fails.
    """
    return fetch([str(find_go(wanted_go(module))), *arguments], cwd=module, env=_environment(), what=what)


def download(module: Path, path: str, *, what: str) -> Path:
    """The folder in Go's module cache of the module `path`, in the version that this go.mod pins; not to be written to.

    Downloads it where it is not there, and go.sum vouches for it. Raises `ToolError` where it can't be had.
    """
    return Path(orjson.loads(go(module, ("mod", "download", "-json", path), what=what))["Dir"])


def wanted_go(module: Path) -> tuple[int, ...]:
    """The Go version that a go.mod asks for."""
    found = re.search(r"^go (\d+(?:\.\d+)*)", (module / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        msg = f"{module / 'go.mod'} names no Go version"
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
        version = _version(candidate)
        if version >= wanted:
            return Path(candidate)
        seen.append(f"{candidate} is {'.'.join(map(str, version)) or 'not a working Go'}")
    text = ".".join(map(str, wanted))
    msg = (
        f"Go {text} or newer is needed to build the programs that the tests run, and "
        f"{'; '.join(seen) if seen else 'there is no go on the PATH'}. "
        f"Install it (https://go.dev/dl), or run `{sys.executable} -m pip install -r requirements/programs.txt`, "
        "which brings it as a wheel; or set KUBEBUILDER_ASSETS to a folder that holds the binaries."
    )
    raise ToolError(msg)


def _version(program: str) -> tuple[int, ...]:
    # GOTOOLCHAIN=local: the version of this very program, not of a toolchain that it would download.
    ran = subprocess.run(
        [program, "env", "GOVERSION"],
        env={**os.environ, "GOTOOLCHAIN": "local"},
        cwd=tempfile.gettempdir(),
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"go(\d+(?:\.\d+)*)", ran.stdout)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def _environment() -> dict[str, str]:
    """The caller's environment without what would change the build: workspaces, another -mod, cgo."""
    flags = [flag for flag in os.environ.get("GOFLAGS", "").split() if not re.match(r"--?mod=", flag)]
    return {**os.environ, "GOFLAGS": " ".join(flags), "GOWORK": "off", "CGO_ENABLED": "0"}
