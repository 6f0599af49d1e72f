"""From what was written to what holds: a policy, the file's ``defaults`` and our own come together here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, cast

from remediator.model.vocabulary import Action, Signal
from remediator.policy import hooks
from remediator.policy.cron import Cron
from remediator.policy.durations import HOUR, format_duration
from remediator.policy.fields import DefaultFields, MatchFields, PolicyFields, SafetyFields, WindowFields
from remediator.policy.nodes import Mapping, Place, locate
from remediator.policy.policies import Budget, CountOrPercent, Match, Policy, Safety
from remediator.policy.sections import Problems, Section
from remediator.policy.thresholds import Threshold, height
from remediator.policy.weekdays import DAYS
from remediator.policy.windows import DAY, EXAMPLE, Window

EVERY = 60
JITTER = 5
TIMEZONE = "UTC"
FOR = 120
COOLDOWN = 600
MAX_PER_WORKLOAD = Budget(actions=6, per=6 * HOUR)
MIN_AGE = 300
READY_TIMEOUT = 600
MAX_UNAVAILABLE = CountOrPercent(1)
MAX_CONCURRENT = 3
BUDGET = Budget(actions=20, per=HOUR)
MAX_BREACHING = 50
EXCLUDED_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")

LEAST_INTERVALS = 3
"""A breach that holds for fewer sample intervals may rest on two samples, or one."""

_INTERVALS = 4
_AGE_INTERVALS = 2
_AGE_MARGIN = 15

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Written:
    """One policy together with the defaults of its file."""

    policy: Section[PolicyFields]
    defaults: Section[DefaultFields]

    @property
    def name(self) -> str:
        """The policy's name, or how to call one that has none."""
        return self.policy.fields.name or self.policy.node.place.path

    def value(self, attribute: str) -> object:
        """What was written for it here, else in the defaults; None where nothing was, or nothing readable."""
        if not self.is_known(attribute):
            return None
        own = getattr(self.policy.fields, attribute)
        return own if own is not None else getattr(self.defaults.fields, attribute)

    def either(self, attribute: str, default: Value) -> Value:
        """What was written for it, else the given default."""
        written = self.value(attribute)
        return default if written is None else cast("Value", written)

    def place(self, attribute: str) -> Place:
        """Where it was written."""
        key = PolicyFields.key(attribute)
        section = self.policy if key in self.policy.node.entries else self.defaults
        return section.place(key)

    def is_known(self, attribute: str) -> bool:
        """Whether nothing stands in the way of knowing it; else its problem is already reported."""
        key = PolicyFields.key(attribute)
        if key in self.policy.broken:
            return False
        return getattr(self.policy.fields, attribute) is not None or key not in self.defaults.broken


def check(written: Written, *, sample_interval: int, problems: Problems) -> None:
    """Report what is missing from a policy, and values that don't go together."""
    _check_missing(written, problems)
    _check_emergency(written, problems)
    interval = f"sample interval of {format_duration(sample_interval)}"
    hold = written.value("for_seconds")
    least = LEAST_INTERVALS * sample_interval
    if isinstance(hold, int) and hold < least:
        message = (
            f"{format_duration(hold)} is shorter than {LEAST_INTERVALS} times the {interval}, "
            f"so a gap could not be told from a breach; write {format_duration(least)} or more"
        )
        problems.add(written.place("for_seconds"), message)
    age = written.value("max_sample_age")
    if isinstance(age, int) and age < sample_interval:
        message = (
            f"{format_duration(age)} is shorter than the {interval}, so most samples would be too old; "
            f"write {format_duration(_sample_age(sample_interval))}, or remove the line"
        )
        problems.add(written.place("max_sample_age"), message)
    _check_pace(written, problems)
    hooks.check(written.policy, problems)
    _check_fallback(written, problems)
    _check_windows(written.policy, problems)


def check_defaults(defaults: Section[DefaultFields], problems: Problems) -> None:
    """Report values of the defaults that don't go together."""
    _check_one_pace(defaults, problems)
    hooks.check(defaults, problems)
    _check_windows(defaults, problems)


def policy(written: Written, *, sample_interval: int) -> Policy:
    """Give the policy that :func:`check` found nothing wrong with."""
    pace, action = _pace(written), written.either("action", Action.EVICT)
    return Policy(
        name=written.name,
        match=_match(written.policy.fields.match or MatchFields()),
        threshold=cast("Threshold", written.value("threshold")),
        for_seconds=written.either("for_seconds", max(FOR, _INTERVALS * sample_interval)),
        max_sample_age=written.either("max_sample_age", _sample_age(sample_interval)),
        pace=pace,
        jitter=written.either("jitter", _jitter(_shortest_pause(pace))),
        action=action,
        max_unavailable=written.either("max_unavailable", MAX_UNAVAILABLE),
        cooldown=written.either("cooldown", COOLDOWN),
        max_per_workload=_max_per_workload(written),
        min_age=written.either("min_age", MIN_AGE),
        ready_timeout=written.either("ready_timeout", READY_TIMEOUT),
        grace_period=cast("int | None", written.value("grace_period")),
        dry_run=written.either("dry_run", False),  # noqa: FBT003
        enabled=written.either("enabled", True),  # noqa: FBT003
        line=written.policy.node.place.line,
        signal=written.policy.fields.signal or Signal.WORKING_SET,
        # Nothing goes where a breach is only reported, whatever the defaults have for the other policies.
        before=() if action is Action.NOTIFY else hooks.resolved(written.either("before", ())),
        fallback=written.either("fallback", Action.EVICT),
        windows=_windows(written),
        emergency=cast("Threshold | None", written.value("emergency")),
    )


def safety(written: SafetyFields) -> Safety:
    """Give what holds for all policies together."""
    budget, namespaces = written.budget, written.namespaces
    excluded = namespaces.exclude if namespaces else None
    return Safety(
        excluded_namespaces=EXCLUDED_NAMESPACES if excluded is None else excluded,
        max_concurrent=written.max_concurrent or MAX_CONCURRENT,
        budget=Budget(actions=(budget and budget.actions) or BUDGET.actions, per=(budget and budget.per) or BUDGET.per),
        max_breaching=written.max_breaching or MAX_BREACHING,
        hold_when=written.hold_when or (),
        paused=written.paused or False,
        annotations=written.annotations or False,
        foreign_marks=written.foreign_marks is not False,
    )


def _check_missing(written: Written, problems: Problems) -> None:
    place = written.policy.node.place
    if written.policy.fields.name is None and "name" not in written.policy.broken:
        problems.add(place, "the policy has no name; write such as name: iot-server", path=f"{place.path}.name")
    if written.value("threshold") is None and written.is_known("threshold"):
        message = "neither the policy nor the defaults have a threshold; write such as threshold: 90% of limit"
        problems.add(place, message, path=f"{place.path}.threshold")


def _check_emergency(written: Written, problems: Problems) -> None:
    threshold, emergency = (cast("Threshold | None", written.value(name)) for name in ("threshold", "emergency"))
    if threshold is None or type(threshold) is not type(emergency) or emergency is None:
        return
    if height(emergency) <= height(threshold):
        message = (
            f"{emergency} is not higher than the threshold of policy {written.name}, which is {threshold}; "
            "write a higher one, or remove the line"
        )
        problems.add(written.place("emergency"), message)


def _pace(written: Written) -> int | Cron:
    """What says when to look, ``every`` or ``cron``: the policy's own one stands in for either of the defaults."""
    own = written.policy.fields
    text = own.cron if own.every else written.value("cron")
    if isinstance(text, str):
        return Cron(text, written.either("timezone", TIMEZONE))
    return written.either("every", EVERY)


def _shortest_pause(pace: int | Cron) -> int:
    return pace if isinstance(pace, int) else pace.shortest_pause


def _check_pace(written: Written, problems: Problems) -> None:
    _check_one_pace(written.policy, problems)
    if not all(written.is_known(attribute) for attribute in ("every", "cron", "timezone", "windows")):
        return
    pace = _pace(written)
    has_times = isinstance(pace, Cron) or written.value("windows")
    if written.policy.fields.timezone is not None and not has_times:
        message = f"`timezone` is that of `cron` and `windows`, and policy {written.name} has neither; remove it"
        problems.add(written.place("timezone"), message)
    jitter = written.value("jitter")
    pause = _shortest_pause(pace)
    if isinstance(jitter, int) and jitter >= pause:
        what = "`every`" if isinstance(pace, int) else "shortest pause in the `cron`"
        message = (
            f"{format_duration(jitter)} is not shorter than the {what} of policy {written.name} "
            f"({format_duration(pause)}); write {format_duration(_jitter(pause))}"
        )
        problems.add(written.place("jitter"), message)


def _check_fallback(written: Written, problems: Problems) -> None:
    own = written.policy.fields
    if (
        own.fallback is not None
        and written.is_known("action")
        and written.either("action", Action.EVICT) is not Action.SURGE
    ):
        message = (
            f"`fallback` is what `action: surge` does where it can't, which policy {written.name} has not; remove it"
        )
        problems.add(written.place("fallback"), message)


def _check_one_pace(section: Section[DefaultFields] | Section[PolicyFields], problems: Problems) -> None:
    if section.fields.every is not None and section.fields.cron is not None:
        line = section.place("every").line
        problems.add(section.place("cron"), f"`every` is here as well (line {line}); remove one of them")


def _check_windows(section: Section[DefaultFields] | Section[PolicyFields], problems: Problems) -> None:
    for number, window in enumerate(section.fields.windows or ()):
        node = locate(section.node, ("windows", number))
        unusable = node.unusable if isinstance(node, Mapping) else frozenset[str]()
        missing = [key for key, value in (("from", window.from_), ("to", window.to)) if value is None]
        if missing and not unusable.intersection(missing):
            problems.add(node.place, f"the window has no {' and no '.join(missing)}; write such as {EXAMPLE}")
        elif not missing and window.from_ in {window.to, DAY}:
            message = "a window that ends when it begins never opens; write from 00:00 to 24:00 for the whole day"
            problems.add(node.place, message)


def _windows(written: Written) -> tuple[Window, ...]:
    found = cast("tuple[WindowFields, ...]", written.either("windows", ()))
    zone = written.either("timezone", TIMEZONE)
    return tuple(_window(one, zone) for one in found)


def _window(fields: WindowFields, zone: str) -> Window:
    start, end = fields.from_ or 0, fields.to or 0
    days = fields.days or frozenset(range(len(DAYS)))
    return Window(days, start, end if end > start else end + DAY, fields.timezone or zone)


def _match(fields: MatchFields) -> Match:
    return Match(
        namespaces=fields.namespaces or (),
        pods=fields.pods or (),
        containers=fields.containers or (),
        workload=fields.workload,
        selector=fields.selector,
    )


def _max_per_workload(written: Written) -> Budget:
    # Half by half: `{actions: 3}` changes nothing about the time that the defaults have.
    sections = (written.policy.fields.max_per_workload, written.defaults.fields.max_per_workload)
    halves = [section for section in sections if section]
    return Budget(
        actions=next((half.actions for half in halves if half.actions), MAX_PER_WORKLOAD.actions),
        per=next((half.per for half in halves if half.per), MAX_PER_WORKLOAD.per),
    )


def _sample_age(sample_interval: int) -> int:
    return _AGE_INTERVALS * sample_interval + _AGE_MARGIN


def _jitter(pause: int) -> int:
    # With `every: 5s` the usual 5 s would let two looks fall together.
    return min(JITTER, pause // 2)
