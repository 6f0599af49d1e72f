"""The fields of the policy file as pydantic models: their names, how each is read, and their JSON Schema.

The models hold only what was written: a field that was left out is ``None``, and what that means is decided
in ``resolve.py``, where a policy and the file's ``defaults`` come together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from remediator.model.selectors import LabelSelector
from remediator.model.vocabulary import Action, Signal
from remediator.policy import written
from remediator.policy.cron import EXAMPLE, LONGEST
from remediator.policy.durations import DAY, HOUR, MAX_SECONDS
from remediator.policy.policies import CountOrPercent, WorkloadMatch
from remediator.policy.thresholds import Threshold, parse_threshold
from remediator.policy.unsupported import ACTIONS

SENTENCE = "remediator_sentence"
"""The type of pydantic error that already holds our own sentence, under the same word in its context."""

_DURATION = {"type": "string", "pattern": r"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$", "minLength": 2}
_WHOLE_PERCENT = "^(100|[1-9][0-9]?)%$"
_FIVE_FIELDS = r"^\s*([^\s@=?]+\s+){4}[^\s@=?]+\s*$"
_THRESHOLD = r"^\s*\+?[0-9.]+\s*([KMGTPE]i|[kMGTPE]|%\s*of\s+(limit|request))\s*$"


def _ours(read: Callable[[object], Any]) -> Callable[[object], Any]:
    """Pass the sentence of a ValueError through pydantic unchanged."""

    def validate(value: object) -> Any:  # noqa: ANN401
        try:
            return read(value)
        except ValueError as exc:
            raise PydanticCustomError(SENTENCE, "{remediator_sentence}", {SENTENCE: str(exc)}) from exc

    return validate


def _read(read: Callable[[object], Any]) -> PlainValidator:
    return PlainValidator(_ours(read))


def _integer(low: int, high: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "integer", "minimum": low, "maximum": high})


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
    BeforeValidator(_ours(written.one_or_more)),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1, "minLength": 1}),
]
Namespaces = Annotated[
    tuple[Expression, ...],
    BeforeValidator(_ours(written.none_or_more)),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}, "minLength": 1}),
]
Workload = Annotated[
    WorkloadMatch, _read(written.workload), WithJsonSchema({"type": "string", "pattern": "^[A-Z][A-Za-z0-9]*/.+$"})
]
Selector = Annotated[LabelSelector, _read(written.selector), WithJsonSchema({"type": "string", "minLength": 1})]
Measured = Annotated[Signal, _read(written.signal), WithJsonSchema({"enum": [signal.value for signal in Signal]})]
MemoryThreshold = Annotated[
    Threshold,
    _read(parse_threshold),
    WithJsonSchema({"type": "string", "pattern": _THRESHOLD, "examples": ["20Gi", "90% of limit", "150% of request"]}),
]
WhatIsDone = Annotated[
    Action,
    _read(written.action),
    WithJsonSchema({"enum": [action.value for action in Action if action not in ACTIONS]}),
]
Unavailable = Annotated[
    CountOrPercent,
    _read(written.count_or_percent),
    WithJsonSchema({"type": ["integer", "string"], "minimum": 1, "pattern": _WHOLE_PERCENT}),
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


class Fields(BaseModel):
    """One section of the file: unknown keys are errors, nothing is converted silently."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True, alias_generator=to_camel
    )

    @classmethod
    def key(cls, attribute: str) -> str:
        """Give the key that an attribute has in the file."""
        return cls.model_fields[attribute].alias or attribute


class MatchFields(Fields):
    """Which pods a policy is about."""

    namespaces: Expressions | None = None
    pods: Expressions | None = None
    containers: Expressions | None = None
    workload: Workload | None = None
    selector: Selector | None = None


class PerWorkloadFields(Fields):
    """How many actions on one workload within how long."""

    actions: ActionsOfOne | None = None
    per: Positive | None = None


class DefaultFields(Fields):
    """What a policy may take from ``defaults``: every field but its name, match and signal."""

    threshold: MemoryThreshold | None = None
    for_seconds: Positive | None = Field(default=None, alias="for")
    max_sample_age: Age | None = None
    every: Positive | None = None
    cron: CronExpression | None = None
    timezone: TimeZone | None = None
    jitter: Pause | None = None
    action: WhatIsDone | None = None
    max_unavailable: Unavailable | None = None
    cooldown: Pause | None = None
    max_per_workload: PerWorkloadFields | None = None
    min_age: Youth | None = None
    ready_timeout: Positive | None = None
    grace_period: Grace | None = None
    dry_run: Flag | None = None
    enabled: Flag | None = None


class PolicyFields(DefaultFields):
    """One policy."""

    name: Name | None = None
    match: MatchFields | None = None
    signal: Measured | None = None


class NamespaceFields(Fields):
    """Namespaces that are never touched."""

    exclude: Namespaces | None = None


class BudgetFields(Fields):
    """How many actions within how long."""

    actions: Actions | None = None
    per: Positive | None = None


class SafetyFields(Fields):
    """What holds for all policies together."""

    namespaces: NamespaceFields | None = None
    max_concurrent: Concurrency | None = None
    budget: BudgetFields | None = None
    max_breaching: Percent | None = None
    paused: Flag | None = None
    annotations: Flag | None = None
    foreign_marks: Flag | None = None


class FileFields(Fields):
    """The whole file."""

    defaults: DefaultFields | None = None
    safety: SafetyFields | None = None
    policies: tuple[PolicyFields, ...] | None = None
