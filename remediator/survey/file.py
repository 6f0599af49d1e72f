"""What a policy file says of itself, before anybody is asked: policies out of reach, and those that go past budgets."""

from __future__ import annotations

from remediator.model.vocabulary import Action
from remediator.policy import PolicyFile, never_reached
from remediator.survey.findings import Finding, Kind, problem, warning


def faults(policies: PolicyFile) -> list[Finding]:
    """What is worth saying of a file that can be read."""
    found = [
        problem(
            Kind.NEVER_REACHED,
            where=f"{policy.name} (line {policy.line})",
            what=f"every pod that it matches belongs to {taker.name} (line {taker.line}), which comes first",
            fix=f"move it before {taker.name}, or remove it",
            policies=[policy.name],
        )
        for policy, taker in never_reached(policies)
    ]
    found.extend(
        warning(
            Kind.PAST_BUDGETS,
            where=f"{policy.name}: action",
            what="delete asks no PodDisruptionBudget: pods go although their budget says no",
            fix="write action: evict, unless a budget that never allows anything is the reason for it",
            policies=[policy.name],
        )
        for policy in policies.policies
        if policy.enabled and policy.action is Action.DELETE
    )
    return found
