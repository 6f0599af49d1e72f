"""Programs that come from Debian's packages: installed where they are missing, or named with the command for it.

`ensure()` gives their paths. `python -m tests.rig.debian` is what `make test` runs first: as root on Debian it installs
what is missing; elsewhere it ends with 1 and says what is missing, before any test has begun. The packages are those
that hold the programs alone, without a service that would be started.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.rig.console import say
from tests.rig.errors import ToolError

# Where servers are on Debian, which is on the PATH of root alone.
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"

PATIENCE = ("--option=Acquire::Retries=5", "--option=DPkg::Lock::Timeout=120")
"""A mirror that fails once is asked again, and another run of apt is waited for."""


@dataclass(frozen=True)
class Package:
    """One package of Debian and the programs that the tests run of it."""

    name: str
    programs: tuple[str, ...]


PACKAGES = (
    Package("mariadb-server-core", ("mariadbd", "mariadb-install-db")),
    Package("mariadb-client-core", ("mariadb",)),
)


def missing() -> list[Package]:
    """The packages of which some program is not there."""
    return [package for package in PACKAGES if not all(_found(program) for program in package.programs)]


def program(name: str) -> Path:
    """The path of one of the programs. Raises `ToolError` with the command that brings it where it is not there."""
    if (found := _found(name)) is None:
        raise ToolError(_advice([package for package in PACKAGES if name in package.programs]))
    return found


def ensure() -> None:
    """Installs what is missing, as root on Debian. Raises `ToolError` where that can't be done."""
    if not (lacking := missing()):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ToolError(_advice(lacking))
    say(f"installing {', '.join(package.name for package in lacking)} with apt-get ...")
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *(one.name for one in lacking)]):
        _apt_get(command)
    if lacking := missing():
        raise ToolError(_advice(lacking))


def _apt_get(arguments: list[str]) -> None:
    command = ["apt-get", "--quiet", *arguments, *PATIENCE]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        msg = f"`{' '.join(command)}` ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}"
        raise ToolError(msg)


def _found(name: str) -> Path | None:
    found = shutil.which(name, path=_PATH)
    return Path(found) if found else None


def _advice(lacking: list[Package]) -> str:
    programs = ", ".join(name for package in lacking for name in package.programs if _found(name) is None)
    packages = " ".join(package.name for package in lacking)
    return (
        f"the tests run {programs}, which {'is' if ',' not in programs else 'are'} not installed here. "
        f"On Debian and Ubuntu: sudo apt-get install --no-install-recommends {packages}. "
        "Elsewhere install MariaDB's server and client, at least 10.11."
    )


def main() -> int:
    """Installs what is missing and prints where each program is. Gives the exit code."""
    try:
        ensure()
    except ToolError as error:
        say(f"error: {error}")
        return 1
    for package in PACKAGES:
        for name in package.programs:
            print(f"{name:25} {program(name)}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
