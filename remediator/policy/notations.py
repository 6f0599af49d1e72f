"""How each value of the policy file is written: who reads it, and what its JSON Schema says.

A schema may be looser than the reader, which knows RE2, cron and time zones, and is never stricter. Its patterns are
read by several engines (Go's RE2 in Helm, JavaScript in editors), so that they hold nothing that those differ in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from remediator.model.hooks import Method, OnFailure, Scheme
from remediator.model.selectors import LabelSelector
from remediator.model.vocabulary import Action, Signal
from remediator.policy import windows, written
from remediator.policy.cron import EXAMPLE, LONGEST
from remediator.policy.durations import DAY, HOUR, MAX_SECONDS
from remediator.policy.policies import CountOrPercent, WorkloadMatch
from remediator.policy.thresholds import Threshold, parse_threshold

SENTENCE = "remediator_sentence"
"""The type of pydantic error that already holds our own sentence, under the same word in its context."""

_DURATION = {
    "type": "string",
    "pattern": r"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
    "minLength": 2,
    "examples": ["90s", "1h30m"],
}
_WHOLE_PERCENT = "^0*(100|[1-9][0-9]?) *%$"
_FIVE_FIELDS = r"^\s*([^\s@=?]+\s+){4}[^\s@=?]+\s*$"
_TIME = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
_THRESHOLD = r"^(\+?[0-9.]+([KMGTPE]i|[kMGTPE])|\s*[0-9.]+\s*%\s*of\s+(limit|request)\s*)$"


def ours(read: Callable[[object], Any]) -> Callable[[object], Any]:
    """Pass the sentence of a ValueError through pydantic unchanged."""

    def validate(value: object) -> Any:  # noqa: ANN401
        try:
            return read(value)
        except ValueError as exc:
            raise PydanticCustomError(SENTENCE, "{remediator_sentence}", {SENTENCE: str(exc)}) from exc

    return validate


def _read(read: Callable[[object], Any]) -> PlainValidator:
    return PlainValidator(ours(read))


def _integer(low: int, high: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "integer", "minimum": low, "maximum": high})


def _words(words: Iterable[StrEnum]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": [word.value for word in words]})


_FORCE = (
    "is a force deletion: Kubernetes forgets the pod before its processes have ended, and two of them may write at once"
)

Name = Annotated[str, _read(written.name), WithJsonSchema({"type": "string", "pattern": f"^{written.NAME}$"})]
Flag = Annotated[bool, _read(written.flag), WithJsonSchema({"type": "boolean"})]
Expression = Annotated[
    str, _read(written.pattern), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 1000})
]
Expressions = Annotated[
    tuple[Expression, ...],
    BeforeValidator(ours(written.one_or_more)),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1, "minLength": 1}),
]
Namespaces = Annotated[
    tuple[Expression, ...],
    BeforeValidator(ours(written.none_or_more)),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}, "minLength": 1}),
]
Workload = Annotated[
    WorkloadMatch,
    _read(written.workload),
    WithJsonSchema({"type": "string", "pattern": f"^{written.KIND}/.+$", "examples": ["Deployment/web"]}),
]
Selector = Annotated[
    LabelSelector,
    _read(written.selector),
    WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": written.LONGEST_SELECTOR, "examples": ["tier in (web, worker)"]}
    ),
]
Measured = Annotated[Signal, _read(written.signal), _words(Signal)]
MemoryThreshold = Annotated[
    Threshold,
    _read(parse_threshold),
    WithJsonSchema({"type": "string", "pattern": _THRESHOLD, "examples": ["20Gi", "90% of limit", "150% of request"]}),
]
WhatIsDone = Annotated[Action, _read(written.action), _words(Action)]
Fallback = Annotated[Action, _read(written.fallback), _words(written.FALLBACKS)]
Unavailable = Annotated[
    CountOrPercent,
    _read(written.count_or_percent),
    WithJsonSchema(
        {
            "type": ["integer", "string"],
            "minimum": 1,
            "maximum": written.MOST_PODS,
            "pattern": _WHOLE_PERCENT,
            "examples": [1, "25%"],
        }
    ),
]
Percent = Annotated[
    int, _read(written.percent), WithJsonSchema({"type": "string", "pattern": _WHOLE_PERCENT, "examples": ["50%"]})
]
Positive = Annotated[int, _read(written.duration(low=1, high=DAY)), WithJsonSchema(_DURATION)]
Pause = Annotated[int, _read(written.duration(low=0, high=DAY)), WithJsonSchema(_DURATION)]
Youth = Annotated[int, _read(written.duration(low=0, high=MAX_SECONDS)), WithJsonSchema(_DURATION)]
Age = Annotated[int, _read(written.duration(low=1, high=HOUR)), WithJsonSchema(_DURATION)]
Grace = Annotated[int, _read(written.duration(low=1, high=DAY, too_low=_FORCE)), WithJsonSchema(_DURATION)]
CronExpression = Annotated[
    str,
    _read(written.cron),
    WithJsonSchema({"type": "string", "pattern": _FIVE_FIELDS, "maxLength": LONGEST, "examples": [EXAMPLE]}),
]
TimeZone = Annotated[
    str, _read(written.timezone), WithJsonSchema({"type": "string", "minLength": 1, "examples": ["Europe/Berlin"]})
]
PromQL = Annotated[str, _read(written.promql), WithJsonSchema({"type": "string", "minLength": 1})]
HoldWhen = Annotated[
    tuple[PromQL, ...],
    BeforeValidator(ours(written.promqls)),
    WithJsonSchema(
        {"type": ["string", "array"], "items": {"type": "string"}, "maxItems": written.MOST_HOLDS, "minLength": 1}
    ),
]
Days = Annotated[
    frozenset[int],
    _read(windows.weekdays),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1, "minLength": 3}),
]
TimeOfDay = Annotated[
    int, _read(windows.time_of_day), WithJsonSchema({"type": "string", "pattern": _TIME, "examples": ["01:00"]})
]
Concurrency = Annotated[
    int,
    _read(written.whole_number(low=1, high=1000, instead_of_none="1 or more, or `paused: true`")),
    _integer(1, 1000),
]
Actions = Annotated[
    int,
    _read(written.whole_number(low=1, high=10_000, instead_of_none="1 or more, or `safety.paused: true`")),
    _integer(1, 10_000),
]
ActionsOfOne = Annotated[
    int,
    _read(written.whole_number(low=1, high=10_000, instead_of_none="1 or more, or `enabled: false`")),
    _integer(1, 10_000),
]
FailureMode = Annotated[OnFailure, _read(written.one_word(OnFailure)), _words(OnFailure)]
HttpMethod = Annotated[Method, _read(written.one_word(Method)), _words(Method)]
HttpScheme = Annotated[Scheme, _read(written.one_word(Scheme)), _words(Scheme)]
Port = Annotated[int, _read(written.port), _integer(1, 65535)]
Path = Annotated[
    str, _read(written.path), WithJsonSchema({"type": "string", "pattern": f"^{written.PATH}$", "examples": ["/drain"]})
]
Body = Annotated[tuple[bytes, str], _read(written.body), WithJsonSchema({"type": ["string", "object", "array"]})]
Text = Annotated[str, _read(written.text), WithJsonSchema({"type": "string"})]
CommandLine = Annotated[
    tuple[Text, ...],
    BeforeValidator(ours(written.command)),
    WithJsonSchema(
        {"type": "array", "items": {"type": "string"}, "minItems": 1, "examples": [["/bin/drain", "--now"]]}
    ),
]
