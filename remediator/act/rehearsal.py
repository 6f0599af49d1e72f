"""A policy on trial: what the API server would have answered, asked by a dry run that changes nothing."""

from __future__ import annotations

from math import ceil

from remediator.act.examine import Go
from remediator.cluster.removal import Answer, Removal
from remediator.model.measures import Veto
from remediator.model.vocabulary import Action, Reason


def rehearsed(go: Go, removal: Removal) -> tuple[Veto, ...]:
    """Why the pod stays although no guard objects: it was only a rehearsal, and how that went. Raises NotLeader."""
    policy = go.policy
    if policy.action is Action.NOTIFY:
        return (Veto(Reason.DRY_RUN, "it would have been reported"),)
    if (left := removal.pause) > 0:
        return (Veto(Reason.DRY_RUN, f"could not tell: the API server is left in peace for {ceil(left)} s"),)
    taken = removal.take(
        policy.action,
        namespace=go.pod.namespace,
        name=go.pod.name,
        uid=go.pod.uid,
        resource_version=go.pod.resource_version,
        grace_period=policy.grace_period,
        dry_run=True,
    )
    match taken.answer:
        case Answer.ACCEPTED:
            return (Veto(Reason.DRY_RUN, f"the API server would have accepted the {policy.action}"),)
        case Answer.BUDGET | Answer.CONTENTION:
            return (Veto(Reason.DRY_RUN, "it was asked for"), Veto(Reason.DISRUPTION_BUDGET, taken.words))
        case Answer.FORBIDDEN | Answer.REFUSED:
            return (Veto(Reason.DRY_RUN, f"the API server would have refused the {policy.action}: {taken.words}"),)
        case _:
            return (Veto(Reason.DRY_RUN, f"could not tell: {taken.words}"),)
