"""The metrics: their names, their labels, and that nothing stale stays."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from remediator import __version__
from remediator.model.remediations import Breaker, Ledger
from remediator.model.vocabulary import Action, Evaluation, Gate, Outcome, Reason
from remediator.model.workloads import WorkloadRef
from remediator.observe.metrics import WORKLOADS, Metrics
from remediator.observe.state import Pace, PolicyState, State
from tests.unit.make import DEPLOYMENT, GI, NOW, breach, late_queue, record

Sample = tuple[str, tuple[tuple[str, str], ...]]


@pytest.fixture
def state() -> State:
    """Of a process that has just begun."""
    return State(clock=lambda: float(NOW))


@pytest.fixture
def metrics(state: State) -> Metrics:
    """Its metrics."""
    return Metrics(state)


def shown(metrics: Metrics) -> dict[Sample, float]:
    """All samples of ours, by name and labels."""
    text = generate_latest(metrics.registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("remediator_")
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """One sample; None where there is none."""
    return shown(metrics).get((f"remediator_{name}", tuple(sorted(labels.items()))))


def names(metrics: Metrics) -> set[str]:
    """The names of the families that have a sample, without the suffixes of histograms."""
    return {re.sub(r"_(bucket|sum|count|created)$", "", name) for name, _ in shown(metrics)}


def everything(state: State, metrics: Metrics) -> None:
    """Let all happen that there is."""
    failed = record(outcome=Outcome.NOT_READY, settled_at=float(NOW))
    state.policies(("everyone",), paces={"everyone": Pace(60, "every 1m")})
    state.led(leading=True)
    state.reloaded(ok=True)
    state.term().evaluated("everyone", PolicyState(float(NOW), 2, 0.75, (late_queue(),)))
    state.term().holds(Gate.PAUSED, active=True)
    state.term().recorded(Ledger(in_flight={"a": record()}, breakers={"dep-uid": Breaker(DEPLOYMENT, NOW, failed)}), 17)
    metrics.evaluated("everyone", Evaluation.OK, 0.3)
    metrics.vetoed("everyone", Reason.COOLDOWN)
    metrics.settled(record(outcome=Outcome.REPLACED, settled_at=float(NOW), available_at=NOW - 2.0, after=2.0 * GI))
    metrics.prometheus("ok", 0.1)
    metrics.kubernetes("get", "404", 0.1)


def test_every_metric_is_there_and_has_its_value(state: State, metrics: Metrics) -> None:
    """Names and labels are what alerts and dashboards are written against."""
    everything(state, metrics)
    workload = {"namespace": "shop", "workload": "Deployment/web"}
    expected = [
        ("evaluations_total", {"policy": "everyone", "outcome": "ok"}, 1),
        ("evaluation_duration_seconds_count", {"policy": "everyone"}, 1),
        ("last_evaluation_timestamp_seconds", {"policy": "everyone"}, NOW),
        ("evaluation_interval_seconds", {"policy": "everyone"}, 60),
        ("schedule_since_timestamp_seconds", {"policy": "everyone", "by": "start"}, NOW),
        ("breaching_pods", {"policy": "everyone"}, 2),
        ("measured_pods_ratio", {"policy": "everyone"}, 0.75),
        ("vetoes_total", {"policy": "everyone", "reason": "cooldown"}, 1),
        ("remediations_total", {**workload, "policy": "everyone", "action": "evict", "outcome": "replaced"}, 1),
        ("remediations_in_flight", {}, 1),
        ("replacement_duration_seconds_sum", {"action": "evict"}, 8),
        ("memory_released_bytes_total", {"policy": "everyone"}, 20 * GI),
        ("late_pods", {**workload, "policy": "everyone"}, 2),
        ("breaker_open", workload, 1),
        ("budget_remaining", {}, 17),
        ("leader", {}, 1),
        ("policy_reload_success", {}, 1),
        ("policy_reload_timestamp_seconds", {}, NOW),
        ("hold_active", {"gate": "paused"}, 1),
        ("hold_active", {"gate": "journal"}, 0),
        ("hold_since_timestamp_seconds", {"gate": "paused"}, NOW),
        ("prometheus_request_duration_seconds_count", {"outcome": "ok"}, 1),
        ("kubernetes_request_duration_seconds_count", {"verb": "get", "outcome": "404"}, 1),
    ]
    for name, labels, number in expected:
        assert value(metrics, name, **labels) == number, name
    assert next(labels for name, labels in shown(metrics) if name == "remediator_build_info")[1] == (
        "version",
        __version__,
    )


def test_names_follow_the_conventions(state: State, metrics: Metrics) -> None:
    """Base units, ``_total`` on counters, and a prefix of our own."""
    everything(state, metrics)
    text = generate_latest(metrics.registry).decode()
    kinds = dict(re.findall(r"^# TYPE (remediator_\w+) (\w+)$", text, re.MULTILINE))
    for name, kind in kinds.items():
        assert name.endswith("_total") == (kind == "counter"), name
        assert not re.search(r"_(ms|milliseconds|mib|gib|percent)(_|$)", name), name


def words(kinds: Iterable[type]) -> set[str]:
    """All words of closed sets."""
    return {str(word) for kind in kinds for word in kind}  # type: ignore[attr-defined]


def test_labels_come_from_closed_sets(state: State, metrics: Metrics) -> None:
    """From enums, the policy file, and workloads that were acted upon: no pod, node or error text."""
    everything(state, metrics)
    closed = words([Evaluation, Outcome, Reason, Action, Gate]) | {"ok", "get", "404", "start", __version__}
    known = {"everyone", "shop", "Deployment/web"}
    for _, labels in shown(metrics):
        for label, text in labels:
            assert label in {"le", "python"} or text in closed | known, (label, text)


# Gone


def test_who_does_not_lead_shows_nothing_of_the_journal(state: State, metrics: Metrics) -> None:
    """Only the leader has read it; after a term nothing of it is left."""
    assert value(metrics, "budget_remaining") is None
    everything(state, metrics)
    assert value(metrics, "budget_remaining") == 17
    state.led(leading=False)
    assert value(metrics, "leader") == 0
    for name in ("budget_remaining", "remediations_in_flight"):
        assert value(metrics, name) is None
    assert not names(metrics) & {"remediator_breaker_open", "remediator_breaching_pods"}
    assert value(metrics, "hold_active", gate="paused") == 0


@pytest.mark.parametrize("again", [False, True], ids=["standby", "next term"])
def test_what_outlives_its_term_tells_nothing_more(state: State, metrics: Metrics, again: bool) -> None:  # noqa: FBT001
    """An evaluation that ends late brings nothing back, and speaks for no later term of the same process."""
    state.policies(("everyone",), {"hold-when-1": "up == 0"})
    state.led(leading=True)
    old = state.term()
    state.led(leading=False)
    if again:
        state.led(leading=True)
    before = shown(metrics)
    old.evaluated("everyone", PolicyState(float(NOW), 2, 0.75, (late_queue(),)))
    assert [old.holds(gate, active=True) for gate in (*Gate, "hold-when-1")] == [None] * (len(Gate) + 1)
    old.recorded(Ledger(in_flight={"a": record()}), 5)
    assert shown(metrics) == before


def test_a_term_that_is_over_ends_no_hold_of_the_next(state: State, metrics: Metrics) -> None:
    """What it was told of Prometheus or of the journal was true before."""
    state.led(leading=True)
    old = state.term()
    state.led(leading=False)
    state.led(leading=True)
    state.term().holds(Gate.JOURNAL, active=True)
    assert old.holds(Gate.JOURNAL, active=False) is None
    assert value(metrics, "hold_active", gate="journal") == 1


def test_a_queue_that_is_in_time_again_has_no_series(state: State, metrics: Metrics) -> None:
    """The next evaluation is the new picture."""
    everything(state, metrics)
    state.term().evaluated("everyone", PolicyState(float(NOW), 2, 0.75))
    assert value(metrics, "late_pods", policy="everyone", namespace="shop", workload="Deployment/web") is None


def test_the_series_of_late_queues_are_bounded(state: State, metrics: Metrics) -> None:
    """The longest have one."""
    everything(state, metrics)
    refs = [WorkloadRef("Deployment", "shop", f"w{n}", f"uid-{n}") for n in range(100)]
    late = tuple(late_queue(workload=ref, late=100 - n) for n, ref in enumerate(refs))
    state.term().evaluated("everyone", PolicyState(float(NOW), 2, 0.75, late))
    names_of = [dict(labels)["workload"] for name, labels in shown(metrics) if name == "remediator_late_pods"]
    assert names_of == [f"Deployment/w{n}" for n in range(20)]


def test_a_closed_breaker_has_no_series(state: State, metrics: Metrics) -> None:
    """It is not shown as 0 for ever."""
    everything(state, metrics)
    state.term().recorded(Ledger(), 20)
    assert "remediator_breaker_open" not in names(metrics)


def test_a_policy_that_is_gone_has_no_series(state: State, metrics: Metrics) -> None:
    """Neither gauges nor counters; the others keep theirs."""
    everything(state, metrics)
    metrics.keep({"everyone", "other"})
    metrics.evaluated("other", Evaluation.ERROR, 1)
    metrics.keep({"other"})
    state.policies(("other",))
    assert not [labels for _, labels in shown(metrics) if ("policy", "everyone") in labels]
    assert value(metrics, "evaluations_total", policy="other", outcome="error") == 1


def test_what_is_told_of_a_policy_that_is_gone_brings_no_series_back(metrics: Metrics) -> None:
    """An evaluation that ends late, or was due; what a guard says of its pods."""
    metrics.keep({"everyone"})
    metrics.keep({"other"})
    metrics.evaluated("everyone", Evaluation.OK, 1)
    metrics.skipped("everyone")
    metrics.vetoed("everyone", Reason.COOLDOWN)
    assert not [labels for _, labels in shown(metrics) if ("policy", "everyone") in labels]
    metrics.skipped("other")
    metrics.vetoed("other", Reason.COOLDOWN)
    assert value(metrics, "evaluations_total", policy="other", outcome="skipped") == 1
    assert value(metrics, "vetoes_total", policy="other", reason="cooldown") == 1


@pytest.mark.parametrize("back", [False, True], ids=["gone for good", "comes back"])
def test_a_remediation_that_outlives_its_policy_is_counted_until_the_next_file(metrics: Metrics, back: bool) -> None:  # noqa: FBT001
    """A pod was taken, and that is no secret; the series goes with the next file that lacks the policy."""
    metrics.keep({"everyone"})
    metrics.keep({"other"})
    metrics.settled(record(outcome=Outcome.REPLACED, available_at=float(NOW), after=2.0 * GI))
    labels = {"policy": "everyone", "namespace": "shop", "workload": "Deployment/web", "action": "evict"}
    counted = {"outcome": "replaced", **labels}
    assert value(metrics, "remediations_total", **counted) == 1
    assert value(metrics, "memory_released_bytes_total", policy="everyone") == 20 * GI
    metrics.keep({"other", "everyone"} if back else {"other"})
    assert value(metrics, "remediations_total", **counted) == (1 if back else None)
    metrics.keep({"other"})
    assert not [labels for _, labels in shown(metrics) if ("policy", "everyone") in labels]


def test_the_series_of_workloads_are_bounded(metrics: Metrics) -> None:
    """As many as the journal keeps settled records, the latest acted upon."""
    for n in range(WORKLOADS + 5):
        one = record(outcome=Outcome.REPLACED, workload=WorkloadRef("Deployment", "shop", f"w{n}", f"u{n}"))
        metrics.settled(one)
    there = {dict(labels)["workload"] for name, labels in shown(metrics) if name == "remediator_remediations_total"}
    assert there == {f"Deployment/w{n}" for n in range(5, WORKLOADS + 5)}


def test_a_hold_that_ends_has_no_beginning(state: State, metrics: Metrics) -> None:
    """``hold_active`` is always there, for alerts; since when only while it holds, and from its first moment on."""
    clock = [float(NOW)]
    state = State(clock=lambda: clock[0])
    metrics = Metrics(state)
    state.led(leading=True)
    state.term().holds(Gate.JOURNAL, active=True)
    clock[0] += 60
    state.term().holds(Gate.JOURNAL, active=True)
    assert value(metrics, "hold_since_timestamp_seconds", gate="journal") == NOW
    state.term().holds(Gate.JOURNAL, active=False)
    assert value(metrics, "hold_since_timestamp_seconds", gate="journal") is None
    assert value(metrics, "hold_active", gate="journal") == 0


SCHEDULES = [
    pytest.param({"a": Pace(60, "every 1m")}, ("start", 0), id="the same times"),
    pytest.param({"a": Pace(30, "every 30s")}, ("change", 60), id="another pace"),
    pytest.param({"a": Pace(60, "at * * * * *")}, ("change", 60), id="as long, but at other times"),
    pytest.param({}, None, id="disabled"),
]


@pytest.mark.parametrize(("paces", "expected"), SCHEDULES)
def test_since_when_a_policy_has_its_times(paces: dict[str, Pace], expected: tuple[str, int] | None) -> None:
    """A policy of the first file has them since that was read, and one whose times a later file sets since then."""
    clock = [float(NOW)]
    state = State(clock=lambda: clock[0])
    metrics = Metrics(state)
    state.policies(("a",), paces={"a": Pace(60, "every 1m")})
    clock[0] += 60
    state.policies(("a",), paces=paces)
    shown_since = {
        (dict(labels)["by"], number - NOW)
        for (name, labels), number in shown(metrics).items()
        if name == "remediator_schedule_since_timestamp_seconds"
    }
    assert shown_since == ({expected} if expected else set())


def test_a_policy_that_is_enabled_again_has_its_times_since_then(state: State, metrics: Metrics) -> None:
    """What it had before it was disabled does not count, and a new leadership changes nothing of it."""
    paces = {"a": Pace(60, "every 1m")}
    state.policies(("a",), paces=paces)
    state.policies(("a",))
    state.policies(("a",), paces=paces)
    state.led(leading=True)
    assert value(metrics, "schedule_since_timestamp_seconds", policy="a", by="change") == NOW
    assert value(metrics, "schedule_since_timestamp_seconds", policy="a", by="start") is None


# Counted


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_counted(metrics: Metrics, outcome: Outcome) -> None:
    """Once, and what was not replaced has no duration and has released nothing."""
    metrics.settled(record(outcome=outcome, settled_at=float(NOW)))
    labels = {"policy": "everyone", "namespace": "shop", "workload": "Deployment/web", "action": "evict"}
    assert value(metrics, "remediations_total", **labels, outcome=outcome) == 1
    assert value(metrics, "replacement_duration_seconds_count", action="evict") is None
    assert value(metrics, "memory_released_bytes_total", policy="everyone") is None


@pytest.mark.parametrize("after", [None, 22.0 * GI, 30.0 * GI])
def test_memory_is_released_where_less_is_used_afterwards(metrics: Metrics, after: float | None) -> None:
    """A counter never goes back, also where the new pod is as large as the old one."""
    metrics.settled(record(outcome=Outcome.REPLACED, available_at=float(NOW), after=after))
    assert value(metrics, "memory_released_bytes_total", policy="everyone") is None


def test_a_skipped_evaluation_is_counted(metrics: Metrics) -> None:
    """As an outcome of its own, without a duration."""
    metrics.skipped("everyone")
    assert value(metrics, "evaluations_total", policy="everyone", outcome="skipped") == 1
    assert value(metrics, "evaluation_duration_seconds_count", policy="everyone") is None


# The snapshot


def test_a_snapshot_never_changes(state: State) -> None:
    """Whoever reads one sees one moment, whatever happens meanwhile."""
    before = state.now
    copy = replace(before)
    state.policies(("a",))
    state.depends("policy", "")
    state.led(leading=True)
    state.term().holds(Gate.PAUSED, active=True)
    state.reloaded(ok=True)
    assert before == copy


def test_a_policy_that_is_not_there_is_not_evaluated(state: State) -> None:
    """An evaluation that ends after its policy has gone leaves nothing behind."""
    state.led(leading=True)
    state.policies(("a",))
    state.term().evaluated("gone", PolicyState(float(NOW)))
    assert set(state.now.policies) == {"a"}


def test_a_file_that_was_refused_keeps_the_time_of_the_last_good_one(state: State) -> None:
    """So that one sees for how long the old one has been in force."""
    state.reloaded(ok=True)
    state.reloaded(ok=False)
    assert (state.now.reload_ok, state.now.reloaded_at) == (False, NOW)


def test_only_a_breach_has_a_share_in_the_released(metrics: Metrics) -> None:
    """What is released is counted for the policy that took it."""
    metrics.settled(
        record(outcome=Outcome.REPLACED, breach=breach(policy="other"), available_at=float(NOW), after=2.0 * GI)
    )
    assert value(metrics, "memory_released_bytes_total", policy="other") == 20 * GI
