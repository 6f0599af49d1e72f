"""The image's program, as a pod runs it: its root file system, its user, its environment, and nothing beside."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from tests.image.build import STDLIB, Stage, libraries, loader
from tests.image.namespaces import Mount, inside
from tests.rig.certificates import Authority
from tests.rig.daemon import free_port
from tests.rig.processes import tethered

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_POLICY = "policies: [{name: everyone, threshold: 90% of limit, action: notify}]\n"


def mounts(image: Stage, *, volumes: Sequence[Mount] = ()) -> list[Mount]:
    """What the program sees beside its own files: its Python, the C library, two devices; no shell and no home."""
    interpreter = _interpreter(image.root)
    return [
        *libraries(),
        Mount(image.stdlib, str(STDLIB)),
        Mount(Path(interpreter).resolve(), interpreter),
        *(Mount(Path(name), name) for name in ("/etc/ld.so.cache",) if Path(name).exists()),
        *(Mount(Path(name), name, writable=True) for name in ("/dev/null", "/dev/urandom")),
        *volumes,
    ]


def output(image: Stage, *command: str) -> str:
    """What a command writes that runs like the daemon; both streams. Raises CalledProcessError."""
    done = subprocess.run(
        inside(image.root, command, mounts=mounts(image), writable=False, user=_user(image)),
        env=environment(image),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.stdout


def environment(image: Stage) -> dict[str, str]:
    """What the image sets; PATH is empty, and there is no HOME."""
    return {**loader(), **image.environment, "PATH": ""}


class Container:
    """``remediator run`` out of the image, in a pod whose API server and Prometheus don't answer."""

    def __init__(self, image: Stage, folder: Path, *, writable: bool) -> None:
        """``writable``: as root, on a root file system that it could write to; else as the image's user, on one that
        it can't.
        """
        # Bound, and never listened to: whoever connects is refused, and nobody else gets the port.
        self._nobody = socket.socket()
        self._nobody.bind(("127.0.0.1", 0))
        self.port = free_port()
        self.log = folder / "log"
        volumes = [Mount(_policy(folder), "/etc/remediator"), Mount(_account(folder), _ACCOUNT)]
        self._command = inside(
            image.root,
            [*image.entrypoint, *image.command],
            mounts=mounts(image, volumes=volumes),
            writable=writable,
            user=0 if writable else _user(image),
        )
        self._environment = {**environment(image), **self._given()}
        self._process: subprocess.Popen[bytes] | None = None

    def _given(self) -> Mapping[str, str]:
        refused = self._nobody.getsockname()[1]
        return {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(refused),
            "REMEDIATOR_PROMETHEUS_URL": f"http://127.0.0.1:{refused}",
            "REMEDIATOR_HTTP_ADDRESS": f"127.0.0.1:{self.port}",
        }

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*tethered(), *self._command], env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # unshare takes what it has started along (--kill-child).
        self.process.kill()
        self.process.wait()
        self._nobody.close()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """What holds the namespaces, and ends with the exit code of the process in them."""
        assert self._process is not None, "it was not started"
        return self._process

    def until_ready_says(self, *words: str, within: float = 120) -> requests.Response:
        """The answer of ``/readyz``, once it has all these words; fails with the log."""
        deadline = time.monotonic() + within
        said = "nothing: nobody listens"
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                answer = requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5)
            except requests.RequestException:
                # Nobody listens, or nobody has answered in time.
                time.sleep(0.05)
                continue
            said = answer.text
            if all(word in said for word in words):
                return answer
            time.sleep(0.05)
        message = f"/readyz says {said!r}, and not {words}; exit code {self.process.poll()}; log:\n{self.text()}"
        raise AssertionError(message)

    def status(self) -> dict[str, str]:
        """``/proc/PID/status`` of the process in the namespaces, field by field."""
        lines = Path(f"/proc/{self._inner()}/status").read_text("utf-8").splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def stop(self, *, within: float = 90) -> int:
        """SIGTERM, as the kubelet sends it to process 1; the exit code."""
        os.kill(self._inner(), signal.SIGTERM)
        return self.process.wait(within)

    def _inner(self) -> int:
        pid = self.process.pid
        (inner,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(inner)

    def text(self) -> str:
        """What it has written so far."""
        return self.log.read_text("utf-8", "replace")


def _user(image: Stage) -> int:
    return int(image.user.partition(":")[0])


def _interpreter(root: Path) -> str:
    """Where the links of the virtual environment's Python end, as seen from inside."""
    place = "/opt/remediator/bin/python"
    while (outside := Path(f"{root}{place}")).is_symlink():
        place = os.path.normpath(Path(place).parent / outside.readlink())
    return place


def _policy(folder: Path) -> Path:
    place = folder / "policy"
    place.mkdir()
    (place / "policy.yaml").write_text(_POLICY)
    return place


def _account(folder: Path) -> Path:
    """What the kubelet mounts for a service account."""
    place = folder / "account"
    place.mkdir()
    (place / "token").write_text("token")
    (place / "namespace").write_text("remediator")
    Authority(place)
    return place
