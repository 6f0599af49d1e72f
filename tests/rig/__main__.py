"""`python -m tests.rig`: a cluster for a person, until Ctrl-C."""

import argparse
import sys
import time

from tests.rig.cluster import Cluster
from tests.rig.console import end_by_signals, say
from tests.rig.errors import RigError
from tests.rig.processes import Component


def main() -> int:
    """Starts a cluster, says how to use it, and ends it on Ctrl-C or SIGTERM. Gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.rig", description=__doc__)
    parser.add_argument("--nodes", type=int, default=2, help="simulated nodes (default %(default)s)")
    parser.add_argument(
        "--scrape-interval", type=float, default=1.0, metavar="SECONDS", help="of Prometheus (default %(default)s)"
    )
    chosen = parser.parse_args()
    end_by_signals()
    try:
        with Cluster.start(nodes=chosen.nodes, scrape_interval=chosen.scrape_interval, progress=say) as cluster:
            print(_welcome(cluster), flush=True)  # noqa: T201 (it is what was asked for)
            ended = _first_to_end(cluster)
            say(f"error: {ended.name} ended by itself{ended.tail()}")
            return 1
    except KeyboardInterrupt:
        say("stopped, nothing is left")
        return 0
    except RigError as error:
        say(f"error: {error}")
        return 1


def _first_to_end(cluster: Cluster) -> Component:
    """Waits until one of the components is not there any more."""
    while True:
        for component in map(cluster.component, cluster.components):
            if component.pid is None:
                return component
        time.sleep(0.5)


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


if __name__ == "__main__":
    sys.exit(main())
