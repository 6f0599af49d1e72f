"""Which policies can never own a pod, because an earlier one takes all of theirs."""

from __future__ import annotations

from remediator.policy.policies import Match, Policy, PolicyFile

_EVERYTHING = frozenset({".*", ".+"})


def never_reached(file: PolicyFile) -> tuple[tuple[Policy, Policy], ...]:
    """Give each policy that can't be reached together with the first one before it that takes its pods.

    Expressions are compared as they are written: a policy named here is certainly out of reach, and one that is
    not named may be so as well.
    """
    found = []
    for index, policy in enumerate(file.policies):
        takers = (earlier for earlier in file.policies[:index] if _covers(earlier.match, policy.match))
        if taker := next(takers, None):
            found.append((policy, taker))
    return tuple(found)


def _covers(earlier: Match, later: Match) -> bool:
    return (
        _names_cover(earlier.namespaces, later.namespaces)
        and _names_cover(earlier.pods, later.pods)
        and earlier.workload in {None, later.workload}
        and (earlier.selector is None or earlier.selector == later.selector)
    )


def _names_cover(earlier: tuple[str, ...], later: tuple[str, ...]) -> bool:
    if not earlier or not _EVERYTHING.isdisjoint(earlier):
        return True
    return bool(later) and set(later) <= set(earlier)
