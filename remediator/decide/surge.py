"""Can a pod be replaced first and removed after? Where it can't, the policy's ``fallback`` says what is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from remediator.model.measures import Veto
from remediator.model.pods import LivePod
from remediator.model.selectors import LabelSelector
from remediator.model.surge import HASH_LABELS, ORPHAN, Neighbours, Quota, hash_label
from remediator.model.vocabulary import Reason
from remediator.model.workloads import DisruptionBudget, Workload

PODS = ("pods", "count/pods")
"""The names under which a quota counts pods."""


def surge_impossible(pod: LivePod, workload: Workload, budgets: Sequence[DisruptionBudget]) -> Veto | None:
    """What the pod, its workload and its disruption budgets alone say against it."""
    return _veto(_about_the_pod(pod, workload, budgets))


def surge_would_be_noticed(pod: LivePod, workload: Workload, neighbours: Neighbours) -> Veto | None:
    """What the namespace says against it: somebody would select, adopt or refuse one of the two pods."""
    return _veto(_about_the_namespace(pod, workload, neighbours))


def _veto(reasons: Iterator[str]) -> Veto | None:
    words = "; ".join(reasons)
    return Veto(Reason.SURGE_IMPOSSIBLE, words) if words else None


def _about_the_pod(pod: LivePod, workload: Workload, budgets: Sequence[DisruptionBudget]) -> Iterator[str]:
    owner = pod.controller
    if owner is None or owner.kind != "ReplicaSet" or owner.uid == workload.ref.uid:
        yield f"{workload.ref} has no ReplicaSet between itself and its pods, which could be left for a while"
        return
    if pod.ready_since is None:
        yield "the pod is not Ready, so removing it first costs nothing"
    if pod.other_owners:
        yield f"the pod has other owners as well: {', '.join(pod.other_owners)}"
    if workload.selector is None:
        yield f"the selector of {workload.ref} can't be read"
    if not hash_label(pod.labels):
        yield f"the pod has none, or several, of the labels {', '.join(HASH_LABELS)}"
    if workload.never_more:
        yield f"{workload.ref} must not have a pod more than it wants: {workload.never_more}"
    if pod.footprint.host_network:
        yield "the pod uses its node's network"
    if pod.footprint.host_ports:
        yield f"the pod uses ports of its node: {', '.join(map(str, pod.footprint.host_ports))}"
    yield from _about_budgets(pod, budgets)


def _about_budgets(pod: LivePod, budgets: Sequence[DisruptionBudget]) -> Iterator[str]:
    covering = [budget for budget in budgets if budget.covers(pod)]
    if len(covering) > 1:
        names = ", ".join(sorted(budget.name for budget in covering))
        yield f"PodDisruptionBudgets {names} all cover the pod, which could not be evicted afterwards"
    elif covering and covering[0].broken:
        yield f"PodDisruptionBudget {covering[0].name} will never allow anything: {covering[0].broken}"
    elif covering and covering[0].observed and covering[0].desired > covering[0].expected:
        wanted = f"wants {covering[0].desired} healthy pods of {covering[0].expected}"
        yield f"PodDisruptionBudget {covering[0].name} {wanted}, so one more of them lets none go"
    for budget in budgets:
        if budget.selector and _changes_its_mind(budget.selector, pod):
            yield f"PodDisruptionBudget {budget.name} selects on {hash_label(pod.labels)}"


def _about_the_namespace(pod: LivePod, workload: Workload, neighbours: Neighbours) -> Iterator[str]:
    key = hash_label(pod.labels)
    if neighbours.own is None:
        yield "its ReplicaSet is gone"
        return
    theirs = {requirement.key for requirement in workload.selector.requirements} if workload.selector else set()
    told_by = {requirement.key for requirement in neighbours.own.requirements} - theirs
    if told_by != {key}:
        yield f"its ReplicaSet tells its pods by {', '.join(sorted(told_by)) or 'nothing'}, and not by {key} alone"
    for one in neighbours.selecting:
        if one.adopts and one.selector.matches(_taken_out(pod)):
            yield f"{one.name} would adopt the pod"
        elif not one.adopts and _changes_its_mind(one.selector, pod):
            yield f"{one.name} selects on {key}"
    for quota in neighbours.quotas:
        yield from _full(quota, pod)
    for claim, modes in sorted(neighbours.unshared.items()):
        yield f"its claim {claim} may be mounted by one node at a time ({modes})"


def _taken_out(pod: LivePod) -> dict[str, str]:
    """The labels that it will have."""
    return {**pod.labels, hash_label(pod.labels): ORPHAN}


def _changes_its_mind(selector: LabelSelector, pod: LivePod) -> bool:
    """Whether the pod falls out of it, or into it, by the one label that changes."""
    return selector.matches(pod.labels) != selector.matches(_taken_out(pod))


def _full(quota: Quota, pod: LivePod) -> Iterator[str]:
    asks = {**pod.footprint.asks, **dict.fromkeys(PODS, Decimal(1))}
    # A quota calls requests by their bare names as well.
    asks |= {name.removeprefix("requests."): amount for name, amount in asks.items() if name.startswith("requests.")}
    short = sorted(name for name, left in quota.left.items() if name in asks and left < asks[name])
    if short:
        yield f"ResourceQuota {quota.name} has no room for one more: {', '.join(short)}"
