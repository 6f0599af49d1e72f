"""Clocks that differ, on real servers whose dates are put off, and a journal from the future: all action is held."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

from remediator.act.journal import KEY, encode
from remediator.model.remediations import Act, Ledger
from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER, left_alone
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon
from tests.rig.proxy import Proxy, Request

JOURNAL = "remediator-journal"


def told(daemon: Daemon, *patterns: str) -> None:
    """Wait until a pod is left alone for the clock, with just these sentences."""

    def found() -> bool:
        lines = [line["detail"].split("; ") for line in daemon.events("left alone") if line["reasons"] == ["clock"]]
        return any(len(said) == len(patterns) and all(map(re.fullmatch, patterns, said)) for said in lines)

    daemon.until(found, what=f"a pod is left alone for {patterns}")


def test_clocks_that_differ_hold_all_action(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, prometheus: Proxy, api: Proxy, kubeconfig: Path
) -> None:
    """Each of the two against ours, the two against each other, and one that changes after the intent: no pod goes."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.ready_pods(namespace, 1)
    prometheus.ahead = -120
    daemon = start_daemon(policy_file(namespace), prometheus_url=prometheus.url, kubeconfig=kubeconfig)
    behind = [
        rf"Prometheus is 1(19|20|21) s behind {other}, and 30 s are allowed" for other in ("the API server", "us")
    ]
    told(daemon, *behind)
    daemon.wait_for("evaluation", outcome="held")
    daemon.until(lambda: daemon.metric("remediator_hold_active", gate="clock") == 1, what="the metric shows the hold")
    # One clock after the other, so that at no moment an old and a new one agree.
    api.ahead = 120
    prometheus.ahead = 0
    ahead = r"the API server is 1(19|20|21) s ahead of us, and 30 s are allowed"
    told(daemon, behind[0], ahead)
    prometheus.ahead = -20
    told(daemon, r"Prometheus is 1(39|40|41) s behind the API server, and 30 s are allowed", ahead)
    api.ahead = 20
    told(daemon, r"Prometheus is (39|40|41) s behind the API server, and 30 s are allowed")
    assert daemon.events("remediation intended") == []

    mended = threading.Event()

    def changes(_request: Request) -> None:
        prometheus.ahead = 120 if daemon.events("remediation intended") and not mended.is_set() else 0

    prometheus.fault = changes
    api.ahead = 0
    (called_off, *_) = daemon.wait_for("remediation settled")
    assert called_off["outcome"] == "called-off"
    # By half of the seconds that the answer took it looks like more, or less.
    assert re.search(r"clock: Prometheus is 1(1\d|2\d) s ahead of", called_off["detail"])
    assert cluster.taken(namespace) == []
    mended.set()
    daemon.wait_for("remediation settled", outcome="replaced")
    daemon.until(lambda: daemon.metric("remediator_hold_active", gate="clock") == 0, what="the metric shows no hold")


def test_a_journal_from_the_future_is_waited_for(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """Its newest record lies ahead of our clock: nothing is taken until that has passed, and then it is."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.ready_pods(namespace, 1)
    at = time.time() + 45
    ledger = Ledger(epoch=1, holder="another", acts=(Act("another-workload", "another-record", at),))
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": JOURNAL, "namespace": home}}
    cluster.api.create({**body, "data": {KEY: encode(ledger)}})
    daemon = start_daemon(policy_file(namespace, cooldown="10m"))
    said = left_alone(daemon, "web", "clock")
    assert "s ahead of our clock" in said["detail"]
    daemon.wait_for("hold begins", gate="clock")
    daemon.wait_for("remediation settled", outcome="replaced", timeout=120)
    (taken,) = cluster.taken(namespace)
    assert taken.received.timestamp() >= at
    daemon.until(lambda: daemon.metric("remediator_hold_active", gate="clock") == 0, what="the metric shows no hold")
