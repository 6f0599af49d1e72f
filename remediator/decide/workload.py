"""Stage three: what the workload, the node and the disruption budgets say."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.decide.marks import marked_for_others
from remediator.decide.pod import opted_out
from remediator.model.measures import Veto
from remediator.model.nodes import Node
from remediator.model.pods import LivePod
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Outcome, Reason
from remediator.model.workloads import DisruptionBudget, Workload, ordinal
from remediator.policy import Policy, PolicyFile

REVISION = "controller-revision-hash"
"""The label that says from which revision a StatefulSet or a DaemonSet has made a pod."""
TEMPLATES = ("pod-template-hash", REVISION)
"""The labels that tell the templates of one workload from each other."""
_NAMED = 3
"""Pods that a sentence names at most."""


def about_workload(
    pod: LivePod,
    *,
    workload: Workload,
    node: Node | None,
    budgets: Sequence[DisruptionBudget],
    policy: Policy,
    policies: PolicyFile,
    ledger: Ledger,
    now: float,
) -> tuple[Veto, ...]:
    """Every veto of this stage; ``node`` is None where it is gone, ``now`` in seconds since the epoch."""
    vetoes = (
        not_its_own(pod, workload) or makes_no_more(workload),
        opted_out(workload.annotations, str(workload.ref)),
        marked_for_others(workload.annotations, str(workload.ref), policy=policy, policies=policies),
        rollout_in_progress(workload),
        revision_would_change(pod, workload),
        stuck(workload, ledger) or workload_not_ready(pod, workload=workload, policy=policy, ledger=ledger, now=now),
        predecessor_unavailable(pod, workload, now),
        node_not_ready(pod, node),
        disruption_budget(pod, budgets),
    )
    return tuple(veto for veto in vetoes if veto)


def not_its_own(pod: LivePod, workload: Workload) -> Veto | None:
    """Who names a controller is not therefore one of its pods: one that was relabelled to be looked at is not replaced.

    Source: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#isolating-pods-from-a-replicaset
    """
    if workload.selector is None or workload.selector.matches(pod.labels):
        return None
    detail = f"{workload.ref} does not select it by its labels, and so would not replace it"
    return Veto(Reason.NO_CONTROLLER, detail)


def makes_no_more(workload: Workload) -> Veto | None:
    """A workload that was deleted, and waits for a finalizer, keeps its pods as long, and makes no other ones.

    Source: pkg/controller/statefulset/stateful_set_control.go and its like in Kubernetes, which return where the
    deletionTimestamp is set.
    """
    if not workload.is_ending:
        return None
    return Veto(Reason.NO_CONTROLLER, f"{workload.ref} is being deleted, and so would not replace it")


def rollout_in_progress(workload: Workload) -> Veto | None:
    """While templates change, the replacement would be made from another one: a memory policy never deploys."""
    if workload.rollout:
        return Veto(Reason.ROLLOUT_IN_PROGRESS, f"{workload.ref}: {workload.rollout}")
    # These two hold pods of several revisions on purpose, and have said above what they are doing.
    if workload.ref.is_a("StatefulSet", "DaemonSet"):
        return None
    alive = [pod for pod in workload.pods if not pod.finished]
    controllers = {pod.controller.name for pod in alive if pod.controller}
    hashes = [{pod.labels[label] for pod in alive if label in pod.labels} for label in TEMPLATES]
    for names in (controllers, *hashes):
        if len(names) > 1:
            detail = f"{workload.ref} has pods of several templates: {', '.join(sorted(names))}"
            return Veto(Reason.ROLLOUT_IN_PROGRESS, detail)
    return None


def revision_would_change(pod: LivePod, workload: Workload) -> Veto | None:
    """A memory policy never deploys: an update that waits (a partition, OnDelete) is not ours to carry out."""
    if workload.outdated:
        detail = f"{workload.ref} has pods of an older template on {workload.outdated} nodes"
        return Veto(Reason.REVISION_WOULD_CHANGE, detail)
    # Whoever edits the template of a ReplicaSet has it make other pods from then on, and nothing tells them apart.
    has = {container.name: container.image for container in pod.containers}
    for name, image in workload.images.items():
        if has.get(name) != image:
            detail = f"{pod.name} has container {name} from image {has.get(name)}, its replacement would have {image}"
            return Veto(Reason.REVISION_WOULD_CHANGE, detail)
    if workload.revisions is None:
        return None
    number, made_from = ordinal(pod.name), pod.labels.get(REVISION, "")
    if number is None or not made_from:
        return Veto(Reason.REVISION_WOULD_CHANGE, f"which revision {pod.name} was made from can't be told")
    would_be = workload.revisions.of(number)
    if made_from != would_be:
        detail = f"{pod.name} was made from revision {made_from}, its replacement would be made from {would_be}"
        return Veto(Reason.REVISION_WOULD_CHANGE, detail)
    return None


def workload_not_ready(pod: LivePod, *, workload: Workload, policy: Policy, ledger: Ledger, now: float) -> Veto | None:
    """No more than ``maxUnavailable`` pods may be missing after this one is gone, terminating ones included.

    A pod that another record is about to take counts as missing, although it is still there.
    """
    doomed = {record.breach.uid for record in ledger.in_flight_of(workload.ref.uid)} | {pod.uid}
    left = [one for one in workload.available(now) if one.uid not in doomed]
    going = sum(1 for one in workload.pods if one.terminating and not one.finished and one.uid != pod.uid)
    missing = max(workload.size - len(left), going + 1)
    allowed = policy.max_unavailable.of(workload.size)
    if workload.ordered:
        # It makes one pod after the other, so a second one that is missing stays missing for as long as the first.
        allowed = min(allowed, 1)
    if missing > allowed:
        detail = (
            f"{missing} of the {workload.size} pods of {workload.ref} would be unavailable, maxUnavailable is {allowed}"
        )
        return Veto(Reason.WORKLOAD_NOT_READY, detail)
    return None


def stuck(workload: Workload, ledger: Ledger) -> Veto | None:
    """What could not end before will not end now: the next pod would be lost in the same way."""
    records = {
        record.breach.uid: record
        for record in ledger.settled
        if record.outcome is Outcome.STUCK_TERMINATING and record.workload.uid == workload.ref.uid
    }
    for pod in (*workload.pods, *workload.outside):
        if pod.uid in records:
            return Veto(Reason.WORKLOAD_NOT_READY, f"{pod.name} is still there: {records[pod.uid].detail}")
    return None


def predecessor_unavailable(pod: LivePod, workload: Workload, now: float) -> Veto | None:
    """A StatefulSet that makes its pods in order makes none while one below is not available.

    Source: https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees
    """
    if not workload.ordered:
        return None
    number = ordinal(pod.name)
    if number is None:
        return Veto(Reason.PREDECESSOR_UNAVAILABLE, f"the place of {pod.name} in {workload.ref} can't be told")
    available = {one.name for one in workload.available(now)}
    above = min(number, workload.first_ordinal + workload.size)
    below = [f"{workload.ref.name}-{n}" for n in range(workload.first_ordinal, above)]
    if missing := [name for name in below if name not in available]:
        detail = f"{workload.ref} makes its pods in order, and {', '.join(missing[:_NAMED])} is not available"
        return Veto(Reason.PREDECESSOR_UNAVAILABLE, detail)
    return None


def node_not_ready(pod: LivePod, node: Node | None) -> Veto | None:
    """Where no kubelet answers, a pod that is deleted stays Terminating until the node is back.

    Kubernetes makes the pods of a lost node un-Ready; where nodes may not be read, that is all there is to go by.
    Source: https://kubernetes.io/docs/concepts/architecture/nodes/#node-controller
    """
    if node is None:
        return Veto(Reason.NODE_NOT_READY, f"its node {pod.node} is gone; Kubernetes will remove it by itself")
    if node.not_ready:
        return Veto(Reason.NODE_NOT_READY, f"its node {node.name} is not Ready: {node.not_ready}")
    if not node.readable and pod.ready_since is None:
        detail = f"it is not Ready, and whether its node {node.name} is can't be told: nodes may not be read"
        return Veto(Reason.NODE_NOT_READY, detail)
    return None


def disruption_budget(pod: LivePod, budgets: Sequence[DisruptionBudget]) -> Veto | None:
    """What the Eviction API would answer, without spending anything on the question.

    Source: https://kubernetes.io/docs/tasks/run-application/configure-pdb/#unhealthy-pod-eviction-policy
    """
    covering = [budget for budget in budgets if budget.covers(pod)]
    if len(covering) > 1:
        names = ", ".join(sorted(budget.name for budget in covering))
        return Veto(Reason.DISRUPTION_BUDGET, f"PodDisruptionBudgets {names} all cover it; the API allows one")
    words = _refusal(pod, covering[0]) if covering else ""
    return Veto(Reason.DISRUPTION_BUDGET, f"PodDisruptionBudget {covering[0].name} {words}") if words else None


def _refusal(pod: LivePod, budget: DisruptionBudget) -> str:
    """Why the budget would refuse; empty where it would not."""
    unready = pod.ready_since is None
    if unready and budget.always_allows_unready:
        return ""
    if budget.broken:
        return f"is misconfigured and will never allow anything: {budget.broken}"
    if not budget.observed:
        return "is still being computed"
    # The API does not ask a budget that is met for a pod that is not Ready and so adds nothing to it.
    unneeded = unready and 0 < budget.desired <= budget.healthy
    if budget.allowed < 1 and not unneeded:
        return f"allows no disruption: {budget.healthy} healthy, {budget.desired} wanted"
    return ""
