"""What the Dockerfile makes, and how that runs: as a plain user, on a root file system that nobody can write."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from remediator import __version__
from tests.image import namespaces
from tests.image.build import Stage, build
from tests.image.container import Container, output
from tests.image.dockerfile import ROOT
from tests.image.locks import locked

# One build serves all tests of this file: they stay in one worker. It takes half a minute; packages may come slowly.
pytestmark = [pytest.mark.xdist_group("image"), pytest.mark.timeout(900)]

_VENV = "opt/remediator"
_UNCHECKED_HASH = 0b01
"""The flags of bytecode that is never compared with its source (PEP 552)."""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The last stage. Fails, and does not skip, where the machine can't run the steps: it would show nothing."""
    if why_not := namespaces.why_not():
        pytest.fail(f"the image's build steps can't run here: {why_not}")
    return build(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def packages(image: Stage) -> Path:
    """Where the image's packages are."""
    (found,) = (image.root / _VENV / "lib").glob("python3.*/site-packages")
    return found


def files(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file below a folder, but bytecode, by path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


# What is in it


def test_every_file_of_the_package_is_installed(packages: Path) -> None:
    """Byte for byte, those that are no Python as well: what a page or a message needs is there."""
    installed = files(packages / "remediator")
    assert installed == files(ROOT / "remediator")
    assert "py.typed" in installed


def test_the_locked_packages_are_installed_and_no_others(packages: Path) -> None:
    """What runs is what was tested: no installer, no build tool, no second version."""
    found = {
        name.lower().replace("_", "-"): version
        for name, _, version in (path.stem.partition("-") for path in packages.glob("*.dist-info"))
    }
    wanted = {
        name: str(requirement.specifier).removeprefix("==")
        for name, (requirement, _) in locked(ROOT / "requirements" / "runtime.txt").items()
        if requirement.marker is None or requirement.marker.evaluate()
    }
    assert found == {**wanted, "remediator": __version__}


def test_nothing_that_installs_is_left(image: Stage) -> None:
    """Neither the base's pip nor the wheels to make one of: whoever gets in finds no installer."""
    said = output(
        image,
        "/opt/remediator/bin/python",
        "-c",
        "import importlib.util as u; print([u.find_spec(name) for name in ('pip', 'ensurepip')])",
    )
    assert said == "[None, None]\n"
    assert not list(image.root.rglob("pip"))


def test_the_wheel_depends_on_the_files_alone(image: Stage, tmp_path: Path) -> None:
    """From a checkout with other times and modes comes the same wheel, bit by bit."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (here,) = tmp_path.glob("*.whl")
    built = image.folder.parent / "wheel" / "root" / "wheels" / here.name
    assert built.read_bytes() == here.read_bytes()


def test_everybody_can_read_it_and_only_root_can_write_it(image: Stage) -> None:
    """Any user ID that a platform assigns can run it, also when the checkout was its owner's alone."""
    for path in (image.root / _VENV).rglob("*"):
        mode = path.stat(follow_symlinks=False).st_mode
        assert path.is_symlink() or (mode & 0o044 == 0o044 and not mode & 0o022), path
        assert not path.is_dir() or mode & 0o011 == 0o011, path


# Bytecode


def test_every_module_has_bytecode_that_is_never_checked(image: Stage) -> None:
    """Of the packages and of the standard library: it can't be written later, and times of files mean nothing."""
    wrong = []
    sources = [path for folder in (image.root / _VENV / "lib", image.stdlib) for path in folder.rglob("*.py")]
    for source in sources:
        compiled = Path(importlib.util.cache_from_source(str(source)))
        header = compiled.read_bytes()[:8] if compiled.is_file() else b""
        if header != importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH.to_bytes(4, "little"):
            wrong.append(str(source))
    assert not wrong
    assert len(sources) > 1000


def test_no_module_is_compiled_at_run_time(image: Stage) -> None:
    """Python itself says where it takes each module from that the daemon imports: never from its source."""
    said = output(image, "/opt/remediator/bin/python", "-v", "-c", "import remediator.app, remediator.cli")
    assert "# code object from '/opt/remediator/lib" in said
    compiled = [line for line in said.splitlines() if line.startswith("# code object from") and line.endswith(".py")]
    assert not compiled


# How it runs


def test_it_says_its_version(image: Stage) -> None:
    """The entry point works with an empty PATH, without a home, without a shell; the label says the same."""
    assert output(image, *image.entrypoint, "--version") == f"remediator {__version__}\n"
    assert image.labels["org.opencontainers.image.version"] == __version__


def test_there_is_no_shell(image: Stage) -> None:
    """What these tests run in holds no program but Python, so that whatever works here needs none."""
    look = "import os; print([os.access(f'{d}/sh', os.X_OK) for d in ('/bin', '/usr/bin', '/usr/local/bin')])"
    assert output(image, "/opt/remediator/bin/python", "-c", look) == "[False, False, False]\n"


def test_it_runs_on_a_read_only_root(image: Stage, tmp_path: Path) -> None:
    """As process 1 and as the image's user, without a capability; it says why it isn't Ready, and ends at SIGTERM."""
    with Container(image, tmp_path, writable=False) as container:
        answer = container.until_ready_says("kubernetes: ", "prometheus: ", "Connection refused")
        assert answer.status_code == 503
        status = container.status()
        assert status["NSpid"].split()[-1] == "1"
        assert status["CapEff"] == status["CapPrm"] == f"{0:016x}"
        assert status["Name"] == "remediator"
        assert container.stop() == 0
    assert "Traceback" not in container.text()


def test_it_writes_nothing(image: Stage, tmp_path: Path) -> None:
    """As root on a root file system that can be written, not a file or folder is changed: no bytecode, no cache."""

    def state() -> dict[str, tuple[int, int, int]]:
        found = {}
        for path in (*image.root.rglob("*"), *image.stdlib.rglob("*")):
            of = path.lstat()
            found[str(path)] = (of.st_mtime_ns, of.st_size, of.st_mode)
        return found

    container = Container(image, tmp_path, writable=True)
    before = state()
    with container:
        container.until_ready_says("kubernetes: ", "prometheus: ")
        assert container.stop() == 0
    assert state() == before
