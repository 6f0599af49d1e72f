"""Waiting until a daemon that starts now finds all of them over in its first evaluation, however busy the machine is.

Pods of one moment are measured each at their own: a scrape that is late shows one of them over, and the others not yet.
Tests of who goes first, and of how many are over at once, begin when that is behind them.
"""

from __future__ import annotations

from tests.rig.cluster import Cluster

THRESHOLD = (256 << 20) * 8 // 10
"""Bytes: 80% of a limit of 256Mi, as the tests' policies have it."""


def over_for(cluster: Cluster, namespace: str, count: int, *, seconds: int, threshold: int = THRESHOLD) -> None:
    """Wait until exactly so many containers of a namespace are over, by samples of so many seconds."""
    series = f'container_memory_working_set_bytes{{namespace="{namespace}",image!="",container!~"|POD"}}'
    times = f"timestamp({series})[5m:1s]"
    known = f"max_over_time({times}) - min_over_time({times}) > {seconds}"
    over = f"count(({known}) and min_over_time({series}[{seconds}s]) > {threshold}) == {count}"
    what = f"{count} containers of {namespace} are over for {seconds} s"
    cluster.wait(lambda: cluster.query(over), 90, what, every=0.5, seen=lambda: cluster.query(series))
