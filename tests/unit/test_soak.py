"""What a soak calls a violation: every kind is found in a history that has it, and none in one that has none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.chaos.soak.chronicle import Chronicle, Limits
from tests.chaos.soak.stage import ACTIONS, KINDS, may_be_missing, planned
from tests.chaos.soak.watcher import Count
from tests.rig.audit import AuditEvent

Json = dict[str, Any]
BEGAN = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAEMON = "system:serviceaccount:home:remediator"


class History:
    """A journal and the pods that were taken, written down as the API server does."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []
        self.now = 0.0
        self.epoch = 1
        self.in_flight: dict[str, Json] = {}
        self.settled: list[Json] = []

    def write(self) -> None:
        """The journal as it is now."""
        ledger = {"epoch": self.epoch, "holder": "me", "in_flight": self.in_flight, "settled": self.settled}
        text = json.dumps({"version": 1, "ledger": ledger})
        self._add("update", "configmaps", "home", "remediator-journal", {"data": {"journal.json": text}})

    def intend(self, record: str, *, workload: str = "web", pod: str = "") -> None:
        """Intent for a pod, named after its record unless told otherwise."""
        uid = pod or f"uid-{record}"
        self.in_flight[record] = {
            "id": record,
            "epoch": self.epoch,
            "intended_at": self.now,
            "settled_at": None,
            "outcome": None,
            "detail": "",
            "workload": {"uid": workload, "kind": "Deployment", "name": workload},
            "breach": {"uid": uid, "pod": uid},
        }
        self.write()

    def take(self, record: str, *, pod: str | None = None, user: str = DAEMON) -> None:
        """An eviction that was accepted."""
        uid = f"uid-{record}" if pod is None else pod
        options = {"preconditions": {"uid": uid}} if uid else {}
        self._add("create", "pods/eviction", "shop", uid, {"deleteOptions": options}, user=user)

    def settle(self, record: str, outcome: str = "replaced") -> None:
        """Its end."""
        self.settled.append({**self.in_flight.pop(record), "outcome": outcome, "settled_at": self.now})
        self.write()

    def replace(self, record: str, *, workload: str = "web") -> None:
        """All of it."""
        self.intend(record, workload=workload)
        self.take(record)
        self.settle(record)

    def _add(self, verb: str, resource: str, namespace: str, name: str, body: Json, *, user: str = DAEMON) -> None:
        kind, _, subresource = resource.partition("/")
        at = BEGAN + timedelta(seconds=self.now)
        self.events.append(
            AuditEvent(
                user=user,
                verb=verb,
                group="",
                resource=kind,
                subresource=subresource,
                namespace=namespace,
                name=name,
                code=201,
                request=body,
                received=at,
                answered=at,
                user_agent="",
                stage="ResponseComplete",
                uri="/",
                reason="",
                message="",
            )
        )

    def violations(self) -> list[str]:
        """What is found, read in two parts."""
        limits = Limits(concurrent=2, cooldown=10, budget=3, per=60)
        chronicle = Chronicle(home="home", namespaces=["shop"], limits=limits)
        chronicle.read(self.events[:2])
        chronicle.read(self.events)
        chronicle.close()
        return chronicle.violations


@pytest.fixture
def history() -> History:
    """Nothing has happened yet."""
    return History()


def test_a_good_history_has_no_violation(history: History) -> None:
    """Two workloads at a time, cooldowns kept, a budget that was given back, another leader, an inherited record."""
    history.replace("a")
    history.intend("b", workload="api")
    history.intend("c", workload="db")
    history.settle("c", "called-off")
    history.epoch = 2
    history.take("b")
    history.settle("b")
    history.now = 10
    history.replace("d")
    history.now = 71
    history.replace("e")
    history.take("x", user="system:serviceaccount:kube-system:daemon-set-controller")
    assert history.violations() == []


def test_a_pod_that_is_taken_twice(history: History) -> None:
    """By one record, or by two."""
    history.replace("a")
    history.take("a")
    assert history.violations() == [
        "pod uid-a (uid-a) was taken 2 times",
        "pod uid-a was taken 2 times and replaced in 1 records",
    ]


def test_a_pod_that_is_taken_without_an_intent_or_a_uid(history: History) -> None:
    """Or before the intent was written."""
    history.take("a")
    assert "pod uid-a (uid-a) was taken without an intent" in history.violations()
    history.take("", pod="")
    assert "pod  was taken without its UID" in history.violations()


def test_records_that_say_other_than_what_was_done(history: History) -> None:
    """Called off, and the pod was taken; replaced, and it was not."""
    history.intend("a")
    history.take("a")
    history.settle("a", "called-off")
    history.intend("b", workload="api")
    history.settle("b")
    assert history.violations() == [
        "pod uid-a was taken 1 times and replaced in 0 records",
        "pod uid-b was taken 0 times and replaced in 1 records",
    ]


def test_what_is_lost(history: History) -> None:
    """A record that vanishes, and one that has no end."""
    history.intend("a")
    history.intend("b", workload="api")
    history.in_flight.pop("a")
    history.write()
    assert history.violations() == [
        "records a vanished from the journal",
        "record b of Deployment/api (uid-b) is still in flight",
    ]


def test_too_many_at_once(history: History) -> None:
    """In all, and of one workload."""
    for record in "abc":
        history.intend(record, workload=record)
    assert "3 remediations are in flight, 2 are allowed" in history.violations()
    history.intend("d", workload="a")
    assert "2 pods of workload a are in flight at once" in history.violations()


def test_a_cooldown_or_a_budget_that_is_forgotten(history: History) -> None:
    """By whichever leader."""
    history.replace("a")
    history.now = 9
    history.replace("b")
    assert history.violations() == ["Deployment/web (uid-b) was intended 9.0 s after the last one, within its cooldown"]
    history.now = 30
    history.replace("c")
    history.now = 59
    history.epoch = 2
    history.replace("d")
    assert "4 acts within 60 s, 3 are allowed" in history.violations()


def test_an_epoch_that_falls_and_an_outcome_that_must_not_be(history: History) -> None:
    """A leader of before has written, or a good replacement was given up."""
    history.replace("a")
    history.epoch = 0
    history.intend("b", workload="api")
    history.take("b")
    history.settle("b", "not-ready")
    assert history.violations()[0] == "the journal's epoch fell from 1 to 0"
    assert "Deployment/api (uid-b) ended as not-ready: " in history.violations()


def pod(name: str, *, ready: bool = True, going: bool = False, app: str = "web", **labels: str) -> Json:
    """A pod of the workload."""
    metadata = {"uid": name, "namespace": "shop", "labels": {"app": app, **labels}}
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "metadata": metadata | ({"deletionTimestamp": "now"} if going else {}),
        "status": {"conditions": conditions},
    }


def test_pods_that_are_missing_are_counted_at_every_moment() -> None:
    """Not Ready, on its way out, or gone; one may be, two may not."""
    count = Count({("shop", "web"): 3}, {("shop", "web"): 1})
    for name in "abc":
        count.apply("ADDED", pod(name))
    count.worst.clear()
    count.violations.clear()
    count.apply("MODIFIED", pod("a", going=True))
    count.apply("DELETED", pod("a"))
    count.apply("ADDED", pod("d", ready=False))
    assert (count.missing(("shop", "web")), count.violations) == (1, [])
    count.apply("MODIFIED", pod("b", ready=False))
    count.apply("MODIFIED", pod("b"))
    assert count.worst == {("shop", "web"): 2}
    assert count.violations == ["2 pods of shop/web were missing at once, 1 may be"]


def test_of_a_workload_whose_pods_are_replaced_first_none_may_be_missing() -> None:
    """The old pod is taken before the new one is Ready: a violation; after it, or where pods are evicted: none."""
    surges, evicts = ("shop", "web"), ("shop", "api")
    count = Count({surges: 2, evicts: 2}, {surges: 0, evicts: 1})
    for app in ("web", "api"):
        for name in "ab":
            count.apply("ADDED", pod(f"{app}-{name}", app=app))
    count.worst.clear()
    count.violations.clear()

    def surge(old: str, new: str) -> None:
        count.apply("MODIFIED", pod(old, hash="remediator-surge"))
        count.apply("ADDED", pod(new, ready=False))

    surge("web-a", "web-c")
    count.apply("MODIFIED", pod("web-c"))
    count.apply("MODIFIED", pod("web-a", going=True, hash="remediator-surge"))
    count.apply("DELETED", pod("web-a", going=True, hash="remediator-surge"))
    count.apply("MODIFIED", pod("api-a", going=True, app="api"))
    assert (count.worst, count.violations) == ({surges: 0, evicts: 1}, [])

    surge("web-b", "web-d")
    count.apply("MODIFIED", pod("web-b", going=True, hash="remediator-surge"))
    count.apply("MODIFIED", pod("web-d"))
    assert count.violations == ["1 pods of shop/web were missing at once, 0 may be"]


@pytest.mark.parametrize("number", [12, 20])
def test_a_soak_has_every_kind_and_action_and_workloads_of_which_none_may_be_missing(number: int) -> None:
    """The short one and the long one; a surge is possible for Deployments alone, elsewhere one pod may be missing."""
    plan = planned(number)
    assert {action for action, _ in plan} == {*ACTIONS}
    assert {kind for _, kind in plan} == {*KINDS}
    spared = [each for each in plan if may_be_missing(*each) == 0]
    assert len(spared) >= 2
    assert {*spared} == {("surge", "deployment")}
