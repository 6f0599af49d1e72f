"""Clients that ask each question once: what is shown together was read together, in few requests.

They stand in for the clients of the daemon's own look at pods, so that the very same code judges and decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from remediator.cluster.api import ApiServer
from remediator.cluster.disruption import DisruptionBudgets
from remediator.cluster.nodes import Nodes
from remediator.cluster.owners import Owners
from remediator.cluster.pods import Pods, controller_of
from remediator.errors import KubernetesError, KubernetesOdd, KubernetesRefused
from remediator.model.nodes import Node
from remediator.model.pods import LivePod
from remediator.model.selectors import LabelSelector
from remediator.model.workloads import DisruptionBudget, Workload, WorkloadRef
from remediator.survey.ask import Tell

_MANY = 20
"""ReplicaSets for which a list costs less than asking for each."""


class PodsOnce(Pods):
    """Pods as they were listed; of a namespace that could not be read, each question raises why."""

    def __init__(self, api: ApiServer, *, tell: Tell) -> None:
        super().__init__(api)
        self._tell = tell
        self.refused: dict[str, KubernetesError] = {}
        self.by_namespace: Mapping[str, Mapping[str, LivePod]] = {}

    def fill(self, namespaces: Iterable[str] | None, *, wanted: Callable[[str], bool], known: Iterable[str]) -> None:
        """List the pods of these namespaces, or of all that are ``wanted``; of those ``known`` without a right to all.

        Raises KubernetesError.
        """
        found: dict[str, dict[str, LivePod]] = defaultdict(dict)
        if namespaces is None:
            self._tell("listing pods")
            try:
                for number, pod in enumerate(super().everywhere(), start=1):
                    if wanted(pod.namespace):
                        found[pod.namespace][pod.name] = pod
                    if number % 500 == 0:
                        self._tell(f"listing pods: {number:,}")
            except (KubernetesRefused, KubernetesOdd) as exc:
                if isinstance(exc, KubernetesRefused) and not exc.forbidden:
                    raise
                found.clear()
                namespaces = known
        names = sorted(namespaces or ())
        for done, name in enumerate(names, start=1):
            self._tell(f"listing pods: namespace {done:,} of {len(names):,}")
            try:
                found[name] = {pod.name: pod for pod in super().select(name, "")[0]}
            except (KubernetesRefused, KubernetesOdd) as exc:
                self.refused[name] = exc
        self.by_namespace = found

    def read(self, namespace: str, name: str) -> LivePod | None:
        """The pod as listed. Raises KubernetesError where its namespace could not be read."""
        return self._of(namespace).get(name)

    def again(self, pod: LivePod) -> LivePod | None:
        """The pod as it is now. Raises KubernetesError."""
        return super().read(pod.namespace, pod.name)

    def select(self, namespace: str, selector: str) -> tuple[tuple[LivePod, ...], str]:
        """Those that were listed and match; of no resourceVersion. Raises as ``read``."""
        wanted = LabelSelector.parse(selector)
        return tuple(pod for pod in self._of(namespace).values() if wanted.matches(pod.labels)), ""

    def everywhere(self) -> Iterator[LivePod]:
        """All that were listed, by namespace."""
        for name in sorted(self.by_namespace):
            yield from self.by_namespace[name].values()

    def _of(self, namespace: str) -> Mapping[str, LivePod]:
        if namespace in self.refused:
            raise self.refused[namespace]
        return self.by_namespace.get(namespace, {})


class OwnersOnce(Owners):
    """Workloads, each described once; their pods are those that were listed."""

    def __init__(self, api: ApiServer, pods: PodsOnce, *, tell: Tell) -> None:
        super().__init__(api, pods)
        self._listed = pods
        self._tell = tell
        self._described: dict[str, Workload | None] = {}
        self._members: dict[str, dict[str, list[LivePod]]] = {}

    def learn(self) -> None:
        """Read who controls the ReplicaSets of the pods that were listed, where they are many: page by page.

        Whoever may not list them is told one by one, when it is asked. Raises KubernetesUnreachable.
        """
        pods = list(self._listed.everywhere())
        if len({pod.controller.uid for pod in pods if pod.controller and pod.controller.kind == "ReplicaSet"}) < _MANY:
            return
        self._tell("listing ReplicaSets")
        namespaces = {pod.namespace for pod in pods}
        try:
            for page, _ in self._api.pages("/apis/apps/v1/replicasets"):
                for found in page:
                    metadata = found["metadata"]
                    # Each rollout leaves one without pods.
                    if metadata["namespace"] in namespaces and (found.get("status") or {}).get("replicas"):
                        self._remember(metadata["uid"], controller_of(metadata))
        except (KubernetesRefused, KubernetesOdd, KeyError, TypeError, AttributeError):
            return

    def describe(self, ref: WorkloadRef) -> Workload | None:
        """The workload, without its pods. Raises KubernetesError."""
        if ref.uid not in self._described:
            self._tell(f"reading {ref} in {ref.namespace}")
            self._described[ref.uid] = super().describe(ref)
        return self._described[ref.uid]

    def with_pods(self, workload: Workload) -> Workload:
        """The workload with its pods as listed. Raises KubernetesError."""
        return replace(workload, pods=self.pods_of(workload.ref))

    def pods_of(self, ref: WorkloadRef) -> tuple[LivePod, ...]:
        """The pods of a workload, as listed. Raises KubernetesError."""
        if ref.namespace not in self._members:
            members: dict[str, list[LivePod]] = defaultdict(list)
            for pod in self._listed.select(ref.namespace, "")[0]:
                if owner := self.workload_of(pod):
                    members[owner.uid].append(pod)
            self._members[ref.namespace] = members
        return tuple(self._members[ref.namespace].get(ref.uid, ()))


class NodesOnce(Nodes):
    """Nodes, each read once."""

    def __init__(self, api: ApiServer, *, readable: bool) -> None:
        super().__init__(api, readable=readable)
        self._read: dict[str, Node | None] = {}

    def read(self, name: str) -> Node | None:
        """The node of that name; None where there is none. Raises KubernetesError."""
        if name not in self._read:
            self._read[name] = super().read(name)
        return self._read[name]


class BudgetsOnce(DisruptionBudgets):
    """Disruption budgets, those of each namespace read once."""

    def __init__(self, api: ApiServer) -> None:
        super().__init__(api)
        self._of: dict[str, tuple[DisruptionBudget, ...]] = {}

    def of(self, namespace: str) -> tuple[DisruptionBudget, ...]:
        """All budgets of a namespace. Raises KubernetesError."""
        if namespace not in self._of:
            self._of[namespace] = super().of(namespace)
        return self._of[namespace]
