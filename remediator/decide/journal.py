"""Stage one: what the policy and the journal say. Costs no request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from remediator.decide.gates import about_gates
from remediator.decide.marks import marked_for_others
from remediator.decide.windows import window_closed
from remediator.model.holds import Hold
from remediator.model.measures import Breach, Veto
from remediator.model.pods import LivePod
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Action, Reason
from remediator.model.workloads import WorkloadRef
from remediator.policy import Policy, PolicyFile
from remediator.policy.durations import format_duration


def policy_and_journal(
    breach: Breach,
    *,
    pod: LivePod,
    owner: WorkloadRef | None,
    policy: Policy,
    policies: PolicyFile,
    ledger: Ledger,
    holds: Sequence[Hold],
    now: float,
) -> tuple[Veto, ...]:
    """Every veto of this stage; ``holds`` are the gates that were found to hold, ``now`` seconds since the epoch."""
    vetoes = (
        *about_gates(policies, holds),
        excluded_namespace(pod, policies),
        not_matched(pod, owner, policy, policies),
        marked_for_others(pod.annotations, f"pod {pod.name}", policy=policy, policies=policies),
        in_flight(breach, owner, policy, ledger),
        breaker_open(owner, ledger),
        *pauses(breach, owner=owner, policy=policy, ledger=ledger, now=now),
        per_workload_limit(owner, policy, ledger, now),
        budget(policies, ledger, now),
        concurrency(policies, ledger),
    )
    return tuple(veto for veto in vetoes if veto)


def pauses(
    breach: Breach, *, owner: WorkloadRef | None, policy: Policy, ledger: Ledger, now: float
) -> tuple[Veto, ...]:
    """What an emergency does not wait for. A report does: it helps nobody, and would be made all the time."""
    if breach.emergency and policy.action is not Action.NOTIFY:
        return ()
    return tuple(veto for veto in (window_closed(policy, now), cooldown(owner, policy, ledger, now)) if veto)


def excluded_namespace(pod: LivePod, policies: PolicyFile) -> Veto | None:
    """Namespaces that are never touched."""
    if policies.safety.excludes(pod.namespace):
        return Veto(Reason.EXCLUDED_NAMESPACE, f"safety.namespaces.exclude has {pod.namespace}")
    return None


def not_matched(pod: LivePod, owner: WorkloadRef | None, policy: Policy, policies: PolicyFile) -> Veto | None:
    """A pod belongs to the first policy that matches it; the query could not see workload and labels."""
    found = policies.owner_of(pod, owner)
    if found is None:
        return Veto(Reason.NOT_MATCHED, f"no policy matches {owner or 'a pod without a workload'} and its labels")
    if not found.enabled:
        return Veto(Reason.NOT_MATCHED, f"its policy {found.name} is disabled")
    if found.name != policy.name:
        return Veto(Reason.NOT_MATCHED, f"it belongs to policy {found.name}, which comes first")
    return None


def in_flight(breach: Breach, owner: WorkloadRef | None, policy: Policy, ledger: Ledger) -> Veto | None:
    """At most ``maxUnavailable`` pods of a workload at a time, one record for a pod, and none for its replacement."""
    # One that was taken out of its ReplicaSet has no owner any more.
    if any(record.breach.uid == breach.uid for record in ledger.in_flight.values()):
        return Veto(Reason.IN_FLIGHT, "this pod is being replaced")
    others = ledger.in_flight_of(owner.uid) if owner else ()
    if not others:
        return None
    allowed = policy.max_unavailable.of(max(record.baseline.wanted for record in others))
    if len(others) >= allowed:
        pods = ", ".join(sorted(record.breach.pod for record in others))
        return Veto(Reason.IN_FLIGHT, f"{pods} of {owner} is being replaced, and maxUnavailable is {allowed}")
    # Without it the other record would be settled by the pod that this one makes the workload make.
    if newer_than := [record.breach.pod for record in others if breach.uid not in record.baseline.pods]:
        return Veto(Reason.IN_FLIGHT, f"this pod may be the replacement of {', '.join(sorted(newer_than))}")
    return None


def breaker_open(owner: WorkloadRef | None, ledger: Ledger) -> Veto | None:
    """After a failed replacement nothing more is taken."""
    breaker = ledger.breakers.get(owner.uid) if owner else None
    if breaker is None:
        return None
    record = breaker.record
    detail = (
        f"the replacement of {record.breach.pod} ended as {record.outcome}: {record.detail}; close it with "
        f"remediator resume {breaker.workload.namespace} {breaker.workload}"
    )
    return Veto(Reason.BREAKER_OPEN, detail)


def cooldown(owner: WorkloadRef | None, policy: Policy, ledger: Ledger, now: float) -> Veto | None:
    """The pause between two pods of a workload; it begins anew when the earlier one is settled."""
    times = [act.counts_from for act in ledger.acts if owner and act.workload_uid == owner.uid]
    if not times:
        return None
    left = max(times) + policy.cooldown - now
    if left > 0:
        return Veto(Reason.COOLDOWN, f"the cooldown of {owner} has {left:.0f} s to go")
    return None


def per_workload_limit(owner: WorkloadRef | None, policy: Policy, ledger: Ledger, now: float) -> Veto | None:
    """So many pods of one workload in so much time: where more would go, its leak has outgrown restarts."""
    limit = policy.max_per_workload
    spent = sorted(
        act.at
        for act in ledger.acts
        if owner and act.workload_uid == owner.uid and act.spends and act.at > now - limit.per
    )
    if len(spent) < limit.actions:
        return None
    free = spent[len(spent) - limit.actions] + limit.per
    detail = (
        f"{len(spent)} pods of {owner} within {format_duration(limit.per)}, maxPerWorkload allows {limit.actions}; "
        f"the next is allowed at {datetime.fromtimestamp(free, UTC):%Y-%m-%d %H:%M:%S} UTC, in {free - now:.0f} s"
    )
    return Veto(Reason.PER_WORKLOAD_LIMIT, detail)


def budget(policies: PolicyFile, ledger: Ledger, now: float) -> Veto | None:
    """So many actions in so much time, in the whole cluster."""
    limit = policies.safety.budget
    if budget_left(policies, ledger, now) <= 0:
        return Veto(Reason.BUDGET, f"{limit.actions} actions within {limit.per} s are spent")
    return None


def budget_left(policies: PolicyFile, ledger: Ledger, now: float) -> int:
    """How many actions the cluster-wide budget still allows now."""
    limit = policies.safety.budget
    spent = sum(1 for act in ledger.acts if act.spends and act.at > now - limit.per)
    return max(limit.actions - spent, 0)


def concurrency(policies: PolicyFile, ledger: Ledger) -> Veto | None:
    """So many remediations at a time, in the whole cluster."""
    limit = policies.safety.max_concurrent
    if len(ledger.in_flight) >= limit:
        return Veto(Reason.CONCURRENCY, f"{len(ledger.in_flight)} remediations are in flight, {limit} are allowed")
    return None
