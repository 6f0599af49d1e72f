"""The cluster as it is now, as far as the policies are about it, each thing read once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from remediator.cluster.api import ApiServer
from remediator.cluster.neighbours import Neighbourhood
from remediator.errors import KubernetesOdd, KubernetesRefused
from remediator.model.pods import LivePod
from remediator.model.workloads import WorkloadRef
from remediator.policy import Policy, PolicyFile
from remediator.survey.ask import Tell
from remediator.survey.once import BudgetsOnce, NodesOnce, OwnersOnce, PodsOnce

_LITERAL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


class Live:
    """What is read of one cluster, with the rights of whoever asks; ``nodes`` says whether those may be read."""

    def __init__(self, api: ApiServer, *, nodes: bool, tell: Tell) -> None:
        self.pods = PodsOnce(api, tell=tell)
        self.owners = OwnersOnce(api, self.pods, tell=tell)
        self.nodes = NodesOnce(api, readable=nodes)
        self.budgets = BudgetsOnce(api)
        self.neighbourhood = Neighbourhood(api)

    def read(self, policies: PolicyFile, *, measured: Iterable[str] = ()) -> None:
        """List the pods that the policies may be about. Raises KubernetesError.

        ``measured`` are the namespaces that are known from the metrics: for whoever may not list the pods of all.
        """
        self.pods.fill(
            _literal_namespaces(policies),
            wanted=lambda name: _is_about(policies, name),
            known={name for name in measured if _is_about(policies, name)},
        )
        self.owners.learn()

    def matched(self, policies: PolicyFile) -> Iterator[tuple[LivePod, WorkloadRef | None, Policy]]:
        """Each pod that has not ended, with its workload and the policy that it belongs to.

        A namespace in which that can't be told is refused from there on. Raises KubernetesUnreachable.
        """
        for pod in self.pods.everywhere():
            if pod.finished or pod.namespace in self.pods.refused:
                continue
            try:
                owner = self.owners.workload_of(pod)
            except (KubernetesRefused, KubernetesOdd) as exc:
                self.pods.refused[pod.namespace] = exc
                continue
            policy = policies.owner_of(pod, owner)
            if policy is not None:
                yield pod, owner, policy

    @property
    def refused(self) -> dict[str, str]:
        """The namespaces that could not be read, each with why."""
        return {name: str(error) for name, error in self.pods.refused.items()}


def _literal_namespaces(policies: PolicyFile) -> set[str] | None:
    """The namespaces that the policies are about, where all of them are named outright; None where they are not."""
    names: set[str] = set()
    for policy in policies.policies:
        written = policy.match.namespaces
        if not written or not all(_LITERAL.fullmatch(name) for name in written):
            return None
        names.update(written)
    return {name for name in names if not policies.safety.excludes(name)}


def _is_about(policies: PolicyFile, namespace: str) -> bool:
    if policies.safety.excludes(namespace):
        return False
    return any(policy.match.matches_namespace(namespace) for policy in policies.policies)
