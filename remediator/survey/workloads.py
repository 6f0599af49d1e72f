"""What the live cluster says of the workloads that policies are about: only replicas, budgets that never allow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from remediator.errors import KubernetesOdd, KubernetesRefused
from remediator.model.pods import LivePod
from remediator.model.vocabulary import Action
from remediator.model.workloads import DisruptionBudget, WorkloadRef
from remediator.policy import Policy, PolicyFile
from remediator.survey.findings import Finding, Kind, counted, listed, problem, warning
from remediator.survey.live import Live

ONLY_REPLICA = "only replica, down until the new one is Ready"
_TAKES = frozenset({Action.EVICT, Action.DELETE})
_NOT_REPLACED = frozenset({"Job", "Node"})
_SHOWN = 5


def faults(live: Live, policies: PolicyFile) -> list[Finding]:
    """Findings about the workloads whose pods an enabled policy would take. Raises KubernetesError."""
    found: list[Finding] = []
    for policy, workloads in _by_policy(live, policies).items():
        single = sorted(f"{ref.namespace} {ref}" for ref, pods in workloads.items() if is_only(ref, pods))
        if single:
            found.append(_only(policy, single))
        if policy.action is Action.EVICT:
            found.extend(_budgets(live, policy, workloads))
    return found


def is_only(ref: WorkloadRef, pods: Sequence[LivePod]) -> bool:
    """Whether the workload has one pod, so that it is away until there is another; each node's own is no replica."""
    return ref.kind != "DaemonSet" and len(pods) == 1


def never_allows(budget: DisruptionBudget) -> str:
    """Why a budget will not allow any eviction as things stand; empty where it may."""
    if budget.broken:
        return f"it can't be computed: {budget.broken}"
    if budget.observed and 0 < budget.expected <= budget.desired:
        return f"{budget.desired} of the {budget.expected} pods that it covers have to be healthy at any time"
    return ""


def _by_policy(live: Live, policies: PolicyFile) -> Mapping[Policy, Mapping[WorkloadRef, list[LivePod]]]:
    found: dict[Policy, dict[WorkloadRef, list[LivePod]]] = defaultdict(lambda: defaultdict(list))
    for pod, owner, policy in live.matched(policies):
        if owner is not None and owner.kind not in _NOT_REPLACED and policy.enabled and policy.action in _TAKES:
            found[policy][owner].append(pod)
    return found


def _only(policy: Policy, workloads: Sequence[str]) -> Finding:
    return warning(
        Kind.ONLY_REPLICA,
        where=f"{policy.name}: action",
        what=f"{counted(len(workloads), 'workload')} with one pod: {listed(workloads, most=_SHOWN)}; {ONLY_REPLICA}",
        fix="write action: surge, which makes the new pod first; or give them a second replica",
        policies=[policy.name],
    )


def _budgets(live: Live, policy: Policy, workloads: Mapping[WorkloadRef, Sequence[LivePod]]) -> list[Finding]:
    found: list[Finding] = []
    for ref, pods in workloads.items():
        try:
            covering = [budget for budget in live.budgets.of(ref.namespace) if budget.covers(pods[0])]
        except (KubernetesRefused, KubernetesOdd) as exc:
            live.pods.refused[ref.namespace] = exc
            continue
        if len(covering) > 1:
            names = ", ".join(sorted(budget.name for budget in covering))
            found.append(
                problem(
                    Kind.BUDGET_NEVER_ALLOWS,
                    where=f"{ref.namespace} {ref}",
                    what=f"PodDisruptionBudgets {names} all cover its pods, and the Eviction API refuses every one of "
                    "these",
                    fix="leave one of them",
                    policies=[policy.name],
                )
            )
        elif covering and (why := never_allows(covering[0])):
            found.append(
                problem(
                    Kind.BUDGET_NEVER_ALLOWS,
                    where=f"{ref.namespace} {ref}",
                    what=f"PodDisruptionBudget {covering[0].name} never allows an eviction: {why}",
                    fix="write minAvailable below the number of replicas, or maxUnavailable of 1 or more, or, for a "
                    "Deployment, action: surge; until then its pods are left alone as disruption-budget",
                    policies=[policy.name],
                )
            )
    return found
