"""Each guard on real objects, by its reason: one daemon sees a workload for each, all of them over their threshold.

Those of the policy and the journal, which need a pod to be taken first, are in test_guards.py, and that of a lost node,
which needs a cluster of its own, in test_guards_node.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import policy_file
from tests.cluster.test_guards import OVER, left_alone
from tests.rig import workloads
from tests.rig.cluster import Cluster, is_ready
from tests.rig.controller import owner
from tests.rig.daemon import Daemon, create_account
from tests.rig.workloads import behaviour

# One worker sets the stage, once for all of them.
pytestmark = pytest.mark.xdist_group("each guard")

Json = dict[str, Any]
CHANGED = {"spec": {"template": {"metadata": {"labels": {"release": "2"}}}}}
BROKEN = {"spec": {"template": {"metadata": {"annotations": behaviour(never_ready="true", memory="20Mi")}}}}
UNREADY = behaviour(never_ready="true")


@dataclass(frozen=True)
class Stage:
    """A namespace that the tests of this module share."""

    cluster: Cluster
    namespace: str

    def create(self, *manifests: Json) -> None:
        """New objects."""
        for manifest in manifests:
            self.cluster.api.create(manifest)

    def patch(self, kind: str, name: str, body: Any, *, subresource: str = "") -> None:  # noqa: ANN401
        """A change of one object."""
        self.cluster.api.patch(kind, self.namespace, name, body, subresource=subresource)

    def annotate(self, pod: str, annotations: dict[str, str]) -> None:
        """Another behaviour of a living pod."""
        self.cluster.api.annotate("pods", self.namespace, pod, annotations)

    def pods(self, app: str) -> list[Json]:
        """The pods of a workload."""
        return self.cluster.pods(self.namespace, labels=f"app={app}")

    def pod(self, app: str) -> str:
        """The name of a workload's only pod, once it is Ready."""
        (found,) = self.cluster.ready_pods(self.namespace, 1, labels=f"app={app}", deadline=60)
        return str(found["metadata"]["name"])

    def until(self, app: str, count: int, *, unready: int = 0) -> None:
        """Wait until a workload has so many pods, of which so many are not Ready."""

        def there() -> bool:
            pods = self.pods(app)
            return len(pods) == count and sum(not is_ready(pod) for pod in pods) == unready

        self.cluster.wait(there, 60, f"{app} has {count} pods, {unready} of them not Ready")


def _owned_by_nobody_who_replaces(stage: Stage) -> None:
    where = stage.namespace
    stage.create(workloads.pod("bare", where, memory=OVER))
    stage.create(workloads.job("batch", where, memory=OVER, annotations=behaviour(complete_delay="never")))
    stage.create(workloads.deployment("gang", where, memory=OVER, labels={"scheduling.x-k8s.io/pod-group": "training"}))
    static = workloads.pod("static", where, memory=OVER, annotations={"kubernetes.io/config.mirror": "abc"})
    static["spec"]["nodeName"] = "node-0"
    stage.create(static)
    never = behaviour(complete_delay="never")
    pipeline = workloads.pod("pipeline", where, memory=OVER, annotations=never, spec={"restartPolicy": "Never"})
    pipeline["metadata"]["ownerReferences"] = [_somebody(stage, "pipeline")]
    stage.create(pipeline)
    serving = stage.cluster.api.create(workloads.deployment("serving", where, memory="20Mi"))
    aside = workloads.pod("aside", where, memory=OVER)
    aside["metadata"]["ownerReferences"] = [owner(serving)]
    stage.create(aside)


def _somebody(stage: Stage, name: str) -> Json:
    """A controller of a kind that is none of a workload, as a reference."""
    metadata = {"name": name, "namespace": stage.namespace}
    return owner(stage.cluster.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}))


def _opted_out(stage: Stage) -> None:
    where, mark = stage.namespace, "remediator.dev/opt-out"
    stage.create(workloads.deployment("marked", where, memory=OVER, annotations={mark: ""}))
    marked = workloads.deployment("owner-marked", where, memory=OVER)
    marked["metadata"]["annotations"] = {mark: "ture"}
    stage.create(marked)
    others = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
    stage.create(workloads.deployment("others-marked", where, memory=OVER, annotations=others))


def _under_budgets(stage: Stage) -> None:
    where = stage.namespace
    for name in ("guarded", "twice", "sick-guarded", "sick-allowed"):
        stage.create(workloads.deployment(name, where, memory=OVER))
    stage.create(workloads.pdb("guarded", where, max_unavailable=0))
    stage.create(*(workloads.pdb(f"twice-{n}", where, app="twice", max_unavailable=1) for n in "ab"))
    stage.create(workloads.pdb("sick-guarded", where, min_available=1))
    stage.create(workloads.pdb("sick-allowed", where, min_available=1, unready="AlwaysAllow"))
    # A budget counts by the scale of the pods' controller, which a DaemonSet has not.
    stage.create(workloads.daemonset("uncountable", where, memory=OVER))
    stage.create(workloads.pdb("uncountable", where, max_unavailable=1))
    for name in ("sick-guarded", "sick-allowed"):
        stage.annotate(stage.pod(name), UNREADY)
        stage.until(name, 1, unready=1)


def _rolling_out(stage: Stage) -> None:
    """A Deployment that is paused in the middle, others whose new pods don't come up, and pods of two templates."""
    where = stage.namespace
    stage.create(workloads.deployment("paused", where, memory=OVER))
    stage.create(workloads.statefulset("rolling-set", where, replicas=2, memory=OVER))
    stage.create(workloads.daemonset("rolling-agent", where, memory=OVER))
    reference = _somebody(stage, "rolling-custom")
    for template in ("a", "b"):
        pod = workloads.pod(f"rolling-custom-{template}", where, memory=OVER, labels={"pod-template-hash": template})
        pod["metadata"]["ownerReferences"] = [reference]
        stage.create(pod)
    stage.pod("paused")
    stage.patch("apps/v1/deployments", "paused", {"spec": {"paused": True, **CHANGED["spec"]}})
    for kind, name in (("statefulsets", "rolling-set"), ("daemonsets", "rolling-agent")):
        stage.until(name, 2)
        stage.patch(f"apps/v1/{kind}", name, BROKEN)
        stage.until(name, 2, unready=1)


def _updates_that_wait(stage: Stage) -> None:
    where = stage.namespace
    stage.create(workloads.statefulset("waiting-set", where, memory=OVER, update="OnDelete"))
    stage.create(workloads.daemonset("waiting-agent", where, memory=OVER, update="OnDelete"))
    stage.create(workloads.statefulset("taken-back", where, replicas=2, memory=OVER))
    stage.create(workloads.replicaset("edited", where, memory=OVER))
    for kind, name, count in (("statefulsets", "waiting-set", 1), ("daemonsets", "waiting-agent", 2)):
        stage.until(name, count)
        stage.patch(f"apps/v1/{kind}", name, CHANGED)
    stage.until("edited", 1)
    image = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "registry.example/app:2.0"}]
    stage.patch("apps/v1/replicasets", "edited", image)
    # One of two is updated, then the partition is raised above it: made again it would be of the old revision.
    stage.until("taken-back", 2)
    stage.annotate("taken-back-0", behaviour(memory="20Mi"))
    stage.patch("apps/v1/statefulsets", "taken-back", {"spec": {**CHANGED["spec"], **_partition(1)}})

    def updated() -> bool:
        pods = stage.pods("taken-back")
        return [pod["metadata"]["labels"].get("release") for pod in pods] == [None, "2"] and is_ready(pods[1])

    stage.cluster.wait(updated, 60, "one of two is updated")
    stage.patch("apps/v1/statefulsets", "taken-back", {"spec": _partition(2)})


def _partition(ordinal: int) -> Json:
    return {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": ordinal}}}


def _not_whole(stage: Stage) -> None:
    where = stage.namespace
    stage.create(workloads.deployment("halved", where, replicas=2, memory=OVER))
    stage.create(workloads.statefulset("in-order", where, replicas=2, memory=OVER))
    for name in ("halved", "in-order"):
        stage.until(name, 2)
        stage.annotate(stage.pods(name)[0]["metadata"]["name"], {**UNREADY, **behaviour(memory="20Mi")})
        stage.until(name, 2, unready=1)


def _ending(stage: Stage) -> None:
    """Deleted, and held by somebody's finalizer: their controllers have stopped to make pods."""
    where = stage.namespace
    ending = (
        ("statefulsets", workloads.statefulset("ending-set", where, memory=OVER)),
        ("daemonsets", workloads.daemonset("ending-agent", where, memory=OVER)),
        ("deployments", workloads.deployment("ending-web", where, memory=OVER)),
    )
    for _, manifest in ending:
        manifest["metadata"]["finalizers"] = ["example.com/backup"]
        stage.create(manifest)
    for kind, manifest in ending:
        name = manifest["metadata"]["name"]
        stage.until(name, 2 if kind == "daemonsets" else 1)
        stage.cluster.api.delete(f"apps/v1/{kind}", where, name)


def _end(stage: Stage) -> None:
    """A namespace does not go before their finalizers do."""
    for kind, name in (("statefulsets", "ending-set"), ("daemonsets", "ending-agent"), ("deployments", "ending-web")):
        if stage.cluster.api.find(f"apps/v1/{kind}", stage.namespace, name):
            stage.patch(f"apps/v1/{kind}", name, {"metadata": {"finalizers": None}})


def _changing(stage: Stage) -> None:
    where = stage.namespace
    stage.create(workloads.deployment("going", where, memory=OVER, annotations=behaviour(delete_delay="never")))
    stage.create(workloads.deployment("resizing", where, memory=OVER))
    stage.create(workloads.deployment("young", where, memory=OVER, labels={"pace": "patient"}))
    stage.cluster.api.delete("pods", where, stage.pod("going"))
    resizing = {"type": "PodResizeInProgress", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    add = [{"op": "add", "path": "/status/conditions/-", "value": resizing}]
    stage.patch("pods", stage.pod("resizing"), add, subresource="status")


@pytest.fixture(scope="module")
def stage(cluster: Cluster) -> Iterator[Stage]:
    """A workload for each reason."""
    made = Stage(cluster, cluster.namespace("each"))
    try:
        for step in (
            _owned_by_nobody_who_replaces,
            _opted_out,
            _rolling_out,
            _updates_that_wait,
            _not_whole,
            _ending,
            _changing,
            _under_budgets,
        ):
            step(made)
        yield made
    finally:
        _end(made)
        cluster.api.delete("namespaces", None, made.namespace)


@pytest.fixture(scope="module")
def daemon(cluster: Cluster, stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that looks at them. They are many, and more than half of all, which is no mistake here."""
    home = cluster.namespace("home")
    create_account(cluster, home)
    policy = policy_file(
        stage.namespace, for_="8s", every="3s", cooldown="1h", safety={"maxBreaching": "100%", "maxConcurrent": 50}
    )
    patient = {
        **policy["policies"][0],
        "name": "patient",
        "match": {"namespaces": [stage.namespace], "selector": "pace=patient"},
        "minAge": "1h",
    }
    # A quantity needs no limit of kube-state-metrics, which forgets a pod at once, and the window is long enough to be
    # looked at after its end.
    by_sum = {
        **policy["policies"][0],
        "name": "by-sum",
        "match": {"namespaces": [stage.namespace], "pods": ["bare"]},
        "threshold": "200Mi",
        "for": "15s",
    }
    policy["policies"] = [patient, by_sum, *policy["policies"]]
    folder: Path = tmp_path_factory.mktemp("each")
    with ExitStack() as ends:
        ends.callback(cluster.api.delete, "namespaces", None, home)
        yield ends.enter_context(
            Daemon(
                policy=policy,
                kubeconfig=cluster.kubeconfig_for(home, "remediator"),
                prometheus_url=cluster.prometheus_url,
                namespace=home,
                folder=folder,
                # A pod that is not over is told at this level only.
                environment={"REMEDIATOR_LOG_LEVEL": "debug"},
            )
        )


CASES = [
    ("opted-out", "marked", "pod marked-"),
    ("opted-out", "owner-marked", "Deployment/owner-marked"),
    ("opted-out", "others-marked", "another tool's annotation cluster-autoscaler.kubernetes.io/safe-to-evict"),
    ("no-controller", "bare", "no controller"),
    ("unsupported-owner", "batch", "a pod of a Job"),
    ("unsupported-owner", "pipeline", "a pod of a ConfigMap that runs to an end (restartPolicy Never)"),
    ("no-controller", "aside", "Deployment/serving does not select it by its labels"),
    ("no-controller", "ending-set-0", "StatefulSet/ending-set is being deleted, and so would not replace it"),
    ("no-controller", "ending-agent", "DaemonSet/ending-agent is being deleted"),
    ("no-controller", "ending-web", "Deployment/ending-web is being deleted"),
    ("unsupported-owner", "gang", "a member of the pod group training"),
    ("unsupported-owner", "static", "a static pod of node node-0"),
    ("terminating", "going", "its deletion has been asked for"),
    ("too-young", "young", "minAge is 1h"),
    ("resize-in-progress", "resizing", "PodResizeInProgress"),
    ("rollout-in-progress", "paused", "0 of 1 replicas have the newest template"),
    ("rollout-in-progress", "rolling-set-0", "is replacing"),
    ("rollout-in-progress", "rolling-agent", "1 of 2 nodes have the newest template"),
    ("rollout-in-progress", "rolling-custom-a", "pods of several templates: a, b"),
    ("revision-would-change", "waiting-set-0", "its replacement would be made from"),
    ("revision-would-change", "waiting-agent", "pods of an older template on 2 nodes"),
    ("revision-would-change", "taken-back-1", "its replacement would be made from"),
    ("revision-would-change", "edited", "its replacement would have registry.example/app:2.0"),
    ("workload-not-ready", "halved", "2 of the 2 pods"),
    ("predecessor-unavailable", "in-order-1", "in-order-0 is not available"),
    ("disruption-budget", "guarded", "allows no disruption"),
    ("disruption-budget", "twice", "twice-a, twice-b"),
    ("disruption-budget", "sick-guarded", "allows no disruption: 0 healthy, 1 wanted"),
    ("disruption-budget", "uncountable", "is misconfigured and will never allow anything"),
]


Line = dict[str, Any]


@pytest.fixture(scope="module")
def said(daemon: Daemon) -> dict[tuple[str, str, str], Line]:
    """The lines of all cases; waited for together, so that a daemon that does not work costs the time only once."""
    found: dict[tuple[str, str, str], Line] = {}

    def all_of_them() -> bool:
        lines = daemon.events("left alone")
        for reason, pod, words in CASES:
            for line in lines:
                if line["pod"].startswith(pod) and reason in line["reasons"] and words in line["detail"]:
                    found[reason, pod, words] = line
        return len(found) == len(CASES)

    # What is missing is for its own test to tell.
    with suppress(AssertionError):
        daemon.until(all_of_them, what="every reason is named", timeout=90)
    return found


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case[0]}:{case[1]}") for case in CASES])
def test_left_alone(daemon: Daemon, said: dict[tuple[str, str, str], Line], case: tuple[str, str, str]) -> None:
    """The reason is in a log line of the pod, with the words for people, and it is counted."""
    reason, pod, _ = case
    assert case in said, [line for line in daemon.events("left alone") if line["pod"].startswith(pod)][-1:]
    line = said[case]
    assert line["share"] > 0.8, "it was over, and that was no reason to take it"
    assert daemon.metric("remediator_vetoes_total", policy=line["policy"], reason=reason)


def test_nobody_but_an_unready_pod_whose_budget_does_not_mind_is_taken(
    daemon: Daemon, said: dict[tuple[str, str, str], Line], stage: Stage
) -> None:
    """After each reason was named: one eviction in all, of the pod against which no guard had an objection."""
    assert len(said) == len(CASES)
    (taken,) = daemon.wait_for("remediation taken")
    assert taken["workload"] == "Deployment/sick-allowed"

    def by_us() -> list[str]:
        events = stage.cluster.taken(stage.namespace)
        return [event.name for event in events if event.user.endswith(":remediator")]

    stage.cluster.wait(by_us, 60, "the eviction is in the audit log")
    assert by_us() == [taken["pod"]]
    assert {line["outcome"] for line in daemon.events("evaluation")} == {"ok"}


def test_gone(daemon: Daemon, said: dict[tuple[str, str, str], Line], stage: Stage) -> None:
    """Deleted a moment ago, and Prometheus still shows it over."""
    stage.cluster.api.delete("pods", stage.namespace, "bare")
    line = left_alone(daemon, "bare", "gone")
    assert "no pod of that name" in line["detail"]


def test_sample_gap(daemon: Daemon, said: dict[tuple[str, str, str], Line], stage: Stage) -> None:
    """Over from its first second on, but not yet for as long as the policy wants."""
    mark = {"remediator.dev/opt-out": "true"}
    stage.create(workloads.deployment("fresh", stage.namespace, memory=OVER, annotations=mark))

    def seen() -> bool:
        lines = [line for line in daemon.events("left alone") if line["pod"].startswith("fresh")]
        if lines and "opted-out" in lines[-1]["reasons"]:
            # No evaluation came in time; the next pod is fresh again.
            for pod in stage.pods("fresh"):
                if pod["metadata"]["name"] == lines[-1]["pod"]:
                    stage.cluster.api.delete("pods", stage.namespace, lines[-1]["pod"])
        return any("sample-gap" in line["reasons"] for line in lines)

    daemon.until(seen, what="it is left alone for sample-gap")


def test_recovering(daemon: Daemon, said: dict[tuple[str, str, str], Line], stage: Stage) -> None:
    """Over all the time, and far below its peak: it mends itself."""
    # Again and again, so that an evaluation sees it: up at once, and evenly down to 208Mi.
    saw = behaviour(memory="208Mi", swing="45Mi", swing_period=10, swing_shape="burst")
    stage.annotate(stage.pod("marked"), saw)
    left_alone(daemon, "marked", "recovering", timeout=90)


def test_below_threshold(daemon: Daemon, said: dict[tuple[str, str, str], Line], stage: Stage) -> None:
    """Over the limit that its spec shall have, far below the one in force: a resize that is pending changes nothing."""
    pending = behaviour(resize="deferred")
    stage.create(workloads.deployment("roomy", stage.namespace, memory=OVER, limit="512Mi", annotations=pending))
    resources = {"limits": {"memory": "256Mi"}, "requests": {"memory": "256Mi"}}
    asked = [{"op": "replace", "path": "/spec/containers/0/resources", "value": resources}]
    stage.patch("pods", stage.pod("roomy"), asked, subresource="resize")
    left_alone(daemon, "roomy", "below-threshold")


def test_not_running(daemon: Daemon, said: dict[tuple[str, str, str], Line], stage: Stage) -> None:
    """Its phase is not Running any more, although its containers are measured still."""
    # Of a pod that has ended the measurements end as well, so that one could only be seen by chance.
    unknown = [{"op": "replace", "path": "/status/phase", "value": "Unknown"}]
    pod = stage.pod("owner-marked")

    def seen() -> list[Line]:
        # The pod's kubelet reports what it knows again, so it is said anew until an evaluation has seen it.
        stage.patch("pods", pod, unknown, subresource="status")
        lines = daemon.events("left alone")
        return [line for line in lines if line["pod"] == pod and "not-running" in line["reasons"]]

    line, *_ = daemon.until(seen, what="it is left alone for not-running")
    assert "its phase is Unknown" in line["detail"]
