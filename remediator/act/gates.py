"""The gates of a term: what holds all action is asked here, seen in the metrics, and told when it begins and ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from remediator.decide.clock import clock_hold
from remediator.decide.gates import paused
from remediator.detect.holds import ask_holds
from remediator.detect.prometheus import Prometheus
from remediator.model.holds import Hold, by_gate
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Gate
from remediator.observe.clocks import Clocks
from remediator.observe.logs import logger
from remediator.observe.state import TermState
from remediator.policy import PolicyFile

SELDOM = 60.0
"""Seconds after which the gates are asked although nothing is evaluated, so that their metrics are of today."""


class Gates:
    """Asks with this Prometheus. Safe to use from several threads.

    ``ledger`` gives the journal as last known.
    """

    def __init__(
        self,
        *,
        prometheus: Prometheus,
        clocks: Clocks,
        ledger: Callable[[], Ledger],
        state: TermState,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prometheus = prometheus
        self._clocks = clocks
        self._ledger = ledger
        self._state = state
        self._clock = clock
        self._monotonic = monotonic
        self._asked = monotonic() - SELDOM

    def ask(self, policies: PolicyFile) -> tuple[Hold, ...]:
        """What holds all action now, beside the kill switch; who can't be asked holds, and nothing of it is raised."""
        expressions = policies.safety.hold_when
        self._asked = self._monotonic()
        switch = paused(policies)
        self.tell(Gate.PAUSED, switch.detail if switch else "")
        holds = ask_holds(self._prometheus, expressions, at=int(self._clock()))
        why = {hold.gate: hold.why for hold in holds}
        for gate, expression in by_gate(expressions).items():
            self.tell(gate, why.get(gate, ""), expression=expression)
        # The journal first: what another thread has just written is not from the future.
        ledger = self._ledger()
        clock = clock_hold(self._clocks.readings, ledger, self._clock())
        self.tell(Gate.CLOCK, clock.why if clock else "")
        return (*holds, clock) if clock else holds

    def ask_seldom(self, policies: PolicyFile) -> None:
        """The same where nobody has asked for a while: a policy may be evaluated once a night."""
        if self._monotonic() - self._asked >= SELDOM:
            self.ask(policies)

    def tell(self, gate: str, why: str, *, expression: str = "") -> None:
        """Whether a gate holds, and why; without a reason it does not. Only a change is news."""
        since = self._state.holds(gate, active=bool(why))
        if since is None:
            return
        about = {"gate": gate, "expression": expression, "since": datetime.fromtimestamp(since, UTC).isoformat()}
        if why:
            logger().warning("hold begins", **about, why=why)
        else:
            logger().info("hold ends", **about)
