"""Two replicas as two pods: one leads, they keep apart, and neither a drain nor an upgrade takes both."""

from __future__ import annotations

import pytest

from tests.chaos.steps import in_journal
from tests.cluster.conftest import NewRelease, policies
from tests.cluster.releases import LONG, held, let_ready, pace
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.api import ApiError
from tests.rig.cluster import Cluster


def test_the_pod_of_the_leader_is_drained_and_the_other_one_finishes(
    cluster: Cluster, namespace: str, new_release: NewRelease
) -> None:
    """The budget lets one pod go and not the second; who stands by settles what was begun, and takes nothing twice."""
    release = new_release()
    release.install(pace(cluster.prometheus_url, policy=policies(namespace, **LONG), replicas=2))
    daemons = release.installed.rolled_out()
    assert len({daemon.pod["spec"]["nodeName"] for daemon in daemons}) == 2
    leader, standby = sorted(daemons, key=lambda daemon: not daemon.events("leading"))
    assert [bool(daemon.events("leading")) for daemon in (leader, standby)] == [True, False]
    for daemon in (leader, standby):
        daemon.until(daemon.is_ready, what=f"{daemon.name} is Ready")

    def budget() -> list[int]:
        status = cluster.api.get("policy/v1/poddisruptionbudgets", release.home, "remediator").get("status", {})
        return [status.get(field, -1) for field in ("expectedPods", "currentHealthy", "disruptionsAllowed")]

    cluster.wait(lambda: budget() == [2, 2, 1], 60, "the budget lets one of two pods go", seen=budget)

    pod = held(cluster, namespace)
    cluster.api.annotate("pods", namespace, pod["metadata"]["name"], workloads.behaviour(memory=OVER))
    leader.wait_for("remediation taken")
    cluster.api.evict(release.home, leader.name, uid=leader.uid)
    with pytest.raises(ApiError) as caught:
        cluster.api.evict(release.home, standby.name, uid=standby.uid)
    assert [cause["reason"] for cause in caught.value.causes] == ["DisruptionBudget"]
    running = release.installed.rolled_out()
    assert leader.uid not in {daemon.uid for daemon in running}
    assert leader.exit_code == 0
    standby.wait_for("remediation inherited")
    let_ready(cluster, namespace)
    (settled,) = standby.wait_for("remediation settled")
    assert (settled["outcome"], settled["uid"]) == ("replaced", pod["metadata"]["uid"])
    assert len(cluster.taken(namespace)) == 1
    assert in_journal(cluster, release.home)["epoch"] == 2
    assert release.refused() == []


def test_an_upgrade_of_two_that_must_keep_apart_needs_no_third_node(cluster: Cluster, new_release: NewRelease) -> None:
    """Two nodes, hard anti-affinity: the rollout does not wait for a node that is not there, and one always leads."""
    release = new_release()
    values = pace(cluster.prometheus_url, replicas=2, antiAffinity="hard")
    release.install(values)
    before = {daemon.uid for daemon in release.installed.rolled_out()}
    release.upgrade({**values, "log": {"level": "debug"}}, wait=False)
    after = release.installed.rolled_out()
    assert len(after) == 2
    assert not before & {daemon.uid for daemon in after}
    assert len({daemon.pod["spec"]["nodeName"] for daemon in after}) == 2
    after[0].until(lambda: any(daemon.events("leading") for daemon in after), what="one of them leads")
