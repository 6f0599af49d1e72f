"""When a pod can't be replaced first and removed after: each reason by itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from remediator.decide.surge import surge_impossible, surge_would_be_noticed
from remediator.model.measures import Veto
from remediator.model.pods import OwnerReference
from remediator.model.selectors import LabelSelector
from remediator.model.surge import Footprint, Neighbours, Quota, Selecting
from remediator.model.vocabulary import Reason
from remediator.model.workloads import DisruptionBudget, WorkloadRef
from tests.unit.make import GI, pod, workload

HASH = "pod-template-hash"
LABELS = {"app": "web", HASH: "5d4f"}
POD = pod(labels=LABELS)
OWN = LabelSelector.parse(f"app=web,{HASH}=5d4f")


def said(veto: Veto | None) -> str:
    """The words of a veto; empty for none."""
    assert veto is None or veto.reason is Reason.SURGE_IMPOSSIBLE
    return veto.detail if veto else ""


def budget(name: str = "web", selector: str = "app=web", **more: Any) -> DisruptionBudget:  # noqa: ANN401
    """A budget that allows nothing."""
    return DisruptionBudget(name, LabelSelector.parse(selector), 0, **more)


def selecting(name: str, selector: str, *, adopts: bool) -> Neighbours:
    """A namespace with one more object that selects pods."""
    return Neighbours(OWN, (Selecting(name, LabelSelector.parse(selector), adopts),))


def test_a_ready_pod_of_a_deployment_can_be_replaced_first() -> None:
    """Whatever its one budget allows now, and beside Services that select on other labels."""
    assert surge_impossible(POD, workload(), [budget(desired=3, expected=3), budget("other", "app=db")]) is None
    assert surge_impossible(POD, workload(), [budget(desired=4, expected=3, observed=False)]) is None
    by_hash = LabelSelector.parse(f"{HASH}=of-another")
    beside = (
        Selecting("Service/web", LabelSelector.parse("app=web")),
        Selecting("Service/other", by_hash),
        Selecting("Job/x", OWN, adopts=True),
    )
    assert surge_would_be_noticed(POD, workload(), Neighbours(OWN, beside)) is None


@pytest.mark.parametrize(
    ("changes", "around", "words"),
    [
        ({"controller": OwnerReference("apps/v1", "StatefulSet", "db", "sts")}, {}, "has no ReplicaSet between"),
        ({}, {"ref": WorkloadRef("ReplicaSet", "shop", "web-5d4f", "rs-uid")}, "has no ReplicaSet between"),
        ({"ready_since": None}, {}, "is not Ready, so removing it first costs nothing"),
        ({"other_owners": ("Game/chess",)}, {}, "other owners as well: Game/chess"),
        ({}, {"selector": None}, "the selector of Deployment/web can't be read"),
        ({"labels": {"app": "web"}}, {}, "none, or several, of the labels pod-template-hash, rollouts-pod"),
        ({"labels": {**LABELS, "rollouts-pod-template-hash": "1"}}, {}, "none, or several"),
        (
            {},
            {"never_more": "its strategy is Recreate"},
            "must not have a pod more than it wants: its strategy is Recr",
        ),
        ({"footprint": Footprint(host_network=True)}, {}, "uses its node's network"),
        ({"footprint": Footprint(host_ports=(8080, 9090))}, {}, "ports of its node: 8080, 9090"),
    ],
)
def test_what_pod_and_workload_say_against_it(changes: dict[str, Any], around: dict[str, Any], words: str) -> None:
    """Each is a reason by itself."""
    found = surge_impossible(pod(**{"labels": LABELS, **changes}), workload(**around), [])
    assert words in said(found)
    assert "; " not in said(found)


@pytest.mark.parametrize(
    ("budgets", "words"),
    [
        ([budget("a"), budget("b")], "PodDisruptionBudgets a, b all cover the pod"),
        ([budget(broken="found no controllers")], "PodDisruptionBudget web will never allow anything: found no contro"),
        (
            [budget(desired=4, expected=3)],
            "PodDisruptionBudget web wants 4 healthy pods of 3, so one more of them lets none",
        ),
        ([budget("by-hash", f"{HASH}=5d4f")], f"PodDisruptionBudget by-hash selects on {HASH}"),
    ],
)
def test_what_budgets_say_against_it(budgets: list[DisruptionBudget], words: str) -> None:
    """Where the pod could not be evicted afterwards, it is not begun."""
    assert said(surge_impossible(POD, workload(), budgets)).startswith(words)


def test_all_reasons_are_told() -> None:
    """Not the first alone."""
    found = surge_impossible(pod(labels=LABELS, ready_since=None, other_owners=("A/b",)), workload(), [])
    assert said(found).count("; ") == 1


@pytest.mark.parametrize(
    ("neighbours", "words"),
    [
        (Neighbours(None), "its ReplicaSet is gone"),
        (Neighbours(LabelSelector.parse("app=web")), "tells its pods by nothing, and not by pod-template-hash alone"),
        (Neighbours(LabelSelector.parse("track=a,pod-template-hash=1")), "tells its pods by pod-template-hash, track"),
        (selecting("ReplicaSet/wide", "app=web", adopts=True), "ReplicaSet/wide would adopt the pod"),
        (selecting("Job/all", "", adopts=True), "Job/all would adopt the pod"),
        (selecting("Service/canary", f"app=web,{HASH}=5d4f", adopts=False), f"Service/canary selects on {HASH}"),
        (
            selecting("NetworkPolicy/old", f"{HASH} notin (77,5d4f)", adopts=False),
            f"NetworkPolicy/old selects on {HASH}",
        ),
        (
            Neighbours(OWN, unshared={"data": "ReadWriteOnce"}),
            "its claim data may be mounted by one node at a time (ReadWriteOnce)",
        ),
    ],
)
def test_what_the_namespace_says_against_it(neighbours: Neighbours, words: str) -> None:
    """Who would adopt the pod, lose it, or can't have two of them."""
    assert words in said(surge_would_be_noticed(POD, workload(), neighbours))


@pytest.mark.parametrize(
    ("left", "short"),
    [
        ({"pods": 1, "requests.memory": 2 * GI, "memory": GI, "limits.cpu": 0}, ""),
        ({"pods": 0}, "pods"),
        ({"count/pods": 0, "requests.memory": GI - 1}, "count/pods, requests.memory"),
        ({"memory": GI - 1}, "memory"),
        ({"services": 0}, ""),
    ],
)
def test_a_quota_needs_room_for_one_more(left: dict[str, int], short: str) -> None:
    """Of what the pod asks for; a quota of other things is none of its business."""
    asking = pod(labels=LABELS, footprint=Footprint(asks={"requests.memory": Decimal(GI)}))
    quota = Quota("small", {name: Decimal(amount) for name, amount in left.items()})
    found = said(surge_would_be_noticed(asking, workload(), Neighbours(OWN, quotas=(quota,))))
    assert found == (f"ResourceQuota small has no room for one more: {short}" if short else "")
