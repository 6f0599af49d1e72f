"""The look between evaluations: whatever can't be done now keeps nothing else from being done, or from being seen."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from remediator.act.gates import SELDOM
from remediator.errors import (
    JournalFull,
    JournalMissing,
    KubernetesUnreachable,
    NotLeader,
    PrometheusUnreachable,
    RemediatorError,
)
from remediator.model.remediations import Ledger
from remediator.policy import Cron
from tests.unit.make import policies, policy
from tests.unit.test_cycle import FIRES, FIRST, SECOND, World, holding, stage

ABOUT_RECORDS = ("held by the journal", "the journal's records can't be looked after now")


def failing(error: Exception) -> Any:  # noqa: ANN401  (in the place of any method)
    """Ends like that."""

    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("change", [{"pace": Cron("0 2 * * *")}, {"enabled": False}], ids=["cron", "disabled"])
def test_a_prometheus_that_is_dead_holds_between_evaluations_too(change: dict[str, Any]) -> None:
    """Nothing is evaluated before night: the metrics say that ``holdWhen`` can't be asked, and no word of records."""
    world = holding(**change)
    shown = stage(world)
    shown.cycle.review()
    assert [shown.metric("hold_active", gate=f"hold-when-{n}") for n in (1, 2)] == [0, 0]
    world.vector = failing(PrometheusUnreachable("nobody there"))  # type: ignore[method-assign]
    world.elapsed = SELDOM
    with capture_logs() as lines:
        shown.cycle.review()
    assert [shown.metric("hold_active", gate=f"hold-when-{n}") for n in (1, 2)] == [1, 1]
    assert [line["why"] for line in lines] == [f"hold-when-{n} can't be asked: nobody there" for n in (1, 2)]


def test_whether_prometheus_answers_is_asked_only_where_nothing_else_does() -> None:
    """Evaluations ask it anyway."""
    for change, asked in (({"pace": 60}, []), ({"pace": Cron("0 2 * * *")}, ["vector(1)"])):
        world = World({}, file=policies(policy(**change)))
        stage(world).cycle.review()
        assert world.asked == asked


@pytest.mark.parametrize(
    "error",
    [
        KubernetesUnreachable("pods can't be listed"),
        NotLeader("5 s are left on the lease"),
        JournalFull("the journal has reached its size"),
        RuntimeError("can't start new thread"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_records_that_can_not_be_adopted_keep_neither_breakers_nor_gates(error: Exception) -> None:
    """Breakers are looked after, gates asked and the journal shown, and one line says what could not be done."""
    world = holding()
    world.held = {FIRST: FIRES}
    looked: list[str] = []
    world.adopt = failing(error)  # type: ignore[method-assign]
    world.review_breakers = lambda: looked.append("breakers")  # type: ignore[method-assign]
    shown = stage(world)
    with capture_logs() as lines:
        shown.cycle.review()
    assert looked == ["breakers"]
    assert [shown.metric("hold_active", gate=f"hold-when-{n}") for n in (1, 2)] == [1, 0]
    assert shown.metric("budget_remaining") == 20
    assert [line["error"] for line in lines if line["event"] in ABOUT_RECORDS] == [str(error)]
    assert shown.metric("hold_active", gate="journal") == isinstance(error, JournalFull)


def test_breakers_that_can_not_be_looked_after_keep_no_gate() -> None:
    """Nor does that say anything against the journal."""
    world = holding()
    world.held = {SECOND: FIRES}
    world.review_breakers = failing(KubernetesUnreachable("no answer"))  # type: ignore[method-assign]
    shown = stage(world)
    shown.cycle.review()
    assert [shown.metric("hold_active", gate=gate) for gate in ("hold-when-2", "journal")] == [1, 0]


def test_a_journal_that_is_gone_holds_until_it_is_known_again() -> None:
    """An API server that does not answer takes nothing back of what was seen; the next good look does."""
    world = holding()
    shown = stage(world)
    errors: list[RemediatorError] = []

    def ledger() -> Ledger:
        for error in errors:
            raise error
        return Ledger()

    world.adopt = ledger  # type: ignore[method-assign, assignment]
    shown.cycle._ledger = ledger
    silence, gone = KubernetesUnreachable("no answer"), JournalMissing("the journal is gone")
    for errors[:], held in (([silence], 0), ([gone], 1), ([silence], 1), ([], 0), ([silence], 0)):
        shown.cycle.review()
        assert shown.metric("hold_active", gate="journal") == held, errors
