"""One evaluation, from what the queries gave to what was begun."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from remediator.act.census import Census
from remediator.act.examine import Examination
from remediator.act.gates import SELDOM, Gates
from remediator.act.looks import Judged, Vetoed
from remediator.act.remediations import Remediations
from remediator.cluster.owners import Owners
from remediator.cluster.pods import Pods
from remediator.cycle import Cycle
from remediator.detect.prometheus import Prometheus
from remediator.detect.promql import compile_queries
from remediator.errors import PrometheusError, PrometheusPartial, PrometheusUnreachable
from remediator.model.clocks import Reading
from remediator.model.holds import by_gate
from remediator.model.measures import Breach, Veto
from remediator.model.pods import LivePod, OwnerReference
from remediator.model.remediations import Act, Ledger
from remediator.model.vocabulary import Action, Evaluation, Reason
from remediator.model.workloads import WorkloadRef
from remediator.observe.clocks import API_SERVER, PROMETHEUS, Clocks
from remediator.observe.metrics import Metrics
from remediator.observe.state import State
from remediator.observe.voice import Voice
from remediator.policy import PolicyFile
from tests.unit.make import GI, NOW, SCOPE, breach, pod, policies, policy, record

Vector = list[tuple[Mapping[str, str], float]]


@dataclass
class World:
    """Pods by name, all of them over and of a workload of their own; what was looked at, judged and guarded."""

    pods: dict[str, LivePod]
    file: PolicyFile = field(default_factory=policies)
    measured: int = 0
    breaches: dict[str, Breach] = field(default_factory=dict)
    reason: Reason = Reason.COOLDOWN
    ledger: Ledger = field(default_factory=Ledger)
    read_pods: list[str] = field(default_factory=list)
    judged_pods: list[str] = field(default_factory=list)
    guarded_pods: list[str] = field(default_factory=list)
    held: dict[str, Vector | PrometheusError] = field(default_factory=dict)
    """What expressions of ``holdWhen`` give that give something."""
    asked: list[str] = field(default_factory=list)
    elapsed: float = 0.0
    clocks: Clocks = field(default_factory=Clocks)

    # As Prometheus

    def vector(self, query: str, *, at: int) -> Vector:
        """The answers to the queries of the first policy."""
        assert at == NOW
        self.asked.append(query)
        if query in self.file.safety.hold_when:
            found = self.held.get(query, [])
            if isinstance(found, PrometheusError):
                raise found
            return found
        queries = compile_queries(self.file.policies[0], self.file.safety, SCOPE)
        if query == queries.nominate:
            return [({"namespace": "shop", "pod": name}, 1.0) for name in self.pods]
        return [({}, {queries.fresh: 2.0 * self.measured, queries.pods: float(self.measured)}.get(query, 1.0))]

    # As Pods and Owners

    def read(self, _namespace: str, name: str) -> LivePod | None:
        """A pod."""
        self.read_pods.append(name)
        return self.pods[name]

    def workload_of(self, one: LivePod) -> WorkloadRef:
        """Its owner."""
        return WorkloadRef("StatefulSet", "shop", one.name, one.controller.uid if one.controller else "")

    # As Remediations

    def adopt(self) -> None:
        """Nothing is in flight."""

    def review_breakers(self) -> None:
        """None is open."""

    # As Examination

    def judged(self, _policy: object, *, names: Sequence[str], **_more: object) -> dict[str, Judged]:
        """Each is over, by as much as ``breaches`` says."""
        self.judged_pods.extend(names)
        return {name: Judged(self.pods[name], self.breaches.get(name, breach(pod=name))) for name in names}

    def surroundings(self) -> SimpleNamespace:
        """As ``Examination.surroundings``."""
        return SimpleNamespace(forget=lambda: None)

    def guarded(self, one: Breach, **_more: object) -> Vetoed:
        """Each is left alone for a reason of its own."""
        self.guarded_pods.append(one.pod)
        controller = self.pods[one.pod].controller
        ref = WorkloadRef("StatefulSet", "shop", "it", controller.uid) if controller else None
        return Vetoed((Veto(self.reason, "not yet"),), ref)


@dataclass
class Stage:
    """A cycle in that world, with what one sees of it."""

    world: World
    state: State
    metrics: Metrics
    cycle: Cycle

    def metric(self, name: str, **labels: str) -> float | None:
        """A value, as it is scraped."""
        return self.metrics.registry.get_sample_value(f"remediator_{name}", labels)


def stage(world: World) -> Stage:
    """A cycle that leads."""
    state = State(clock=lambda: float(NOW))
    state.led(leading=True)
    state.policies(("everyone",), by_gate(world.file.safety.hold_when))
    metrics = Metrics(state)
    cycle = Cycle(
        prometheus=cast("Prometheus", world),
        census=Census(cast("Pods", world), cast("Owners", world)),
        examination=cast("Examination", world),
        remediations=cast("Remediations", world),
        ledger=lambda: world.ledger,
        policies=lambda: world.file,
        gates=Gates(
            prometheus=cast("Prometheus", world),
            clocks=world.clocks,
            ledger=lambda: world.ledger,
            state=state.term(),
            clock=lambda: float(NOW),
            monotonic=lambda: world.elapsed,
        ),
        scope=SCOPE,
        state=state.term(),
        metrics=metrics,
        voice=Voice(metrics),
        clock=lambda: float(NOW),
    )
    return Stage(world, state, metrics, cycle)


def over(*names: str, owner: str = "") -> dict[str, LivePod]:
    """Pods of these names, each of a workload of its own unless one is named."""
    return {
        name: pod(name=name, uid=name, controller=OwnerReference("apps/v1", "StatefulSet", name, owner or name))
        for name in names
    }


@pytest.fixture
def said() -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """What was logged under an event."""
    with capture_logs() as lines:
        yield lambda event: [dict(line) for line in lines if line["event"] == event]


Said = Callable[[str], list[dict[str, Any]]]


def test_a_mass_breach_leaves_every_named_pod_alone(said: Said) -> None:
    """A measurement that names a thousand workloads is not believed: held, told once, counted for each pod."""
    shown = stage(World(over(*(f"app{n}-0" for n in range(1000))), measured=1500))
    assert shown.cycle.evaluate("everyone") is Evaluation.HELD
    assert (shown.world.judged_pods, shown.world.guarded_pods) == ([], [])
    assert len(shown.world.read_pods) == 21
    (line,) = said("mass breach")
    assert (line["log_level"], line["nominated"], line["measured"]) == ("error", 1000, 1500)
    assert line["pods"][-1] == "and 990 more"
    assert len(line["pods"]) == 11
    assert shown.metric("vetoes_total", policy="everyone", reason="mass-breach") == 1000
    assert shown.metric("evaluations_total", policy="everyone", outcome="held") == 1
    assert shown.metric("breaching_pods", policy="everyone") == 1000


def test_a_mass_breach_is_found_among_pods_that_were_read(said: Said) -> None:
    """Where names don't tell workloads apart, owners do; whoever was judged then is left alone all the same."""
    shown = stage(World(over(*(f"tenant-{n}" for n in range(30))), measured=30))
    assert shown.cycle.evaluate("everyone") is Evaluation.HELD
    assert shown.world.guarded_pods == []
    assert len(said("mass breach")[0]["pods"]) == 11


def test_many_pods_of_one_workload_are_decided_on(said: Said) -> None:
    """A large workload that leaks in lockstep is no mass breach, whatever its share is."""
    shown = stage(World(over(*(f"web-{n}" for n in range(30)), owner="one"), measured=30))
    assert shown.cycle.evaluate("everyone") is Evaluation.OK
    assert len(shown.world.guarded_pods) == 30
    assert said("mass breach") == []
    assert shown.metric("vetoes_total", policy="everyone", reason="cooldown") == 30


def test_the_most_urgent_is_decided_on_first() -> None:
    """Nearest to its limit, then highest over its threshold; without a limit last."""
    gi = 1 << 30
    near = {
        "far": breach(pod="far", value=22.0 * gi, limit=40 * gi),
        "near": breach(pod="near", value=23.0 * gi, limit=24 * gi),
        "bare": breach(pod="bare", value=99.0 * gi, limit=None),
        "bare-low": breach(pod="bare-low", value=21.0 * gi, limit=None),
        "over": breach(pod="over", value=30.0 * gi, limit=24 * gi),
    }
    shown = stage(World(over(*near), measured=100, breaches=near))
    assert shown.cycle.evaluate("everyone") is Evaluation.OK
    assert shown.world.guarded_pods == ["over", "near", "far", "bare", "bare-low"]


def leaking(name: str) -> Breach:
    """A breach half a minute from its limit."""
    return breach(pod=name, uid=name, value=23.0 * GI, limit=24 * GI, growth=GI / 30)


def test_a_queue_that_is_slower_than_the_leak_is_seen_until_it_is_not(said: Said) -> None:
    """Three pods of one workload, none of which may go before they are at their limits: a warning and a metric."""
    names = ("web-0", "web-1", "web-2")
    world = World(over(*names, owner="one"), measured=9, breaches={name: leaking(name) for name in names})
    world.ledger = Ledger(acts=(Act("one", "before", NOW - 60.0, NOW - 50.0),))
    shown = stage(world)
    late = {"policy": "everyone", "namespace": "shop", "workload": "StatefulSet/it"}
    for _ in range(3):
        shown.cycle.evaluate("everyone")
    (line,) = said("queue slower than the leak")
    assert (line["log_level"], line["waiting"], line["late"]) == ("warning", 3, 3)
    assert shown.metric("late_pods", **late) == 3
    world.reason = Reason.OPTED_OUT
    shown.cycle.evaluate("everyone")
    assert shown.metric("late_pods", **late) is None, "who is left alone for good waits for nothing"
    assert len(said("queue in time again")) == 1


def test_what_was_not_looked_at_is_not_in_time_again(said: Said) -> None:
    """Where nothing was measured nobody knows, and the warning is not taken back."""
    world = World(over("web-0", owner="one"), measured=9, breaches={"web-0": leaking("web-0")})
    world.ledger = Ledger(acts=(Act("one", "before", NOW - 60.0, NOW - 50.0),))
    shown = stage(world)
    shown.cycle.evaluate("everyone")
    assert len(said("queue slower than the leak")) == 1
    world.measured = 0
    assert shown.cycle.evaluate("everyone") is Evaluation.STALE
    world.measured = 9
    shown.cycle.evaluate("everyone")
    assert said("queue in time again") == []
    assert len(said("queue slower than the leak")) == 1


def test_a_report_is_no_queue(said: Said) -> None:
    """``action: notify`` takes nobody, so nobody has a turn; and a pod that is being replaced has had it."""
    world = World(over("web-0", owner="one"), measured=9, breaches={"web-0": leaking("web-0")})
    world.ledger = Ledger(acts=(Act("one", "before", NOW - 60.0, NOW - 50.0),))
    world.file = policies(policy(action=Action.NOTIFY))
    stage(world).cycle.evaluate("everyone")
    world.file = policies()
    under_way = record(workload=WorkloadRef("StatefulSet", "shop", "it", "one"), breach=leaking("web-0"))
    world.ledger = Ledger(acts=world.ledger.acts, in_flight={under_way.id: under_way})
    stage(world).cycle.evaluate("everyone")
    assert said("queue slower than the leak") == []


FIRST, SECOND = 'ALERTS{alertname="KubeAPIDown"}', "up == 0"
FIRES: Vector = [({"alertname": "KubeAPIDown", "severity": "page"}, 0.0)]


def holding(**changes: Any) -> World:  # noqa: ANN401
    """A pod that is over, under two expressions of ``holdWhen``."""
    return World(over("web-0"), measured=9, file=policies(policy(**changes), hold_when=(FIRST, SECOND)))


def test_what_holds_all_action_is_seen_and_told_when_it_begins_and_ends(said: Said) -> None:
    """Any series, whatever its value: outcome, metric with since when, and one line each for its begin and end."""
    shown = stage(holding())
    assert shown.cycle.evaluate("everyone") is Evaluation.OK
    assert [shown.metric("hold_active", gate=f"hold-when-{n}") for n in (1, 2)] == [0, 0]
    shown.world.held = {FIRST: FIRES}
    for _ in range(3):
        assert shown.cycle.evaluate("everyone") is Evaluation.HELD
    assert [shown.metric("hold_active", gate=f"hold-when-{n}") for n in (1, 2)] == [1, 0]
    assert shown.metric("hold_since_timestamp_seconds", gate="hold-when-1") == NOW
    assert shown.metric("hold_since_timestamp_seconds", gate="hold-when-2") is None
    (line,) = said("hold begins")
    assert (line["log_level"], line["gate"], line["expression"]) == ("warning", "hold-when-1", FIRST)
    assert line["since"] == "2027-01-15T08:00:00+00:00"
    assert line["why"] == 'hold-when-1: 1 series, such as {alertname="KubeAPIDown", severity="page"}'
    shown.world.held = {}
    assert shown.cycle.evaluate("everyone") is Evaluation.OK
    (line,) = said("hold ends")
    assert (line["gate"], line["expression"], line["since"]) == ("hold-when-1", FIRST, "2027-01-15T08:00:00+00:00")
    assert shown.metric("hold_active", gate="hold-when-1") == 0


def test_who_can_not_be_asked_holds(said: Said) -> None:
    """A partial answer holds its own gate; a server that does not answer all of them, and is asked once."""
    shown = stage(holding())
    shown.world.held = {FIRST: PrometheusPartial("it is not whole")}
    assert shown.cycle.evaluate("everyone") is Evaluation.HELD
    assert [line["why"] for line in said("hold begins")] == ["hold-when-1 can't be asked: it is not whole"]
    shown.world.held = {FIRST: PrometheusUnreachable("nobody there")}
    shown.world.asked.clear()
    assert shown.cycle.evaluate("everyone") is Evaluation.HELD
    assert SECOND not in shown.world.asked
    assert [line["why"] for line in said("hold begins")][1:] == ["hold-when-2 can't be asked: nobody there"]


def test_a_report_is_not_held() -> None:
    """``action: notify`` takes nothing; the gate is seen all the same."""
    shown = stage(holding(action=Action.NOTIFY))
    shown.world.held = {SECOND: FIRES}
    assert shown.cycle.evaluate("everyone") is Evaluation.OK
    assert shown.metric("hold_active", gate="hold-when-2") == 1


def test_gates_are_asked_although_nothing_is_evaluated() -> None:
    """A policy may be evaluated once a night: the metric is of the last minute, and costs no more than that."""
    shown = stage(holding())
    shown.world.held = {FIRST: FIRES}
    shown.cycle.review()
    assert shown.metric("hold_active", gate="hold-when-1") == 1
    shown.world.held = {}
    shown.world.elapsed = SELDOM - 1
    shown.cycle.review()
    assert shown.metric("hold_active", gate="hold-when-1") == 1
    shown.world.elapsed = SELDOM
    shown.cycle.review()
    assert shown.metric("hold_active", gate="hold-when-1") == 0


def test_an_evaluation_that_outlives_its_term_tells_nothing(said: Said) -> None:
    """The lease goes while Prometheus thinks: a standby has no holds, and no pods that are over."""
    shown = stage(holding())
    shown.world.held = {FIRST: FIRES}
    ask = shown.world.vector

    def lost(query: str, *, at: int) -> Vector:
        shown.state.led(leading=False, standby="another one leads")
        return ask(query, at=at)

    shown.world.vector = lost  # type: ignore[method-assign]
    for run in (lambda: shown.cycle.evaluate("everyone"), shown.cycle.review):
        run()
        assert shown.metric("hold_active", gate="hold-when-1") == 0
        assert shown.metric("breaching_pods", policy="everyone") is None
    assert said("hold begins") == []


def test_since_when_is_said_of_one_expression() -> None:
    """After a reload another one may have its number: it has not held before it was asked."""
    shown = stage(holding())
    shown.world.held = {FIRST: FIRES, SECOND: FIRES}
    shown.cycle.evaluate("everyone")
    shown.state.policies(("everyone",), by_gate((SECOND,)))
    assert shown.metric("hold_active", gate="hold-when-1") == 0
    assert shown.metric("hold_active", gate="hold-when-2") is None, "there is no second one any more"
    shown.state.policies(("everyone",), by_gate((SECOND, FIRST)))
    shown.cycle.evaluate("everyone")
    assert shown.metric("hold_since_timestamp_seconds", gate="hold-when-1") == NOW


def test_clocks_that_differ_hold_all_action_and_say_so(said: Said) -> None:
    """A gate like the others, of a report too: whatever it would tell is of a time that nobody knows."""
    for action in (Action.EVICT, Action.NOTIFY):
        shown = stage(holding(action=action))
        shown.world.clocks.of(PROMETHEUS)(Reading(-40.5, -39.5))
        shown.world.clocks.of(API_SERVER)(Reading(-0.5, 0.5))
        assert shown.cycle.evaluate("everyone") is Evaluation.HELD
        assert shown.metric("hold_active", gate="clock") == 1
        line = said("hold begins")[-1]
        assert (line["gate"], line["expression"]) == ("clock", "")
        assert line["why"].endswith("Prometheus is 40 s behind us, and 30 s are allowed")
        shown.world.clocks.of(PROMETHEUS)(Reading(-0.5, 0.5))
        assert shown.cycle.evaluate("everyone") is Evaluation.OK
        assert shown.metric("hold_active", gate="clock") == 0


def test_a_journal_from_the_future_holds_all_action(said: Said) -> None:
    """Our clock was set back: until it has come to where it was, no cooldown can be counted."""
    shown = stage(holding())
    shown.world.ledger = Ledger(acts=(Act("another", "before", NOW + 600.0),))
    assert shown.cycle.evaluate("everyone") is Evaluation.HELD
    assert said("hold begins")[0]["why"].endswith("08:10:00 UTC, 600 s ahead of our clock")
