"""Stage three: what the workload and the disruption budgets say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remediator.decide import about_workload, concerning
from remediator.decide.workload import disruption_budget, workload_not_ready
from remediator.model.nodes import Node
from remediator.model.pods import LivePod, OwnerReference
from remediator.model.remediations import Ledger, Remediation
from remediator.model.selectors import LabelSelector
from remediator.model.vocabulary import Action, Outcome, Reason
from remediator.model.workloads import DisruptionBudget, Revisions, Workload, WorkloadRef
from remediator.policy import CountOrPercent, Policy, PolicyFile
from tests.unit.make import NOW, breach, container, peers, pod, policies, policy, record, workload

READY = Node("node-1")


def reasons(
    taken: LivePod | None = None,
    *,
    of: Workload | None = None,
    node: Node | None = READY,
    budgets: Iterable[DisruptionBudget] = (),
    by: Policy | None = None,
    in_flight: Iterable[Remediation] = (),
    settled: Iterable[Remediation] = (),
    file: PolicyFile | None = None,
) -> dict[Reason, str]:
    """The reasons of this stage with their words, for ``pod()`` of ``workload()`` unless they are changed."""
    found = about_workload(
        taken or pod(),
        workload=of or workload(),
        node=node,
        budgets=tuple(budgets),
        policy=by or policy(),
        policies=file or policies(),
        ledger=Ledger(in_flight={one.id: one for one in in_flight}, settled=tuple(settled)),
        now=NOW,
    )
    assert all(veto.detail for veto in found)
    return {veto.reason: veto.detail for veto in found}


def budget(name: str = "web", selector: str = "app=web", **changes: Any) -> DisruptionBudget:  # noqa: ANN401
    """A budget that allows one disruption."""
    return DisruptionBudget(
        name, LabelSelector.parse(selector), **{"allowed": 1, "healthy": 3, "desired": 2, **changes}
    )


def test_nothing_objects_to_one_of_three() -> None:
    """A workload that is all there and rolls nothing out may lose one."""
    assert reasons() == {}


def test_the_workloads_own_mark_opts_out_all_its_pods() -> None:
    """The annotation on the Deployment counts like that on the pod."""
    assert set(reasons(of=workload(annotations={"remediator.dev/opt-out": ""}))) == {Reason.OPTED_OUT}
    assert reasons(of=workload(annotations={"remediator.dev/opt-out": "false"})) == {}


def test_a_pod_that_its_workload_does_not_select_is_left_alone() -> None:
    """Relabelled to be looked at, or with a reference that somebody made up: nobody would make another one."""
    aside = pod(labels={"app": "web-aside"})
    assert reasons(aside) == {
        Reason.NO_CONTROLLER: "Deployment/web does not select it by its labels, and so would not replace it"
    }
    assert Reason.NO_CONTROLLER not in reasons(aside, of=workload(selector=None)), "where that can't be read"


def test_a_pod_of_a_workload_that_is_being_deleted_is_left_alone() -> None:
    """Its controller makes no pods any more, and somebody's finalizer may wait for what is in this one."""
    assert reasons(of=workload(is_ending=True)) == {
        Reason.NO_CONTROLLER: "Deployment/web is being deleted, and so would not replace it"
    }


def test_a_rollout_is_waited_for() -> None:
    """What is being rolled out is in the sentence."""
    found = reasons(of=workload(rollout="1 of 3 replicas have the newest template"))
    assert found == {Reason.ROLLOUT_IN_PROGRESS: "Deployment/web: 1 of 3 replicas have the newest template"}


def test_pods_of_two_templates_are_a_rollout() -> None:
    """Whatever the owner says of itself; what has ended is left from before and is none."""
    other = OwnerReference("apps/v1", "ReplicaSet", "web-6666", "rs-other")
    mixed = workload(pods=(pod(), *peers(1), *peers(2, controller=other)[1:]))
    found = reasons(of=mixed)
    assert found == {Reason.ROLLOUT_IN_PROGRESS: "Deployment/web has pods of several templates: web-5d4f, web-6666"}
    ended = workload(pods=(pod(), *peers(2), pod(uid="x", controller=other, phase="Failed")))
    assert reasons(of=ended) == {}


@pytest.mark.parametrize("label", ["pod-template-hash", "controller-revision-hash"])
def test_a_controller_that_says_nothing_is_read_by_its_pods_templates(label: str) -> None:
    """The pods of a custom controller that carry more than one template hash are a rollout, whatever it is called."""
    for kind, group in (("CloneSet", "apps.kruise.io/v1alpha1"), ("StatefulSet", "apps.kruise.io/v1beta1")):
        ref = WorkloadRef(kind, "shop", "web", "dep-uid", group)
        pods = (pod(labels={label: "a"}), *peers(1, labels={label: "a"}), *peers(2, labels={label: "b"})[1:])
        found = reasons(of=workload(ref=ref, wanted=None, pods=pods))
        assert found == {Reason.ROLLOUT_IN_PROGRESS: f"{kind}/web has pods of several templates: a, b"}
        alike = tuple(replace(one, labels={label: "a"}) for one in pods)
        assert reasons(of=workload(ref=ref, wanted=None, pods=alike)) == {}
        ended = (*alike, pod(uid="x", phase="Failed", labels={label: "b"}))
        assert reasons(of=workload(ref=ref, wanted=None, pods=ended)) == {}


# StatefulSets and DaemonSets


def of_set(number: int, revision: str = "old", **changes: Any) -> LivePod:  # noqa: ANN401
    """A pod of the StatefulSet ``db``."""
    name = f"db-{number}"
    usual = {"name": name, "uid": name, "labels": {"app": "web", "controller-revision-hash": revision}}
    return pod(**{**usual, **changes})


def statefulset(*pods: LivePod, revisions: Revisions | None = None, **changes: Any) -> Workload:  # noqa: ANN401
    """The StatefulSet ``db``, in order, with these pods."""
    usual = {
        "ref": WorkloadRef("StatefulSet", "shop", "db", "set-uid", "apps/v1"),
        "wanted": len(pods),
        "pods": pods,
        "ordered": True,
        "revisions": revisions or Revisions("old", "old"),
    }
    return workload(**{**usual, **changes})


@pytest.mark.parametrize("number", [0, 1, 2])
def test_any_ordinal_of_a_whole_statefulset_may_go(number: int) -> None:
    """Where all are available it makes each of them again."""
    pods = [of_set(n) for n in range(3)]
    assert reasons(pods[number], of=statefulset(*pods)) == {}


@pytest.mark.parametrize(
    ("case", "names"),
    [
        pytest.param([of_set(0, ready_since=None), of_set(1), of_set(2)], "db-0", id="not Ready"),
        pytest.param([of_set(0, deleted_at=NOW + 9.0), of_set(1), of_set(2)], "db-0", id="terminating"),
        pytest.param([of_set(1), of_set(2)], "db-0", id="not there"),
        pytest.param([of_set(0, phase="Failed"), of_set(2)], "db-0, db-1", id="two of them"),
        pytest.param([of_set(0), of_set(1, ready_since=NOW - 3.0), of_set(2)], "db-1", id="Ready for too short a time"),
    ],
)
def test_a_predecessor_that_is_unavailable_keeps_the_next_from_being_made(case: list[LivePod], names: str) -> None:
    """A StatefulSet that makes its pods in order makes none above one that is not available."""
    in_order = statefulset(*case, wanted=3, min_ready_seconds=10)
    found = reasons(case[-1], of=in_order, by=policy(max_unavailable=CountOrPercent(3)))
    assert found[Reason.PREDECESSOR_UNAVAILABLE] == (
        f"StatefulSet/db makes its pods in order, and {names} is not available"
    )
    lenient = replace(in_order, ordered=False)
    assert reasons(case[-1], of=lenient, by=policy(max_unavailable=CountOrPercent(3))) == {}


def test_ordinals_count_from_the_first() -> None:
    """What is below the first ordinal, and what is not wanted any more, is no predecessor; what is above is none."""
    pods = [of_set(5), of_set(6)]
    assert reasons(pods[1], of=statefulset(*pods, first_ordinal=5)) == {}
    unwanted = [of_set(0), of_set(10**12)]
    assert reasons(unwanted[1], of=statefulset(*unwanted, wanted=1)) == {}
    sick_above = [of_set(0), of_set(1, ready_since=None)]
    found = reasons(sick_above[0], of=statefulset(*sick_above))
    assert set(found) == {Reason.WORKLOAD_NOT_READY}


def test_a_pod_without_an_ordinal_is_no_statefulsets_to_make_again() -> None:
    """What the name does not tell is not guessed."""
    odd = of_set(0, name="db-x")
    found = reasons(odd, of=statefulset(odd, of_set(1)))
    assert set(found) == {Reason.PREDECESSOR_UNAVAILABLE, Reason.REVISION_WOULD_CHANGE}


@pytest.mark.parametrize("allowed", [CountOrPercent(2), CountOrPercent(100, is_percent=True)])
def test_in_order_one_at_a_time_whatever_max_unavailable_says(allowed: CountOrPercent) -> None:
    """A second one that is missing stays missing for as long as the first; in parallel the policy's word holds."""
    pods = [of_set(n) for n in range(3)]
    uid = "set-uid"
    other = record(id="other", workload=replace(record().workload, uid=uid), breach=breach(uid="db-2", pod="db-2"))
    by = policy(max_unavailable=allowed)
    in_order, parallel = statefulset(*pods), statefulset(*pods, ordered=False)
    found = reasons(pods[0], of=in_order, by=by, in_flight=[other])
    assert found == {
        Reason.WORKLOAD_NOT_READY: "2 of the 3 pods of StatefulSet/db would be unavailable, maxUnavailable is 1"
    }
    assert reasons(pods[0], of=parallel, by=by, in_flight=[other]) == {}


@pytest.mark.parametrize(
    ("revision", "revisions", "would_be"),
    [
        pytest.param("old", Revisions("old", "old"), "", id="no update"),
        pytest.param("old", Revisions("old", "new", partition=3), "", id="held back by the partition"),
        pytest.param("old", Revisions("old", "new", partition=2), "new", id="at the partition"),
        pytest.param("new", Revisions("old", "new", partition=2), "", id="updated already"),
        pytest.param("new", Revisions("old", "new", partition=3), "old", id="updated, and the partition was raised"),
        pytest.param("old", Revisions("old", "new", on_delete=True), "new", id="OnDelete"),
        pytest.param(
            "old", Revisions("old", "new", partition=3, on_delete=True), "new", id="OnDelete has no partition"
        ),
        pytest.param("new", Revisions("old", "new", on_delete=True), "", id="OnDelete, made again already"),
        pytest.param("older", Revisions("old", "old"), "old", id="of an even older one"),
    ],
)
def test_the_revision_would_change(revision: str, revisions: Revisions, would_be: str) -> None:
    """Where the replacement would be made from another revision the pod stays: a memory policy never deploys."""
    pods = [of_set(0), of_set(1), of_set(2, revision)]
    found = reasons(pods[2], of=statefulset(*pods, revisions=revisions))
    words = f"db-2 was made from revision {revision}, its replacement would be made from {would_be}"
    assert found == ({Reason.REVISION_WOULD_CHANGE: words} if would_be else {})


def test_a_revision_that_can_t_be_told_is_one_that_would_change() -> None:
    """No label, or a status that names no revision: a doubt is a reason to leave it alone."""
    bare = of_set(0, labels={"app": "web"})
    assert set(reasons(bare, of=statefulset(bare))) == {Reason.REVISION_WOULD_CHANGE}
    known = of_set(0)
    assert set(reasons(known, of=statefulset(known, revisions=Revisions("", "")))) == {Reason.REVISION_WOULD_CHANGE}


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ({"app": "app:1"}, ""),
        ({"app": "app:2"}, "has container app from image app:1, its replacement would have app:2"),
        (
            {"app": "app:1", "proxy": "proxy:1"},
            "has container proxy from image None, its replacement would have proxy:1",
        ),
    ],
)
def test_a_replicaset_whose_template_was_edited_deploys_nothing_by_our_hand(images: dict[str, str], words: str) -> None:
    """Its pods carry no hash, so their images are compared; what was injected into a pod is in no template."""
    injected = container("injected", image="mesh:1")
    taken = pod(containers=(container(image="app:1"), injected))
    found = reasons(taken, of=workload(images=images))
    assert found == ({Reason.REVISION_WOULD_CHANGE: f"{taken.name} {words}"} if words else {})


def daemonset(*pods: LivePod, **changes: Any) -> Workload:  # noqa: ANN401
    """The DaemonSet ``agent`` on three nodes."""
    ref = WorkloadRef("DaemonSet", "shop", "agent", "ds-uid", "apps/v1")
    return workload(**{"ref": ref, "wanted": 3, "pods": pods or (pod(), *peers()), **changes})


def test_a_daemonset_with_outdated_pods_is_left_alone() -> None:
    """Under OnDelete as well: which of its pods would change is not asked one by one."""
    assert reasons(of=daemonset()) == {}
    assert reasons(of=daemonset(outdated=2)) == {
        Reason.REVISION_WOULD_CHANGE: "DaemonSet/agent has pods of an older template on 2 nodes"
    }


def test_a_daemonset_wants_a_pod_on_each_of_its_nodes() -> None:
    """Where one is missing on another node the next one stays, unless two may be missing."""
    short = daemonset(pod(), *peers(1))
    assert set(reasons(of=short)) == {Reason.WORKLOAD_NOT_READY}
    assert reasons(of=short, by=policy(max_unavailable=CountOrPercent(2))) == {}


# Not ready


UNREADY = {"ready_since": None}
TERMINATING = {"deleted_at": NOW + 20.0}


def of(*others: LivePod, **changes: Any) -> Workload:  # noqa: ANN401
    """The workload with ``pod()`` and these."""
    return workload(pods=(pod(), *others), **changes)


@pytest.mark.parametrize(
    ("case", "vetoed"),
    [
        pytest.param(of(*peers(2)), False, id="all available"),
        pytest.param(of(*peers(1), *peers(2, **UNREADY)[1:]), True, id="a peer is not Ready"),
        pytest.param(of(*peers(1)), True, id="a peer is missing"),
        pytest.param(of(*peers(2), pod(uid="old", **TERMINATING)), True, id="a peer is terminating already"),
        pytest.param(
            of(*peers(2), pod(uid="old", phase="Failed", ready_since=None, **TERMINATING)), False, id="a dead one"
        ),
        pytest.param(of(*peers(3)), False, id="one more than wanted"),
        pytest.param(of(*peers(3), pod(uid="old", **TERMINATING)), True, id="one more, and one terminating"),
        pytest.param(of(wanted=1), False, id="the only replica"),
        pytest.param(of(*peers(2, ready_since=NOW - 5.0), min_ready_seconds=10), True, id="Ready for too short a time"),
        pytest.param(of(*peers(2, ready_since=NOW - 10.0), min_ready_seconds=10), False, id="Ready for long enough"),
        pytest.param(of(*peers(1), pod(uid="x", phase="Succeeded")), True, id="a finished pod is none"),
        pytest.param(workload(pods=peers(2)), False, id="the pod is not in the list"),
        pytest.param(of(wanted=0), False, id="scaled to nothing"),
    ],
)
def test_no_more_than_one_may_be_missing(case: Workload, vetoed: bool) -> None:  # noqa: FBT001
    """With ``maxUnavailable`` 1 a pod goes only where every other wanted pod is available."""
    assert (Reason.WORKLOAD_NOT_READY in reasons(of=case)) is vetoed


def test_a_pod_that_is_not_ready_may_go_itself() -> None:
    """A leaking pod that fails its probe is the one that is missing already."""
    sick = pod(**UNREADY)
    assert reasons(sick, of=workload(pods=(sick, *peers(2)))) == {}


def test_pods_that_other_records_are_about_to_take_are_missing() -> None:
    """Between intent and eviction a pod is still there, and must not be counted on."""
    other = record(id="peer", breach=breach(uid="peer-1", pod="web-5d4f-p1"), taken_at=None)
    assert Reason.WORKLOAD_NOT_READY in reasons(in_flight=[other])
    two = policy(max_unavailable=CountOrPercent(2))
    assert reasons(in_flight=[other], by=two) == {}


@pytest.mark.parametrize(
    ("allowed", "vetoed"),
    [
        (CountOrPercent(2), False),
        (CountOrPercent(50, is_percent=True), True),
        (CountOrPercent(67, is_percent=True), False),
        (CountOrPercent(1, is_percent=True), True),
    ],
)
def test_with_one_missing_a_second_needs_an_allowance(
    allowed: CountOrPercent,
    vetoed: bool,  # noqa: FBT001
) -> None:
    """A percentage of three is rounded down, to one at least."""
    found = reasons(of=of(*peers(1)), by=policy(max_unavailable=allowed))
    assert (Reason.WORKLOAD_NOT_READY in found) is vetoed


def test_a_workload_with_a_stuck_pod_is_left_alone_until_that_is_gone() -> None:
    """Whatever may be missing: what kept the last one from ending would keep the next one as well."""
    stuck = pod(uid="stuck", name="web-5d4f-stuck", phase="Failed", deleted_at=NOW - 999.0)
    ended = record(
        breach=breach(uid="stuck"),
        outcome=Outcome.STUCK_TERMINATING,
        settled_at=NOW - 900.0,
        detail="web-5d4f-stuck is held by the finalizer example.com/held",
    )
    lenient = policy(max_unavailable=CountOrPercent(3))
    whole = workload(pods=(pod(), *peers(), stuck))
    assert reasons(of=whole, by=lenient, settled=[ended]) == {
        Reason.WORKLOAD_NOT_READY: f"web-5d4f-stuck is still there: {ended.detail}"
    }
    assert reasons(of=workload(outside=(stuck,)), by=lenient, settled=[ended]).keys() == {Reason.WORKLOAD_NOT_READY}
    assert reasons(of=workload(), by=lenient, settled=[ended]) == {}, "it is gone"
    assert reasons(of=whole, by=lenient, settled=[replace(ended, outcome=Outcome.REPLACED)]) == {}
    elsewhere = replace(ended, workload=WorkloadRef("Deployment", "shop", "other", "other-uid"))
    assert reasons(of=whole, by=lenient, settled=[elsewhere]) == {}


STATES = ("available", "unready", "terminating", "dying", "finished")
"""``dying`` is terminating and not Ready any more."""


def in_state(state: str, uid: str) -> LivePod:
    """A pod of the workload in that state."""
    match state:
        case "available":
            return pod(uid=uid)
        case "unready":
            return pod(uid=uid, ready_since=None)
        case "terminating":
            return pod(uid=uid, deleted_at=NOW + 5.0)
        case "dying":
            return pod(uid=uid, deleted_at=NOW + 5.0, ready_since=None)
        case _:
            return pod(uid=uid, phase="Failed")


@given(
    states=st.lists(st.sampled_from(STATES), min_size=1, max_size=8),
    wanted=st.integers(0, 8),
    claimed=st.sets(st.integers(0, 7)),
    allowed=st.one_of(
        st.integers(1, 4).map(CountOrPercent), st.integers(1, 100).map(lambda n: CountOrPercent(n, is_percent=True))
    ),
)
@example(states=["available"] * 4, wanted=3, claimed={1, 2}, allowed=CountOrPercent(1))
def test_never_more_missing_than_allowed(
    states: list[str], wanted: int, claimed: set[int], allowed: CountOrPercent
) -> None:
    """Where it says nothing, at most ``maxUnavailable`` wanted pods are missing once every doomed pod is gone."""
    pods = [in_state(state, str(n)) for n, state in enumerate(states)]
    others = [record(id=str(n), breach=breach(uid=str(n))) for n in claimed - {0} if n < len(pods)]
    veto = workload_not_ready(
        pods[0],
        workload=workload(wanted=wanted, pods=tuple(pods)),
        policy=policy(max_unavailable=allowed),
        ledger=Ledger(in_flight={one.id: one for one in others}),
        now=NOW,
    )
    remaining = 0
    for n, state in enumerate(states):
        if n != 0 and n not in claimed and state == "available":
            remaining += 1
    most = max(wanted * allowed.value // 100, 1) if allowed.is_percent else allowed.value
    if veto is None:
        assert wanted - remaining <= most
        assert sum(state in {"terminating", "dying"} for state in states[1:]) < most
    if veto is not None and "terminating" not in states[1:] and "dying" not in states[1:]:
        assert wanted - remaining > most, "it has a reason"


# Disruption budgets


@pytest.mark.parametrize(
    ("budgets", "words"),
    [
        pytest.param([], "", id="none"),
        pytest.param([budget()], "", id="one that allows"),
        pytest.param([budget(allowed=0, healthy=2)], "web allows no disruption: 2 healthy, 2 wanted", id="used up"),
        pytest.param([budget(allowed=0, selector="app=other")], "", id="of other pods"),
        pytest.param([DisruptionBudget("null", None, allowed=0)], "", id="that selects nothing"),
        pytest.param([budget(selector="", allowed=0)], "allows no disruption", id="that selects everything"),
        pytest.param([budget(), budget("all", "")], "PodDisruptionBudgets all, web all cover it", id="two"),
        pytest.param([budget(), budget("other", "app=other")], "", id="two, one of other pods"),
        pytest.param([budget(broken="jobs.batch does not implement the scale subresource")], "never", id="broken"),
        pytest.param([budget(observed=False)], "still being computed", id="not yet computed"),
        pytest.param([budget(allowed=-1)], "allows no disruption", id="below nothing"),
    ],
)
def test_a_budget_is_asked_before_the_api_is(budgets: list[DisruptionBudget], words: str) -> None:
    """What the Eviction API would answer is known beforehand, with the budget's name."""
    found = reasons(budgets=budgets)
    assert set(found) == ({Reason.DISRUPTION_BUDGET} if words else set())
    assert words in found.get(Reason.DISRUPTION_BUDGET, "")


@pytest.mark.parametrize(
    ("healthy", "desired", "vetoed"), [(2, 2, False), (3, 2, False), (1, 2, True), (0, 0, True), (2, 0, True)]
)
def test_a_sick_pod_needs_no_allowance_of_a_budget_that_is_met(
    healthy: int,
    desired: int,
    vetoed: bool,  # noqa: FBT001
) -> None:
    """The API lets a pod go that is not Ready where as many are healthy as the budget wants."""
    sick = pod(ready_since=None)
    found = reasons(
        sick, of=workload(pods=(sick, *peers(2))), budgets=[budget(allowed=0, healthy=healthy, desired=desired)]
    )
    assert (Reason.DISRUPTION_BUDGET in found) is vetoed


@pytest.mark.parametrize(
    "why",
    [
        pytest.param({"allowed": 0, "healthy": 0, "desired": 2}, id="used up"),
        pytest.param({"broken": "it can't be computed"}, id="broken"),
        pytest.param({"observed": False}, id="not yet computed"),
    ],
)
def test_a_budget_that_always_allows_unready_pods_is_not_asked_about_one(why: dict[str, Any]) -> None:
    """With the unhealthyPodEvictionPolicy AlwaysAllow only a Ready pod needs the budget."""
    sick = pod(ready_since=None)
    whole = workload(pods=(sick, *peers(2)))
    open_to_all = budget(always_allows_unready=True, **why)
    assert reasons(sick, of=whole, budgets=[open_to_all]) == {}
    assert set(reasons(budgets=[open_to_all])) == {Reason.DISRUPTION_BUDGET}
    assert set(reasons(sick, of=whole, budgets=[budget(**why)])) == {Reason.DISRUPTION_BUDGET}
    assert set(reasons(sick, of=whole, budgets=[open_to_all, budget("all", "")])) == {Reason.DISRUPTION_BUDGET}


def test_a_budget_that_can_never_allow_anything_is_called_a_misconfiguration() -> None:
    """The controller's words are quoted, because whoever reads it has to mend the budget."""
    found = reasons(budgets=[budget(broken="daemonsets.apps does not implement the scale subresource")])
    assert found[Reason.DISRUPTION_BUDGET] == (
        "PodDisruptionBudget web is misconfigured and will never allow anything: "
        "daemonsets.apps does not implement the scale subresource"
    )


def test_budgets_stand_against_what_evicts() -> None:
    """``action: delete`` says that budgets don't count; a surge asks them at its end; of a report nobody goes."""
    against = disruption_budget(pod(), [budget(allowed=0), budget("all", "")])
    assert against is not None
    standing = {action for action in Action if concerning([against], action)}
    assert standing == {Action.EVICT}


# The node


def test_a_node_that_is_not_ready_keeps_its_pods() -> None:
    """Deleted there, a pod would stay Terminating until the node is back; Kubernetes' words are in the sentence."""
    lost = Node("node-1", not_ready="NodeStatusUnknown: Kubelet stopped posting node status.")
    assert reasons(node=lost) == {
        Reason.NODE_NOT_READY: "its node node-1 is not Ready: NodeStatusUnknown: Kubelet stopped posting node status."
    }


def test_a_node_that_is_gone_keeps_its_pods() -> None:
    """Kubernetes collects them by itself, and their controller replaces them then."""
    assert reasons(node=None) == {Reason.NODE_NOT_READY: "its node node-1 is gone; Kubernetes will remove it by itself"}


def test_where_nodes_may_not_be_read_the_pods_own_condition_tells() -> None:
    """Kubernetes makes the pods of a lost node un-Ready: one that is not may be on such a node."""
    unknown = Node("node-1", readable=False)
    sick = pod(ready_since=None)
    whole = workload(pods=(sick, *peers(2)))
    assert reasons(node=unknown) == {}
    assert set(reasons(sick, of=whole, node=unknown)) == {Reason.NODE_NOT_READY}
    assert reasons(sick, of=whole) == {}


def test_a_ready_pod_needs_the_allowance() -> None:
    """A healthy pod is one of those that the budget counts."""
    assert Reason.DISRUPTION_BUDGET in reasons(budgets=[budget(allowed=0, healthy=2, desired=2)])


def test_all_reasons_are_told_at_once() -> None:
    """Every reason of the stage, not the first."""
    case = of(rollout="a rollout", annotations={"remediator.dev/opt-out": "1"})
    assert set(reasons(of=case, node=None, budgets=[budget(allowed=0)])) == {
        Reason.OPTED_OUT,
        Reason.ROLLOUT_IN_PROGRESS,
        Reason.WORKLOAD_NOT_READY,
        Reason.NODE_NOT_READY,
        Reason.DISRUPTION_BUDGET,
    }
    pods = [of_set(0, ready_since=None), of_set(1), of_set(2, "new")]
    both = statefulset(*pods, rollout="a rollout", revisions=Revisions("old", "old"))
    assert set(reasons(pods[2], of=both)) == {
        Reason.ROLLOUT_IN_PROGRESS,
        Reason.REVISION_WOULD_CHANGE,
        Reason.WORKLOAD_NOT_READY,
        Reason.PREDECESSOR_UNAVAILABLE,
    }


def test_marks_for_other_tools_on_the_workload_hold_unless_they_are_switched_off() -> None:
    """As on a pod; a report takes nothing, so it is made all the same."""
    marked = workload(annotations={"karpenter.sh/do-not-disrupt": "true"})
    assert set(reasons(of=marked)) == {Reason.OPTED_OUT}
    assert reasons(of=marked, file=policies(foreign_marks=False)) == {}
    assert reasons(of=marked, by=policy(action=Action.NOTIFY)) == {}
