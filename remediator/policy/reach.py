"""How far policies reach: which can never own a pod, and which namespaces they name."""

from __future__ import annotations

import re

from remediator.policy.policies import Match, Policy, PolicyFile
from remediator.policy.written import NAME

_EVERYTHING = frozenset({".*", ".+"})
_NAMESPACE = re.compile(NAME)


def named_namespaces(file: PolicyFile) -> tuple[str, ...]:
    """Give the namespaces that policies name, in order; one that is described by an expression is not among them."""
    written = {name for policy in file.policies for name in policy.match.namespaces}
    return tuple(sorted(name for name in written if _NAMESPACE.fullmatch(name)))


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
