"""How one value of the policy file is read: each function takes what YAML gave and gives what we work with.

All raise ValueError with one sentence for a person, so that pydantic's own words never reach anybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from remediator.model.selectors import LabelSelector
from remediator.model.vocabulary import Action, Signal
from remediator.policy.cron import EXAMPLE, Cron, zone
from remediator.policy.durations import format_duration, parse_duration
from remediator.policy.patterns import Pattern
from remediator.policy.policies import CountOrPercent, WorkloadMatch
from remediator.policy.thresholds import FULL
from remediator.policy.unsupported import ACTIONS, QUERY, not_yet
from remediator.policy.words import describe, nearest, one_of, quote

NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
"""A DNS label (RFC 1123): the name becomes a metric label and part of log fields."""

_NAME = re.compile(NAME)
_KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
_PERCENT = re.compile(r"([0-9]{1,9})\s*%")
_YES_OR_NO = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
_LONGEST_SELECTOR = 2000
_NOT_OWNERS = {
    "pod": "a pod is not a workload; write match.pods instead",
    "cronjob": "the workload of a CronJob's pods is their Job; write Job/{name}-.*",
    "namespace": "a namespace is not a workload; write match.namespaces instead",
}
_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Rollout")


def text(value: object) -> str:
    """Read text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        message = f"this is {describe(value)} and must be one line of text"
    else:
        message = f'{describe(value)} must be text; write "{describe(value)}" in quotes'
    raise ValueError(message)


def name(value: object) -> str:
    """Read a policy's name."""
    written = text(value)
    if _NAME.fullmatch(written):
        return written
    better = re.sub(r"[^a-z0-9]+", "-", written.lower()[:63]).strip("-") or "iot-server"
    message = f"{quote(written)} is not a name of 1 to 63 small letters, digits and inner hyphens; write {better}"
    raise ValueError(message)


def flag(value: object) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    meant = _YES_OR_NO.get(str(value).strip().lower())
    better = f"{meant} without quotes" if str(value) == meant else meant or "true or false"
    message = f"{describe(value)} is neither true nor false; write {better}"
    raise ValueError(message)


def whole_number(*, low: int, high: int, instead_of_none: str) -> Callable[[object], int]:
    """Make a reader of whole numbers; ``instead_of_none`` says what to write where somebody wrote 0."""

    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        if isinstance(value, str) and value.isdecimal() and low <= int(value[:19]) <= high:
            message = f"{quote(value)} is text; write {int(value)} without quotes"
        elif value == 0 and low > 0 and not isinstance(value, bool):
            message = f"0 would forbid every action; write {instead_of_none}"
        else:
            message = f"{describe(value)} is not a whole number from {low} to {high}; write such as {max(low, 3)}"
        raise ValueError(message)

    return read


def duration(*, low: int, high: int, too_low: str = "") -> Callable[[object], int]:
    """Make a reader of durations from ``low`` to ``high`` seconds; ``too_low`` says what less would mean."""

    def read(value: object) -> int:
        if isinstance(value, bool | float | list | dict):
            message = f"{describe(value)} is not a duration; write such as 90s, 2m, 1h30m or 1d"
            raise ValueError(message)  # noqa: TRY004  (a person wrote it, not a programmer)
        # "0 has no unit" would hide what is wrong with a gracePeriod of 0.
        seconds = 0 if low and str(value) == "0" else parse_duration(str(value))
        if seconds < low:
            message = f"{describe(value)} {too_low or 'is too short'}; write {format_duration(low)} or more"
            raise ValueError(message)
        if seconds > high:
            message = f"{describe(value)} is too long; write {format_duration(high)} or less"
            raise ValueError(message)
        return seconds

    return read


def cron(value: object) -> str:
    """Read when to look, as five fields, and give it as it was written."""
    if isinstance(value, str):
        return Cron(value).text
    message = f"{describe(value)} is not a cron expression; write such as {EXAMPLE}"
    raise ValueError(message)


def timezone(value: object) -> str:
    """Read the name of a time zone."""
    return zone(text(value)).key


def pattern(value: object) -> str:
    """Read an anchored RE2 expression, and give it as it was written."""
    return Pattern(text(value)).text


def one_or_more(value: object) -> object:
    """Read one value as a list of one, and refuse a list of none, which could mean nothing or everything."""
    if value == []:
        message = "an empty list would match nothing; remove the line to match everything"
        raise ValueError(message)
    return none_or_more(value)


def none_or_more(value: object) -> object:
    """Read one value as a list of one."""
    if isinstance(value, dict):
        message = "this is a mapping and must be a list; write such as [team-a, team-b]"
        raise ValueError(message)  # noqa: TRY004  (a person wrote it, not a programmer)
    return tuple(value) if isinstance(value, list) else (value,)


def workload(value: object) -> WorkloadMatch:
    """Read ``Kind/name``."""
    written = text(value)
    kind, slash, expression = written.partition("/")
    if not slash or not expression:
        example = f"Deployment/{expression or kind or 'iot-server'}" if not slash else f"{kind or 'Deployment'}/.*"
        message = f"{quote(written)} is not Kind/name; write {example}"
        raise ValueError(message)
    if instead := _NOT_OWNERS.get(kind.lower()):
        message = f"{quote(written)} matches no pod: {instead.format(name=expression)}"
        raise ValueError(message)
    if not _KIND.fullmatch(kind):
        better = nearest(kind.removesuffix("s"), _KINDS) or "Deployment"
        message = f"{quote(kind)} is not a kind as Kubernetes writes it; write {better}/{expression}"
        raise ValueError(message)
    return WorkloadMatch(kind, pattern(expression))


def selector(value: object) -> LabelSelector:
    """Read a label selector as ``kubectl -l`` takes it."""
    if isinstance(value, dict | list):
        message = f'this is {describe(value)} and must be text; write such as "tier in (web, worker)"'
        raise ValueError(message)  # noqa: TRY004  (a person wrote it, not a programmer)
    written = text(value)
    if not written.strip():
        message = "an empty selector selects every pod; remove the line if that is meant"
        raise ValueError(message)
    if len(written) > _LONGEST_SELECTOR:
        message = f"a selector has {_LONGEST_SELECTOR} characters at most; write a simpler one, or several policies"
        raise ValueError(message)
    return LabelSelector.parse(written)


def signal(value: object) -> Signal:
    """Read which of a container's numbers is measured."""
    if isinstance(value, str) and value in {str(signal) for signal in Signal}:
        return Signal(value)
    guess = nearest(str(value).strip().lower().replace("-", "_"), Signal) if isinstance(value, str) else None
    what = not_yet(QUERY) if isinstance(value, dict) else f"{describe(value)} is not a signal"
    message = f"{what}; write {guess or one_of(Signal)}"
    raise ValueError(message)


def action(value: object) -> Action:
    """Read what is done about a pod that is over."""
    built = [action for action in Action if action not in ACTIONS]
    if isinstance(value, str) and value in ACTIONS:
        what = not_yet(f"the action {value}")
    elif isinstance(value, str) and value in built:
        return Action(value)
    else:
        what = f"{describe(value)} is not an action"
    message = f"{what}; write {one_of(built)}"
    raise ValueError(message)


def percent(value: object) -> int:
    """Read ``50%``: a whole percentage."""
    matched = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if matched and 1 <= int(matched[1]) <= FULL:
        return int(matched[1])
    if matched:
        message = f"{describe(value)} is not from 1% to 100%; write such as 50%"
    elif isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= FULL:
        message = f"{value} has no unit; write {value}%"
    else:
        message = f"{describe(value)} is not a whole percentage; write such as 50%"
    raise ValueError(message)


def count_or_percent(value: object) -> CountOrPercent:
    """Read ``2`` or ``25%``."""
    matched = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if matched and 1 <= int(matched[1]) <= FULL:
        return CountOrPercent(int(matched[1]), is_percent=True)
    if matched:
        message = f"{describe(value)} is not from 1% to 100%; write such as 25%"
        raise ValueError(message)
    if isinstance(value, str) and not value.isdecimal():
        message = f"{describe(value)} is neither a number of pods nor a percentage; write such as 1 or 25%"
        raise ValueError(message)
    reader = whole_number(low=1, high=10_000, instead_of_none="1, or `enabled: false`")
    return CountOrPercent(reader(value))
