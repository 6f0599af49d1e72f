"""What holds all action at once, as it stands when it is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from remediator.model.vocabulary import Reason


@dataclass(frozen=True, slots=True)
class Hold:
    """One gate that holds all action; ``why`` is one sentence for people, ``reason`` that of the veto."""

    gate: str
    reason: Reason
    why: str


def by_gate(expressions: Iterable[str]) -> dict[str, str]:
    """The expressions of ``safety.holdWhen`` under the names of their gates: ``hold-when-1`` and so on."""
    return {f"hold-when-{number}": expression for number, expression in enumerate(expressions, start=1)}
