"""Releases of the chart on the control plane, each in a namespace that enforces Pod Security `restricted`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.chart.charts import CHART
from tests.rig import workloads
from tests.rig.api import Api, ApiError
from tests.rig.audit import AuditEvent
from tests.rig.cluster import Cluster, is_ready
from tests.rig.helm import Helm, HelmError, Release, Values
from tests.rig.installed import KEPT, Installed

Json = dict[str, Any]
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}

_REVISION = "deployment.kubernetes.io/revision"

# Namespaces whose accounts the comparison of rights looks at (tests/rig/rights.py), and others: of those that ask for
# what they may not.
DAEMONS, PROBING = "home", "probing"


def pace(url: str, *, runs: bool = True, **more: Any) -> Json:  # noqa: ANN401 (values of any kind)
    """The values of a test: where Prometheus is, that it scrapes each second, and pods as Ready as their daemons.

    With `runs` false, as of a release without daemons, KWOK makes them Ready.
    """
    prometheus = {"url": url, "scrapeInterval": "1s", "kubeletInterval": "1s"}
    lease = {"leaseDuration": "20s"}
    return {"prometheus": prometheus, "leaderElection": lease, "podAnnotations": KEPT if runs else {}, **more}


class ChartRelease:
    """One release: installed, upgraded and removed by Helm as the cluster's admin."""

    def __init__(self, cluster: Cluster, helm: Helm, folder: Path, *, home: str, name: str, fullname: str) -> None:
        self.cluster = cluster
        self.helm = helm
        self.home = home
        self.name = name
        self.installed = Installed(cluster, home, deployment=fullname, folder=folder)
        """Its pods' daemons."""

    def install(self, *values: Values, chart: Path = CHART, wait: bool = True) -> Release:
        """Install it. Raises `HelmError`."""
        return self._put(self.helm.install, values, chart=chart, wait=wait)

    def upgrade(self, *values: Values, chart: Path = CHART, wait: bool = True) -> Release:
        """Upgrade it to these values, without any of those before. Raises `HelmError`."""
        return self._put(self.helm.upgrade, values, chart=chart, wait=wait)

    def rollback(self, revision: int) -> None:
        """Go back to what was installed then. Raises `HelmError`."""
        place = ("--namespace", self.home, "--wait")
        self.helm.run("rollback", self.name, str(revision), *place, kubeconfig=self.cluster.kubeconfig)

    def uninstall(self) -> None:
        """Remove it, unless it is gone, and return when its daemons have ended."""
        self.helm.uninstall(
            self.name, kubeconfig=self.cluster.kubeconfig, namespace=self.home, more=["--ignore-not-found"]
        )
        self.installed.wait_gone()

    @property
    def user(self) -> str:
        """The account that the chart gives to the daemon, as RBAC and the audit log know it."""
        return f"system:serviceaccount:{self.home}:{self.installed.name}"

    def api(self) -> Api:
        """The API server as that account."""
        return self.cluster.api_as(self.home, self.installed.name)

    def asked(self) -> list[AuditEvent]:
        """All that the account has asked for, the daemon's requests above all."""
        return [event for event in self.cluster.audit() if event.user == self.user]

    def refused(self) -> list[AuditEvent]:
        """What of this was refused for want of a right."""
        return [event for event in self.asked() if event.code in {401, 403}]

    def may(self, verb: str, resource: str, *, namespace: str = "", group: str = "", name: str = "") -> bool:
        """Whether the account has a right, by the API server's own word; `resource` may have a subresource."""
        resource, _, subresource = resource.partition("/")
        attributes = {
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "namespace": namespace,
            "name": name,
        }
        groups = ["system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{self.home}"]
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "metadata": {},
            "spec": {"user": self.user, "groups": groups, "resourceAttributes": attributes},
        }
        return bool(self.cluster.api.create(review)["status"]["allowed"])

    def live(self, release: Release) -> dict[tuple[str, str], Json]:
        """The objects of the release as they are in the cluster, by kind and name."""
        found = {}
        for item in release.objects:
            collection, name = self.cluster.api.where(item)
            found[item["kind"], name] = self.cluster.api.request("GET", f"{collection}/{name}")
        return found

    def _put(self, verb: Callable[..., Release], values: Iterable[Values], *, chart: Path, wait: bool) -> Release:
        place = {"kubeconfig": self.cluster.kubeconfig, "namespace": self.home}
        try:
            return verb(self.name, chart, **place, values=list(values), wait=wait)
        except HelmError as error:
            error.add_note(self.installed.said())
            raise


@contextmanager
def chart_releases(cluster: Cluster, helm: Helm, folder: Path) -> Iterator[Callable[..., ChartRelease]]:
    """Within it: makes releases, each in a namespace of its own unless told which; in the end all of it is removed.

    The arguments are the release's `name`, the `fullname` that its objects have where that is another one, the
    namespace `home` or the beginning `at` of the name of a new one, and `by`, another Helm. With `runs` false its pods
    have no daemons.
    """
    with ExitStack() as ends:

        def new(
            *,
            name: str = "remediator",
            fullname: str = "",
            home: str = "",
            at: str = DAEMONS,
            by: Helm = helm,
            runs: bool = True,
        ) -> ChartRelease:
            if not home:
                home = cluster.namespace(at, labels=RESTRICTED)
                ends.callback(cluster.api.delete, "namespaces", None, home)
            own = folder / f"{home}.{name}"
            own.mkdir()
            release = ChartRelease(cluster, by, own, home=home, name=name, fullname=fullname or name)
            if runs:
                ends.enter_context(release.installed)
            ends.callback(release.uninstall)
            return release

        yield new


def unmoved(item: Json) -> Json:
    """What tells an object from a changed one: all of it, but for what those write who tell of its state, at any time.

    Of an admission policy who has set which field is left out as well: the first server-side apply after its controller
    has written the status sorts the field managers of any of them anew (Kubernetes 1.36), and the next ones change
    nothing. The revision of a Deployment is of its state, though it is an annotation.
    """
    if "status" not in item and item["kind"] != "ValidatingAdmissionPolicy":
        return item
    left_out = {"resourceVersion", "managedFields"}
    metadata = {key: value for key, value in item["metadata"].items() if key not in left_out}
    annotations = metadata.get("annotations", {})
    metadata["annotations"] = {key: value for key, value in annotations.items() if key != _REVISION}
    if item["kind"] != "ValidatingAdmissionPolicy":
        writers = item["metadata"].get("managedFields", [])
        metadata["managedFields"] = [writer for writer in writers if writer.get("subresource") != "status"]
    return {**{key: value for key, value in item.items() if key != "status"}, "metadata": metadata}


def gone(api: Api, kind: str, namespace: str | None, name: str) -> bool:
    """Whether there is no such object."""
    try:
        api.get(kind, namespace, name)
    except ApiError as error:
        return error.code == 404
    return False


LONG: Json = {"cooldown": "10m", "readyTimeout": "10m"}
"""What a policy needs for a workload that is `held`."""


def held(cluster: Cluster, namespace: str) -> Json:
    """The Ready pod of a Deployment `web`, whose next pod does not turn Ready before `let_ready`."""
    never = workloads.behaviour(ready_delay="3600")
    cluster.api.create(workloads.deployment("web", namespace, annotations=never))
    let_ready(cluster, namespace)
    (pod,) = cluster.ready_pods(namespace, 1)
    return pod


def let_ready(cluster: Cluster, namespace: str) -> None:
    """Let the pod of `web` that is held turn Ready."""
    pods = cluster.wait(
        lambda: [pod for pod in cluster.pods(namespace, labels="app=web") if not is_ready(pod)], 60, "web has a new pod"
    )
    for pod in pods:
        cluster.api.annotate("pods", namespace, pod["metadata"]["name"], workloads.behaviour(ready_delay="0"))
