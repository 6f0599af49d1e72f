"""The daemon installed as the image has it: the locked packages and the wheel, with unchecked bytecode, and no more."""

import compileall
import importlib.metadata
import os
import py_compile
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.stage import ROOT


def install(folder: Path) -> Path:
    """Makes the environment and gives its Python. Takes half a minute, most of it for compiling.

    The packages are copied from the environment that this runs in: they are the same versions.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in _locked():
        _copy(name, packages)
    wheels = folder / "wheels"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(packages)
    compileall.compile_dir(
        packages, quiet=2, workers=0, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    return folder / "bin" / "python"


def _locked() -> Iterator[str]:
    """The packages of requirements/runtime.txt that this platform has."""
    text = (ROOT / "requirements" / "runtime.txt").read_text("utf-8")
    for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE):
        try:
            importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            # Of another platform: the lock file is for all of them.
            continue
        yield name


def _copy(name: str, packages: Path) -> None:
    """The files of an installed package, scripts and bytecode left out."""
    for file in importlib.metadata.files(name) or ():
        if file.suffix == ".pyc" or ".." in file.parts:
            continue
        target = packages / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.locate(), target)


def forget(*folders: Path) -> None:
    """Drops the files below some folders from the kernel's cache, as on a node that has just pulled the image.

    What another process has mapped stays. Nobody else's files are touched, and no rights are needed for it.
    """
    os.sync()
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
