"""The worlds that are explored, and the rules that are left out to see that the model can fail."""

from __future__ import annotations

from tests.model.protocol import Protocol
from tests.model.world import Rules, Size, Stamp

SMALL = {
    "deployment": Protocol(Size(faults=1)),
    "statefulset": Protocol(Size(faults=1, named=True)),
    "more faults": Protocol(Size(faults=2, records=1)),
    "others take pods": Protocol(Size(faults=2, records=1, foreign=True)),
    "two at a time": Protocol(Size(pods=3, faults=0, max_unavailable=2)),
}
"""Explored by every run of all tests."""

BIG = {
    "deployment": Protocol(Size(faults=3)),
    "statefulset": Protocol(Size(faults=2, named=True)),
    "more faults": Protocol(Size(faults=4, records=1)),
    "others take pods": Protocol(Size(faults=2, foreign=True)),
    "two at a time": Protocol(Size(pods=3, faults=1, max_unavailable=2)),
    "three records": Protocol(Size(faults=1, records=3, budget=3)),
    "frozen for long, stamped": Protocol(Size(faults=3, records=1, punctual=False), Rules(stamp=Stamp.TWICE)),
}
"""Explored by ``make model``."""

MUTANTS = {
    "preconditions": (Protocol(Size(named=True), Rules(uid=False, version=False)), "I7"),
    "conditional-writes": (Protocol(Size(), Rules(conditional=False)), "I7"),
    "waiting": (Protocol(Size(), Rules(waits=False)), "I5"),
    "acts": (Protocol(Size(), Rules(act_stays=False)), "I5"),
    "intent-first": (Protocol(Size(), Rules(intent_first=False)), "I5"),
    "one-record-each": (Protocol(Size(daemons=1, pods=3, max_unavailable=2, faults=0), Rules(one_each=False)), "I3"),
    "sparing": (
        Protocol(Size(daemons=1, pods=3, max_unavailable=2, faults=0), Rules(spares_replacements=False)),
        "progress",
    ),
    "patience": (Protocol(Size(records=1), Rules(stamp=Stamp.AT_ONCE)), "I5"),
    "stamps": (Protocol(Size(punctual=False)), "I5"),
}
"""The machine without a rule, at a size at which it is missed, and the invariant that is broken."""
