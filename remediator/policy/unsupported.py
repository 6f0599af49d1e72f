"""What the policy's specification has and this version does not build: the one list of it.

Each is refused by name. Ignoring ``forecast`` would be late although somebody wrote to be early, and calling it
an unknown key would send them looking for a slip of the pen. To lift an entry, remove its word here and add
its field.
"""

from __future__ import annotations

from collections.abc import Mapping

POLICY_FIELDS = frozenset({"forecast"})
QUERY = "a query of one's own as signal"
PLAIN_NUMBER = "a plain number as threshold"

FIELDS: Mapping[str, frozenset[str]] = {"defaults": POLICY_FIELDS, "policies": POLICY_FIELDS}
"""By section of the file."""


def not_yet(what: str) -> str:
    """Say that something is not supported by this version."""
    return f"{what} is not supported by this version of remediator yet"
