"""What the owners of a pod say about it to other tools that take pods away: we leave it where it is as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from remediator.model.measures import Veto
from remediator.model.vocabulary import Action, Reason
from remediator.policy import Policy, PolicyFile
from remediator.policy.words import quote, sentence

FOREIGN_MARKS: Mapping[str, Callable[[str], bool]] = {
    "karpenter.sh/do-not-disrupt": lambda value: value.lower() != "false",
    "karpenter.sh/do-not-evict": lambda value: value.lower() != "false",
    "cluster-autoscaler.kubernetes.io/safe-to-evict": lambda value: value.lower() != "true",
    "descheduler.alpha.kubernetes.io/prefer-no-eviction": lambda _: True,
}
"""Annotations by which other tools are told to leave a pod where it is, and which of their values say so.

A value that their own tool would not understand says so as well, and of the last one the descheduler asks only whether
it is there.
Sources: https://karpenter.sh/docs/concepts/disruption/#pod-level-controls,
https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md,
https://github.com/kubernetes-sigs/descheduler#pod-evictions
"""


def marked_for_others(
    annotations: Mapping[str, str], what: str, *, policy: Policy, policies: PolicyFile
) -> Veto | None:
    """Who asked other tools to leave a pod does not want it taken by us; a report takes nothing."""
    if policies.safety.foreign_marks and policy.action is not Action.NOTIFY:
        return foreign_mark(annotations, what)
    return None


def foreign_mark(annotations: Mapping[str, str], what: str) -> Veto | None:
    """Another tool's mark on a pod or its workload, which is what ``what`` names, as the reason to leave it alone."""
    for key, holds in FOREIGN_MARKS.items():
        value = annotations.get(key)
        if value is not None and holds(value.strip()):
            return Veto(Reason.OPTED_OUT, sentence(f"{what} has another tool's annotation {key}: {quote(value)}"))
    return None
