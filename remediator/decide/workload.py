"""Stage three: what the workload and the disruption budgets say."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.decide.pod import opted_out
from remediator.model.measures import Veto
from remediator.model.pods import LivePod
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Reason
from remediator.model.workloads import DisruptionBudget, Workload
from remediator.policy import Policy


def about_workload(
    pod: LivePod, *, workload: Workload, budgets: Sequence[DisruptionBudget], policy: Policy, ledger: Ledger, now: float
) -> tuple[Veto, ...]:
    """Every veto of this stage; ``now`` in seconds since the epoch."""
    vetoes = (
        opted_out(workload.annotations, str(workload.ref)),
        rollout_in_progress(workload),
        workload_not_ready(pod, workload=workload, policy=policy, ledger=ledger, now=now),
        disruption_budget(pod, budgets),
    )
    return tuple(veto for veto in vetoes if veto)


def rollout_in_progress(workload: Workload) -> Veto | None:
    """While templates change, the replacement would be made from another one: a memory policy never deploys."""
    if workload.rollout:
        return Veto(Reason.ROLLOUT_IN_PROGRESS, f"{workload.ref}: {workload.rollout}")
    controllers = {pod.controller.name for pod in workload.pods if pod.controller and not pod.finished}
    if len(controllers) > 1:
        names = ", ".join(sorted(controllers))
        return Veto(Reason.ROLLOUT_IN_PROGRESS, f"{workload.ref} has pods of several templates: {names}")
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
    if missing > allowed:
        detail = (
            f"{missing} of the {workload.size} pods of {workload.ref} would be unavailable, maxUnavailable is {allowed}"
        )
        return Veto(Reason.WORKLOAD_NOT_READY, detail)
    return None


def disruption_budget(pod: LivePod, budgets: Sequence[DisruptionBudget]) -> Veto | None:
    """What the Eviction API would answer, without spending anything on the question."""
    covering = [budget for budget in budgets if budget.covers(pod)]
    if len(covering) > 1:
        names = ", ".join(sorted(budget.name for budget in covering))
        return Veto(Reason.DISRUPTION_BUDGET, f"PodDisruptionBudgets {names} all cover it; the API allows one")
    for budget in covering:
        if budget.broken:
            detail = f"PodDisruptionBudget {budget.name} will never allow anything: {budget.broken}"
            return Veto(Reason.DISRUPTION_BUDGET, detail)
        if not budget.observed:
            return Veto(Reason.DISRUPTION_BUDGET, f"PodDisruptionBudget {budget.name} is still being computed")
        # The API does not ask a budget that is met for a pod that is not Ready and so adds nothing to it.
        unneeded = pod.ready_since is None and 0 < budget.desired <= budget.healthy
        if budget.allowed < 1 and not unneeded:
            detail = (
                f"PodDisruptionBudget {budget.name} allows no disruption: "
                f"{budget.healthy} healthy, {budget.desired} wanted"
            )
            return Veto(Reason.DISRUPTION_BUDGET, detail)
    return None
