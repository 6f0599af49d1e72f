"""The components as processes: started, awaited, paused, stopped, and never outliving their owner."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.rig.errors import RigError, StartError

_TETHER = Path(__file__).with_name("tether.py")

# Lines of a component's log that an error shows.
_TAIL = 25


def tethered() -> list[str]:
    """What goes before a command so that the kernel kills it when the thread that starts it ends."""
    return [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid())]


@dataclass
class Component:
    """One program of the rig with its arguments; it can be stopped and started again with the same."""

    name: str
    command: Sequence[str]
    log: Path
    healthy: Callable[[], bool]
    """Whether it answers now; called until it does, never before it runs."""
    environment: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def pid(self) -> int | None:
        """The process, or None while it is stopped."""
        return self.process.pid if self.process is not None and self.process.poll() is None else None

    def start(self) -> None:
        """Starts the program and returns at once; `wait_healthy` tells when it answers.

        The kernel kills it when the thread that called this ends (see tether.py), so that nothing is left
        when the owner is killed with SIGKILL. Call it from a thread that lives as long as the component is to
        live.
        """
        if self.pid is not None:
            msg = f"{self.name} runs already"
            raise RigError(msg)
        # -I -S: nothing of the owner's Python environment is needed, and it starts in half the time.
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C on the terminal is for the owner, which then stops things in order.
            self.process = subprocess.Popen(
                [*tethered(), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                cwd=self.log.parent,
                start_new_session=True,
            )

    def wait_healthy(self, seconds: float) -> None:
        """Returns when the component answers. Raises `StartError` if it ends first, or takes longer."""
        deadline = time.monotonic() + seconds
        while not self.healthy():
            if self.process is None or (code := self.process.poll()) is not None:
                ended = "is stopped" if self.process is None else f"ended with {code}"
                msg = f"{self.name} {ended} instead of coming up.{self.tail()}"
                raise StartError(msg)
            if time.monotonic() > deadline:
                msg = f"{self.name} does not answer {seconds:.0f} s after its start.{self.tail()}"
                raise StartError(msg)
            time.sleep(0.05)

    def stop(self, *, grace: float = 5.0) -> None:
        """Ends the program: SIGTERM, after `grace` seconds SIGKILL; with a grace of 0 SIGKILL at once."""
        process = self.process
        if process is None:
            return
        if process.poll() is None:
            if grace > 0:
                process.terminate()
                # A paused process gets the signal only once it is continued.
                process.send_signal(signal.SIGCONT)
                try:
                    process.wait(timeout=grace)
                except subprocess.TimeoutExpired:
                    process.kill()
            else:
                process.kill()
        process.wait()
        self.process = None

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal. Raises `RigError` while the component is stopped."""
        if self.process is None or self.process.poll() is not None:
            msg = f"{self.name} does not run; it can't get {number.name}"
            raise RigError(msg)
        self.process.send_signal(number)

    def tail(self) -> str:
        """The end of the component's log, ready to stand at the end of an error."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-_TAIL:]
        except FileNotFoundError:
            lines = []
        return f"\n  log {self.log}:\n" + "\n".join(f"  | {line}" for line in lines)
