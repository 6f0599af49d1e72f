"""Hooks on real objects: requests to a server that stands for the pods, and commands by way of the API server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import STEADY, STEADY_FOR, StartDaemon, policy_file
from tests.cluster.test_guards import OVER, left_alone
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon, allow_exec
from tests.rig.servers import Handler, LocalServer

Json = dict[str, Any]


class Pods:
    """What answers on loopback for all pods: by path, 200 with nothing to say where nobody has said otherwise.

    ``asked`` keeps the paths; a function of ``does`` gives status and words of the answer.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.does: dict[str, Callable[[], tuple[int, str]]] = {}
        pods = self

        class Asked(Handler):
            def do_POST(self) -> None:  # noqa: N802  http.server's name
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                pods.asked.append(self.path)
                status, words = pods.does.get(self.path, lambda: (200, ""))()
                self.send_response(status)
                self.send_header("Content-Length", str(len(words)))
                self.end_headers()
                self.wfile.write(words.encode())

        self.server = LocalServer(Asked)

    @property
    def port(self) -> int:
        """Where they are asked."""
        return self.server.port


@pytest.fixture
def pods() -> Iterator[Pods]:
    """Pods that answer."""
    there = Pods()
    with there.server:
        yield there


def policies(namespace: str, hooks: dict[str, list[Json]]) -> Json:
    """A policy for each Deployment of that name, with its hooks."""
    files = [policy_file(namespace, for_=STEADY_FOR, before=before, cooldown="10m") for before in hooks.values()]
    each = [
        {**file["policies"][0], "name": name, "match": {"namespaces": [namespace], "workload": f"Deployment/{name}"}}
        for name, file in zip(hooks, files, strict=True)
    ]
    safety = {"maxConcurrent": 20, "budget": {"actions": 20, "per": "1h"}}
    return {"safety": safety, "policies": each}


def http(pods: Pods, path: str, **more: object) -> Json:
    """A hook that asks the pod."""
    return {"http": {"port": pods.port, "path": path}, **more}


def leaking(cluster: Cluster, namespace: str, *names: str) -> None:
    """Deployments of one pod each that are over, with pods that are reached on loopback."""
    for name in names:
        here = workloads.behaviour(pod_ip="127.0.0.1")
        cluster.api.create(workloads.deployment(name, namespace, memory=OVER, annotations=here))
    cluster.ready_pods(namespace, len(names))


def pod_of(cluster: Cluster, namespace: str, name: str) -> str:
    """The name of the Deployment's pod."""
    (pod,) = cluster.pods(namespace, labels=f"app={name}")
    return str(pod["metadata"]["name"])


def outcomes(daemon: Daemon, count: int) -> dict[str, Json]:
    """How so many records ended, by the name of their workload."""
    settled = daemon.wait_for("remediation settled", count=count, timeout=90)
    return {line["workload"].partition("/")[2]: line for line in settled}


def budget_left(daemon: Daemon, left: int) -> None:
    """So many acts of the twenty are left."""
    daemon.until(lambda: daemon.metric("remediator_budget_remaining") == left, what=f"a budget of {left}")


def test_what_the_pods_answer_decides(cluster: Cluster, namespace: str, start_daemon: StartDaemon, pods: Pods) -> None:
    """2xx goes on; a failure calls it off, or is only told; whoever recovers or is replaced meanwhile is not taken."""
    names = ("well", "refuses", "may-refuse", "recovers", "is-replaced")
    leaking(cluster, namespace, *names)

    def recover() -> tuple[int, str]:
        pod = pod_of(cluster, namespace, "recovers")
        cluster.api.annotate("pods", namespace, pod, workloads.behaviour(memory="20Mi"))
        low = f'container_memory_working_set_bytes{{namespace="{namespace}",pod="{pod}",container="app"}} < 30e6'
        # Judged are the samples as of the last whole second.
        cluster.wait(lambda: cluster.query(low, time=time.time() - 1), 60, "the drop is measured")
        return 200, "caches are dropped"

    def replace() -> tuple[int, str]:
        cluster.api.delete("pods", namespace, pod_of(cluster, namespace, "is-replaced"))
        return 200, ""

    pods.does = {
        "/refuses": lambda: (503, "not now: a leader election runs"),
        "/may-refuse": lambda: (500, "no"),
        "/recovers": recover,
        "/is-replaced": replace,
    }
    hooks = {name: [http(pods, f"/{name}")] for name in names}
    hooks["well"] += [http(pods, "/well-too")]
    hooks["may-refuse"][0]["onFailure"] = "continue"
    daemon = start_daemon(policies(namespace, hooks), sample_interval=STEADY)
    ended = outcomes(daemon, len(names))
    assert {name: line["outcome"] for name, line in ended.items()} == {
        "well": "replaced",
        "refuses": "called-off",
        "may-refuse": "replaced",
        "recovers": "called-off",
        "is-replaced": "superseded",
    }
    words = f"the hook http POST :{pods.port}/refuses failed: it answered 503: not now: a leader election runs"
    assert ended["refuses"]["detail"] == words
    assert not ended["refuses"]["breaker_opened"]
    assert ended["recovers"]["detail"].startswith(("recovering: ", "below-threshold: "))
    left_alone(daemon, "refuses-", "cooldown")
    budget_left(daemon, 18)
    uids = {taken.uid for taken in by_us(cluster, namespace)}
    assert uids == {ended["well"]["uid"], ended["may-refuse"]["uid"]}
    assert sorted(pods.asked) == sorted([*(f"/{name}" for name in names), "/well-too"])
    told = {line["hook"].rpartition("/")[2]: line for line in daemon.events("remediation hook")}
    assert {name: (line["outcome"], line["level"]) for name, line in told.items()} == {
        "well": ("ok", "info"),
        "well-too": ("ok", "info"),
        "refuses": ("failed", "warning"),
        "may-refuse": ("failed", "warning"),
        "recovers": ("ok", "info"),
        "is-replaced": ("ok", "info"),
    }
    assert told["recovers"]["words"] == "it answered 200: caches are dropped"


def by_us(cluster: Cluster, namespace: str) -> list[Any]:
    """What the daemon has taken, and not the test."""
    return [event for event in cluster.taken(namespace) if event.user.endswith(":remediator")]


def test_commands_are_run_in_the_pod_by_whoever_may(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, tmp_path: Path
) -> None:
    """Without the right, which is named, nothing is run nor taken; with it, the exit code decides."""
    names = ("no-right", "well", "fails", "hangs")
    leaking(cluster, namespace, *names)
    done = tmp_path / "done"

    def command(text: str, timeout: str = "1m") -> list[Json]:
        return [{"exec": {"container": "app", "command": ["sh", "-c", text]}, "timeout": timeout}]

    no_right = policies(namespace, {"no-right": command(f"echo no >> {done}")})
    daemon = start_daemon(no_right, sample_interval=STEADY)
    (refused,) = daemon.wait_for("remediation settled")
    assert refused["outcome"] == "called-off"
    assert 'cannot get resource "pods/exec"' in refused["detail"]
    assert refused["detail"].endswith(
        "the right to `create` and `get` pods/exec is missing (rbac.exec in the chart's values, or deploy/exec)"
    )
    assert cluster.taken(namespace) == []

    allow_exec(cluster, home)
    cluster.wait(lambda: may_exec(cluster, home, namespace), 60, "the right holds")
    hooks = {
        "well": command(f"echo drained | tee -a {done}"),
        "fails": command("echo two peers are behind >&2; exit 3"),
        "hangs": command("sleep 8", "2s"),
    }
    daemon.write_policy(policies(namespace, hooks))
    ended = outcomes(daemon, 4)
    assert {name: line["outcome"] for name, line in ended.items()} == {
        "no-right": "called-off",
        "well": "replaced",
        "fails": "called-off",
        "hangs": "called-off",
    }
    assert done.read_text() == "drained\n"
    assert "exit status 3" in ended["fails"]["detail"]
    assert ended["fails"]["detail"].endswith(": two peers are behind")
    assert ended["hangs"]["detail"] == "the hook exec sh in app failed: it was not over after 2s"
    (well,) = daemon.events("remediation hook", outcome="ok")
    assert well["words"] == "exit code 0: drained"
    assert [event.name for event in by_us(cluster, namespace)] == [ended["well"]["pod"]]
    budget_left(daemon, 19)


def may_exec(cluster: Cluster, home: str, namespace: str) -> bool:
    """Whether the daemon's account may run commands there, by the API server's own word."""
    spec = {
        "user": f"system:serviceaccount:{home}:remediator",
        "resourceAttributes": {"namespace": namespace, "verb": "create", "resource": "pods", "subresource": "exec"},
    }
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    answer = cluster.api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body=review)
    return bool(answer["status"]["allowed"])
