"""May the policy act at this time? Outside of its windows a breach is told and waits."""

from __future__ import annotations

from datetime import UTC, datetime

from remediator.model.measures import Veto
from remediator.model.vocabulary import Reason
from remediator.policy import Policy
from remediator.policy.durations import format_duration
from remediator.policy.windows import is_open, next_opening


def window_closed(policy: Policy, now: float) -> Veto | None:
    """None of the policy's windows is open; ``now`` in seconds since the epoch."""
    moment = datetime.fromtimestamp(now, UTC)
    if not policy.windows or is_open(policy.windows, moment):
        return None
    opens, window = next_opening(policy.windows, moment)
    wait = format_duration(round((opens - moment).total_seconds()))
    detail = f"outside of the policy's windows; the next one, {window}, opens at {window.local(opens)}, in {wait}"
    return Veto(Reason.WINDOW_CLOSED, detail)
