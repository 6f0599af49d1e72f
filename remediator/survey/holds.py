"""Does ``safety.holdWhen`` hold now, and can it ever? An alert whose name no rule has never fires."""

from __future__ import annotations

from dataclasses import dataclass, field

from remediator.detect.holds import ask_hold
from remediator.errors import PrometheusError, PrometheusUnreachable
from remediator.model.holds import by_gate
from remediator.policy import Safety
from remediator.policy.expressions import unknown_alerts
from remediator.policy.words import nearest, quote
from remediator.survey.ask import Ask
from remediator.survey.findings import Finding, Kind, warning

_SEEN = "count by (alertname) (present_over_time(ALERTS[1w]))"
"""Of servers that show no rules, or not those of another one, the alerts that were raised tell of their names."""


@dataclass(frozen=True, slots=True)
class Gate:
    """An expression, and whether it holds all action now; None where that could not be told."""

    name: str
    expression: str
    holds: bool | None = None


@dataclass(slots=True)
class Asked:
    """What came of asking all of them; ``errors`` are the sentences about what could not be told."""

    gates: list[Gate] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def ask_all(ask: Ask, safety: Safety) -> Asked:
    """Ask each expression once, and look for the alerts that they name."""
    asked = Asked()
    away = False
    for gate, expression in by_gate(safety.hold_when).items():
        why: str | None = None
        if not away:
            ask.tell(f"asking {gate}")
            try:
                why = ask_hold(ask.prometheus, expression, at=ask.at)
            except PrometheusError as exc:
                asked.errors.append(f"safety.holdWhen, {gate}: {exc}")
                away = isinstance(exc, PrometheusUnreachable)
        asked.gates.append(Gate(gate, expression, None if why is None else bool(why)))
        if why:
            asked.findings.append(_holds_now(gate, expression, why))
    if not away and any(unknown_alerts(expression, ()) for expression in safety.hold_when):
        known, unread = _known(ask)
        for gate, expression in by_gate(safety.hold_when).items():
            asked.findings.extend(_unknown(gate, name, known, unread) for name in unknown_alerts(expression, known))
    return asked


def _known(ask: Ask) -> tuple[frozenset[str], str]:
    """The names of all alerts that the server knows, and what could not be read."""
    known, unread = frozenset[str](), []
    ask.tell("looking for the names of alerts")
    for read in (ask.prometheus.alerts, lambda: frozenset(one.get("alertname", "") for one, _ in ask.rows(_SEEN))):
        try:
            known |= read()
        except PrometheusError as exc:
            unread.append(str(exc))
    return known, "; ".join(unread)


def _holds_now(gate: str, expression: str, why: str) -> Finding:
    return warning(
        Kind.HOLDS_NOW,
        where=f"safety.holdWhen, {gate}",
        what=f"{quote(expression)} holds all action now: {why}",
        fix="nothing, if that is what it is for; nobody is taken until it gives no series",
    )


def _unknown(gate: str, name: str, known: frozenset[str], unread: str) -> Finding:
    meant = nearest(name, known)
    return warning(
        Kind.UNKNOWN_ALERT,
        where=f"safety.holdWhen, {gate}",
        what=f"no rule of this Prometheus raises an alert {quote(name)}, and none was raised within a week, so it "
        "never holds" + (f"; not all could be read: {unread}" if unread else ""),
        fix=f"write {meant}" if meant else "look for its name among the server's rules, or remove it",
    )
