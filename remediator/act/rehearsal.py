"""A policy on trial: what the API server would have answered, asked by a dry run that changes nothing."""

from __future__ import annotations

from math import ceil

from remediator.act.looks import Go
from remediator.cluster.orphans import Orphans
from remediator.cluster.removal import Answer, Removal, Taken
from remediator.model.measures import Veto
from remediator.model.pods import LivePod
from remediator.model.vocabulary import Action, Reason


def rehearse(pod: LivePod, go: Go, removal: Removal, orphans: Orphans) -> Taken:
    """What the API server answers to a dry run of what shall be done to that very pod. Raises NotLeader.

    Of a surge it is the first step; what the disruption budget will say to the last one, nobody can tell yet.
    """
    policy = go.policy
    if policy.action is Action.SURGE:
        return orphans.take_out(pod, owner=go.workload.ref, note="", epoch=0, dry_run=True)
    return removal.take(
        policy.action,
        namespace=pod.namespace,
        name=pod.name,
        uid=pod.uid,
        resource_version=pod.resource_version,
        grace_period=policy.grace_period,
        dry_run=True,
    )


def rehearsed(go: Go, removal: Removal, orphans: Orphans) -> tuple[Veto, ...]:
    """Why the pod stays although no guard objects: it was only a rehearsal, and how that went. Raises NotLeader."""
    policy = go.policy
    if policy.action is Action.NOTIFY:
        return (Veto(Reason.DRY_RUN, "it would have been reported"),)
    if (left := removal.pause) > 0:
        return (Veto(Reason.DRY_RUN, f"could not tell: the API server is left in peace for {ceil(left)} s"),)
    taken = rehearse(go.pod, go, removal, orphans)
    match taken.answer:
        case Answer.ACCEPTED:
            hooks = "; its hooks were not run" if policy.before else ""
            return (Veto(Reason.DRY_RUN, f"the API server would have accepted the {policy.action}{hooks}"),)
        case Answer.BUDGET | Answer.CONTENTION:
            return (Veto(Reason.DRY_RUN, "it was asked for"), Veto(Reason.DISRUPTION_BUDGET, taken.words))
        case Answer.FORBIDDEN | Answer.REFUSED:
            return (Veto(Reason.DRY_RUN, f"the API server would have refused the {policy.action}: {taken.words}"),)
        case _:
            return (Veto(Reason.DRY_RUN, f"could not tell: {taken.words}"),)
