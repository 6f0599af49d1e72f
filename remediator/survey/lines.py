"""What ``plan`` shows: a line for each matched pod, and how the evaluation of each policy went."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from remediator.model.holds import Hold
from remediator.model.measures import Veto
from remediator.model.vocabulary import Action, Evaluation
from remediator.survey.values import Weight


class Verdict(StrEnum):
    """What would become of a pod now."""

    WOULD_ACT = "would-act"
    WAITS = "waits"
    LEFT_ALONE = "left-alone"
    BELOW = "below"
    NOT_MEASURED = "not-measured"
    COULD_NOT_TELL = "could-not-tell"


OVER = frozenset({Verdict.WOULD_ACT, Verdict.WAITS, Verdict.LEFT_ALONE, Verdict.COULD_NOT_TELL})


@dataclass(frozen=True, slots=True)
class Line:
    """One pod. ``reasons`` are those of all stages; ``words`` is a sentence where no reason is at hand.

    In an ``emergency`` it is over the policy's second threshold as well.

    ``workload`` is ``Kind/name``, empty for a pod without; ``only_replica`` says that it is the only pod of that.
    ``before`` are the hooks that are run in it before it goes.
    """

    namespace: str
    pod: str
    uid: str
    node: str
    workload: str
    policy: str
    action: Action
    threshold: str
    weight: Weight
    verdict: Verdict
    reasons: tuple[Veto, ...] = ()
    words: str = ""
    only_replica: bool = False
    emergency: bool = False
    before: tuple[str, ...] = ()

    @property
    def goes(self) -> bool:
        """Whether it would be taken, now or once it is its turn."""
        return self.verdict in {Verdict.WOULD_ACT, Verdict.WAITS} and self.action is not Action.NOTIFY


@dataclass(frozen=True, slots=True)
class Evaluated:
    """How the evaluation of one policy went: ``pods`` were measured, of which ``nominated`` were named by its query.

    ``query`` is that query, ``words`` say what went wrong. A disabled policy is skipped.
    """

    policy: str
    outcome: Evaluation
    words: str = ""
    pods: int = 0
    nominated: int = 0
    query: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """All lines, the most urgent first; ``notes`` are worth knowing, ``errors`` are what could not be told.

    ``holds`` are the gates that hold all action.
    """

    lines: tuple[Line, ...]
    policies: tuple[Evaluated, ...]
    notes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    holds: tuple[Hold, ...] = ()

    def count(self, verdict: Verdict) -> int:
        """How many pods have this verdict."""
        return sum(1 for line in self.lines if line.verdict is verdict)
