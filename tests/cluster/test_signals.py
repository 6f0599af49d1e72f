"""What is measured against what, on real objects: which pods were taken is read from the audit log."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from tests.cluster.conftest import StartDaemon, policy_file
from tests.rig.cluster import Cluster
from tests.rig.prometheus import another, query
from tests.rig.workloads import behaviour, container, deployment

Json = dict[str, Any]
EXPORTED = {"namespace": "exported_namespace", "pod": "exported_pod", "container": "exported_container"}


def policies(namespace: str, **each: Json) -> Json:
    """A file with a policy for the pods whose names begin with each word; cooldowns outlast the test."""
    file = policy_file(namespace, safety={"maxConcurrent": 20, "budget": {"actions": 100, "per": "1h"}})
    [common] = file["policies"]
    file["policies"] = [
        {
            **deepcopy(common),
            "name": name,
            "match": {"namespaces": [namespace], "pods": f"{name}-.*"},
            "cooldown": "10m",
            **fields,
        }
        for name, fields in each.items()
    ]
    return file


def taken(cluster: Cluster, namespace: str) -> list[str]:
    """The workloads whose pods were taken, in alphabetical order."""
    return sorted(event.name.rsplit("-", 2)[0] for event in cluster.taken(namespace))


def resize(cluster: Cluster, namespace: str, workload: str, change: Json) -> None:
    """Ask for other resources of a workload's only pod."""
    [pod] = cluster.pods(namespace, labels=f"app={workload}")
    cluster.api.patch("pods", namespace, pod["metadata"]["name"], change, subresource="resize")


def of_container(memory: str) -> Json:
    """A limit of the first container, and a request of the same."""
    resources = {"limits": {"memory": memory}, "requests": {"memory": memory}}
    return {"spec": {"containers": [{"name": "app", "resources": resources}]}}


def two_without_limits(name: str, namespace: str, each: str, **annotations: str) -> Json:
    """Two containers without limits in a pod with a limit of 200Mi of its own."""
    containers = [container("app", limit=None), container("side", limit=None)]
    whole = {"resources": {"limits": {"memory": "200Mi"}}}
    notes = behaviour(memory=each, **annotations)
    return deployment(name, namespace, containers=containers, annotations=notes, spec=whole)


def with_sidecar(name: str, namespace: str, app: str, proxy: str) -> Json:
    """An application with a limit of 256Mi and a native sidecar with one of 64Mi."""
    sidecar = {**container("proxy", limit="64Mi"), "restartPolicy": "Always"}
    notes = behaviour(**{"memory.app": app, "memory.proxy": proxy})
    return deployment(name, namespace, annotations=notes, spec={"initContainers": [sidecar]})


def all_cases(namespace: str) -> list[Json]:
    """Each workload's first word is its policy's; the comment says what it comes to."""
    asking = {**container(limit="256Mi"), "resources": {"limits": {"memory": "256Mi"}, "requests": {"memory": "128Mi"}}}
    partly = [container("app", limit=None), container("side", limit="64Mi")]
    ended = {"initContainers": [container("setup", limit="128Mi")]}
    waiting = behaviour(resize="deferred")
    return [
        # RSS is seven eighths of the working set here, usage nine eighths.
        deployment("rss-heap", namespace, memory="245Mi"),
        deployment("rss-cache", namespace, memory="230Mi"),
        deployment("usage-cache", namespace, memory="190Mi"),
        deployment("usage-calm", namespace, memory="150Mi"),
        deployment("request-over", namespace, memory="200Mi", containers=[asking]),
        deployment("request-below", namespace, memory="180Mi", containers=[asking]),
        two_without_limits("pod-over", namespace, "90Mi"),
        two_without_limits("pod-below", namespace, "70Mi"),
        two_without_limits("pod-pending", namespace, "90Mi", resize="deferred"),
        two_without_limits("pod-raised", namespace, "90Mi"),
        deployment("pod-partly", namespace, memory="50Mi", containers=partly),
        with_sidecar("sum-over", namespace, "150Mi", "60Mi"),
        with_sidecar("sum-below", namespace, "150Mi", "40Mi"),
        with_sidecar("sidecar-over", namespace, "20Mi", "60Mi"),
        with_sidecar("sidecar-below", namespace, "100Mi", "40Mi"),
        deployment("sidecar-ended", namespace, memory="200Mi", limit=None, spec=ended),
        deployment("resize-raised", namespace, memory="230Mi", annotations=waiting),
        deployment("resize-lowered", namespace, memory="190Mi", annotations=waiting),
    ]


OVER = {
    # Workload: container, limit in force and value, in MiB.
    "rss-heap": ("app", 256, 245 * 0.875),
    "usage-cache": ("app", 256, 190 * 1.125),
    "request-over": ("app", 256, 200),
    "pod-over": ("", 200, 180.25),
    "pod-pending": ("", 200, 180.25),
    "sum-over": ("", 320, 210),
    "sidecar-over": ("proxy", 64, 60),
    "resize-raised": ("app", 256, 230),
}


def test_each_signal_and_threshold_takes_its_pods_and_no_others(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """RSS, usage, requests, pod-level limits, sidecars and resizes side by side: what is over goes, the rest stays."""
    cases = all_cases(namespace)
    for manifest in cases:
        cluster.api.create(manifest)
    cluster.ready_pods(namespace, len(cases), deadline=60)
    larger = {"spec": {"resources": {"limits": {"memory": "400Mi"}}}}
    for name in ("pod-pending", "pod-raised"):
        resize(cluster, namespace, name, larger)
    resize(cluster, namespace, "resize-raised", of_container("512Mi"))
    resize(cluster, namespace, "resize-lowered", of_container("200Mi"))
    [raised] = cluster.pods(namespace, labels="app=pod-raised")

    def in_force() -> bool:
        pod = cluster.api.get("pods", namespace, raised["metadata"]["name"])
        return bool(pod["status"]["resources"]["limits"]["memory"] == "400Mi")

    cluster.wait(in_force, 60, "the limit of the pod as a whole is raised")
    limits = f'kube_pod_resource_limit{{namespace="{namespace}"}} == 400 * 2^20'
    cluster.wait(lambda: len(cluster.query(limits)) == 2, 60, "Prometheus has the specs' limits of pods")
    of_app = f'kube_pod_container_resource_limits{{namespace="{namespace}",container="app",pod=~"resize-lowered.*"}}'
    cluster.wait(lambda: cluster.query(f"{of_app} == 200 * 2^20"), 60, "and that of a container which is lowered")

    file = policies(
        namespace,
        rss={"signal": "rss"},
        usage={"signal": "usage"},
        request={"threshold": "150% of request"},
        pod={},
        sum={"threshold": "200Mi"},
        sidecar={},
        resize={},
    )
    daemon = start_daemon(file, environment={"REMEDIATOR_LOG_LEVEL": "debug"})
    settled = daemon.wait_for("remediation settled", count=len(OVER), timeout=120)
    for policy in file["policies"]:
        seen = len(daemon.events("evaluation", policy=policy["name"]))
        daemon.wait_for("evaluation", policy=policy["name"], count=seen + 3)

    assert taken(cluster, namespace) == sorted(OVER)
    said = {line["workload"].removeprefix("Deployment/"): line for line in settled}
    mib = 1 << 20
    assert {name: (one["container"], one["limit"] / mib, one["value"] / mib) for name, one in said.items()} == OVER
    assert {one["outcome"] for one in said.values()} == {"replaced"}
    assert 'container=""' in said["pod-over"]["query"]
    assert "container_memory_rss{" in said["rss-heap"]["query"]
    # Named by the spec's limit, and left alone by the one in force.
    lowered = [line for line in daemon.events("left alone", policy="resize") if "lowered" in line["pod"]]
    assert lowered
    # At first its window may not be whole yet.
    reasons = {tuple(line["reasons"]) for line in lowered}
    assert ("below-threshold",) in reasons
    assert reasons <= {("below-threshold",), ("sample-gap",)}
    # A sum of limits that limits nobody does not even name a pod. The raised limit may have been the old one when the
    # first question was asked.
    named = {line["pod"].rsplit("-", 2)[0] for line in daemon.events("left alone") if line["policy"] == "pod"}
    assert named <= {"pod-over", "pod-pending", "pod-raised"}


def relabelled(content: Json) -> Json:
    """What goes wrong with scraping, all at once.

    The kubelets are scraped twice through a leftover Service, `image`, `id` and `name` and cAdvisor's limits are
    dropped, and there are two of kube-state-metrics, whose labels nobody honours and which only their pods' names tell
    apart.
    """
    kubelet, states = (
        next(job for job in content["scrape_configs"] if job["job_name"] == name)
        for name in ("kubelet", "kube-state-metrics")
    )
    kubelet["metric_relabel_configs"] += [
        {"source_labels": ["__name__"], "regex": "container_spec.*", "action": "drop"},
        {"regex": "image|id|name", "action": "labeldrop"},
    ]
    leftover = {**kubelet, "job_name": "kubelet-leftover"}
    targets = states["static_configs"][0]["targets"]
    several = [
        {
            "targets": targets,
            "labels": {"namespace": "monitoring", "pod": f"kube-state-metrics-{n}", "container": "kube-state-metrics"},
        }
        for n in (0, 1)
    ]
    states |= {"honor_labels": False, "static_configs": several}
    return {**content, "scrape_configs": [kubelet, leftover, states]}


def test_scraping_that_went_wrong_is_mended_by_settings(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon
) -> None:
    """With selector and label names set, what is over is found, and nothing is counted twice or by another's limit."""
    cluster.api.create(deployment("share-over", namespace, memory="250Mi"))
    # Below its own limit, and above that of every other pod.
    cluster.api.create(deployment("share-large", namespace, memory="300Mi", limit="1Gi"))
    cluster.api.create(deployment("share-free", namespace, memory="300Mi", limit=None))
    cluster.api.create(deployment("sum-over", namespace, memory="220Mi"))
    cluster.api.create(deployment("sum-half", namespace, memory="120Mi"))
    cluster.ready_pods(namespace, 5)
    file = policies(namespace, share={}, sum={"threshold": "200Mi"})
    settings = {
        "REMEDIATOR_SELECTOR": 'container!="",container!="POD"',
        "REMEDIATOR_LIMITS_LABELS": json.dumps(EXPORTED),
        "REMEDIATOR_LOG_LEVEL": "debug",
    }
    with another(Path(cluster.description.folder), relabelled) as url:
        daemon = start_daemon(file, prometheus_url=url, environment=settings)
        settled = daemon.wait_for("remediation settled", count=2, timeout=90)
        seen = len(daemon.events("evaluation", policy="share"))
        daemon.wait_for("evaluation", policy="share", count=seen + 3)
        # Before its Prometheus ends, which it would tell as an error.
        daemon.stop()
        limits = f'kube_pod_container_resource_limits{{exported_namespace="{namespace}"}}'
        two = {"kube-state-metrics-0", "kube-state-metrics-1"}
        cluster.wait(lambda: {one.labels["pod"] for one in query(url, limits)} == two, 60, "limits are there twice")
        working_set = f'container_memory_working_set_bytes{{namespace="{namespace}",pod=~"sum-half.*",container="app"}}'
        measured = cluster.wait(
            lambda: found if len(found := query(url, working_set)) == 2 else None, 60, "a container is scraped twice"
        )
    assert {one.labels["job"] for one in measured} == {"kubelet", "kubelet-leftover"}
    assert not {"id", "name", "image"} & {*measured[0].labels, *measured[1].labels}
    assert taken(cluster, namespace) == ["share-over", "sum-over"]
    assert {line["value"] for line in settled} == {250 << 20, 220 << 20}
    assert [
        line for line in daemon.events("left alone") if not line["pod"].startswith(("share-over", "sum-over"))
    ] == []
    assert daemon.events("evaluation", outcome="error") == []
