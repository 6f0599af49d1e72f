"""Before the stages: does one evaluation name so much that the measurement or the policy must be wrong?

Both have to be met, many workloads and a large share of what is measured: a small cluster may well have most of its
pods over, and in a large one twenty workloads may leak at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from remediator.model.measures import Candidate, Veto
from remediator.model.vocabulary import Reason
from remediator.policy import Safety
from remediator.policy.thresholds import FULL

WORKLOADS = 20
"""So many workloads may be over at once, whatever their share is."""


def share_exceeded(nominated: int, measured: int, safety: Safety) -> bool:
    """Whether so many nominated pods are more than ``maxBreaching`` of the measured ones, and of many workloads."""
    return nominated > WORKLOADS and nominated * FULL > safety.max_breaching * measured


def mass_breach(*, nominated: int, measured: int, workloads: int, safety: Safety) -> Veto | None:
    """The veto against every nominated pod. Of ``workloads`` no more than ``WORKLOADS`` + 1 need to be counted."""
    if workloads <= WORKLOADS or not share_exceeded(nominated, measured, safety):
        return None
    detail = (
        f"{nominated} of {measured} measured pods were named at once, of more than {WORKLOADS} workloads, and "
        f"safety.maxBreaching is {safety.max_breaching}%: the measurement or the policy must be wrong"
    )
    return Veto(Reason.MASS_BREACH, detail)


def one_of_each(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """One candidate of each controller, as far as names tell: its pods' names differ in what follows the last dash.

    Only an order to look in. Two controllers may look like one, so what is found is the least that there are.
    """
    found: dict[tuple[str, str], Candidate] = {}
    for candidate in candidates:
        found.setdefault((candidate.namespace, candidate.pod.rpartition("-")[0] or candidate.pod), candidate)
    return tuple(found.values())
