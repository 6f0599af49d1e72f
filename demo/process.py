"""The daemon's process, as long as it is needed and no longer."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGTERM

from demo.cast import policy
from demo.interrupts import Interrupts
from demo.stage import HOME, Stage
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon

# Seconds that it has to end.
_GRACE = 15.0


def prepared(cluster: Cluster, stage: Stage) -> Daemon:
    """The daemon with the demo's policy and the stage's account, not started yet."""
    folder = Path(cluster.description.folder) / "daemon"
    folder.mkdir()
    return Daemon(
        kubeconfig=stage.kubeconfig,
        prometheus_url=cluster.prometheus_url,
        namespace=HOME,
        policy=policy(),
        folder=folder,
        name=HOME,
        # It keeps the API server's certificate in a temporary file, and would leave it there if it were killed.
        environment={"TMPDIR": str(folder)},
    )


@contextmanager
def running(daemon: Daemon, interrupts: Interrupts) -> Iterator[None]:
    """The daemon's process, ended whatever happens."""
    try:
        # It is nobody's child before its process is known.
        with interrupts.held():
            daemon.start()
        yield
    finally:
        try:
            interrupts.close()
        finally:
            _stop(daemon)


def ended(daemon: Daemon) -> int | None:
    """The exit code of a daemon that has ended."""
    try:
        return daemon.wait(0)
    except subprocess.TimeoutExpired:
        return None


def _stop(daemon: Daemon) -> None:
    if ended(daemon) is not None:
        return
    daemon.signal(SIGTERM)
    try:
        daemon.wait(_GRACE)
    except subprocess.TimeoutExpired:
        daemon.kill()
