"""The Dockerfile's steps, run for real without a container engine.

Each stage is a folder that its commands see as the root of the file system, so that they run word for word, at the very
paths that they name. What stands in for the base image is this machine's Python: its standard library without bytecode,
as the base has it, and a virtual environment in whose place the base has ``/usr/local``. The programs and libraries of
the machine itself can be read, never written.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.image.dockerfile import copy_context, instructions
from tests.image.namespaces import Mount, inside

PYTHON = Path(sys.executable).resolve()
STDLIB = Path(sysconfig.get_path("stdlib"))
_BASE = "/base"
_PATH = f"{_BASE}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NOT_IN_THE_BASE = shutil.ignore_patterns("__pycache__", "test", "tests", "site-packages", "dist-packages", "*.pyc")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Stage:
    """A stage so far: its files, and what its instructions have set."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0:0"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """What is ``/`` in it."""
        return self.folder / "root"

    @property
    def stdlib(self) -> Path:
        """The standard library of its Python, which it sees where this machine's Python has it."""
        return self.folder / "stdlib"


def build(folder: Path) -> Stage:
    """Run all steps of the Dockerfile in that folder; the last stage.

    Raises AssertionError with the step and what it wrote, where one fails.
    """
    context = folder / "context"
    copy_context(context)
    builder = _Builder(folder, context)
    for word, rest in instructions():
        builder.step(word, rest)
    return builder.last


def libraries() -> list[Mount]:
    """What any program of this machine needs to start, and its Python, without any other program."""
    names = [
        name for name in ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64") if Path(name).is_dir()
    ]
    mounts = [Mount(Path(name).resolve(), name) for name in names]
    if not _is_of_system(PYTHON):
        mounts.append(Mount(Path(sys.base_prefix), sys.base_prefix))
    return mounts


def loader() -> dict[str, str]:
    """What this machine's Python needs in the environment to find its own library, where it needs that."""
    return {name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"}


def _is_of_system(path: Path) -> bool:
    return path.is_relative_to("/usr") and not path.is_relative_to("/usr/local")


class _Builder:
    """Carries out instruction after instruction."""

    def __init__(self, folder: Path, context: Path) -> None:
        self._folder = folder
        self._context = context
        self._given: dict[str, str] = {}
        self._stages: dict[str, Stage] = {}
        self._current: Stage | None = None
        self._base = Stage(folder / "base")
        self._base.root.mkdir(parents=True)
        shutil.copytree(STDLIB, self._base.stdlib, symlinks=True, ignore=_NOT_IN_THE_BASE)
        self._base = replace(self._base, environment={"PATH": _PATH})
        self._run(self._base, [str(PYTHON), "-m", "venv", _BASE])

    @property
    def last(self) -> Stage:
        """The stage that is being built. Raises AssertionError before the first FROM."""
        assert self._current is not None, "the Dockerfile has no FROM before this"
        return self._current

    def step(self, word: str, rest: str) -> None:
        """One instruction. Raises AssertionError where it is of a kind that is not known here."""
        steps: dict[str, Callable[[str], None]] = {
            "FROM": self._from,
            "ARG": self._arg,
            "ENV": lambda rest: self._set(environment={**self.last.environment, **self._pairs(rest)}),
            "LABEL": lambda rest: self._set(labels={**self.last.labels, **self._pairs(rest)}),
            "WORKDIR": self._workdir,
            "COPY": self._copy,
            "RUN": lambda rest: self._run(self.last, ["/bin/sh", "-c", rest]),
            "USER": lambda rest: self._set(user=rest),
            "ENTRYPOINT": lambda rest: self._set(entrypoint=tuple(json.loads(rest))),
            "CMD": lambda rest: self._set(command=tuple(json.loads(rest))),
            "EXPOSE": lambda _rest: None,
        }
        assert word in steps, f"{word} is not carried out here; teach tests/image/build.py what it does"
        steps[word](rest)

    def _from(self, rest: str) -> None:
        words = [word for word in rest.split() if not word.startswith("--platform=")]
        name = words[2] if len(words) > 1 else "final"
        before = self._stages.get(words[0], self._base)
        stage = replace(before, folder=self._folder / name)
        shutil.copytree(before.folder, stage.folder, symlinks=True)
        self._current = stage
        self._stages[name] = stage

    def _arg(self, rest: str) -> None:
        name, has_default, default = rest.partition("=")
        if self._current is None:
            self._given[name] = default
        else:
            value = default if has_default else self._given.get(name)
            # As a builder has it: an argument that nobody gives is no variable, not an empty one.
            if value is not None:
                self._set(arguments={**self.last.arguments, name: value})

    def _workdir(self, rest: str) -> None:
        Path(f"{self.last.root}{rest}").mkdir(parents=True, exist_ok=True)
        self._set(workdir=rest)

    def _copy(self, rest: str) -> None:
        *sources, target = rest.split()
        origin = self._context
        if sources[0].startswith("--from="):
            origin = self._stages[sources.pop(0).removeprefix("--from=")].root
        inner = target if target.startswith("/") else f"{self.last.workdir.rstrip('/')}/{target}"
        place = Path(f"{self.last.root}{inner}")
        for source in sources:
            found = origin / source.lstrip("/")
            if found.is_dir():
                shutil.copytree(found, place, symlinks=True, dirs_exist_ok=True)
            else:
                into = place / found.name if target.endswith("/") else place
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, into)

    def _set(self, **changes: object) -> None:
        self._current = replace(self.last, **changes)  # type: ignore[arg-type]  # each is a field of it
        self._stages[self.last.folder.name] = self.last

    def _pairs(self, rest: str) -> dict[str, str]:
        filled = _VARIABLE.sub(lambda found: self.last.arguments.get(found[1], ""), rest)
        return dict(pair.split("=", 1) for pair in shlex.split(filled))

    def _run(self, stage: Stage, command: list[str]) -> None:
        system = [
            Mount(Path(name).resolve(), name) for name in ("/bin", "/sbin", "/usr", "/etc") if Path(name).is_dir()
        ]
        mounts = [*system, *libraries(), Mount(stage.stdlib, str(STDLIB), writable=True)]
        mounts.append(Mount(Path("/dev"), "/dev", writable=True))
        _bring_pip_settings(stage.root)
        done = subprocess.run(
            inside(stage.root, command, mounts=mounts, writable=True, folder=stage.workdir),
            env={**loader(), **_pip_environment(), "HOME": "/root", **stage.environment, **stage.arguments},
            check=False,
            capture_output=True,
            text=True,
            umask=0o022,
        )
        assert done.returncode == 0, f"{command[-1]}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"


def _pip_environment() -> dict[str, str]:
    """Where packages come from is for the machine to say: a mirror, perhaps."""
    ours = re.compile(r"(PIP_|SSL_|REQUESTS_).*|(HTTPS?|NO|ALL)_PROXY", re.IGNORECASE)
    return {name: value for name, value in os.environ.items() if ours.fullmatch(name)}


def _bring_pip_settings(root: Path) -> None:
    """The same, where it is said in the user's settings of pip."""
    (root / "tmp").mkdir(exist_ok=True)
    settings = Path.home() / ".config" / "pip" / "pip.conf"
    if settings.is_file():
        place = root / "root" / ".config" / "pip" / "pip.conf"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(settings, place)
