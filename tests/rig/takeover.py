"""How soon another daemon takes over, by the audit log: the Lease in its name, and its epoch in the journal."""

from __future__ import annotations

import datetime as dt
import json
import signal
from collections.abc import Callable
from dataclasses import dataclass

from tests.rig.audit import AuditEvent
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon

NAME = "remediator"


@dataclass(frozen=True)
class TakeOver:
    """Seconds from the signal to the leader, until the successor had done that."""

    lease: float
    """Its name in the Lease."""
    journal: float
    """Its epoch in the journal: from then on it may act, and nobody before it."""
    evaluation: float
    """Its first evaluation."""

    def __str__(self) -> str:
        return f"lease {self.lease:.2f} s, journal {self.journal:.2f} s, first evaluation {self.evaluation:.2f} s"


def identity(daemon: Daemon) -> str:
    """The newest process of a daemon as Lease and journal name it."""
    return str(daemon.events("listening")[-1]["identity"])


def taken_over(
    cluster: Cluster, namespace: str, *, leader: Daemon, standby: Daemon, by: signal.Signals, timeout: float = 60
) -> TakeOver:
    """Ends the leader by that signal, waits until the standby has evaluated, and says how long it all took."""
    evaluations = len(standby.events("evaluation"))
    heir = identity(standby)
    begun = dt.datetime.now(dt.UTC)
    leader.signal(by)
    line = standby.wait_for("evaluation", count=evaluations + 1, timeout=timeout)[evaluations]
    leader.wait()
    at = dt.datetime.fromisoformat(line["time"])

    def first(what: str, matches: Callable[[AuditEvent], bool]) -> float:
        def found() -> AuditEvent | None:
            events = (one for one in cluster.audit() if one.namespace == namespace and one.received >= begun)
            return next((one for one in events if one.succeeded and one.request and matches(one)), None)

        return (cluster.wait(found, 60, f"{what} of {heir} is in the audit log").answered - begun).total_seconds()

    return TakeOver(
        lease=first("the Lease", lambda event: held_by(event) == heir),
        journal=first("the journal", lambda event: led_by(event) == heir),
        evaluation=(at - begun).total_seconds(),
    )


def held_by(event: AuditEvent) -> str | None:
    """The holder that a write gives the Lease, empty where it releases it; None for every other request."""
    if event.resource != "leases" or event.name != NAME or event.request is None:
        return None
    return str((event.request.get("spec") or {}).get("holderIdentity") or "")


def led_by(event: AuditEvent) -> str | None:
    """The leader that a write of the journal names; None for every other request."""
    if event.resource != "configmaps" or event.name != f"{NAME}-journal" or event.request is None:
        return None
    text = (event.request.get("data") or {}).get("journal.json")
    return str(json.loads(text)["ledger"]["holder"]) if text else None
