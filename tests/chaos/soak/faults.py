"""What goes wrong in a soak: each begins at once, and gives after how many seconds it ends, and how."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from random import Random

from tests.chaos.soak.stage import LEASES, THRESHOLDS, Mode, Stage
from tests.rig.proxy import Cut, Edited, Fault, Request, Respond

End = Callable[[], None]
Begin = Callable[[Stage, Random], tuple[float, End]]
LEASE = 20
"""Seconds that the rig's daemons hold the lease for."""
_WRITES = frozenset({"POST", "PUT", "DELETE", "PATCH"})


def killed(stage: Stage, random: Random) -> tuple[float, End]:
    """SIGKILL to the leader, which comes back after a while."""
    return _ended(stage, random, signal.SIGKILL)


def stopped(stage: Stage, random: Random) -> tuple[float, End]:
    """SIGTERM to the leader, which comes back after a while."""
    return _ended(stage, random, signal.SIGTERM)


def frozen(stage: Stage, random: Random) -> tuple[float, End]:
    """SIGSTOP to the leader; continued before its lease ends, or after another one has taken over."""
    place = stage.leader()
    if place is None:
        return 0.0, _nothing
    stage.down.add(place)
    stage.daemons[place].signal(signal.SIGSTOP)

    def end() -> None:
        stage.daemons[place].signal(signal.SIGCONT)
        stage.down.discard(place)

    return random.choice([random.uniform(1, 8), random.uniform(LEASE, LEASE + 10)]), end


def unsent(stage: Stage, random: Random) -> tuple[float, End]:
    """Every other write is lost before the API server has seen it."""
    return _mode(stage, "api", random, _sometimes(random, Cut(forwarded=False), methods=_WRITES))


def unanswered(stage: Stage, random: Random) -> tuple[float, End]:
    """Every other write is carried out, and its answer is lost."""
    return _mode(stage, "api", random, _sometimes(random, Cut(forwarded=True), methods=_WRITES))


def overloaded(stage: Stage, random: Random) -> tuple[float, End]:
    """Flow control refuses every other request."""
    busy = Respond(random.choice([429, 503]), b'{"kind": "Status", "message": "busy"}', {"Retry-After": "1"})
    return _mode(stage, "api", random, _sometimes(random, busy))


def slow(stage: Stage, random: Random) -> tuple[float, End]:
    """Every request to the API server takes up to a second more."""

    def wait(_request: Request) -> None:
        time.sleep(random.uniform(0, 1))

    return _mode(stage, "api", random, wait)


def expired(stage: Stage, random: Random) -> tuple[float, End]:
    """Watches are told that their version is too old, at their first event, and refused with 410."""
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
    event = json.dumps({"type": "ERROR", "object": status}).encode()

    faults: list[Fault] = [Respond(410, json.dumps(status).encode()), Edited(lambda _line: [event])]

    def expire(request: Request) -> Fault | None:
        return random.choice(faults) if is_watch(request) else None

    return _mode(stage, "api", random, expire)


def unwatched(stage: Stage, random: Random) -> tuple[float, End]:
    """Watches begun now see nothing at all."""

    def swallow(request: Request) -> Fault | None:
        return Edited(lambda _line: []) if is_watch(request) else None

    return _mode(stage, "api", random, swallow)


def blind(stage: Stage, random: Random) -> tuple[float, End]:
    """Prometheus is away."""
    return _mode(stage, "prometheus", random, _sometimes(random, Cut(forwarded=False), share=1.0))


def stolen(stage: Stage, random: Random) -> tuple[float, End]:
    """Somebody else's name is in the Lease, for some seconds; nobody renews it."""
    spec = {"holderIdentity": f"thief-{random.randrange(1000)}", "leaseDurationSeconds": random.randint(2, 8)}
    if stage.lease():
        stage.cluster.api.patch(LEASES, stage.home, "remediator", {"spec": spec})
    return 0.0, _nothing


def unleased(stage: Stage, random: Random) -> tuple[float, End]:
    """The Lease is deleted."""
    del random
    if stage.lease():
        stage.cluster.api.delete(LEASES, stage.home, "remediator")
    return 0.0, _nothing


def rewritten(stage: Stage, random: Random) -> tuple[float, End]:
    """The policy file is swapped for another one, or for nonsense first."""
    wanted = stage.policy(random.choice(THRESHOLDS))
    broken = random.random() < 0.5
    stage.write_policy("policies: [" if broken else wanted)
    return random.uniform(1, 4), (lambda: stage.write_policy(wanted)) if broken else _nothing


FAULTS: tuple[Begin, ...] = (
    killed,
    stopped,
    frozen,
    unsent,
    unanswered,
    overloaded,
    slow,
    expired,
    unwatched,
    blind,
    stolen,
    unleased,
    rewritten,
)


def is_watch(request: Request) -> bool:
    """Whether it is a watch, with a selector or without."""
    return request.method == "GET" and "watch=1" in request.path


def _nothing() -> None:
    """It is over already."""


def _ended(stage: Stage, random: Random, number: signal.Signals) -> tuple[float, End]:
    place = stage.leader()
    if place is None:
        return 0.0, _nothing
    daemon = stage.daemons[place]
    stage.down.add(place)
    daemon.signal(number)

    def end() -> None:
        daemon.wait()
        daemon.start()
        stage.down.discard(place)

    return random.uniform(0, 5), end


def _mode(stage: Stage, of: str, random: Random, mode: Mode) -> tuple[float, End]:
    stage.modes[of].append(mode)
    return random.uniform(1, 6), lambda: stage.modes[of].remove(mode)


def _sometimes(
    random: Random, fault: Fault, *, share: float = 0.5, methods: frozenset[str] = _WRITES | {"GET"}
) -> Mode:
    def mode(request: Request) -> Fault | None:
        return fault if request.method in methods and random.random() < share else None

    return mode
