"""A program as a person starts it: on a terminal, or with its output in a file."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import termios
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# It becomes the leader of a session whose terminal is its standard input, and then the module that is named.
_ON_TERMINAL = "import os, sys; os.login_tty(0); os.execv(sys.executable, [sys.executable, '-m', *sys.argv[1:]])"
# Characters of the output that a failed test shows: a screen or two.
_SHOWN = 4000
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\([A-Z])")


class Running:
    """A Python module of the repository as a process, in a session of its own, as a terminal would have it.

    With a `size` (columns, lines) it has a terminal; without, its output goes into a file.
    """

    def __init__(self, folder: Path, *arguments: str, size: tuple[int, int] | None = None) -> None:
        self._output = folder / "output"
        self._output.touch()
        self._temporary = folder / "tmp"
        self._temporary.mkdir()
        self._mark = f"UNDER_TEST={uuid.uuid4()}"
        self._terminal: int | None = None
        name, _, value = self._mark.partition("=")
        environment = {**os.environ, name: value, "TMPDIR": str(self._temporary)}
        if size is None:
            with self._output.open("wb") as output:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", *arguments],
                    cwd=ROOT,
                    env={**environment, "COLUMNS": "80"},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        else:
            self._terminal, inner = os.openpty()
            self.resize(*size)
            self.process = subprocess.Popen(
                [sys.executable, "-c", _ON_TERMINAL, *arguments],
                cwd=ROOT,
                env=_without_size(environment),
                stdin=inner,
                stdout=inner,
                stderr=inner,
            )
            os.close(inner)
            self._reader = threading.Thread(target=self._read, args=(self._terminal,))
            self._reader.start()

    @property
    def raw(self) -> str:
        """All that it has printed, escape codes included."""
        return self._output.read_text("utf-8", "replace")

    @property
    def output(self) -> str:
        """What it has printed without escape codes; white space is one blank, so that no wrapping matters."""
        return " ".join(_ESCAPES.sub("", self.raw).split())

    def wait_until_said(self, words: str, *, seconds: float = 120) -> None:
        """Returns when it has printed these words; fails where it ends before that."""
        deadline = time.monotonic() + seconds
        while True:
            # Before the last look: its last words count as well.
            ended, late = self.process.poll() is not None, time.monotonic() > deadline
            if ended:
                self._read_to_the_end()
            if words in self.output:
                return
            assert not ended, f"it ended before {words!r}: {self.output[-_SHOWN:]}"
            assert not late, f"{words!r} was not said within {seconds} s: {self.output[-_SHOWN:]}"
            time.sleep(0.2)

    def resize(self, columns: int, lines: int) -> None:
        """Gives its terminal another size."""
        assert self._terminal is not None
        termios.tcsetwinsize(self._terminal, (lines, columns))

    def press(self, key: bytes) -> None:
        """Types something on its terminal."""
        assert self._terminal is not None
        os.write(self._terminal, key)

    def wait(self, seconds: float) -> int:
        """Its exit code, once it has ended and all that it has printed is there."""
        code = self.process.wait(seconds)
        self._read_to_the_end()
        return code

    def processes(self) -> dict[int, str]:
        """The command lines of all that descends from it and is alive, by process ID."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                # It has ended meanwhile, or is another user's.
                continue
        return found

    def assert_nothing_left(self, *, seconds: float = 60) -> None:
        """No process, once those that the kernel kills with it have died, and nothing in the temporary folder."""
        deadline = time.monotonic() + seconds
        while left := self.processes():
            assert time.monotonic() < deadline, left
            time.sleep(0.1)
        assert list(self._temporary.iterdir()) == []

    def end(self) -> None:
        """Kills it with all that belongs to it, where it has not ended by itself."""
        if self.process.poll() is None:
            for pid in self.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(60)
        if self._terminal is not None:
            self._read_to_the_end()
            os.close(self._terminal)

    def _read_to_the_end(self) -> None:
        if self._terminal is not None:
            self._reader.join(60)

    def _read(self, terminal: int) -> None:
        with self._output.open("ab", buffering=0) as output:
            while True:
                try:
                    output.write(os.read(terminal, 65536))
                except OSError:
                    # EIO: nobody has the other side open any more.
                    return


@contextmanager
def running(folder: Path, *arguments: str, size: tuple[int, int] | None = None) -> Iterator[Running]:
    """One that is killed with all that belongs to it where the test fails."""
    one = Running(folder, *arguments, size=size)
    try:
        yield one
    finally:
        one.end()


def _without_size(environment: Mapping[str, str]) -> dict[str, str]:
    """The size is then the terminal's own."""
    return {
        **{name: value for name, value in environment.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}},
        "TERM": "xterm-256color",
    }
