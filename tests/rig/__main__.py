"""`python -m tests.rig`: a cluster for a person, until Ctrl-C."""

import argparse
import signal
import sys
import time
from types import FrameType

from tests.rig.cluster import Cluster
from tests.rig.errors import RigError


def main() -> int:
    """Starts a cluster, says how to use it, and ends it on Ctrl-C or SIGTERM. Gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.rig", description=__doc__)
    parser.add_argument("--nodes", type=int, default=2, help="simulated nodes (default %(default)s)")
    parser.add_argument(
        "--scrape-interval",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="of Prometheus (default %(default)s)",
    )
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with Cluster.start(
            nodes=chosen.nodes, scrape_interval=chosen.scrape_interval, progress=_say
        ) as cluster:
            print(_welcome(cluster), flush=True)
            while all(cluster.component(name).pid for name in cluster.components):
                time.sleep(0.5)
            ended = [name for name in cluster.components if cluster.component(name).pid is None]
            raise RigError(f"{', '.join(ended)} ended by itself.{cluster.component(ended[0]).tail()}")
    except KeyboardInterrupt:
        _say("stopped, nothing is left")
        return 0
    except RigError as error:
        _say(f"error: {error}")
        return 1


def _welcome(cluster: Cluster) -> str:
    described = cluster.description
    return f"""
The cluster is up. In another terminal:

  export KUBECONFIG={described.kubeconfig}

Prometheus          {described.prometheus_url}
kube-state-metrics  {described.kube_state_metrics_url}/metrics
audit log           {described.audit_log}
logs                {described.folder}/*.log

What a pod uses is said by its annotations, for example rig.remediator.dev/memory: 64Mi and
rig.remediator.dev/leak: 1Mi (each second); tests/rig/workloads.py lists them all.

Ctrl-C stops it and deletes {described.folder}.
"""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
