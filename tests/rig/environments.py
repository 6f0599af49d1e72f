"""Programs in Python whose packages must not meet the project's own: each in a virtual environment in the cache.

`requirements/NAME.txt` locks one, hashes included, and nothing beside it is installed. `python -m
tests.rig.environments` makes all of them, or those that are named.
"""

import hashlib
import os
import platform
import sys
from pathlib import Path

from tests.rig.cache import cache_folder, fetch, keep, run
from tests.rig.console import say
from tests.rig.errors import ToolError

LOCKS = Path(__file__).resolve().parents[2] / "requirements"

NAMES = ("checkov",)


def environment(name: str) -> Path:
    """Gives the Python of the named environment, which is installed where nobody has before; takes a minute.

    Raises `ToolError` where there is no such lock file, or the packages can't be had.
    """
    lock = LOCKS / f"{name}.txt"
    if not lock.is_file():
        msg = f"there is no {lock} to install {name} from"
        raise ToolError(msg)
    what = f"installing {name} in an environment of its own"
    key = hashlib.sha256()
    # The interpreter is part of it: its environments are links to it.
    for part in (lock.read_bytes(), f"{sys.version} {sys.base_prefix} {platform.machine()}".encode()):
        key.update(hashlib.sha256(part).digest())

    def make(made: Path) -> None:
        run([sys.executable, "-m", "venv", str(made)], cwd=LOCKS, env=os.environ, what=what)
        pip = [str(made / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        fetch([*pip, "--require-hashes", "--requirement", str(lock)], cwd=LOCKS, env=os.environ, what=what)

    # The scripts in its bin know the folder that it was made in, and it is moved from there: modules are run instead.
    folder = keep(
        cache_folder() / "environments" / f"{name}-{key.hexdigest()[:16]}", make, what=what, expect="about 1 min"
    )
    return folder / "bin" / "python"


def main(arguments: list[str]) -> int:
    """Makes the named environments, or all, and prints where the Python of each is. Gives the exit code."""
    try:
        for name in arguments or NAMES:
            print(f"{name:25} {environment(name)}")  # noqa: T201
    except ToolError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
