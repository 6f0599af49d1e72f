"""The closed sets of words: every metric label, log field and record uses one of these."""

from __future__ import annotations

from enum import StrEnum

ANNOTATIONS = "remediator.dev"
"""The prefix of every annotation that we read or write."""


EVICTION_IN_PROGRESS = "descheduler.alpha.kubernetes.io/eviction-in-progress"
"""The annotation of a pod whose eviction was refused because something slower, such as a migration, has begun."""


class Action(StrEnum):
    """What is done about a pod that is over its threshold."""

    EVICT = "evict"
    SURGE = "surge"
    DELETE = "delete"
    NOTIFY = "notify"


class Reason(StrEnum):
    """Why a pod over its threshold is left alone; ``judge`` and ``decide`` share the set."""

    OPTED_OUT = "opted-out"
    EXCLUDED_NAMESPACE = "excluded-namespace"
    NOT_MATCHED = "not-matched"
    GONE = "gone"
    TERMINATING = "terminating"
    NOT_RUNNING = "not-running"
    REPLACED_SINCE_SAMPLE = "replaced-since-sample"
    SAMPLE_GAP = "sample-gap"
    TOO_YOUNG = "too-young"
    BELOW_THRESHOLD = "below-threshold"
    RECOVERING = "recovering"
    NO_CONTROLLER = "no-controller"
    UNSUPPORTED_OWNER = "unsupported-owner"
    WORKLOAD_NOT_READY = "workload-not-ready"
    PREDECESSOR_UNAVAILABLE = "predecessor-unavailable"
    ROLLOUT_IN_PROGRESS = "rollout-in-progress"
    REVISION_WOULD_CHANGE = "revision-would-change"
    RESIZE_IN_PROGRESS = "resize-in-progress"
    NODE_NOT_READY = "node-not-ready"
    IN_FLIGHT = "in-flight"
    COOLDOWN = "cooldown"
    PER_WORKLOAD_LIMIT = "per-workload-limit"
    BUDGET = "budget"
    CONCURRENCY = "concurrency"
    WINDOW_CLOSED = "window-closed"
    PAUSED = "paused"
    HELD = "held"
    CLOCK = "clock"
    BREAKER_OPEN = "breaker-open"
    DISRUPTION_BUDGET = "disruption-budget"
    MASS_BREACH = "mass-breach"
    SURGE_IMPOSSIBLE = "surge-impossible"
    DRY_RUN = "dry-run"


class Outcome(StrEnum):
    """How a remediation ended."""

    REPLACED = "replaced"
    SCALED_DOWN = "scaled-down"
    ROLLED_OUT = "rolled-out"
    OWNER_GONE = "owner-gone"
    SUPERSEDED = "superseded"
    BLOCKED = "blocked"
    CALLED_OFF = "called-off"
    NOT_READY = "not-ready"
    STUCK_TERMINATING = "stuck-terminating"
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"
    NOTIFIED = "notified"


OPENS_BREAKER = frozenset({Outcome.NOT_READY, Outcome.FAILED, Outcome.ROLLED_BACK})
"""After these nothing more is taken from the workload until somebody, or the replacement, says so."""

GIVES_BACK = frozenset({Outcome.BLOCKED, Outcome.SUPERSEDED, Outcome.CALLED_OFF, Outcome.NOTIFIED})
"""Nothing was taken by us, so the cluster-wide budget is given back; the workload's cooldown stays."""


class Evaluation(StrEnum):
    """How one evaluation of one policy ended."""

    OK = "ok"
    NO_DATA = "no-data"
    STALE = "stale"
    HELD = "held"
    ERROR = "error"
    SKIPPED = "skipped"


class Gate(StrEnum):
    """What holds all action at once, beside the ``hold-when-N`` of a policy file."""

    PAUSED = "paused"
    CLOCK = "clock"
    JOURNAL = "journal"


class Signal(StrEnum):
    """Which of a container's numbers is measured: the kubelet's cAdvisor has them all."""

    WORKING_SET = "working_set"
    RSS = "rss"
    USAGE = "usage"


class Unit(StrEnum):
    """What a value and its threshold are counted in."""

    BYTES = "bytes"
