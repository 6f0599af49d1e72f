"""The fields of the policy file as pydantic models: their names, what each is for, and what goes together.

How a value is read is in ``notations.py``. The models hold only what was written: a field that was left out is
``None``, and what that means is decided in ``resolve.py``, where a policy and the file's ``defaults`` come together.
The texts are what an editor shows that knows the JSON Schema; policy.md says more.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from remediator.policy import notations as n
from remediator.policy import written
from remediator.policy.notations import ours

_ONE_PACE = {"if": {"required": ["every"]}, "then": {"properties": {"cron": False}}}
_GET_HAS_NO_BODY = {
    "if": {"required": ["method"], "properties": {"method": {"const": "GET"}}},
    "then": {"properties": {"body": False}},
}
_A_THRESHOLD_EACH = {
    "if": {"required": ["defaults"], "properties": {"defaults": {"required": ["threshold"]}}},
    "else": {"properties": {"policies": {"items": {"required": ["threshold"]}}}},
}


def _field(description: str, *, alias: str | None = None, **schema: Any) -> Any:  # noqa: ANN401
    """Make a field that may be left out; the keywords are for the schema alone, ``default`` among them."""
    return Field(default=None, alias=alias, description=description, json_schema_extra=schema)


def _closed(**schema: Any) -> ConfigDict:  # noqa: ANN401
    """Make the settings of a section; the keywords are rules of its JSON Schema."""
    return ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
        alias_generator=to_camel,
        json_schema_extra=schema,
    )


class Fields(BaseModel):
    """One section of the file: unknown keys are errors, nothing is converted silently."""

    model_config = _closed()

    @classmethod
    def key(cls, attribute: str) -> str:
        """Give the key that an attribute has in the file."""
        return cls.model_fields[attribute].alias or attribute


class MatchFields(Fields):
    """Which pods a policy is about; every part has to match, and a part left out matches everything."""

    namespaces: n.Expressions | None = _field(
        "Anchored RE2 expressions of namespaces; one has to match the whole name."
    )
    pods: n.Expressions | None = _field("Anchored RE2 expressions of pods' names.")
    containers: n.Expressions | None = _field(
        "Anchored RE2 expressions of the containers that are measured; whose pod it is does not change."
    )
    workload: n.Workload | None = _field(
        "Kind/name of the workload that owns the pod, the name an anchored RE2 expression: Deployment/web."
    )
    selector: n.Selector | None = _field("A label selector, as `kubectl -l` takes it.")


class PerWorkloadFields(Fields):
    """How many actions on one workload within any such time, counted in the journal."""

    actions: n.ActionsOfOne | None = _field("So many actions on one workload.", default=6)
    per: n.Positive | None = _field("Within any such time; at most a day.", default="6h")


class HttpFields(Fields):
    """A request to the pod's own address."""

    model_config = _closed(required=["port", "path"], **_GET_HAS_NO_BODY)

    port: n.Port | None = _field("The number of the port.")
    path: n.Path | None = _field("The path with its query, percent-encoded.")
    method: n.HttpMethod | None = _field("The method.", default="POST")
    scheme: n.HttpScheme | None = _field(
        "https checks no certificate: none is made for a pod's address.", default="http"
    )
    body: n.Body | None = _field("Text is sent as it is, a mapping or a list as JSON. No place for secrets.")


class ExecFields(Fields):
    """A command in a container of the pod; the daemon needs a right of its own for it."""

    model_config = _closed(required=["container", "command"])

    container: n.Name | None = _field("The container's name.")
    command: n.CommandLine | None = _field("The command and its arguments; no shell reads it.")


class HookFields(Fields):
    """What is called in the pod right before it goes: `http` or `exec`."""

    model_config = _closed(oneOf=[{"required": ["http"]}, {"required": ["exec"]}])

    http: HttpFields | None = _field("A request to the pod's own address.")
    exec: ExecFields | None = _field("A command in one of its containers; the daemon needs a right of its own for it.")
    timeout: n.Age | None = _field("For all of the call; at most 1h.", default="30s")
    on_failure: n.FailureMode | None = _field(
        "abort: the remediation is called off. continue: it is logged, and the pod goes all the same.", default="abort"
    )


class WindowFields(Fields):
    """When a policy may act."""

    model_config = _closed(required=["from", "to"])

    days: n.Days | None = _field("Weekdays by name: mon-fri, or a list; every day, where left out.")
    from_: n.TimeOfDay | None = _field('When it opens, in quotes: "22:00".', alias="from")
    to: n.TimeOfDay | None = _field(
        'When it closes; earlier than `from` it is on the next day. "24:00" is the day\'s end.'
    )
    timezone: n.TimeZone | None = _field("An IANA name such as Europe/Berlin; else the policy's `timezone`.")


Windows = Annotated[tuple[WindowFields, ...], BeforeValidator(ours(written.windows))]
Hooks = Annotated[tuple[HookFields, ...], BeforeValidator(ours(written.hooks))]


class DefaultFields(Fields):
    """What a policy may take from ``defaults``: every field but its name, match and signal."""

    model_config = _closed(**_ONE_PACE)

    threshold: n.MemoryThreshold | None = _field(
        "Over this it has to go. 20Gi: the sum of the pod's containers. 90% of limit, 150% of request: each container "
        "against its own."
    )
    emergency: n.MemoryThreshold | None = _field(
        "A second, higher threshold, that waits neither for windows nor for the cooldown, and runs no hooks."
    )
    for_seconds: n.Positive | None = _field(
        "How long it must be over, at every sample and without a hole; at least 3 sample intervals. "
        "By default the longer of 2m and 4 sample intervals.",
        alias="for",
    )
    max_sample_age: n.Age | None = _field(
        "A newest sample older than this is no data. By default 2 sample intervals and 15s."
    )
    every: n.Positive | None = _field("How often it is evaluated.", default="1m")
    cron: n.CronExpression | None = _field(
        "At which times it is evaluated, instead of `every`: minute, hour, day of month, month, weekday by name."
    )
    timezone: n.TimeZone | None = _field("Of `cron`, and of windows without one, by its IANA name.", default="UTC")
    jitter: n.Pause | None = _field("Puts evaluations off by up to this. By default 5s, or half of a shorter `every`.")
    windows: Windows | None = _field(
        "When it may act; outside of them a breach is told, and waits. Always, by default.", minItems=1
    )
    action: n.WhatIsDone | None = _field(
        "evict: the Eviction API, disruption budgets hold. surge: the new pod first, then the eviction. delete: a "
        "deletion that asks no disruption budget. notify: it is told, and the pod stays.",
        default="evict",
    )
    fallback: n.Fallback | None = _field("What `surge` does where it can't.", default="evict")
    max_unavailable: n.Unavailable | None = _field(
        "How many of the workload's pods may be missing once this one is gone: a number, or a percentage of those "
        "wanted, rounded down, at least 1.",
        default=1,
    )
    cooldown: n.Pause | None = _field("The pause between two pods of one workload.", default="10m")
    max_per_workload: PerWorkloadFields | None = _field("How many actions on one workload within how long.")
    min_age: n.Youth | None = _field("A pod whose youngest container is younger is left alone.", default="5m")
    ready_timeout: n.Positive | None = _field(
        "How long to wait for the replacement; after that the workload's breaker opens.", default="10m"
    )
    grace_period: n.Grace | None = _field("Of the eviction or deletion, at least 1s; by default the pod's own.")
    before: Hooks | None = _field(
        "Hooks: what is called in the pod before it goes, in order.", maxItems=written.MOST_HOOKS
    )
    dry_run: n.Flag | None = _field(
        "Everything up to the request, and that as a dry run of the API server. The pod stays.", default=False
    )
    enabled: n.Flag | None = _field("A disabled policy is not evaluated, and still owns its pods.", default=True)


class PolicyFields(DefaultFields):
    """One policy: which pods, when they are over, and what is done then."""

    model_config = _closed(required=["name"], **_ONE_PACE)

    name: n.Name | None = _field("Small letters, digits and inner hyphens, 63 at most; a metric label.")
    match: MatchFields | None = _field("Which pods; everything, where left out.")
    signal: n.Measured | None = _field(
        "What is measured: working_set (with page cache in use), rss (anonymous memory alone), usage (with all page "
        "cache).",
        default="working_set",
    )


class NamespaceFields(Fields):
    """Namespaces that are never touched."""

    exclude: n.Namespaces | None = _field(
        "Anchored RE2 expressions; a written list replaces the default. The daemon's own namespace is always excluded.",
        default=["kube-system", "kube-public", "kube-node-lease"],
    )


class BudgetFields(Fields):
    """How many actions within any such time, in the whole cluster."""

    actions: n.Actions | None = _field("So many actions in the whole cluster.", default=20)
    per: n.Positive | None = _field("Within any such time; at most a day.", default="1h")


class SafetyFields(Fields):
    """What holds for all policies together."""

    namespaces: NamespaceFields | None = _field("Namespaces that are never touched.")
    max_concurrent: n.Concurrency | None = _field("Remediations in flight, in the whole cluster.", default=3)
    budget: BudgetFields | None = _field("How many actions within how long, in the whole cluster.")
    max_breaching: n.Percent | None = _field(
        "More breaching pods than this share of the measured ones, of more than 20 workloads: none is taken.",
        default="50%",
    )
    hold_when: n.HoldWhen | None = _field(
        "PromQL expressions: while one gives any series, or can't be asked, nothing is taken."
    )
    paused: n.Flag | None = _field(
        "The kill switch: everything is measured, judged and told, and nothing is taken.", default=False
    )
    annotations: n.Flag | None = _field(
        "Lets workloads hold us back by annotations of their own, remediator.dev/threshold, for and action.",
        default=False,
    )
    foreign_marks: n.Flag | None = _field(
        "Honours what pods and workloads say to other tools that evict, such as cluster-autoscaler and Karpenter.",
        default=True,
    )


class FileFields(Fields):
    """Which pods remediator takes away, when, and what keeps it from doing so."""

    model_config = _closed(required=["policies"], **_A_THRESHOLD_EACH)

    defaults: DefaultFields | None = _field("Fields that policies take unless they write their own.")
    safety: SafetyFields | None = _field("What holds for all policies together.")
    policies: tuple[PolicyFields, ...] | None = _field(
        "A pod belongs to the first policy, in the order of the file, that matches it, and to no other.", minItems=1
    )
