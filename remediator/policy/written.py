"""How one value of the policy file is read: each function takes what YAML gave and gives what we work with.

All raise ValueError with one sentence for a person, so that pydantic's own words never reach anybody.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

from remediator.model.selectors import LabelSelector
from remediator.model.vocabulary import Action, Signal
from remediator.policy.cron import EXAMPLE, Cron
from remediator.policy.durations import format_duration, parse_duration
from remediator.policy.expressions import parse_expression
from remediator.policy.patterns import Pattern
from remediator.policy.policies import CountOrPercent, WorkloadMatch
from remediator.policy.thresholds import FULL
from remediator.policy.unsupported import QUERY, not_yet
from remediator.policy.windows import EXAMPLE as WINDOW
from remediator.policy.words import describe, nearest, one_of, quote
from remediator.policy.zones import zone

NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
"""A DNS label (RFC 1123): the name becomes a metric label and part of log fields."""

MOST_HOLDS = 20
"""Expressions of ``holdWhen``: each is a value of a metric label, and one more question at each evaluation."""

KIND = r"[A-Z][A-Za-z0-9]{0,62}"
"""As the API spells it."""

PATH = '/[!-"$-~]{0,999}'
"""Of a request, with its query: visible ASCII without a fragment."""

LONGEST_SELECTOR = 2000
"""Characters."""

MOST_HOOKS = 10
MOST_PODS = 10_000
"""Of ``maxUnavailable``, as a number."""

_NAME = re.compile(NAME)
_KIND = re.compile(KIND)
_PERCENT = re.compile(r"([0-9]{1,9}) *%")
_YES_OR_NO = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
_PATH = re.compile(PATH)
_LONGEST_COMMAND, _LONGEST_BODY = 10_000, 10_000
_PORTS = range(1, 1 << 16)
FALLBACKS = (Action.EVICT, Action.NOTIFY)
"""What a surge may do where it can't; not a deletion, which asks no disruption budget."""
_NOT_OWNERS = {
    "pod": "a pod is not a workload; write match.pods instead",
    "cronjob": "the workload of a CronJob's pods is their Job; write Job/{name}-.*",
    "namespace": "a namespace is not a workload; write match.namespaces instead",
}
_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Rollout")

Word = TypeVar("Word", bound=StrEnum)


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


def windows(value: object) -> object:
    """Read a list of windows, each of which is read by itself; one of none could mean never or always."""
    if isinstance(value, list) and value:
        return tuple(value)
    what = "an empty list would never open" if value == [] else f"{describe(value)} is not a list of windows"
    message = f"{what}; write such as [{WINDOW}], or from 00:00 to 24:00 for always"
    raise ValueError(message)


def promql(value: object) -> str:
    """Read a PromQL expression, and give it as it was written."""
    return parse_expression(text(value))


def promqls(value: object) -> object:
    """Read one expression as a list of one."""
    if isinstance(value, dict):
        message = "this is a mapping and must be a list of PromQL expressions; begin each of them with `- `"
        raise ValueError(message)  # noqa: TRY004  (a person wrote it, not a programmer)
    if isinstance(value, list) and len(value) > MOST_HOLDS:
        message = f"{len(value)} expressions, each of which is asked at every evaluation; write {MOST_HOLDS} at most"
        raise ValueError(message)
    return none_or_more(value)


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
    if len(written) > LONGEST_SELECTOR:
        message = f"a selector has {LONGEST_SELECTOR} characters at most; write a simpler one, or several policies"
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
    if isinstance(value, str) and value in list(Action):
        return Action(value)
    message = f"{describe(value)} is not an action; write {one_of(Action)}"
    raise ValueError(message)


def fallback(value: object) -> Action:
    """Read what a surge does where it can't."""
    if isinstance(value, str) and value in FALLBACKS:
        return Action(value)
    message = f"{describe(value)} is not what a surge can do instead; write {one_of(FALLBACKS)}"
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
    reader = whole_number(low=1, high=MOST_PODS, instead_of_none="1, or `enabled: false`")
    return CountOrPercent(reader(value))


def one_word(words: type[Word]) -> Callable[[object], Word]:
    """Make a reader of one word of a closed set."""

    def read(value: object) -> Word:
        if isinstance(value, str) and value in {str(word) for word in words}:
            return words(value)
        guess = nearest(value.strip(), words) if isinstance(value, str) else None
        message = f"{describe(value)} is not known here; write {guess or one_of(words)}"
        raise ValueError(message)

    return read


def hooks(value: object) -> object:
    """Read a list of hooks; an empty one means none, whatever the defaults have."""
    if not isinstance(value, list):
        message = f"this is {describe(value)} and must be a list; begin each hook with `- http: ` or `- exec: `"
        raise ValueError(message)  # noqa: TRY004  (a person wrote it, not a programmer)
    if len(value) > MOST_HOOKS:
        message = f"{len(value)} hooks are too many; write {MOST_HOOKS} at most, or one that does what they do"
        raise ValueError(message)
    return tuple(value)


def port(value: object) -> int:
    """Read the number of a port."""
    if isinstance(value, int) and not isinstance(value, bool) and value in _PORTS:
        return value
    if isinstance(value, str) and value.isdecimal() and int(value[:9]) in _PORTS:
        message = f"{quote(value)} is text; write {int(value)} without quotes"
    elif isinstance(value, str):
        message = f"{quote(value)} is not the number of a port; write such as 8080"
    else:
        message = f"{describe(value)} is not a port from 1 to 65535; write such as 8080"
    raise ValueError(message)


def path(value: object) -> str:
    """Read the path of a request, with its query."""
    written = text(value)
    if _PATH.fullmatch(written):
        return written
    if not written.startswith("/"):
        better = f"/{written}" if _PATH.fullmatch(f"/{written}") and "://" not in written else "such as /drain"
        message = f"{quote(written)} does not begin with a slash; write {better}"
    else:
        message = f"{quote(written)} is too long, or has a space, a # or what is not ASCII in it; write that as %20"
    raise ValueError(message)


def body(value: object) -> tuple[bytes, str]:
    """Read what is sent, and as what: text as it is, a mapping or a list as JSON."""
    as_json = isinstance(value, dict | list)
    kind = "application/json" if as_json else "text/plain; charset=utf-8"
    written = "" if as_json else text(value)
    try:
        content = (json.dumps(value, allow_nan=False) if as_json else written).encode()
    except ValueError as exc:
        message = "this can't be sent, because a number or a character in it has no standard form; write another one"
        raise ValueError(message) from exc
    if len(content) > _LONGEST_BODY:
        message = f"this has more than {_LONGEST_BODY:,} bytes; write a shorter one"
        raise ValueError(message)
    return content, kind


def command(value: object) -> object:
    """Read a command and its arguments."""
    if isinstance(value, str):
        try:
            parts = shlex.split(value)
        except ValueError:
            parts = []
        message = f"{quote(value)} is text and no shell reads it; write [{', '.join(parts or ['/bin/drain', '--now'])}]"
        raise ValueError(message)  # noqa: TRY004  (a person wrote it, not a programmer)
    if not isinstance(value, list) or not value:
        what = "an empty list" if value == [] else describe(value)
        message = f"{what} is no command; write such as [/bin/drain, --now]"
        raise ValueError(message)
    if sum(len(part) for part in value if isinstance(part, str)) > _LONGEST_COMMAND:
        message = f"this has more than {_LONGEST_COMMAND:,} characters; put a script into the image, and name that"
        raise ValueError(message)
    return tuple(value)
