"""Stage one: what the policy and the journal say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from remediator.act import ledger as changes
from remediator.decide import concerning, policy_and_journal
from remediator.decide.journal import budget_left
from remediator.model.holds import Hold
from remediator.model.measures import Veto
from remediator.model.remediations import Act, Baseline, Breaker, Ledger, Remediation
from remediator.model.selectors import LabelSelector
from remediator.model.vocabulary import Action, Outcome, Reason
from remediator.model.workloads import WorkloadRef
from remediator.policy import Budget, CountOrPercent, Match, Policy, PolicyFile, Window, WorkloadMatch
from tests.unit.make import DEPLOYMENT, NOW, breach, pod, policies, policy, record

OTHER = WorkloadRef("Deployment", "shop", "other", "other-uid")
NOBODY = Ledger()


def vetoes(
    *,
    file: PolicyFile | None = None,
    by: Policy | None = None,
    ledger: Ledger = NOBODY,
    owner: WorkloadRef | None = DEPLOYMENT,
    holds: tuple[Hold, ...] = (),
    emergency: bool = False,
    now: float = NOW,
    **of_pod: object,
) -> dict[Reason, str]:
    """The reasons of this stage with their words, for a breach of ``pod()`` unless it is changed."""
    file = file or policies(by or policy())
    found = policy_and_journal(
        breach(emergency=emergency),
        pod=pod(**of_pod),
        owner=owner,
        policy=by or file.policies[0],
        policies=file,
        ledger=ledger,
        holds=holds,
        now=now,
    )
    assert all(isinstance(veto, Veto) and veto.detail for veto in found)
    return {veto.reason: veto.detail for veto in found}


def ledger(*, in_flight: Iterable[Remediation] = (), acts: Iterable[Act] = ()) -> Ledger:
    """A journal with these records and acts."""
    return Ledger(in_flight={one.id: one for one in in_flight}, acts=tuple(acts))


def of_peer(**more: object) -> Remediation:
    """A record of another pod of the workload."""
    return record(id="peer", breach=breach(uid="peer-1", pod="web-5d4f-p1"), **more)


def act(uid: str = "dep-uid", *, ago: float, settled_ago: float | None = None, spends: bool = True) -> Act:
    """An act so many seconds ago."""
    return Act(uid, f"of-{ago}", NOW - ago, None if settled_ago is None else NOW - settled_ago, spends)


def test_marks_for_other_tools_hold_unless_they_are_switched_off() -> None:
    """A pod that Karpenter must leave is left by us as well, but reported, and taken where the file says so."""
    marks = {"karpenter.sh/do-not-disrupt": "true"}
    detail = "pod web-5d4f-abcde has another tool's annotation karpenter.sh/do-not-disrupt: 'true'"
    assert vetoes(annotations=marks) == {Reason.OPTED_OUT: detail}
    assert vetoes(by=policy(action=Action.NOTIFY), annotations=marks) == {}
    assert vetoes(file=policies(foreign_marks=False), annotations=marks) == {}


def test_nothing_objects_to_a_first_act() -> None:
    """An empty journal and a policy that matches are no reason against anything."""
    assert vetoes() == {}


def test_the_kill_switch() -> None:
    """``safety.paused`` holds everything."""
    assert Reason.PAUSED in vetoes(file=policies(paused=True))


def test_every_gate_that_holds_is_told_in_one_reason() -> None:
    """``safety.holdWhen``: one veto, with what each of them says; a report is made all the same."""
    holds = (Hold("hold-when-1", Reason.HELD, "the first"), Hold("hold-when-3", Reason.HELD, "the third"))
    assert vetoes(holds=holds) == {Reason.HELD: "the first; the third"}
    clocks = Hold("clock", Reason.CLOCK, "an hour apart")
    assert vetoes(holds=(*holds, clocks)) == {Reason.HELD: "the first; the third", Reason.CLOCK: "an hour apart"}
    assert concerning([Veto(Reason.CLOCK, "an hour apart")], Action.NOTIFY), "of what time would it be?"
    found = Veto(Reason.HELD, "the first")
    assert concerning([found], Action.NOTIFY) == ()
    assert concerning([found], Action.DELETE) == (found,)


@pytest.mark.parametrize(("namespace", "excluded"), [("kube-system", True), ("kube-systems", False), ("shop", False)])
def test_excluded_namespaces(namespace: str, excluded: bool) -> None:  # noqa: FBT001
    """An excluded namespace is one by its whole name."""
    assert (Reason.EXCLUDED_NAMESPACE in vetoes(namespace=namespace)) is excluded


def named(name: str, **match: object) -> Policy:
    """A policy of that name over what matches."""
    return policy(name=name, match=Match(**match))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mine", "matched"),
    [
        pytest.param(named("a"), True, id="everything"),
        pytest.param(named("a", namespaces=("shop",)), True, id="namespace"),
        pytest.param(named("a", namespaces=("sho",)), False, id="a part of the namespace"),
        pytest.param(named("a", pods=("web-.*",)), True, id="pod"),
        pytest.param(named("a", pods=("worker-.*",)), False, id="another pod"),
        pytest.param(named("a", workload=WorkloadMatch("Deployment", "web")), True, id="workload"),
        pytest.param(named("a", workload=WorkloadMatch("ReplicaSet", "web")), False, id="workload of another kind"),
        pytest.param(named("a", workload=WorkloadMatch("Deployment", "we")), False, id="a part of the workload"),
        pytest.param(named("a", selector=LabelSelector.parse("app=web")), True, id="labels"),
        pytest.param(named("a", selector=LabelSelector.parse("app!=web")), False, id="other labels"),
    ],
)
def test_what_the_query_could_not_see_is_checked(mine: Policy, matched: bool) -> None:  # noqa: FBT001
    """Workload and labels are in no series: a pod that the policy is not about is not its to take."""
    assert (Reason.NOT_MATCHED in vetoes(by=mine)) is not matched


def test_a_pod_belongs_to_the_first_policy_that_matches() -> None:
    """A pod of an earlier policy is left to that one, also where it is disabled."""
    for first, words in (
        (named("first"), "it belongs to policy first, which comes first"),
        (policy(name="first", enabled=False), "its policy first is disabled"),
    ):
        second = named("second")
        found = vetoes(by=second, file=policies(first, second))
        assert found == {Reason.NOT_MATCHED: words}
        own = vetoes(by=first, file=policies(first, second))
        assert (Reason.NOT_MATCHED in own) is not first.enabled, "what a disabled policy began is not carried out"


def test_a_pod_without_a_workload_matches_no_policy_for_workloads() -> None:
    """Nothing is said of a workload that is not known."""
    found = vetoes(by=named("a", workload=WorkloadMatch("Deployment", ".*")), owner=None)
    assert "a pod without a workload" in found[Reason.NOT_MATCHED]


# In flight


def test_one_record_for_a_pod() -> None:
    """A pod that is being replaced is not taken again, whatever ``maxUnavailable`` is."""
    found = vetoes(by=policy(max_unavailable=CountOrPercent(3)), ledger=ledger(in_flight=[record()]))
    assert found[Reason.IN_FLIGHT] == "this pod is being replaced"


@pytest.mark.parametrize(
    ("allowed", "in_flight"),
    [
        (CountOrPercent(1), True),
        (CountOrPercent(2), False),
        (CountOrPercent(25, is_percent=True), True),
        (CountOrPercent(67, is_percent=True), False),
    ],
)
def test_as_many_of_a_workload_as_may_be_unavailable(
    allowed: CountOrPercent,
    in_flight: bool,  # noqa: FBT001
) -> None:
    """With one of three pods in flight a second one may go only where two may be missing."""
    found = vetoes(by=policy(max_unavailable=allowed), ledger=ledger(in_flight=[of_peer()]))
    assert (Reason.IN_FLIGHT in found) is in_flight


def test_the_replacement_of_another_pod_is_spared() -> None:
    """Taken before the other record is settled, it would leave one new pod to settle two records."""
    two = policy(max_unavailable=CountOrPercent(2))
    before = Baseline(frozenset({"peer-1", "peer-2", "gone"}), wanted=3, available=3, pods_version="1")
    found = vetoes(by=two, ledger=ledger(in_flight=[of_peer(baseline=before)]))
    assert found[Reason.IN_FLIGHT] == "this pod may be the replacement of web-5d4f-p1"


def test_other_workloads_don_t_count() -> None:
    """The limit of a workload is its own; a namesake with another UID is another workload."""
    renamed = WorkloadRef("Deployment", "shop", "web", "earlier-uid")
    held = ledger(in_flight=[of_peer(workload=OTHER), record(id="b", workload=renamed, breach=breach(uid="x"))])
    assert vetoes(ledger=held) == {}


def test_a_workload_that_has_shrunk_is_measured_by_what_it_was() -> None:
    """A percentage is of the wanted count when the other records began."""
    small = of_peer(baseline=Baseline(frozenset({breach().uid}), wanted=4, available=4, pods_version="1"))
    half = policy(max_unavailable=CountOrPercent(50, is_percent=True))
    assert Reason.IN_FLIGHT not in vetoes(by=half, ledger=ledger(in_flight=[small]))


# Breaker


def test_an_open_breaker_says_how_to_close_it() -> None:
    """The reason and the command are in the sentence."""
    failed = record(outcome=Outcome.NOT_READY, detail="ImagePullBackOff", settled_at=NOW - 5.0)
    found = vetoes(ledger=Ledger(breakers={"dep-uid": Breaker(DEPLOYMENT, NOW - 5.0, failed)}))
    assert found[Reason.BREAKER_OPEN] == (
        "the replacement of web-5d4f-abcde ended as not-ready: ImagePullBackOff; close it with "
        "remediator resume shop Deployment/web"
    )


def test_a_breaker_of_another_workload_is_not_ours() -> None:
    """It is kept by UID."""
    failed = record(outcome=Outcome.FAILED, settled_at=NOW - 5.0)
    assert vetoes(ledger=Ledger(breakers={"other-uid": Breaker(OTHER, NOW - 5.0, failed)})) == {}


# Cooldown and budget


@pytest.mark.parametrize(
    ("before", "cooling"),
    [
        pytest.param(act(ago=599), True, id="begun 599 s ago"),
        pytest.param(act(ago=600), False, id="begun 600 s ago"),
        pytest.param(act(ago=5000, settled_ago=599), True, id="settled 599 s ago"),
        pytest.param(act(ago=5000, settled_ago=600), False, id="settled 600 s ago"),
        pytest.param(act(ago=100, settled_ago=90, spends=False), True, id="blocked a moment ago"),
        pytest.param(act("other-uid", ago=1), False, id="of another workload"),
        pytest.param(act(ago=-50), True, id="from the future"),
    ],
)
def test_the_pause_between_two_pods_of_a_workload(before: Act, cooling: bool) -> None:  # noqa: FBT001
    """It counts from the intent, anew from the end, and also where the budget was given back."""
    assert (Reason.COOLDOWN in vetoes(ledger=ledger(acts=[before]))) is cooling


def test_an_emergency_waits_for_no_window_and_no_cooldown() -> None:
    """Every other guard holds; a report waits all the same, or it would be made at every evaluation."""
    never = Window(frozenset({0}), 0, 1)
    closed = policy(windows=(never,), max_per_workload=Budget(actions=1, per=3600))
    busy = ledger(acts=[act(ago=5)], in_flight=[of_peer()])
    pauses = {Reason.WINDOW_CLOSED, Reason.COOLDOWN}
    calm = vetoes(by=closed, ledger=busy)
    assert set(calm) == {*pauses, Reason.PER_WORKLOAD_LIMIT, Reason.IN_FLIGHT}
    assert set(vetoes(by=closed, ledger=busy, emergency=True)) == set(calm) - pauses
    report = replace(closed, action=Action.NOTIFY)
    assert set(vetoes(by=report, ledger=busy, emergency=True)) == set(calm)


def test_a_cooldown_of_nothing_is_none() -> None:
    """``cooldown: 0s`` lets the next pod go at once."""
    assert vetoes(by=policy(cooldown=0), ledger=ledger(acts=[act(ago=0, settled_ago=0)])) == {}


def test_the_latest_act_counts() -> None:
    """Of several acts the one that ended last begins the pause."""
    several = [act(ago=5000, settled_ago=100), act(ago=700, settled_ago=650)]
    found = vetoes(ledger=ledger(acts=several))
    assert "has 500 s to go" in found[Reason.COOLDOWN]


@pytest.mark.parametrize(
    ("acts", "left"),
    [
        ([], 2),
        ([act(ago=10)], 1),
        ([act(ago=10), act("other-uid", ago=20)], 0),
        ([act(ago=10), act("other-uid", ago=3600)], 1),
        ([act(ago=10), act("other-uid", ago=3599)], 0),
        ([act(ago=10, spends=False), act("other-uid", ago=20)], 1),
        ([act(ago=n) for n in range(10)], 0),
        ([act(ago=-100)], 1),
    ],
)
def test_so_many_acts_in_so_much_time(acts: list[Act], left: int) -> None:
    """The budget is the whole cluster's, counts from intents, and gets back what was given back."""
    file = policies(policy(cooldown=0), budget=Budget(actions=2, per=3600))
    assert budget_left(file, ledger(acts=acts), NOW) == left
    assert (Reason.BUDGET in vetoes(file=file, ledger=ledger(acts=acts))) is (left == 0)


@pytest.mark.parametrize(
    ("acts", "limited"),
    [
        ([], False),
        ([act(ago=5)], False),
        ([act(ago=5), act(ago=3599)], True),
        ([act(ago=5), act(ago=3600)], False),
        ([act(ago=5), act(ago=100, spends=False)], False),
        ([act(ago=5), act("other-uid", ago=100)], False),
        ([act(ago=5), act(ago=5000, settled_ago=10)], False),
        ([act(ago=5), act(ago=-5)], True),
        ([act(ago=n) for n in range(5)], True),
    ],
)
def test_so_many_acts_on_one_workload_in_so_much_time(acts: list[Act], limited: bool) -> None:  # noqa: FBT001
    """Counted from intents, for this workload alone; what was given back does not count."""
    two = policy(cooldown=0, max_per_workload=Budget(actions=2, per=3600))
    found = vetoes(by=two, ledger=ledger(acts=acts))
    assert (Reason.PER_WORKLOAD_LIMIT in found) is limited


def test_the_limit_of_a_workload_says_when_the_next_is_allowed() -> None:
    """The moment at which so many have left the window that one more fits, and how far that is away."""
    acts = [act(ago=n) for n in (3500, 3000, 2500)]
    two = policy(cooldown=0, max_per_workload=Budget(actions=2, per=3600))
    found = vetoes(by=two, ledger=ledger(acts=acts))
    assert found[Reason.PER_WORKLOAD_LIMIT] == (
        "3 pods of Deployment/web within 1h, maxPerWorkload allows 2; "
        "the next is allowed at 2027-01-15 08:10:00 UTC, in 600 s"
    )
    assert vetoes(by=two, ledger=ledger(acts=acts), now=NOW + 600) == {}
    assert vetoes(by=two, ledger=ledger(acts=acts), owner=None) == {}


def test_so_many_remediations_at_a_time() -> None:
    """``maxConcurrent`` counts all workloads together."""
    held = [
        record(id=str(n), breach=breach(uid=str(n)), workload=WorkloadRef("Deployment", "n", str(n), str(n)))
        for n in range(3)
    ]
    assert Reason.CONCURRENCY in vetoes(ledger=ledger(in_flight=held))
    assert vetoes(ledger=ledger(in_flight=held[:2])) == {}


def test_all_reasons_are_told_at_once() -> None:
    """Whoever asks why gets every reason of the stage, not the first."""
    failed = record(outcome=Outcome.NOT_READY, settled_at=NOW - 5.0)
    busy = Ledger(
        in_flight={"peer": of_peer()}, breakers={"dep-uid": Breaker(DEPLOYMENT, NOW - 5.0, failed)}, acts=(act(ago=10),)
    )
    second = named("second", namespaces=("nowhere",))
    file = policies(
        second, paused=True, excluded_namespaces=("shop",), max_concurrent=1, budget=Budget(actions=1, per=60)
    )
    second = replace(second, max_per_workload=Budget(actions=1, per=60))
    assert set(vetoes(file=file, by=second, ledger=busy)) == {
        Reason.PAUSED,
        Reason.EXCLUDED_NAMESPACE,
        Reason.NOT_MATCHED,
        Reason.IN_FLIGHT,
        Reason.BREAKER_OPEN,
        Reason.COOLDOWN,
        Reason.PER_WORKLOAD_LIMIT,
        Reason.BUDGET,
        Reason.CONCURRENCY,
    }


def test_a_record_does_not_object_to_itself() -> None:
    """The second look leaves its own record out: what it has spent is no reason against it."""
    alone = policies(
        policy(max_per_workload=Budget(actions=1, per=3600)), max_concurrent=1, budget=Budget(actions=1, per=3600)
    )
    begun = changes.intended(Ledger(), record())
    assert set(vetoes(file=alone, ledger=begun)) == {
        Reason.IN_FLIGHT,
        Reason.COOLDOWN,
        Reason.PER_WORKLOAD_LIMIT,
        Reason.BUDGET,
        Reason.CONCURRENCY,
    }
    assert vetoes(file=alone, ledger=changes.without(begun, record().id)) == {}
