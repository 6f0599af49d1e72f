"""What a workload says about itself on its own object: it can only hold us back."""

from __future__ import annotations

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER, left_alone
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon


def said_by_owner(daemon: Daemon, name: str, reason: str) -> None:
    """Wait until it is left alone for that reason by its own words; before it is over by the policy, it is not yet."""
    words = f"by the annotations of Deployment/{name}"

    def found() -> bool:
        return any(words in line["detail"] and reason in line["reasons"] for line in daemon.events("left alone"))

    daemon.until(found, what=f"{name} is left alone {words}")


def test_a_workload_can_hold_us_back_and_no_more(cluster: Cluster, namespace: str, start_daemon: StartDaemon) -> None:
    """A higher threshold, a longer time, a gentler action hold; what loosens or can't be read leaves it alone."""
    annotations = {
        "higher": {"threshold": "99% of limit"},
        "longer": {"for": "30m"},
        "reported": {"action": "notify"},
        "still-over": {"threshold": "90% of limit"},
        "looser": {"threshold": "10% of limit"},
        "harsher": {"action": "delete"},
        "misspelt": {"treshold": "99% of limit"},
    }
    marked = workloads.deployment("marked", namespace, memory=OVER)
    marked["metadata"]["annotations"] = {"karpenter.sh/do-not-disrupt": "true"}
    cluster.api.create(marked)
    for name, own in annotations.items():
        manifest = workloads.deployment(name, namespace, memory=OVER)
        manifest["metadata"]["annotations"] = {f"remediator.dev/{key}": value for key, value in own.items()}
        cluster.api.create(manifest)
    cluster.ready_pods(namespace, len(annotations) + 1)
    wide = {"annotations": True, "maxConcurrent": 20}
    daemon = start_daemon(policy_file(namespace, safety=wide, cooldown="10m"))
    settled = daemon.wait_for("remediation settled", count=2)
    assert {(line["workload"], line["action"], line["outcome"]) for line in settled} == {
        ("Deployment/reported", "notify", "notified"),
        ("Deployment/still-over", "evict", "replaced"),
    }
    assert {line["threshold_text"] for line in settled if line["outcome"] == "replaced"} == {"90% of limit"}
    for name, reason in (("higher", "below-threshold"), ("longer", "sample-gap")):
        said_by_owner(daemon, name, reason)
    for name in ("looser", "harsher", "misspelt"):
        ((key, value),) = annotations[name].items()
        said = left_alone(daemon, name, "opted-out")
        assert f"remediator.dev/{key}" in said["detail"]
        assert value in said["detail"]
    assert "Deployment/marked has another tool's annotation" in left_alone(daemon, "marked", "opted-out")["detail"]
    assert [event.name.startswith("still-over") for event in cluster.taken(namespace)] == [True]
