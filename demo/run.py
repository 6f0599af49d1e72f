"""The demo from its first line to its last."""

import requests

from demo.cast import NODES, roles
from demo.errors import Failed
from demo.interrupts import Interrupts
from demo.play import Play
from demo.process import prepared, running
from demo.show import Show
from demo.stage import ACCOUNT, set_stage
from demo.still import Still
from tests.rig import tools
from tests.rig.api import ApiError
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon
from tests.rig.errors import RigError


def run(show: Show, *, keep: bool, interrupts: Interrupts, still: Still | None = None) -> int:
    """Plays the demo, and gives the exit code: 0 where all went as it must, else 1. Leaves nothing running.

    With `keep` it goes on until an interrupt. Raises `KeyboardInterrupt` where that comes before the end.
    """
    show.introduce()
    try:
        tools.ensure(*tools.CONTROL_PLANE)
        show.cast(roles())
        show.begin()
        with Cluster.start(nodes=NODES, progress=show.step) as cluster:
            try:
                return _play(cluster, show, keep=keep, interrupts=interrupts, still=still)
            finally:
                interrupts.close()
    except (Failed, RigError) as error:
        show.bad(f"The demo failed: {error}")
    # What the rig gives up waiting for is an AssertionError.
    except (AssertionError, ApiError, requests.RequestException) as error:
        show.bad(f"The demo failed: the control plane did not do what it was asked for: {error}")
    return 1


def _play(cluster: Cluster, show: Show, *, keep: bool, interrupts: Interrupts, still: Still | None) -> int:
    show.step("creating the workloads, and the daemon's account")
    stage = set_stage(cluster)
    daemon = prepared(cluster, stage)
    notes = _addresses(cluster, daemon) if keep else ()
    with running(daemon, interrupts):
        show.step(f"the daemon has been started, as {ACCOUNT}")
        show.notes(notes)
        play = Play(cluster, stage, daemon, show=show, interrupts=interrupts, still=still, notes=notes)
        try:
            with show.watching(interrupts):
                code = play.until_replaced()
                if keep and code == 0:
                    play.go_on()
        except Exception:
            show.tail(daemon.tail())
            raise
        finally:
            if still:
                still.save()
    return code


def _addresses(cluster: Cluster, daemon: Daemon) -> tuple[tuple[str, str], ...]:
    """How to look around."""
    return (
        ("cluster", f"export KUBECONFIG={cluster.kubeconfig}"),
        ("Prometheus", cluster.prometheus_url),
        ("daemon", f"{daemon.url}/metrics"),
        ("its log", str(daemon.log_file)),
    )
