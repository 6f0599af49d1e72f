"""The rig itself: what the other tests build upon is true."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.rig import workloads
from tests.rig.api import ApiError
from tests.rig.claim import _alone, sweep
from tests.rig.cluster import Cluster, is_ready
from tests.rig.errors import StartError
from tests.rig.loopback import read
from tests.rig.processes import Component
from tests.rig.prometheus import Sample

ROOT = Path(__file__).resolve().parents[2]
MIB = 2**20


def working_set(cluster: Cluster, namespace: str, *, container: str = "app") -> list[Sample]:
    """The working set of a namespace's containers as Prometheus has it."""
    selector = f'namespace="{namespace}",container="{container}"'
    return cluster.query(f"container_memory_working_set_bytes{{{selector}}}")


def container_id(pod: dict[str, object]) -> str:
    """The ID of a pod's first container, as cAdvisor writes it."""
    status: dict[str, list[dict[str, str]]] = pod["status"]  # type: ignore[assignment]
    return status["containerStatuses"][0]["containerID"].removeprefix("containerd://")


def leaked(pod: dict[str, Any], sample: Sample, *, start: int, leak: int) -> float:
    """The most bytes that a pod's first container can have had at a sample, by its start, in MiB and MiB a second."""
    begun = datetime.fromisoformat(pod["metadata"]["annotations"][f"{workloads.PREFIX}started"]).timestamp()
    # Times of starts are in whole seconds.
    return (start + leak * (sample.time - begun + 1)) * MIB


def test_a_leak_grows_under_the_identity_of_the_live_container(cluster: Cluster, namespace: str) -> None:
    """Prometheus sees a leak grow under the live container's ID, in a cgroup with the pod's UID."""
    cluster.api.create(workloads.deployment("web", namespace, memory="64Mi", leak="1Mi"))
    (pod,) = cluster.ready_pods(namespace, 1)
    (first,) = cluster.wait(lambda: working_set(cluster, namespace), 60, "a sample of the container")
    assert first.labels["name"] == container_id(pod)
    assert pod["metadata"]["uid"].replace("-", "_") in first.labels["id"]
    assert first.labels["image"] == workloads.IMAGE
    assert first.labels["pod"] == pod["metadata"]["name"]
    assert (first.labels["job"], first.labels["metrics_path"]) == ("kubelet", "/metrics/cadvisor")
    assert first.labels["node"] == pod["spec"]["nodeName"]
    assert 64 * MIB <= first.value <= leaked(pod, first, start=64, leak=1)
    cluster.wait(
        lambda: any(sample.value > first.value + 2 * MIB for sample in working_set(cluster, namespace)),
        60,
        "the leak has grown by 2 MiB",
    )


def test_a_leak_ends_with_the_pod(cluster: Cluster, namespace: str) -> None:
    """After an eviction the ReplicaSet's new pod starts where the old one did, as another series."""
    cluster.api.create(workloads.deployment("web", namespace, memory="64Mi", leak="8Mi"))
    (old,) = cluster.ready_pods(namespace, 1)
    cluster.wait(
        lambda: any(sample.value > 96 * MIB for sample in working_set(cluster, namespace)),
        60,
        "the leak is past 96 MiB",
    )
    cluster.api.evict(namespace, old["metadata"]["name"], uid=old["metadata"]["uid"])
    new = cluster.wait(
        lambda: [
            pod for pod in cluster.pods(namespace) if pod["metadata"]["uid"] != old["metadata"]["uid"] and is_ready(pod)
        ],
        60,
        "another pod is Ready",
    )[0]

    def fresh() -> list[Sample]:
        return [sample for sample in working_set(cluster, namespace) if sample.labels["name"] == container_id(new)]

    (sample,) = cluster.wait(fresh, 60, "a sample of the new container")
    assert 64 * MIB <= sample.value <= leaked(new, sample, start=64, leak=8)
    assert leaked(new, sample, start=64, leak=8) < leaked(old, sample, start=64, leak=8) - 8 * MIB
    assert container_id(new) != container_id(old)
    cluster.wait(
        lambda: [one.labels["name"] for one in working_set(cluster, namespace)] == [container_id(new)],
        60,
        "the old container's series has ended",
    )


@pytest.mark.parametrize("shape", ["rise", "burst"])
def test_memory_can_rise_and_fall(cluster: Cluster, namespace: str, shape: str) -> None:
    """A saw-tooth rises slowly and falls at once, a burst the other way round; neither leaves its bounds."""
    swing = workloads.behaviour(swing="64Mi", swing_period=8, swing_shape=shape, noise="1Mi")
    cluster.api.create(workloads.deployment("web", namespace, memory="64Mi", annotations=swing))
    cluster.ready_pods(namespace, 1)
    series = f'container_memory_working_set_bytes{{namespace="{namespace}",container="app"}}[60s]'

    def seen() -> tuple[float, float] | None:
        """How often it has risen and fallen, once it has done both twice."""
        falls, changes = (
            sum(sample.value for sample in cluster.query(f"{function}({series})")) for function in ("resets", "changes")
        )
        return (changes - falls, falls) if min(changes - falls, falls) >= 2 else None

    rises, falls = cluster.wait(seen, 120, "the memory has risen and fallen twice", every=0.5)
    assert (rises > falls) == (shape == "rise")
    (top,) = cluster.query(f"max_over_time({series})")
    (bottom,) = cluster.query(f"min_over_time({series})")
    assert 64 * MIB <= bottom.value < 96 * MIB < top.value <= 129 * MIB


def test_a_restart_gives_the_container_another_id(cluster: Cluster, namespace: str) -> None:
    """A container that restarts goes on in its pod with a new ID, a restart count and little memory."""
    cluster.api.create(workloads.deployment("web", namespace, memory="64Mi", leak="8Mi"))
    (before,) = cluster.ready_pods(namespace, 1)
    name = before["metadata"]["name"]
    cluster.wait(
        lambda: any(sample.value > 96 * MIB for sample in working_set(cluster, namespace)),
        60,
        "the leak is past 96 MiB",
    )
    cluster.api.annotate("pods", namespace, name, workloads.behaviour(restart=1))

    def restarted() -> dict[str, object] | None:
        pod = cluster.api.get("pods", namespace, name)
        return pod if is_ready(pod) and pod["status"]["containerStatuses"][0]["restartCount"] == 1 else None

    after = cluster.wait(restarted, 60, "the container has restarted and is Ready again")
    assert container_id(after) != container_id(before)
    assert cluster.api.get("pods", namespace, name)["metadata"]["uid"] == before["metadata"]["uid"]
    last = cluster.api.get("pods", namespace, name)["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (last["reason"], last["exitCode"]) == ("OOMKilled", 137)
    assert last["containerID"].endswith(container_id(before))
    (sample,) = cluster.wait(
        lambda: [sample for sample in working_set(cluster, namespace) if sample.labels["name"] == container_id(after)],
        60,
        "a sample of the restarted container",
    )
    assert 64 * MIB <= sample.value <= leaked(after, sample, start=64, leak=8)
    assert leaked(after, sample, start=64, leak=8) < leaked(before, sample, start=64, leak=8) - 8 * MIB


def test_limits_come_from_kube_state_metrics(cluster: Cluster, namespace: str) -> None:
    """kube-state-metrics has a live container's limit in bytes, under its own namespace and pod."""
    cluster.api.create(workloads.deployment("web", namespace, limit="128Mi"))
    (pod,) = cluster.ready_pods(namespace, 1)
    limits = f'kube_pod_container_resource_limits{{namespace="{namespace}",resource="memory"}}'
    (limit,) = cluster.wait(lambda: cluster.query(limits), 60, "the limit is in Prometheus")
    assert limit.value == 128 * MIB
    assert limit.labels["pod"] == pod["metadata"]["name"]
    assert limit.labels["uid"] == pod["metadata"]["uid"]


def test_a_pending_resize_leaves_the_old_limit_in_force(cluster: Cluster, namespace: str) -> None:
    """A deferred resize changes the pod's spec, and its container status only once there is room."""
    cluster.api.create(
        workloads.pod("web", namespace, limit="128Mi", annotations=workloads.behaviour(resize="deferred"))
    )
    cluster.ready_pods(namespace, 1)
    resources = {"limits": {"memory": "256Mi"}, "requests": {"memory": "256Mi"}}
    change = [{"op": "replace", "path": "/spec/containers/0/resources", "value": resources}]
    cluster.api.patch("pods", namespace, "web", change, subresource="resize")

    def in_force() -> tuple[list[str], str]:
        status = cluster.api.get("pods", namespace, "web")["status"]
        pending = [each["reason"] for each in status["conditions"] if each["type"] == "PodResizePending"]
        return pending, status["containerStatuses"][0]["resources"]["limits"]["memory"]

    cluster.wait(lambda: in_force() == (["Deferred"], "128Mi"), 60, "the resize is pending", seen=in_force)
    cluster.api.annotate("pods", namespace, "web", {f"{workloads.PREFIX}resize": None})
    cluster.wait(lambda: in_force() == ([], "256Mi"), 60, "the resize is in force", seen=in_force)


def test_a_budget_refuses_an_eviction(cluster: Cluster, namespace: str) -> None:
    """The eviction of a pod that a disruption budget needs is 429 with the cause DisruptionBudget."""
    cluster.api.create(workloads.pdb("web", namespace, min_available=1))
    cluster.api.create(workloads.deployment("web", namespace))
    (pod,) = cluster.ready_pods(namespace, 1)
    budget = "policy/v1/poddisruptionbudgets"
    cluster.wait(
        lambda: cluster.api.get(budget, namespace, "web")["status"].get("currentHealthy") == 1,
        60,
        "the budget counts it",
    )
    with pytest.raises(ApiError) as refused:
        cluster.api.evict(namespace, pod["metadata"]["name"])
    assert refused.value.code == 429
    assert [cause["reason"] for cause in refused.value.causes] == ["DisruptionBudget"]


def test_the_audit_log_tells_who_evicted(cluster: Cluster, namespace: str) -> None:
    """The audit log has an eviction with the UID it named, under the service account that sent it."""
    rule = {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]}
    cluster.service_account(namespace, "evictor", rules=[rule])
    cluster.api.create(workloads.deployment("web", namespace))
    (pod,) = cluster.ready_pods(namespace, 1)
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    evictor = cluster.api_as(namespace, "evictor")
    with pytest.raises(ApiError, match="403"):
        evictor.delete("pods", namespace, name)
    evictor.evict(namespace, name, uid=uid)
    (event,) = cluster.wait(lambda: cluster.taken(namespace), 60, "the eviction is in the audit log")
    assert event.user == f"system:serviceaccount:{namespace}:evictor"
    assert (event.verb, event.subresource, event.name, event.code) == ("create", "eviction", name, 201)
    assert event.request is not None
    assert event.request["deleteOptions"]["preconditions"]["uid"] == uid
    refused = [
        each for each in cluster.audit() if each.namespace == namespace and each.takes_a_pod and not each.succeeded
    ]
    assert [(each.user, each.verb, each.code) for each in refused if not each.is_system] == [
        (event.user, "delete", 403)
    ]


def test_a_delete_can_take_its_time(cluster: Cluster, namespace: str) -> None:
    """A pod with a delay stays, on its way out, until the delay is over; one without is gone at once."""
    cluster.api.create(workloads.pod("quick", namespace))
    cluster.api.create(workloads.pod("slow", namespace, annotations=workloads.behaviour(delete_delay="never")))
    cluster.ready_pods(namespace, 2)
    for name in ("quick", "slow"):
        cluster.api.delete("pods", namespace, name)
    cluster.wait(lambda: cluster.api.find("pods", namespace, "quick") is None, 60, "quick is gone")
    assert "deletionTimestamp" in cluster.api.get("pods", namespace, "slow")["metadata"]
    cluster.api.annotate("pods", namespace, "slow", workloads.behaviour(delete_delay=1))
    cluster.wait(lambda: cluster.api.find("pods", namespace, "slow") is None, 60, "slow is gone")


def test_a_delete_never_takes_the_namesake(cluster: Cluster, namespace: str) -> None:
    """The simulated kubelet ends the pod that was deleted, and never the one that has its name since."""
    cluster.api.create(workloads.statefulset("web", namespace, replicas=8, parallel=True))
    before = cluster.ready_pods(namespace, 8)
    for pod in before:
        name = pod["metadata"]["name"]
        cluster.api.evict(namespace, name, uid=pod["metadata"]["uid"])
        # Each change makes the simulated kubelet look at the pod again, just while it ends it.
        with contextlib.suppress(ApiError):
            cluster.api.annotate("pods", namespace, name, {"example.com/changed": "true"})
    gone = {pod["metadata"]["uid"] for pod in before}

    def replaced() -> bool:
        return not gone & {pod["metadata"]["uid"] for pod in cluster.ready_pods(namespace, 8)}

    cluster.wait(replaced, 90, "all pods have been replaced")
    ends = [
        event
        for event in cluster.audit()
        if event.namespace == namespace and event.user == "system:kwok" and event.verb == "delete" and event.succeeded
    ]
    assert sorted(event.name for event in ends) == sorted(pod["metadata"]["name"] for pod in before)


def test_readiness_can_be_taken_and_given_back(cluster: Cluster, namespace: str) -> None:
    """A pod that says so stays un-Ready or without containers, and turns Ready when it says so no more."""
    for name in ("never-ready", "never-start"):
        annotations = {f"{workloads.PREFIX}{name}": "true"}
        cluster.api.create(workloads.deployment(name, namespace, annotations=annotations))
    cluster.api.create(workloads.deployment("web", namespace))
    cluster.ready_pods(namespace, 1, labels="app=web")
    (unready,) = cluster.wait(
        lambda: [
            pod for pod in cluster.pods(namespace, labels="app=never-ready") if pod["status"]["phase"] == "Running"
        ],
        60,
        "the pod that is never Ready runs",
    )
    (pending,) = cluster.wait(
        lambda: [pod for pod in cluster.pods(namespace, labels="app=never-start") if pod["spec"].get("nodeName")],
        60,
        "the pod that never starts has its node",
    )
    # Whoever comes after both, and is ready, shows that they had time enough.
    cluster.api.create(workloads.pod("later", namespace))
    cluster.ready_pods(namespace, 1, labels="app=later")
    assert not is_ready(cluster.api.get("pods", namespace, unready["metadata"]["name"]))
    assert cluster.api.get("pods", namespace, pending["metadata"]["name"])["status"]["phase"] == "Pending"
    for pod, name in ((unready, "never-ready"), (pending, "never-start")):
        cluster.api.annotate("pods", namespace, pod["metadata"]["name"], {f"{workloads.PREFIX}{name}": None})
    cluster.ready_pods(namespace, 4)


def test_pod_security_is_enforced(cluster: Cluster) -> None:
    """A namespace with the restricted profile refuses a pod that may run as root, and takes the rig's own."""
    namespace = cluster.namespace(labels={"pod-security.kubernetes.io/enforce": "restricted"})
    loose = workloads.container()
    del loose["securityContext"]
    with pytest.raises(ApiError, match="violates PodSecurity"):
        cluster.api.create(workloads.pod("loose", namespace, containers=[loose]))
    cluster.api.create(workloads.pod("strict", namespace))
    cluster.api.delete("namespaces", None, namespace)


def test_the_owner_alone_stops_components(cluster: Cluster) -> None:
    """A process that is attached to a cluster can use it, and is told that it can't stop components."""
    attached = Cluster.from_description(json.loads(json.dumps(cluster.describe())))
    assert attached.api.list("nodes")
    with pytest.raises(Exception, match="own_cluster"):
        attached.stop_component("etcd")
    attached.stop()
    assert cluster.api.list("nodes")


def test_components_stop_pause_and_come_back(own_cluster: Cluster) -> None:
    """An own cluster's components can be crashed, stopped and frozen, and are there again with what they knew."""
    namespace = own_cluster.namespace()
    own_cluster.api.create(workloads.deployment("web", namespace))
    (before,) = own_cluster.ready_pods(namespace, 1)
    own_cluster.stop_component("etcd", grace=0)
    own_cluster.stop_component("kube-apiserver")
    with pytest.raises(requests.ConnectionError):
        own_cluster.api.list("nodes")
    own_cluster.start_component("etcd")
    own_cluster.start_component("kube-apiserver")
    (after,) = own_cluster.ready_pods(namespace, 1)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    own_cluster.pause("kube-controller-manager")
    own_cluster.api.evict(namespace, after["metadata"]["name"])
    own_cluster.wait(lambda: not own_cluster.pods(namespace), 60, "the pod is gone, and nobody makes another")
    own_cluster.resume("kube-controller-manager")
    own_cluster.ready_pods(namespace, 1)


def test_samples_can_carry_the_time_of_the_look() -> None:
    """With cAdvisor's timestamps a sample is as old as the last look, and a dead container's series lingers."""
    with Cluster.start(nodes=1, cadvisor_every=3) as cluster:
        namespace = cluster.namespace()
        cluster.api.create(workloads.deployment("web", namespace))
        (pod,) = cluster.ready_pods(namespace, 1)
        cluster.wait(lambda: working_set(cluster, namespace), 60, "a sample of the container")
        age = f'time() - timestamp(container_memory_working_set_bytes{{namespace="{namespace}",container="app"}})'
        cluster.wait(lambda: cluster.query(f"{age} > 1.5"), 60, "a sample older than a scrape", every=0.05)
        cluster.api.evict(namespace, pod["metadata"]["name"])
        cluster.wait(lambda: len(working_set(cluster, namespace)) == 2, 60, "the dead container beside the new one")


def test_prometheus_takes_another_configuration(own_cluster: Cluster) -> None:
    """Prometheus's configuration can be changed while it runs."""

    def labelled(configuration: dict[str, Any]) -> dict[str, Any]:
        return {**configuration, "global": {**configuration["global"], "external_labels": {"cluster": "rig"}}}

    own_cluster.configure_prometheus(labelled)
    answer = read(f"{own_cluster.prometheus_url}/api/v1/status/config")
    assert "cluster: rig" in answer.json()["data"]["yaml"]


def test_a_component_that_fails_says_why(own_cluster: Cluster, tmp_path: Path) -> None:
    """The error of a component that does not come up ends with what it wrote to its log."""
    command = [*own_cluster.component("etcd").command, "--no-such-flag"]
    broken = Component(name="etcd", command=command, log=tmp_path / "etcd.log", healthy=lambda: False)
    broken.start()
    with pytest.raises(StartError, match=r"(?s)instead of coming up.*no-such-flag") as failed:
        broken.wait_healthy(60)
    assert str(tmp_path / "etcd.log") in str(failed.value)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_an_ended_owner_leaves_nothing(cluster: Cluster, number: signal.Signals) -> None:
    """SIGTERM ends processes, ports and folder; SIGKILL leaves only the folder, which the next start sweeps away."""
    code = (
        "import json, signal; from tests.rig.cluster import Cluster\n"
        "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        "with Cluster.start(nodes=1) as cluster:\n"
        "    pids = [cluster.component(name).pid for name in cluster.components]\n"
        "    print(json.dumps([cluster.describe(), pids]), flush=True)\n"
        "    signal.pause()\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert owner.stdout is not None
    with owner, owner.stdout as output:
        described, processes = json.loads(output.readline())
        urls = [value for value in described.values() if value.startswith("http")]
        assert all(_runs(process) for process in processes)
        assert all(_listens(url) for url in urls)
        # Whoever starts something else on this machine sweeps as well: not before we have looked.
        with _alone():
            owner.send_signal(number)
            owner.wait(timeout=60)
            cluster.wait(lambda: not any(_runs(process) for process in processes), 60, "the components have ended")
            # The kernel closes sockets a moment after it has made a process a zombie.
            cluster.wait(lambda: not any(_listens(url) for url in urls), 60, "the ports are free")
            assert Path(described["folder"]).exists() == (number == signal.SIGKILL)
    sweep()
    assert not Path(described["folder"]).exists()


def _runs(process: int | None) -> bool:
    assert process is not None
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    # A zombie has ended; who has to reap it may be slow.
    return state != "Z"


def _listens(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(url).port or 0)) == 0
