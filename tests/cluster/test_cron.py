"""A policy for given times: nothing at the start, Ready all the same, and the pod goes when the time has come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster


def at(cron: str, namespace: str) -> dict[str, Any]:
    """The tests' policy with ``cron`` instead of ``every``."""
    file = policy_file(namespace, cooldown="10m", cron=cron, timezone="Asia/Kolkata")
    del file["policies"][0]["every"]
    return file


def time_of(line: dict[str, Any]) -> datetime:
    """When a line was logged."""
    return datetime.fromisoformat(line["time"])


def test_a_policy_with_cron_is_evaluated_when_its_time_comes(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """With hours to go it is Ready and evaluates nothing; told to look each minute, it does at the next one."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.ready_pods(namespace, 1)
    later = datetime.now(UTC) + timedelta(hours=3)
    daemon = start_daemon(at(f"{later:%M %H} * * *", namespace))
    daemon.wait_for("leading")
    daemon.until(lambda: daemon.get("/readyz").ok, what="it is Ready")
    assert daemon.events("evaluation") == []
    told = datetime.now(UTC)
    daemon.write_policy(at("* * * * *", namespace))
    evaluated = daemon.wait_for("evaluation", timeout=120)[0]
    assert time_of(evaluated).replace(second=0, microsecond=0) > told
    # Its first look may have come too early for `for`: then it is the next minute's.
    (settled,) = daemon.wait_for("remediation settled", timeout=150)
    assert settled["workload"] == "Deployment/web"
