"""A workload's own policy, in annotations: it can only hold us back.

Who may annotate a workload gains nothing but peace by it: whatever would make the policy stricter with the workload, or
can't be read, leaves it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from remediator.decide.pod import OPT_OUT
from remediator.model.measures import Veto
from remediator.model.vocabulary import ANNOTATIONS, Action, Reason
from remediator.policy import Policy, written
from remediator.policy.durations import DAY, format_duration
from remediator.policy.thresholds import height, parse_threshold
from remediator.policy.words import quote, sentence

THRESHOLD, FOR, ACTION = f"{ANNOTATIONS}/threshold", f"{ANNOTATIONS}/for", f"{ANNOTATIONS}/action"
_KNOWN = (THRESHOLD, FOR, ACTION, OPT_OUT)
_GENTLEST_FIRST = (Action.NOTIFY, Action.SURGE, Action.EVICT, Action.DELETE)


def own_policy(policy: Policy, annotations: Mapping[str, str], *, what: str) -> Policy | Veto:
    """The policy as a workload's own annotations change it; the same where there are none.

    The veto names ``what``, the workload, with every annotation that would loosen the policy or can't be read.
    """
    own, faults = policy, []
    for key, value in sorted(annotations.items()):
        if not key.startswith(f"{ANNOTATIONS}/") or key == OPT_OUT:
            continue
        try:
            own = _READERS.get(key, _unknown)(own, value)
        except ValueError as exc:
            faults.append(f"{what} has the annotation {key}: {exc}")
    if not faults:
        return own
    # The longest that is shown of one is 500 characters, and there may be as many as an object has annotations.
    shown = [sentence(fault) for fault in faults[: len(_KNOWN)]]
    more = f"; and {len(faults) - len(shown)} more" if len(faults) > len(shown) else ""
    return Veto(Reason.OPTED_OUT, "; ".join(shown) + more)


def _threshold(own: Policy, value: str) -> Policy:
    theirs = parse_threshold(value)
    if type(theirs) is not type(own.threshold):
        message = f"{quote(value)} can't be compared with the policy's {own.threshold}; write one of that kind"
        raise ValueError(message)
    if height(theirs) < height(own.threshold):
        message = f"{quote(value)} is lower than the policy's {own.threshold}; write that or a higher one"
        raise ValueError(message)
    return replace(own, threshold=theirs)


def _for(own: Policy, value: str) -> Policy:
    theirs = written.duration(low=1, high=DAY)(value)
    if theirs < own.for_seconds:
        least = format_duration(own.for_seconds)
        message = f"{quote(value)} is shorter than the policy's {least}; write that or a longer one"
        raise ValueError(message)
    return replace(own, for_seconds=theirs)


def _action(own: Policy, value: str) -> Policy:
    theirs = written.action(value)
    if _GENTLEST_FIRST.index(theirs) > _GENTLEST_FIRST.index(own.action):
        message = f"{quote(value)} is harsher than the policy's {own.action}; write that or {Action.NOTIFY}"
        raise ValueError(message)
    return replace(own, action=theirs)


def _unknown(_: Policy, value: str) -> Policy:
    # A slip such as `treshold` was meant to hold us back.
    message = f"{quote(value)} is for nothing that we know; write {', '.join(_KNOWN)}, or remove it"
    raise ValueError(message)


_READERS: Mapping[str, Callable[[Policy, str], Policy]] = {THRESHOLD: _threshold, FOR: _for, ACTION: _action}
