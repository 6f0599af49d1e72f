"""Windows on a real control plane: a policy acts within them, and tells outside of them when it will."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import requests

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER, left_alone
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.proxy import Fault, Proxy, Request, Respond

PLACE = "Asia/Kolkata"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def window(begins: timedelta, ends: timedelta) -> dict[str, Any]:
    """A window from so long after now to so long after now, as the clock there shows it: across midnight if need be."""
    now = datetime.now(UTC).astimezone(ZoneInfo(PLACE))
    return {"from": f"{now + begins:%H:%M}", "to": f"{now + ends:%H:%M}", "timezone": PLACE}


def test_outside_of_its_windows_a_policy_does_not_act(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """Hours to go: nothing is taken, and it is told when that will be; a report is made, and in the window it goes."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.api.create(workloads.deployment("told", namespace, memory=OVER))
    cluster.ready_pods(namespace, 2)
    hour = timedelta(hours=1)
    closed = window(3 * hour, 6 * hour)
    file = policy_file(namespace, cooldown="10m", windows=[closed])
    match = {"namespaces": [namespace], "workload": "Deployment/told"}
    file["policies"].insert(0, {**file["policies"][0], "name": "report", "action": "notify", "match": match})
    daemon = start_daemon(file)
    said = left_alone(daemon, "web", "window-closed")
    assert said["reasons"] == ["window-closed"]
    assert f"{closed['from']} {PLACE}, in 2h" in said["detail"]
    (settled,) = daemon.wait_for("remediation settled")
    assert (settled["workload"], settled["outcome"]) == ("Deployment/told", "notified")
    daemon.wait_for("evaluation", policy="leaky", outcome="ok")
    assert daemon.metric("remediator_vetoes_total", policy="leaky", reason="window-closed")
    assert cluster.taken(namespace) == []
    daemon.write_policy(policy_file(namespace, cooldown="10m", windows=[closed, window(-hour, 2 * hour)]))
    daemon.wait_for("remediation settled", outcome="replaced")


def test_an_emergency_waits_for_no_window(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, prometheus: Proxy
) -> None:
    """Near its limit it goes outside the windows and within the cooldown, if that still stands; the others wait."""
    cluster.api.create(workloads.deployment("urgent", namespace, memory="251Mi"))
    cluster.api.create(workloads.deployment("calm", namespace, memory="220Mi"))
    cluster.ready_pods(namespace, 2)
    hour = timedelta(hours=1)
    file = policy_file(
        namespace,
        emergency="95% of limit",
        windows=[window(3 * hour, 6 * hour)],
        cooldown="1h",
        maxPerWorkload={"actions": 2, "per": "1h"},
    )

    def better(request: Request) -> Fault | None:
        """After the intent the pod uses a little less: over its threshold, and no emergency."""
        if "pod%3D~" not in request.body.decode() or not daemon.events("remediation intended"):
            return None
        answer = requests.post(
            cluster.prometheus_url + request.path, data=request.body, headers=FORM, timeout=30
        ).json()
        for series in answer["data"]["result"]:
            series["values"] = [[at, str(float(value) * 0.92)] for at, value in series["values"]]
        return Respond(200, json.dumps(answer).encode())

    prometheus.fault = better
    daemon = start_daemon(file, prometheus_url=prometheus.url)
    called_off = daemon.wait_for("remediation settled")[0]
    assert (called_off["outcome"], called_off["workload"]) == ("called-off", "Deployment/urgent")
    assert "window-closed: outside of the policy's windows" in called_off["detail"]
    assert "cooldown" not in called_off["detail"], "its own intent is none"
    assert cluster.taken(namespace) == []
    prometheus.fault = lambda _request: None
    first, second = daemon.wait_for("remediation settled", outcome="replaced", count=2, timeout=120)
    assert first["workload"] == second["workload"] == "Deployment/urgent"
    assert first["emergency"] is second["emergency"] is True
    limited = left_alone(daemon, "urgent", "per-workload-limit")
    assert not {"cooldown", "window-closed"} & set(limited["reasons"])
    assert left_alone(daemon, "calm", "window-closed")["emergency"] is False
    assert len(cluster.taken(namespace)) == 2
