"""What ``check`` finds: each finding says what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class Level(StrEnum):
    """Whether something is to fix, or only to be known."""

    PROBLEM = "problem"
    WARNING = "warning"


class Kind(StrEnum):
    """What a finding is about: a closed set, for those who filter."""

    POLICY_FILE = "policy-file"
    NEVER_REACHED = "never-reached"
    PAST_BUDGETS = "past-budgets"
    EXEC_HOOKS = "exec-hooks"
    WINDOWS_MISSED = "windows-missed"
    NO_METRIC = "no-metric"
    EMPTY_SELECTION = "empty-selection"
    STALE = "stale"
    LATE_SAMPLES = "late-samples"
    SAMPLE_INTERVAL = "sample-interval"
    FOR_TOO_SHORT = "for-too-short"
    NOT_IDENTIFIABLE = "not-identifiable"
    SEVERAL_CLUSTERS = "several-clusters"
    COUNTED_TWICE = "counted-twice"
    LIMITS_LABELS = "limits-labels"
    LIMITS_MISSING = "limits-missing"
    NO_LIMIT = "no-limit"
    NOT_ALL_MEASURED = "not-all-measured"
    ONLY_REPLICA = "only-replica"
    HOLDS_NOW = "holds-now"
    UNKNOWN_ALERT = "unknown-alert"
    BUDGET_NEVER_ALLOWS = "budget-never-allows"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to fix or to know. ``policies`` are the names of those that it bears on; none means all of them."""

    kind: Kind
    level: Level
    where: str
    what: str
    fix: str
    policies: tuple[str, ...] = ()


def problem(kind: Kind, *, where: str, what: str, fix: str, policies: Sequence[str] = ()) -> Finding:
    """Something that keeps a policy from working as it is written."""
    return Finding(kind, Level.PROBLEM, where, what, fix, tuple(policies))


def warning(kind: Kind, *, where: str, what: str, fix: str, policies: Sequence[str] = ()) -> Finding:
    """Something that works, and that one should know before a policy is armed."""
    return Finding(kind, Level.WARNING, where, what, fix, tuple(policies))


def merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once, with all the policies that it was made for; problems first, else in order."""
    found: dict[Finding, tuple[str, ...]] = {}
    for one in findings:
        key = replace(one, policies=())
        found[key] = tuple(dict.fromkeys((*found.get(key, ()), *one.policies)))
    whole = [replace(one, policies=policies) for one, policies in found.items()]
    return tuple(sorted(whole, key=lambda one: one.level is Level.WARNING))


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: ``1 pod``, ``1,234 pods``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: Sequence[str], *, most: int = 3) -> str:
    """Some names for a sentence, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown
