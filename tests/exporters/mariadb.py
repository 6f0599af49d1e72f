"""A MariaDB of the tests: a data folder of its own, a port of loopback, and a user that is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from tests.rig import debian
from tests.rig.processes import Component
from tests.rig.program import Program
from tests.rig.servers import HOST

_USER = "nobody"

_SECONDS = 120
"""For what is done once, on a machine that is busy."""


class MariaDB(Program):
    """One server; a context manager that ends it and removes its data."""

    _grace = 10.0

    def __init__(self, number: int = 1) -> None:
        super().__init__()
        (self.port,) = self._claim.ports(1)
        self.address = f"{HOST}:{self.port}"
        data = self._claim.folder / "data"
        # Short: a socket's path has 107 bytes at most.
        self._socket = data / "s"
        data.mkdir()
        self._own(data)
        self._install(data)
        self._component = Component(
            name="mariadbd",
            command=[
                *_unprivileged(),
                str(debian.program("mariadbd")),
                "--no-defaults",
                f"--datadir={data}",
                f"--socket={self._socket}",
                f"--pid-file={data / 'pid'}",
                f"--bind-address={HOST}",
                f"--port={self.port}",
                "--skip-name-resolve",
                f"--server-id={number}",
                f"--log-bin={data / 'log'}",
                "--innodb-flush-log-at-trx-commit=0",
                "--sync-binlog=0",
            ],
            log=self._claim.folder / "mariadbd.log",
            healthy=self._answers,
        )

    def run(self, sql: str) -> list[list[str]]:
        """The rows that a statement, or several, give to root. Raises `AssertionError` with the server's own words."""
        ran = self._client("--batch", "--skip-column-names", f"--execute={sql}")
        assert ran.returncode == 0, ran.stderr
        return [line.split("\t") for line in ran.stdout.splitlines()]

    def _client(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(debian.program("mariadb")), "--no-defaults", "--user=root", f"--socket={self._socket}"]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, timeout=_SECONDS)

    def _answers(self) -> bool:
        return self._client("--execute=SELECT 1").returncode == 0

    def _own(self, data: Path) -> None:
        """Lets the unprivileged user into its data, and into nothing else."""
        if os.getuid() == 0:
            user = pwd.getpwnam(_USER)
            os.chown(data, user.pw_uid, user.pw_gid)
            self._claim.folder.chmod(0o711)

    def _install(self, data: Path) -> None:
        command = [
            *_unprivileged(), str(debian.program("mariadb-install-db")), "--no-defaults", f"--datadir={data}",
            "--auth-root-authentication-method=normal", "--skip-test-db",
        ]  # fmt: skip
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def _unprivileged() -> list[str]:
    """What goes before a command so that it is not root's; the kernel would forget to end it with its owner."""
    if os.getuid() != 0:
        return []
    user = pwd.getpwnam(_USER)
    ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return [shutil.which("setpriv") or "setpriv", *ids, "--pdeathsig=KILL"]
