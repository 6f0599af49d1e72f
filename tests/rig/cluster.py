"""One cluster: started and owned by one process, used by that process and by those that attach to it."""

import atexit
import itertools
import json
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import requests

from tests.rig import audit, control_plane, kwok, prometheus, tools
from tests.rig.api import Api, Json, path
from tests.rig.audit import AuditEvent, AuditLog
from tests.rig.claim import Claim
from tests.rig.control_plane import Site
from tests.rig.errors import RigError
from tests.rig.kubeconfig import write_kubeconfig
from tests.rig.processes import Component
from tests.rig.prometheus import Sample, Scraping
from tests.rig.waiting import until

T = TypeVar("T")

# Of the process and not of the object: two objects may be attached to one cluster.
_NUMBERS = itertools.count(1)

# Seconds in which a component has to answer. On two busy cores the API server takes 4 to 20.
_START = 120.0


@dataclass(frozen=True)
class Description:
    """All that a process needs to use a cluster that another one owns; it survives JSON."""

    folder: str
    """The data folder: logs, certificates, kubeconfigs."""
    kubeconfig: str
    """Of the admin, who may do everything."""
    api_url: str
    ca_file: str
    admin_certificate: str
    admin_key: str
    prometheus_url: str
    kube_state_metrics_url: str
    kwok_url: str
    audit_log: str


class Cluster:
    """A running control plane with simulated nodes, a Prometheus that scrapes them, and the tests' hands on
    both.

    `Cluster.start()` owns what it starts and is a context manager; `Cluster.from_description()` attaches to a
    cluster that another process owns, and can do everything but start and stop components.
    """

    def __init__(
        self, description: Description, *, components: Iterable[Component] = (), claim: Claim | None = None
    ) -> None:
        self.description = description
        self.kubeconfig = Path(description.kubeconfig)
        self.api_url = description.api_url
        self.ca_file = Path(description.ca_file)
        self.prometheus_url = description.prometheus_url
        self.audit_log = Path(description.audit_log)
        self.api = Api(
            self.api_url,
            ca_file=description.ca_file,
            certificate=(description.admin_certificate, description.admin_key),
        )
        """The API server, as admin."""
        self._audit = AuditLog(self.audit_log)
        self._components = {component.name: component for component in components}
        self._claim = claim

    @classmethod
    def start(
        cls,
        *,
        nodes: int = 2,
        scrape_interval: float = 1.0,
        cadvisor_every: float | None = None,
        track_timestamps_staleness: bool = False,
        scrape_configs: Sequence[Json] = (),
        progress: Callable[[str], None] = lambda line: None,
    ) -> Self:
        """Builds what is missing, starts everything, and returns when Prometheus has scraped the Ready nodes.

        `scrape_interval` is in seconds; for `cadvisor_every`, `track_timestamps_staleness` and
        `scrape_configs` see `Scraping`. Call it from a thread that lives as long as the cluster (see
        `Component.start`). Raises `ToolError` or `StartError`; then nothing is left running.
        """
        scraping = Scraping(
            interval=scrape_interval,
            cadvisor_every=cadvisor_every,
            track_timestamps_staleness=track_timestamps_staleness,
            more=tuple(scrape_configs),
        )
        binaries = tools.ensure(*tools.CONTROL_PLANE)
        claim = Claim()
        components: list[Component] = []

        def bring_up(wave: list[Component]) -> None:
            components.extend(wave)
            progress(f"starting {', '.join(component.name for component in wave)}")
            for component in wave:
                component.start()
            for component in wave:
                component.wait_healthy(_START)

        try:
            site = control_plane.prepare(claim, binaries)
            bring_up([control_plane.etcd(site)])
            bring_up([control_plane.kube_apiserver(site)])
            cluster = cls(_description(site), claim=claim)
            for manifest in [*control_plane.viewer(), *(_node(number) for number in range(nodes))]:
                cluster.api.create(manifest)
            bring_up(_others(site, scraping))
            cluster._components = {component.name: component for component in components}
            cluster.wait(lambda: cluster._ready_nodes() == nodes, _START, "all nodes are Ready")
            cluster.wait_scraped(nodes)
        except BaseException:
            _stop(components, claim)
            raise
        # For an owner that ends without leaving the context; SIGKILL is the kernel's part (see
        # `Component.start`).
        atexit.register(cluster.stop)
        return cluster

    @classmethod
    def from_description(cls, described: Json) -> Self:
        """Attaches to the cluster that `describe()` described."""
        return cls(Description(**described))

    def describe(self) -> Json:
        """The cluster as JSON, for `from_description` in another process."""
        return asdict(self.description)

    def stop(self) -> None:
        """Ends every component and deletes the data folder, unless another process owns the cluster."""
        if self._claim is not None:
            _stop(list(self._components.values()), self._claim)
            self._claim = None
            atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # The components, for tests that break something. They need a cluster of their own.

    def component(self, name: str) -> Component:
        """The component of this name. Raises `RigError` if there is none, or this process isn't the owner."""
        if self._claim is None:
            msg = "this process does not own the cluster; use the fixture own_cluster to stop components"
            raise RigError(msg)
        try:
            return self._components[name]
        except KeyError:
            msg = f"no component {name}; there are {', '.join(self._components)}"
            raise RigError(msg) from None

    @property
    def components(self) -> tuple[str, ...]:
        """The components' names, in the order of their start; empty for one who is only attached."""
        return tuple(self._components)

    def stop_component(self, name: str, *, grace: float = 2.0) -> None:
        """Ends a component with SIGTERM, and with SIGKILL after `grace` seconds; a grace of 0 is a crash."""
        self.component(name).stop(grace=grace)

    def start_component(self, name: str) -> None:
        """Starts a stopped component on the same port and data, and returns when it answers."""
        component = self.component(name)
        component.start()
        component.wait_healthy(_START)

    def wait_scraped(self, nodes: int, *, deadline: float = 90) -> None:
        """Returns when Prometheus has scraped this many nodes, and kube-state-metrics."""
        everything = 'up{job=~"kubelet|kube-state-metrics"} == 1'
        self.wait(lambda: len(self.query(everything)) == nodes + 1, deadline, "Prometheus scrapes the nodes", every=0.2)

    def pause(self, name: str) -> None:
        """Freezes a component (SIGSTOP): it accepts connections and answers nothing."""
        self.component(name).signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Lets a paused component go on (SIGCONT)."""
        self.component(name).signal(signal.SIGCONT)

    def configure_prometheus(self, change: Callable[[Json], Json]) -> None:
        """Makes Prometheus read another configuration: what `change` makes of the present one."""
        file = prometheus.configuration_file(self.component("prometheus").log.parent)
        file.write_text(json.dumps(change(json.loads(file.read_text())), indent=2))
        prometheus.reload(self.prometheus_url)

    # Setting the stage.

    def namespace(self, prefix: str = "test", *, labels: dict[str, str] | None = None) -> str:
        """Creates a namespace that pods can be created in at once, and gives its name, a fresh one."""
        name = f"{prefix}-{os.getpid()}-{next(_NUMBERS)}"
        self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}})
        # Until then the admission of service accounts refuses every pod.
        self.wait(
            lambda: self.api.find("serviceaccounts", name, "default"), 90, f"{name} has its default service account"
        )
        return name

    def service_account(
        self, namespace: str, name: str, *, rules: Sequence[Json] = (), cluster_rules: Sequence[Json] = ()
    ) -> None:
        """Creates a service account with RBAC rules for its namespace and for the whole cluster."""
        self.api.create(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": namespace, "name": name}}
        )
        group = "rbac.authorization.k8s.io"
        subject = {"kind": "ServiceAccount", "namespace": namespace, "name": name}
        for kind, given in (("Role", rules), ("ClusterRole", cluster_rules)):
            if not given:
                continue
            metadata = {"namespace": namespace, "name": name} if kind == "Role" else {"name": f"{namespace}-{name}"}
            common = {"apiVersion": f"{group}/v1", "metadata": metadata}
            self.api.create({**common, "kind": kind, "rules": list(given)})
            reference = {"apiGroup": group, "kind": kind, "name": metadata["name"]}
            self.api.create({**common, "kind": f"{kind}Binding", "subjects": [subject], "roleRef": reference})

    def token(self, namespace: str, service_account: str, *, seconds: int = 36000) -> str:
        """A token of the service account from the TokenRequest API, for so many seconds (at least 600)."""
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        where = path("serviceaccounts", namespace, service_account, "token")
        return str(self.api.request("POST", where, body=request)["status"]["token"])

    def kubeconfig_for(self, namespace: str, service_account: str) -> Path:
        """Writes a kubeconfig with a token of the service account, in its namespace, and gives the path."""
        return write_kubeconfig(
            Path(self.description.folder) / f"{namespace}-{service_account}.kubeconfig",
            url=self.api_url,
            ca_file=self.ca_file,
            token=self.token(namespace, service_account),
            namespace=namespace,
        )

    def api_as(self, namespace: str, service_account: str) -> Api:
        """The API server, as the service account."""
        return Api(self.api_url, ca_file=self.description.ca_file, token=self.token(namespace, service_account))

    # Looking.

    def pods(self, namespace: str, *, labels: str = "") -> list[Json]:
        """The pods of a namespace that aren't on their way out, in the order of their names."""
        pods = self.api.list("pods", namespace, labels=labels)
        return sorted(
            (pod for pod in pods if "deletionTimestamp" not in pod["metadata"]), key=lambda pod: pod["metadata"]["name"]
        )

    def ready_pods(self, namespace: str, count: int, *, labels: str = "", deadline: float = 120) -> list[Json]:
        """Waits until exactly so many pods of a namespace are Ready, and no other is there; gives them."""

        def ready() -> list[Json] | None:
            pods = self.pods(namespace, labels=labels)
            return pods if len(pods) == count and all(is_ready(pod) for pod in pods) else None

        what = f"{count} pods of {namespace} are Ready"
        return self.wait(ready, deadline, what, seen=lambda: [_summary(pod) for pod in self.pods(namespace)])

    def audit(self) -> list[AuditEvent]:
        """What the API server was asked until now, and by whom: all that it has answered is there."""
        self._catch_up()
        return self._audit.events()

    def _catch_up(self) -> None:
        """Until what was answered before is in the audit log, which is written after the answer.

        A request of our own, begun when the others had their answers, is there after them.
        """
        mark = f"rig-{os.getpid()}-{next(_NUMBERS)}"
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        where = path("authentication.k8s.io/v1/selfsubjectreviews")
        try:
            self.api.request("POST", where, body=review, headers={"User-Agent": mark})
        except requests.ConnectionError:
            # It is away, and has finished with all that it was asked.
            return
        self.wait(
            lambda: any(event.user_agent == mark for event in reversed(self._audit.events())),
            60,
            "the audit log has what was answered",
            every=0.01,
        )

    def taken(self, namespace: str) -> list[AuditEvent]:
        """The evictions and deletes of pods that were done in a namespace, but for the control plane's."""
        return audit.taken(self.audit(), namespace)

    def query(self, promql: str, *, time: float | None = None) -> list[Sample]:
        """Asks Prometheus, for now or for a Unix time. Raises `AssertionError` where it refuses the query."""
        return prometheus.query(self.prometheus_url, promql, time=time)

    def wait(
        self,
        condition: Callable[[], T | None],
        deadline: float,
        what: str,
        *,
        every: float = 0.1,
        seen: Callable[[], Any] | None = None,
    ) -> T:
        """What the condition gives once that is true; see `until`."""
        return until(condition, what, deadline, every=every, seen=seen)

    def _ready_nodes(self) -> int:
        # A node's taint `not-ready` goes a moment after it has turned Ready; until then nothing is scheduled
        # on it.
        return sum(is_ready(node) and not node["spec"].get("taints") for node in self.api.list("nodes"))


def is_ready(item: Json) -> bool:
    """Whether a pod's or a node's Ready condition is True."""
    conditions = item.get("status", {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _summary(pod: Json) -> str:
    ready = "Ready" if is_ready(pod) else "not Ready"
    return f"{pod['metadata']['name']} ({pod['status'].get('phase')}, {ready})"


def _description(site: Site) -> Description:
    return Description(
        folder=str(site.folder),
        kubeconfig=str(site.kubeconfig("admin")),
        api_url=site.api_url,
        ca_file=str(site.ca_file),
        admin_certificate=str(site.admin.certificate),
        admin_key=str(site.admin.key),
        prometheus_url=site.url("prometheus"),
        kube_state_metrics_url=site.url("kube-state-metrics"),
        kwok_url=site.url("kwok"),
        audit_log=str(site.audit_log),
    )


def _others(site: Site, scraping: Scraping) -> list[Component]:
    """All that needs a running API server."""
    every = scraping.cadvisor_every
    return [
        control_plane.kube_controller_manager(site),
        control_plane.kube_scheduler(site),
        kwok.kwok(site),
        *([prometheus.cadvisor(site, every=every)] if every is not None else []),
        prometheus.kube_state_metrics(site),
        prometheus.prometheus(site, scraping),
    ]


def _node(number: int) -> Json:
    name = f"node-{number}"
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": f"zone-{number % 2}",
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


def _stop(components: list[Component], claim: Claim) -> None:
    """Ends all, the last started first, without waiting for anyone to tidy up: the data is thrown away."""
    try:
        for component in reversed(components):
            component.stop(grace=0)
    finally:
        claim.release()
