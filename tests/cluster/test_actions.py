"""The other actions: delete goes past disruption budgets, notify takes nothing, and a dry run only asks."""

from __future__ import annotations

import json

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER, left_alone
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import allow_delete


def test_delete_takes_the_measured_pod_past_its_budget(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """A plain DELETE with UID and resourceVersion; a budget that allows nothing is not asked."""
    allow_delete(cluster, home)
    cluster.api.create(workloads.statefulset("db", namespace, memory=OVER))
    cluster.api.create(workloads.pdb("db", namespace, max_unavailable=0))
    (pod,) = cluster.ready_pods(namespace, 1)
    daemon = start_daemon(policy_file(namespace, action="delete", cooldown="10m", gracePeriod="7s"))
    (settled,) = daemon.wait_for("remediation settled")
    (taken,) = cluster.taken(namespace)
    assert (taken.verb, taken.name, taken.subresource) == ("delete", "db-0", "")
    assert taken.uid == pod["metadata"]["uid"] == settled["uid"]
    assert (taken.request or {})["preconditions"]["resourceVersion"]
    assert (taken.request or {})["gracePeriodSeconds"] == 7
    assert (settled["action"], settled["outcome"], settled["replacement"]) == ("delete", "replaced", "db-0")


def test_without_the_right_to_delete_nothing_is_lost(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """The API server refuses: failed, the breaker holds, and the words name the right that is missing."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.ready_pods(namespace, 1)
    daemon = start_daemon(policy_file(namespace, action="delete"))
    (settled,) = daemon.wait_for("remediation settled")
    assert settled["outcome"] == "failed"
    assert 'cannot delete resource "pods"' in settled["detail"]
    left_alone(daemon, "web", "breaker-open")
    assert cluster.taken(namespace) == []


def test_notify_reports_once_and_takes_nothing(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """It starts the cooldown, spends no budget, holds no slot, and asks none of the guards of an act."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.api.create(workloads.pdb("web", namespace, max_unavailable=0))
    cluster.api.create(
        workloads.deployment("quiet", namespace, memory=OVER, annotations={"remediator.dev/opt-out": ""})
    )
    cluster.ready_pods(namespace, 2)
    safety = {"maxConcurrent": 1, "budget": {"actions": 1, "per": "1h"}}
    daemon = start_daemon(policy_file(namespace, action="notify", cooldown="10m", safety=safety))
    (settled,) = daemon.wait_for("remediation settled")
    assert (settled["outcome"], settled["workload"], settled["breaker_opened"]) == ("notified", "Deployment/web", False)
    assert "80% of limit" in settled["detail"]
    left_alone(daemon, "web", "cooldown")
    left_alone(daemon, "quiet", "opted-out")
    assert len(daemon.events("remediation settled")) == 1
    # The metrics are of the end of an evaluation.
    seen = len(daemon.events("evaluation"))
    daemon.wait_for("evaluation", count=seen + 2)
    assert daemon.metric("remediator_budget_remaining") == 1
    assert daemon.metric("remediator_remediations_in_flight") == 0
    ledger = json.loads(cluster.api.get("configmaps", home, "remediator-journal")["data"]["journal.json"])["ledger"]
    assert [record["outcome"] for record in ledger["settled"]] == ["notified"]
    assert cluster.taken(namespace) == []


def test_a_dry_run_goes_all_the_way_to_the_api_server(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """The server says what the eviction would have been answered; nothing goes, and no cooldown starts."""
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER))
    cluster.ready_pods(namespace, 1)
    daemon = start_daemon(policy_file(namespace, dryRun=True, cooldown="10m"))
    said = left_alone(daemon, "web", "dry-run")
    assert "would have accepted" in said["detail"]
    daemon.until(lambda: len(daemon.events("left alone")) > 2, what="it is asked again: nothing was spent")
    asked = cluster.wait(
        lambda: [one for one in cluster.audit() if one.namespace == namespace and one.subresource == "eviction"],
        60,
        "the audit log has a dry run",
    )
    assert all(event.dry_run and event.succeeded for event in asked)
    assert not any("cooldown" in line["reasons"] for line in daemon.events("left alone"))
    assert cluster.taken(namespace) == []
    assert daemon.events("remediation intended") == []
