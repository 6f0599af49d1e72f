"""The breaker: a replacement that does not come stops the next one, until somebody, or the replacement, says so."""

from __future__ import annotations

import subprocess
import sys

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER, left_alone
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon

LABEL = "room.example/open"


def resume(cluster: Cluster, home: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``remediator resume`` with an operator's rights."""
    command = [sys.executable, "-m", "remediator", "resume", *arguments]
    options = ["--kubeconfig", str(cluster.kubeconfig), "--namespace", home]
    return subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=120)


def open_room(cluster: Cluster, room: str, *, is_open: bool) -> None:
    """Let pods of this room be scheduled, or not any more; what runs goes on."""
    for node in cluster.api.list("nodes"):
        labels = {"metadata": {"labels": {f"{LABEL}-{room}": "yes" if is_open else None}}}
        cluster.api.patch("nodes", None, node["metadata"]["name"], labels)


def without_room(cluster: Cluster, namespace: str, start_daemon: StartDaemon) -> Daemon:
    """A daemon that has taken one of two pods, whose replacement no node has room for."""
    open_room(cluster, namespace, is_open=True)
    spec = {"nodeSelector": {f"{LABEL}-{namespace}": "yes"}}
    cluster.api.create(workloads.deployment("web", namespace, replicas=2, memory=OVER, spec=spec))
    cluster.ready_pods(namespace, 2)
    open_room(cluster, namespace, is_open=False)
    daemon = start_daemon(policy_file(namespace, readyTimeout="10s", for_="4s"))
    (settled,) = daemon.wait_for("remediation settled")
    assert settled["outcome"] == "not-ready"
    assert "Unschedulable" in settled["detail"], "the record carries Kubernetes' own words"
    return daemon


def test_a_failed_replacement_stops_the_next_until_an_operator_resumes(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """One pod is lost at most; the veto names the command that closes the breaker, and the command does."""
    daemon = without_room(cluster, namespace, start_daemon)
    said = left_alone(daemon, "web", "breaker-open")
    assert f"remediator resume {namespace} Deployment/web" in said["detail"]
    daemon.until(
        lambda: daemon.metric("remediator_breaker_open", namespace=namespace, workload="Deployment/web") == 1,
        what="the metric shows the open breaker",
    )
    assert len(cluster.taken(namespace)) == 1

    assert resume(cluster, home, namespace, "Deployment/other").returncode == 1
    closed = resume(cluster, home, namespace, "Deployment/web")
    assert closed.returncode == 0, closed.stderr
    assert resume(cluster, home, namespace, "Deployment/web").returncode == 1, "there is nothing to close any more"
    daemon.until(
        lambda: daemon.metric("remediator_breaker_open", namespace=namespace, workload="Deployment/web") is None,
        what="the daemon takes in that the breaker is closed",
    )
    # The workload is still short of a pod, so nothing is taken all the same.
    left_alone(daemon, "web", "workload-not-ready")
    assert len(cluster.taken(namespace)) == 1


def test_a_replacement_that_comes_late_closes_the_breaker(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """Room for the new pod, after all: it turns Ready, the breaker closes by itself, and work goes on."""
    daemon = without_room(cluster, namespace, start_daemon)
    assert len(cluster.taken(namespace)) == 1
    # The replacement of the next one shall have all the time that it needs.
    daemon.write_policy(policy_file(namespace, for_="4s"))
    daemon.wait_for("policy file read", count=2)
    open_room(cluster, namespace, is_open=True)
    daemon.wait_for("remediation breaker-closed")
    settled = daemon.wait_for("remediation settled", count=2)
    assert settled[1]["outcome"] == "replaced"
