"""What holds all action at once: the kill switch, clocks that differ, and what was asked of Prometheus."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.model.holds import Hold
from remediator.model.measures import Veto
from remediator.model.vocabulary import Reason
from remediator.policy import PolicyFile


def about_gates(policies: PolicyFile, holds: Sequence[Hold]) -> tuple[Veto, ...]:
    """Every veto of a gate; ``holds`` are those that were asked for."""
    return tuple(veto for veto in (paused(policies), clock(holds), held(holds)) if veto)


def paused(policies: PolicyFile) -> Veto | None:
    """The kill switch."""
    if policies.safety.paused:
        return Veto(Reason.PAUSED, "safety.paused is true")
    return None


def clock(holds: Sequence[Hold]) -> Veto | None:
    """Times can't be compared, so nothing that was measured or written is of any known age."""
    return _because(Reason.CLOCK, holds)


def held(holds: Sequence[Hold]) -> Veto | None:
    """``safety.holdWhen`` says so, or could not be asked."""
    return _because(Reason.HELD, holds)


def _because(reason: Reason, holds: Sequence[Hold]) -> Veto | None:
    standing = [hold.why for hold in holds if hold.reason is reason]
    return Veto(reason, "; ".join(standing)) if standing else None
