"""The same work by the shell loop of docs/why.md, and by the loop of docs/bench.md: run as they stand there."""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Self

from tests.bench.cost import Meter, typical
from tests.bench.crowd import Crowd
from tests.bench.figures import Figure, Unit
from tests.bench.stage import ROOT, Json, Say, daemon, exported, exporting, policy_file, settle_in
from tests.rig import workloads
from tests.rig.audit import AuditEvent
from tests.rig.cluster import Cluster
from tests.rig.errors import RigError
from tests.rig.processes import tethered

PART = "loop"
EXPECT = "4 min"

_SHOP = "shop"
"""The namespace of the loop in docs/why.md."""
_WAITING = {"depot-1": 1, "depot-6": 6, "depot-11": 11}
"""Namespaces of loops that wait, and the seconds that a new pod there takes to be Ready."""
_VAULT = "vault"
"""The namespace of a loop that waits for a StatefulSet's pod."""
_PODS, _MORE = 100, 1_000
_OVER = "25Gi"
"""Above the 20 GiB of the loops."""
_USER = "loop"
_RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch", "delete"]}]
_SLEEP = 120.0
"""Seconds that the loop of docs/why.md sleeps after a delete."""
_LOOKS = 8
_SCRAPE = 5
_PATIENCE = 240


def measure(say: Say) -> Iterator[Figure]:
    """The figures of this part."""
    path = _search_path()
    with ExitStack() as ends:
        cluster = ends.enter_context(Cluster.start(scrape_interval=_SCRAPE, progress=say))
        _set_stage(cluster)
        pods = cluster.ready_pods(_SHOP, _PODS, deadline=_PATIENCE)
        shop = f'container_memory_working_set_bytes{{namespace="{_SHOP}",container="app"}}'
        cluster.wait(lambda: len(cluster.query(shop)) == _PODS, _PATIENCE, f"{_PODS} pods are measured")
        say(f"the loop of docs/why.md looks at {_PODS} pods")
        with Loop(cluster, _SHOP, script("why.md"), path=path) as loop:
            each, requests = _pass(cluster, loop)
        yield Figure(PART, "requests for each pod it looks at", requests, Unit.REQUESTS, note="the daemon's: 0")
        yield Figure(PART, "time for each pod it looks at", each, Unit.SECONDS, note=f"of {_PODS}")
        yield Figure(PART, "one round over 1,000 pods", 1000 * each, Unit.SECONDS, note="they follow one another")
        say(f"pods are over; the loops delete them, and wait in their ways for {_SLEEP:.0f} s and more")
        yield from _late(cluster, pods[0]["metadata"]["name"], path)
        say("the daemon looks at 1,000 pods")
        whole = _daemon(cluster, ends)
        yield Figure(PART, "one evaluation of the daemon over 1,000 pods", whole, Unit.SECONDS, note="with Prometheus")
        yield Figure(PART, "the loop's round over the daemon's evaluation", 1000 * each / whole, Unit.RATIO)


def script(document: str) -> str:
    """The first script of a document of docs/. Raises ValueError where it has none."""
    found = re.search(
        r"^```sh\n(#!/bin/bash\n.*?)^```$", (ROOT / "docs" / document).read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    if found is None:
        message = f"docs/{document} has no script"
        raise ValueError(message)
    return found[1]


def _search_path() -> str:
    """A PATH with what the loops call. Raises RigError that says how to get it."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
    if missing := [name for name in ("bash", "curl", "jq", "kubectl") if shutil.which(name, path=path) is None]:
        message = f"the shell loop needs {', '.join(missing)}: apt-get install curl jq (kubectl: make setup brings it)"
        raise RigError(message)
    return path


def _set_stage(cluster: Cluster) -> None:
    settle_in(cluster, [_SHOP, *_WAITING, _VAULT])
    cluster.api.create(workloads.deployment("web", _SHOP, replicas=_PODS, memory="50Mi"))
    for namespace, delay in _WAITING.items():
        slow = workloads.behaviour(ready_delay=delay)
        cluster.api.create(workloads.deployment("web", namespace, memory="50Mi", annotations=slow))
    cluster.api.create(workloads.statefulset("web", _VAULT, memory="50Mi"))
    for namespace in (_SHOP, *_WAITING, _VAULT):
        cluster.service_account(namespace, _USER, rules=_RULES)
    for namespace in (*_WAITING, _VAULT):
        cluster.ready_pods(namespace, 1, deadline=_PATIENCE)


class Loop:
    """A script of a document in a process of its own, as the service account of a namespace; ends with the context."""

    def __init__(self, cluster: Cluster, namespace: str, text: str, *, path: str) -> None:
        self.user = f"system:serviceaccount:{namespace}:{_USER}"
        self._folder = Path(cluster.description.folder) / f"loop-{namespace}"
        # A second one finds kubectl's cache there, as on a machine where it has run before.
        self._folder.mkdir(exist_ok=True)
        self._script = self._folder / "loop.sh"
        self._script.write_text(text)
        self._environment = {
            "PATH": path,
            "HOME": str(self._folder),
            "KUBECONFIG": str(cluster.kubeconfig_for(namespace, _USER)),
            "PROM": cluster.prometheus_url,
            "NAMESPACE": namespace,
        }
        self.said: list[tuple[float, str]] = []
        """Its lines, with the Unix time of each."""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        bash = shutil.which("bash", path=self._environment["PATH"]) or "bash"
        self._process = subprocess.Popen(
            [*tethered(), bash, str(self._script)],
            env=self._environment,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Its pipelines are processes of their own, which have to end with it.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, 9)
        self._process.wait()

    def _listen(self, lines: IO[str]) -> None:
        for line in lines:
            self.said.append((time.time(), line.strip()))

    def replaced(self) -> float | None:
        """When it said that it has replaced a pod; None while it has not."""
        return next((at for at, line in self.said if line.startswith("replaced ")), None)


def _pass(cluster: Cluster, loop: Loop) -> tuple[float, float]:
    """Seconds and requests for each pod, of its first round."""
    begun = datetime.now(UTC)

    def looked() -> list[AuditEvent]:
        return [event for event in cluster.audit() if event.user == loop.user and event.received >= begun]

    def pods() -> Sequence[AuditEvent]:
        return [event for event in looked() if (event.verb, event.resource) == ("get", "pods")]

    cluster.wait(lambda: len(pods()) >= _PODS, _PATIENCE, "the loop has looked at each pod", every=0.5)
    found = pods()
    each = (found[-1].received - found[0].received).total_seconds() / (len(found) - 1)
    # Without what kubectl asks once, to find its way: that is of no resource.
    return each, sum(1 for event in looked() if event.resource) / _PODS


def _daemon(cluster: Cluster, ends: ExitStack) -> float:
    """Seconds of one evaluation over 1,000 pods of the loop's namespace."""
    address = ends.enter_context(exporting(Path(cluster.description.folder)))
    crowd = Crowd(cluster, namespace=_SHOP, prefix="web-more", node="node-1")
    crowd.grow(_MORE - _PODS)
    cluster.configure_prometheus(exported(address, [f"/cadvisor/{_SHOP}/web-more/{_MORE - _PODS}"]))
    counted = f'count(container_memory_working_set_bytes{{namespace="{_SHOP}",container="app"}})'
    cluster.wait(lambda: [s.value for s in cluster.query(counted)] == [_MORE], _PATIENCE, "they are measured", every=1)
    policy: Json = policy_file([_SHOP], threshold="20Gi", every="2s")
    with daemon(cluster, policy, interval=_SCRAPE) as running:
        running.wait_for("evaluation", outcome="ok", timeout=_PATIENCE)
        return typical(Meter(running, cluster).costs(_LOOKS, timeout=_PATIENCE)).whole


def _late(cluster: Cluster, pod: str, path: str) -> Iterator[Figure]:
    """How late each kind of loop notices that the new pod is Ready; all of them at the same time."""
    waiting = script("bench.md")
    over = {_SHOP: pod} | {
        namespace: cluster.pods(namespace)[0]["metadata"]["name"] for namespace in (*_WAITING, _VAULT)
    }
    for namespace, name in over.items():
        cluster.api.annotate("pods", namespace, name, workloads.behaviour(memory=_OVER))
    above = f"container_memory_working_set_bytes{{container='app'}} > {20 << 30}"
    cluster.wait(lambda: len(cluster.query(above)) == len(over), _PATIENCE, "they are over", every=0.5)
    with ExitStack() as ends:
        sleeping = ends.enter_context(Loop(cluster, _SHOP, script("why.md"), path=path))
        asking = {name: ends.enter_context(Loop(cluster, name, waiting, path=path)) for name in _WAITING}
        hanging = ends.enter_context(Loop(cluster, _VAULT, waiting, path=path))
        cluster.wait(
            lambda: sleeping.replaced() and all(loop.replaced() for loop in asking.values()),
            _SLEEP + _PATIENCE,
            "the loops say that they have replaced a pod",
            every=0.5,
            seen=lambda: [loop.said for loop in (sleeping, *asking.values())],
        )
        late = max(_lateness(cluster, name, loop) for name, loop in asking.items())
        yield Figure(PART, "Ready to notice, with a wait in place of sleep 120: worst", late, Unit.SECONDS)
        yield Figure(PART, "Ready to notice, with sleep 120", _lateness(cluster, _SHOP, sleeping), Unit.SECONDS)
        hung = time.time() - _ready_at(cluster, _VAULT)
        said = "it hangs" if hanging.replaced() is None else "it came to an end"
        yield Figure(PART, "with a wait, a StatefulSet's pod Ready and not noticed", hung, Unit.SECONDS, note=said)


def _lateness(cluster: Cluster, namespace: str, loop: Loop) -> float:
    at = loop.replaced()
    assert at is not None
    return at - _ready_at(cluster, namespace)


def _ready_at(cluster: Cluster, namespace: str) -> float:
    """When the API server got the last status of a pod there: that the new one is Ready."""
    written = [
        event.received.timestamp()
        for event in cluster.audit()
        if event.namespace == namespace
        and (event.verb, event.resource, event.subresource) == ("patch", "pods", "status")
    ]
    return max(written)
