"""A Helm release whose daemon runs from the tree as its pods would run it: the chart's environment, files and account.

KWOK makes pods "run" without their containers; what a kubelet would do for those of a release is done here. The image
is the tree, mount paths are folders, the address to listen on is a free port of loopback. All else is as installed.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from tests.rig.api import ApiError, Json
from tests.rig.cluster import Cluster
from tests.rig.daemon import Process, free_port
from tests.rig.environment import environment, expand
from tests.rig.errors import RigError
from tests.rig.volumes import Volumes
from tests.rig.workloads import behaviour

_IN_CLUSTER = Path(__file__).with_name("incluster.py")
_CREDENTIALS = "/var/run/secrets/kubernetes.io/serviceaccount"
_DEPLOYMENTS = "apps/v1/deployments"

# Seconds between two looks at the pods, and until a probe is given up.
_EVERY, _PROBE = 0.2, 5.0

# The variables of the image (Dockerfile), and where each thread was, should it hang.
_IMAGE = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "PATH": "/usr/bin:/bin", "PYTHONFAULTHANDLER": "1"}

KEPT = behaviour(never_ready="true", delete_delay="never")
"""Annotations of a pod whose readiness and end are those of its daemon, and not KWOK's."""


class PodDaemon(Process):
    """The daemon in one pod. Its volumes are followed from ``start`` on until ``close``."""

    def __init__(self, cluster: Cluster, pod: Json, folder: Path) -> None:
        """Raises `RigError` where the kubelet would not start it."""
        (container,) = pod["spec"]["containers"]
        self.pod: Json = pod
        self.container: Json = container
        self.volumes = Volumes(cluster.api, pod, container, folder / "volumes")
        self.settings = environment(cluster.api, pod, container)
        """The container's environment as the kubelet would give it."""
        self.arguments = [expand(argument, self.settings) for argument in container["args"]]
        self._ends = ExitStack()
        folder.mkdir(exist_ok=True)
        port = free_port()
        super().__init__(
            # -P: the folder of the script holds modules of the rig that are named like others.
            command=[
                *(sys.executable, "-P", str(_IN_CLUSTER), self.volumes.here(_CREDENTIALS)),
                *(self.volumes.here(argument) for argument in self.arguments),
            ],
            environment={
                **_IMAGE,
                **{name: self.volumes.here(value) for name, value in self.settings.items()},
                "REMEDIATOR_HTTP_ADDRESS": f"127.0.0.1:{port}",
            },
            log_file=folder / "log",
            port=port,
        )

    @property
    def name(self) -> str:
        """The pod's name."""
        return str(self.pod["metadata"]["name"])

    @property
    def uid(self) -> str:
        """The pod's UID."""
        return str(self.pod["metadata"]["uid"])

    def start(self) -> Self:
        """Mount the volumes and start the process. Raises `RigError` where the pod's probes would not find it."""
        (listening,) = (port["containerPort"] for port in self.container["ports"] if port["name"] == "metrics")
        if not self.settings["REMEDIATOR_HTTP_ADDRESS"].endswith(f":{listening}"):
            msg = f"it listens on {self.settings['REMEDIATOR_HTTP_ADDRESS']}, and its port is {listening}"
            raise RigError(msg)
        self._ends.enter_context(self.volumes)
        return super().start()

    def probe(self, kind: str) -> int | None:
        """The code that the kubelet's ``livenessProbe`` or ``readinessProbe`` gets; None while nobody listens."""
        request = self.container[kind]["httpGet"]
        if request["port"] not in {port["name"] for port in self.container["ports"]}:
            msg = f"the {kind} asks the port {request['port']}, which the container does not have"
            raise RigError(msg)
        try:
            return self.get(request["path"], timeout=_PROBE).status_code
        except requests.RequestException:
            return None

    def is_ready(self) -> bool:
        """Whether the kubelet would call it so."""
        return self.probe("readinessProbe") == 200

    def close(self) -> None:
        """Follow the volumes no more."""
        self._ends.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self.close()


class Installed:
    """The kubelet of one release's pods, in a thread: a daemon for each of them, from its start to its end.

    A context manager, within which it starts daemons, tells pods Ready as these are, and ends those whose pods are told
    to go.
    """

    def __init__(self, cluster: Cluster, namespace: str, *, deployment: str = "remediator", folder: Path) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self.name = deployment
        """That of the Deployment."""
        self._folder = folder
        self._selector = ""
        self._daemons: dict[str, PodDaemon] = {}
        self._told: dict[str, bool] = {}
        self._trouble: Exception | None = None
        self._closing = threading.Event()
        # It lives as long as the daemons, which die with the thread that started them (tether.py).
        self._thread = threading.Thread(target=self._work, name="kubelet", daemon=True)

    @property
    def daemons(self) -> list[PodDaemon]:
        """All that run, in the order of their start."""
        return list(self._daemons.values())

    def started(self) -> list[PodDaemon]:
        """The daemons, once each pod that the Deployment wants has one and no other pod is left, Ready or not."""

        def done(deployment: Json, daemons: list[PodDaemon]) -> bool:
            return int(deployment["spec"]["replicas"]) == len(daemons)

        return self._wait("its daemons run", done)

    def rolled_out(self) -> list[PodDaemon]:
        """The daemons, once all pods are of the newest template and Ready, and no other is left."""

        def done(deployment: Json, daemons: list[PodDaemon]) -> bool:
            wanted, status = deployment["spec"]["replicas"], deployment.get("status", {})
            counts = {status.get(field, 0) for field in ("replicas", "updatedReplicas", "readyReplicas")}
            seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
            return bool(seen and counts == {wanted} and all(self._told.get(one.uid) for one in daemons))

        return self._wait("it is rolled out", done)

    def wait_gone(self) -> None:
        """Returns when no daemon runs."""
        self._cluster.wait(lambda: not self._daemons, 120, "its daemons have ended", seen=self.said)

    def said(self) -> str:
        """The ends of the daemons' logs, and what last kept the kubelet from its work: for the text of an error."""
        trouble = f"\nlast trouble: {self._trouble}" if self._trouble else ""
        return "".join(f"\n{one.name}, whose log ends with:\n{one.tail()}" for one in self.daemons) + trouble

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()

    def _wait(self, what: str, done: Callable[[Json, list[PodDaemon]], bool]) -> list[PodDaemon]:
        def there() -> list[PodDaemon] | None:
            deployment = self._cluster.api.get(_DEPLOYMENTS, self._namespace, self.name)
            # One that is told to go counts no more in the Deployment's status, and its daemon may not know of it yet.
            pods = {pod["metadata"]["uid"]: "deletionTimestamp" in pod["metadata"] for pod in self._pods()}
            # The thread goes on meanwhile.
            daemons = self.daemons
            whole = set(pods) == {daemon.uid for daemon in daemons} and not any(pods.values())
            return daemons if whole and done(deployment, daemons) else None

        return self._cluster.wait(there, 180, f"{self._namespace}/{self.name}: {what}", seen=self.said)

    def _work(self) -> None:
        while not self._closing.wait(_EVERY):
            try:
                self._look()
                self._trouble = None
            except (ApiError, RigError, requests.RequestException) as trouble:
                # As with a kubelet: what a container needs may come, and is named where somebody waits for it.
                self._trouble = trouble
        for daemon in self.daemons:
            daemon.__exit__(None, None, None)
            self._let_go(daemon.pod)

    def _look(self) -> None:
        # The pods of a Deployment that is gone are still to be ended.
        if deployment := self._cluster.api.find(_DEPLOYMENTS, self._namespace, self.name):
            labels = deployment["spec"]["selector"]["matchLabels"]
            self._selector = ",".join(f"{key}={value}" for key, value in labels.items())
        pods = {pod["metadata"]["uid"]: pod for pod in self._pods()}
        for uid, pod in pods.items():
            if "deletionTimestamp" in pod["metadata"]:
                self._end(pod)
            elif daemon := self._daemons.get(uid):
                self._tell(daemon)
            elif pod["status"].get("phase") == "Running":
                self._start(pod)
        for daemon in self.daemons:
            if daemon.uid not in pods:
                self._end(daemon.pod)

    def _pods(self) -> list[Json]:
        return self._cluster.api.list("pods", self._namespace, labels=self._selector) if self._selector else []

    def _start(self, pod: Json) -> None:
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        self._cluster.api.annotate("pods", self._namespace, name, KEPT)
        self._told[uid] = False
        self._daemons[uid] = PodDaemon(self._cluster, pod, self._folder / name).start()

    def _tell(self, daemon: PodDaemon) -> None:
        if (ready := daemon.is_ready()) != self._told[daemon.uid]:
            never = behaviour(never_ready="false" if ready else "true")
            self._cluster.api.annotate("pods", self._namespace, daemon.name, never)
            self._told[daemon.uid] = ready

    def _end(self, pod: Json) -> None:
        """Tell its daemon to stop, and once that has ended let the pod go."""
        daemon = self._daemons.get(pod["metadata"]["uid"])
        if daemon is not None and daemon.exit_code is None:
            if daemon.uid in self._told:
                del self._told[daemon.uid]
                daemon.signal(signal.SIGTERM)
            return
        if daemon is not None:
            daemon.close()
            del self._daemons[daemon.uid]
        self._let_go(pod)

    def _let_go(self, pod: Json) -> None:
        name = pod["metadata"]["name"]
        try:
            self._cluster.api.annotate("pods", self._namespace, name, dict.fromkeys(KEPT))
        except ApiError as error:
            if error.code != 404:
                raise
