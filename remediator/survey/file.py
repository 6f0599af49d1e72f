"""What a policy file says of itself, before anybody is asked.

Policies out of reach, past budgets, in need of a right, and those that are never looked at while they may act.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from remediator.model.hooks import ExecCall
from remediator.model.vocabulary import Action
from remediator.policy import Cron, Policy, PolicyFile, never_reached
from remediator.policy.windows import is_open, next_opening
from remediator.survey.findings import Finding, Kind, problem, warning

_ANY_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
_OPENINGS = 400
"""A year of nights, and more."""


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
    found.extend(
        warning(
            Kind.EXEC_HOOKS,
            where=f"{policy.name}: before",
            what="an exec hook needs a right that is not given by itself: create and get on pods/exec",
            fix="give it in the namespaces of its pods, by rbac.exec in the chart's values or by deploy/exec; with it "
            "the daemon may run any command there",
            policies=[policy.name],
        )
        for policy in policies.policies
        if policy.enabled and any(isinstance(hook.call, ExecCall) for hook in policy.before)
    )
    found.extend(
        problem(
            Kind.WINDOWS_MISSED,
            where=f"{policy.name}: windows",
            what=f"it is looked at {policy.when}, and at none of these times one of its windows is open",
            fix="write a cron within the windows, such as every ten minutes of them",
            policies=[policy.name],
        )
        for policy in policies.policies
        if policy.enabled and policy.windows and not _meets_a_window(policy)
    )
    return found


def _meets_a_window(policy: Policy) -> bool:
    """Whether it is ever evaluated while it may act: the first evaluation after each opening is looked at."""
    if not isinstance(policy.pace, Cron):
        return True
    moment = _ANY_YEAR
    for _ in range(_OPENINGS):
        opens, _window = next_opening(policy.windows, moment)
        run = policy.pace.after(opens - timedelta(seconds=1))
        if is_open(policy.windows, run):
            return True
        moment = max(opens, run)
    return False
