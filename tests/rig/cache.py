"""What is made once and outlives the clone: where it is kept, one maker at a time, and word of how it goes.

The cache is `$REMEDIATOR_CACHE`, else `$XDG_CACHE_HOME/remediator`, else `~/.cache/remediator`. What is kept has a hash
of all that it was made from in its name, so that two clones share it, and what has changed never meets what is old.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.rig.console import say
from tests.rig.errors import ToolError

# Seconds between two lines of progress.
PROGRESS_EVERY = 20.0

# Seconds before a command that downloads is run once more.
PAUSES = (5, 30)

# Lines of a failed command's output that are worth showing.
TAIL = 40


def cache_folder() -> Path:
    """The folder that everything is kept in; it need not exist yet."""
    if own := os.environ.get("REMEDIATOR_CACHE"):
        return Path(own).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache").expanduser().resolve() / "remediator"


def keep(
    folder: Path,
    make: Callable[[Path], None],
    *,
    what: str,
    expect: str,
    complete: Callable[[Path], bool] = Path.is_dir,
) -> Path:
    """Gives `folder`, which `make` fills where nobody has before; a failed or killed `make` leaves nothing there.

    `make` gets an empty folder beside it, which is then moved. A folder that is there and not `complete` is made anew.
    What is being made and about how long that takes are told on standard error, before and after.
    """
    if complete(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.parent / f"{folder.name}.lock", what):
        # Another run may have made it while we waited for the lock.
        if complete(folder):
            return folder
        say(f"{what} ({expect}) ...")
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            make(made)
            if folder.exists():
                shutil.rmtree(folder)
            made.rename(folder)
        say(f"{what}: done in {_duration(time.monotonic() - started)}, kept in {folder}")
    return folder


def fetch(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], what: str) -> str:
    """As `run`, of a command that downloads and keeps what it has: a registry that fails once is asked once more.

    Raises `ToolError` where it fails each time.
    """
    for seconds in PAUSES:
        try:
            return run(command, cwd=cwd, env=env, what=what)
        except ToolError as error:
            say(f"{error}\n{what}: once more in {seconds} s")
            time.sleep(seconds)
    return run(command, cwd=cwd, env=env, what=what)


def run(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], what: str) -> str:
    """Gives what a command writes on standard output; says now and then on standard error that it still runs.

    Raises `ToolError` with the end of its output where it fails.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        code = _wait(process, what)
        written = [_text(file) for file in (output, errors)]
        if code != 0:
            tail = "".join(written).splitlines()[-TAIL:]
            raise ToolError(
                f"{what}: failed, {Path(command[0]).name} ended with {code}.\n  in      {cwd}\n"
                f"  command {' '.join(command)}\n" + "\n".join(f"  | {line}" for line in tail)
            )
        return written[0]


def _wait(process: "subprocess.Popen[bytes]", what: str) -> int:
    started = time.monotonic()
    try:
        while True:
            try:
                return process.wait(timeout=PROGRESS_EVERY)
            except subprocess.TimeoutExpired:
                say(f"{what}: still at it, {_duration(time.monotonic() - started)} so far")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


@contextmanager
def _locked(path: Path, what: str) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{what}: another run is at it; waiting for that ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
