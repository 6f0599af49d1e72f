"""Which objections matter for what is to be done: a report takes nothing, a deletion asks no budget, a surge later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from remediator.model.measures import Veto
from remediator.model.vocabulary import Action, Reason

NOT_ASKED: Mapping[Action, frozenset[Reason]] = {
    Action.DELETE: frozenset({Reason.DISRUPTION_BUDGET}),
    # It is asked when the pod goes, and by then there is one more of them.
    Action.SURGE: frozenset({Reason.DISRUPTION_BUDGET}),
    Action.NOTIFY: frozenset(
        {
            Reason.BREAKER_OPEN,
            Reason.BUDGET,
            Reason.CONCURRENCY,
            Reason.DISRUPTION_BUDGET,
            Reason.HELD,
            Reason.NODE_NOT_READY,
            Reason.PER_WORKLOAD_LIMIT,
            Reason.PREDECESSOR_UNAVAILABLE,
            Reason.RESIZE_IN_PROGRESS,
            Reason.REVISION_WOULD_CHANGE,
            Reason.ROLLOUT_IN_PROGRESS,
            Reason.TOO_YOUNG,
            Reason.UNSUPPORTED_OWNER,
            Reason.WINDOW_CLOSED,
            Reason.WORKLOAD_NOT_READY,
        }
    ),
}
"""By action, the reasons that are no reason."""


def concerning(vetoes: Iterable[Veto], action: Action) -> tuple[Veto, ...]:
    """The vetoes that stand against this action."""
    passed = NOT_ASKED.get(action, frozenset())
    return tuple(veto for veto in vetoes if veto.reason not in passed)
