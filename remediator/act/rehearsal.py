"""A policy on trial: what the API server would have answered, asked by a dry run that changes nothing."""

from __future__ import annotations

from math import ceil

from remediator.act.examine import Go
from remediator.cluster.removal import Answer, Removal, Taken
from remediator.model.measures import Veto
from remediator.model.pods import LivePod
from remediator.model.vocabulary import Action, Reason
from remediator.policy import Policy


def rehearse(pod: LivePod, policy: Policy, removal: Removal) -> Taken:
    """What the API server answers to a dry run of the policy's act on that very pod. Raises NotLeader."""
    return removal.take(
        policy.action,
        namespace=pod.namespace,
        name=pod.name,
        uid=pod.uid,
        resource_version=pod.resource_version,
        grace_period=policy.grace_period,
        dry_run=True,
    )


def rehearsed(go: Go, removal: Removal) -> tuple[Veto, ...]:
    """Why the pod stays although no guard objects: it was only a rehearsal, and how that went. Raises NotLeader."""
    policy = go.policy
    if policy.action is Action.NOTIFY:
        return (Veto(Reason.DRY_RUN, "it would have been reported"),)
    if (left := removal.pause) > 0:
        return (Veto(Reason.DRY_RUN, f"could not tell: the API server is left in peace for {ceil(left)} s"),)
    taken = rehearse(go.pod, policy, removal)
    match taken.answer:
        case Answer.ACCEPTED:
            return (Veto(Reason.DRY_RUN, f"the API server would have accepted the {policy.action}"),)
        case Answer.BUDGET | Answer.CONTENTION:
            return (Veto(Reason.DRY_RUN, "it was asked for"), Veto(Reason.DISRUPTION_BUDGET, taken.words))
        case Answer.FORBIDDEN | Answer.REFUSED:
            return (Veto(Reason.DRY_RUN, f"the API server would have refused the {policy.action}: {taken.words}"),)
        case _:
            return (Veto(Reason.DRY_RUN, f"could not tell: {taken.words}"),)
