"""`helm upgrade`: nothing drifts, a policy is read anew in place, a setting makes a new pod that carries on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.chaos.steps import in_journal
from tests.cluster.conftest import NewRelease, policies
from tests.cluster.releases import ChartRelease, gone, pace, unmoved
from tests.cluster.test_guards import OVER, left_alone
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.helm import Helm, HelmError, Release

Json = dict[str, Any]
DEPLOYMENTS = "apps/v1/deployments"
ADMISSION = "admissionregistration.k8s.io/v1/validatingadmissionpolicies"


def versions(release: ChartRelease, put: Release) -> dict[tuple[str, str], Json]:
    """What tells each object of the release from a changed one."""
    return {which: unmoved(item) for which, item in release.live(put).items()}


def generation(release: ChartRelease) -> int:
    """How often what its Deployment asks for has changed."""
    deployment = release.cluster.api.get(DEPLOYMENTS, release.home, release.installed.name)
    return int(deployment["metadata"]["generation"])


def test_the_same_values_again_change_nothing(cluster: Cluster, new_release: NewRelease, each_helm: Helm) -> None:
    """Both Helms, after the daemon ran and all controllers have defaulted: each object is as it was before."""
    release = new_release(by=each_helm)
    values = pace(
        cluster.prometheus_url,
        policy=policies("shop", action="surge"),
        replicas=2,
        networkPolicy={"enabled": True, "metricsFrom": [{"namespaceSelector": {}}]},
        extraEnv=[{"name": "TZ", "value": "UTC"}],
        tolerations=[{"key": "spot", "operator": "Exists"}],
    )
    first = release.install(values)
    release.installed.rolled_out()
    cluster.wait(lambda: _is_settled(release), 60, "its controllers have nothing more to say")
    before = versions(release, first)
    second = release.upgrade(values)
    assert second.revision == first.revision + 1
    assert versions(release, second) == before
    assert {kind for kind, _ in before} == {item["kind"] for item in first.objects}


def test_a_rollback_takes_policy_settings_and_rights_back(
    cluster: Cluster, new_release: NewRelease, each_helm: Helm
) -> None:
    """Both Helms: each object says again what it said first, and what the upgrade has brought is gone."""
    release = new_release(by=each_helm, runs=False)
    values = pace(cluster.prometheus_url, runs=False, policy=policies("shop"), replicas=0)
    first = release.install(values)
    before = contents(release, first)
    second = release.upgrade({**values, "policy": policies("shop", action="surge"), "log": {"level": "debug"}})
    more = set(contents(release, second)) - set(before)
    assert {kind for kind, _ in more} >= {"ClusterRole", "ValidatingAdmissionPolicy"}
    release.rollback(first.revision)
    assert contents(release, first) == before
    names = {item["metadata"]["name"] for item in cluster.api.list("rbac.authorization.k8s.io/v1/clusterroles")}
    assert not names & {name for _, name in more}
    assert gone(cluster.api, ADMISSION, None, f"remediator.{release.home}-surge")


def contents(release: ChartRelease, put: Release) -> dict[tuple[str, str], Json]:
    """What each object of the release says, but for what the API server adds."""
    return {
        which: {key: value for key, value in item.items() if key not in {"metadata", "status"}}
        for which, item in release.live(put).items()
    }


WRONG: dict[str, Json] = {
    "actoin": {"policy": {"policies": [{"name": "web", "threshold": "90% of limit", "actoin": "evict"}]}},
    "threshold": {"policy": {"policies": [{"name": "web", "action": "evict"}]}},
    "policies": {"policy": {"policies": []}},
    "urll": {"prometheus": {"urll": "http://prometheus:9090"}},
    "replica": {"replica": 2},
    "actions": {"rbac": {"actions": ["reboot"]}},
}
"""Values that the schema refuses, by what Helm has to name."""


def test_what_the_schema_refuses_changes_nothing(cluster: Cluster, new_release: NewRelease, each_helm: Helm) -> None:
    """A misspelt field of the policy, or of the values: both Helms name it, and no object was touched."""
    release = new_release(by=each_helm, runs=False)
    values = pace(cluster.prometheus_url, runs=False, policy=policies("shop"), replicas=0)
    put = release.install(values)
    before = versions(release, put)
    for words, wrong in WRONG.items():
        with pytest.raises(HelmError, match=words):
            release.upgrade({**values, **wrong})
    assert versions(release, put) == before


def _is_settled(release: ChartRelease) -> bool:
    """Whether those that write the status of its objects have done so."""
    api = release.cluster.api
    deployment = api.get(DEPLOYMENTS, release.home, release.installed.name)
    reasons = {one["type"]: one["reason"] for one in deployment["status"]["conditions"]}
    budget = api.get("policy/v1/poddisruptionbudgets", release.home, release.installed.name)
    return bool(reasons["Progressing"] == "NewReplicaSetAvailable" and budget["status"]["disruptionsAllowed"] == 1)


def test_a_policy_is_read_in_place_and_a_setting_makes_a_new_pod_that_carries_on(
    cluster: Cluster, namespace: str, new_release: NewRelease
) -> None:
    """The process stays for the one and goes for the other, and the one that comes knows of what was done before."""
    for name in ("web", "api"):
        cluster.api.create(workloads.deployment(name, namespace, memory="170Mi"))
    pods = {pod["metadata"]["labels"]["app"]: pod["metadata"] for pod in cluster.ready_pods(namespace, 2)}
    cluster.api.annotate("pods", namespace, pods["web"]["name"], workloads.behaviour(memory=OVER))
    release = new_release()
    values = pace(cluster.prometheus_url, policy=policies(namespace, cooldown="10m"))
    release.install(values)
    (daemon,) = release.installed.rolled_out()
    (settled,) = daemon.wait_for("remediation settled", outcome="replaced")
    assert settled["pod"] == pods["web"]["name"]
    begun, process, pod = generation(release), daemon.pid, daemon.uid

    # 170Mi of 256Mi are over 60% of the limit; web's new pod is as well, and rests.
    lower = {**values, "policy": policies(namespace, cooldown="10m", threshold="60% of limit")}
    release.upgrade(lower)
    daemon.wait_for("policy file read", count=2)
    (_, settled) = daemon.wait_for("remediation settled", count=2)
    assert (settled["pod"], settled["outcome"]) == (pods["api"]["name"], "replaced")
    left_alone(daemon, "web", "cooldown")
    (same,) = release.installed.rolled_out()
    assert (generation(release), same.pid, same.uid) == (begun, process, pod)

    release.upgrade({**lower, "log": {"level": "debug"}})
    (successor,) = release.installed.rolled_out()
    assert generation(release) == begun + 1
    assert successor.uid != pod
    assert daemon.exit_code == 0
    assert (daemon.settings["REMEDIATOR_LOG_LEVEL"], successor.settings["REMEDIATOR_LOG_LEVEL"]) == ("info", "debug")
    for name in ("web", "api"):
        left_alone(successor, name, "cooldown")
    assert len(cluster.taken(namespace)) == 2
    stored = in_journal(cluster, release.home)
    assert (stored["epoch"], len(stored["settled"]), stored["in_flight"]) == (2, 2, {})


def test_rights_come_and_go_with_the_actions_of_the_policy(cluster: Cluster, new_release: NewRelease) -> None:
    """From evict to surge and delete and back: the rights, the admission policy, and no new pod for any of it."""
    release = new_release()
    admission = f"remediator.{release.home}-surge"

    def rights() -> tuple[bool, bool, bool, bool]:
        may = [
            release.may(verb, f"pods{sub}") for verb, sub in (("create", "/eviction"), ("patch", ""), ("delete", ""))
        ]
        return (may[0], may[1], may[2], not gone(cluster.api, ADMISSION, None, admission))

    def values(*actions: str) -> Json:
        each = [policies("shop", action=action)["policies"][0] for action in actions]
        policy = {"policies": [{**one, "name": f"policy-{number}"} for number, one in enumerate(each)]}
        return pace(cluster.prometheus_url, policy=policy, replicas=0)

    release.install(values("evict"), wait=False)
    begun = generation(release)
    steps = {
        ("notify",): (False, False, False, False),
        ("surge",): (True, True, False, True),
        ("surge", "delete"): (True, True, True, True),
        ("evict",): (True, False, False, False),
    }
    # The authorizer of the API server learns of it a moment later.
    cluster.wait(lambda: rights() == steps["evict",], 60, "it has the rights to evict", seen=rights)
    for actions, expected in steps.items():
        release.upgrade(values(*actions), wait=False)
        cluster.wait(partial(_are, rights, expected), 60, f"{actions} has its rights", seen=rights)
    assert generation(release) == begun


def _are(rights: Callable[[], object], expected: object) -> bool:
    return rights() == expected
