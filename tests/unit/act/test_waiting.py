"""Waiting by watch: what is looked at when, what is believed when nobody answers, and that it ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from remediator.act.replacement import Ended
from remediator.act.surge import Step
from remediator.act.waiting import GIVE_UP, LOOK_AGAIN, Wait
from remediator.cluster.nodes import Nodes
from remediator.cluster.owners import Owners
from remediator.cluster.watch import Change, Gone, Listed, PodWatch, Seen
from remediator.errors import KubernetesError, KubernetesOdd, KubernetesUnreachable
from remediator.model.nodes import Node
from remediator.model.pods import LivePod, OwnerReference
from remediator.model.remediations import Remediation
from remediator.model.vocabulary import Outcome
from remediator.model.workloads import Workload, WorkloadRef
from tests.unit.act.fakes import refused
from tests.unit.act.owners import agent, daemonset, fresh, of_daemonset
from tests.unit.make import DEPLOYMENT, NOW, UID, peers, pod, record, workload

OLD = pod(deleted_at=NOW + 20.0)
NEW = pod(uid="new", name="web-5d4f-new", **fresh())
REPLICASET = OwnerReference("apps/v1", "ReplicaSet", "web-5d4f", "rs-uid")
AWAY = KubernetesUnreachable("the API server did not answer")


@dataclass
class Cluster:
    """What the wait meets: the workload and its pods as they are, the watch's events, and a clock that moves on.

    ``at`` are things that happen at a time (seconds since the start); ``error`` is what every look ends with.
    """

    workload: Workload | None
    pods: dict[str, LivePod] = field(default_factory=dict)
    owners: dict[str, WorkloadRef | None | KubernetesError] = field(default_factory=lambda: {"rs-uid": DEPLOYMENT})  # noqa: RUF036
    node: Node | None = field(default_factory=lambda: Node("node-1"))
    error: KubernetesError | None = None
    problem: str = ""
    at: dict[float, Callable[[], object]] = field(default_factory=dict)
    events: deque[Change] = field(default_factory=deque)
    claimed: frozenset[str] = frozenset()
    now: float = NOW
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    stop_at: float = NOW + 20_000

    def describe(self, _ref: WorkloadRef) -> Workload | None:
        """As ``Owners.describe``."""
        self.asked.append("GET workload")
        if self.error:
            raise self.error
        return self.workload

    def read_with(self, ref: WorkloadRef, _uid: str) -> Workload | None:
        """As ``Owners.read``."""
        found = self.describe(ref)
        self.asked.append("LIST pods")
        return None if found is None else replace(found, pods=tuple(self.pods.values()))

    def workload_of(self, one: LivePod) -> WorkloadRef | None:
        """As ``Owners.workload_of``, which has nothing in mind."""
        assert one.controller is not None, "whose it is needs no question"
        self.asked.append(f"GET {one.controller.uid}")
        found = self.owners.get(one.controller.uid)
        if isinstance(found, KubernetesError):
            raise found
        return found

    def next(self, timeout: float) -> Change | None:
        """As ``PodWatch.next``: what there is, else time goes by."""
        if self.events:
            return self.events.popleft()
        self.now += timeout
        for time in sorted(one for one in self.at if NOW + one <= self.now):
            self.at.pop(time)()
        return self.events.popleft() if self.events else None

    def set(self, *pods: LivePod) -> None:
        """The pods that there are, without a word to the watch."""
        self.pods = {one.uid: one for one in pods}

    def wait(self, one: Remediation | None = None) -> Ended | None:
        """Wait until it is over, from the pods that there are now."""
        assert self.workload is not None
        nodes = cast("Nodes", _Nodes(self))
        wait = Wait(
            one or record(),
            owners=cast("Owners", self),
            watch=cast("PodWatch", self),
            pods=tuple(self.pods.values()),
            claimed=lambda: self.claimed,
            clock=lambda: self.now,
            nodes=nodes,
            stopping=lambda: self.now >= self.stop_at,
            say=self.said.append,
        )
        ended = wait.until_over(self.workload)
        assert not isinstance(ended, Step), "nothing of these is a surge"
        return ended


@dataclass
class _Nodes:
    """``Nodes`` of that cluster."""

    cluster: Cluster

    def read(self, _name: str) -> Node | None:
        """As the real one."""
        self.cluster.asked.append("GET node")
        if self.cluster.error:
            raise self.cluster.error
        return self.cluster.node


def cluster(*pods: LivePod, **changes: Any) -> Cluster:  # noqa: ANN401
    """A Deployment of three with these pods."""
    there = Cluster(**{"workload": workload(), **changes})
    there.set(*pods)
    return there


def outcome(found: Ended | None) -> Outcome | None:
    """How it ended; None where it was left."""
    return found.outcome if found else None


def questions(there: Cluster) -> list[str]:
    """What was asked for, but for who controls a ReplicaSet, which the real one keeps in mind."""
    return [one for one in there.asked if one != "GET rs-uid"]


# By watch


def test_the_watch_alone_ends_it() -> None:
    """The old pod goes, the new one comes: nothing else is asked for."""
    there = cluster(*peers(), OLD)
    there.at = {2: lambda: there.events.extend([Seen(NEW), Gone(OLD)])}
    assert outcome(there.wait()) is Outcome.REPLACED
    assert questions(there) == []
    assert there.said == ["the old pod is terminating"]


def test_events_are_taken_in_their_order() -> None:
    """What comes in one go is judged when all of it is known."""
    there = cluster(*peers(), OLD)
    other = replace(NEW, ready_since=None)
    there.events.extend([Seen(NEW), Seen(other), Gone(OLD), Listed((*peers(), NEW))])
    assert outcome(there.wait()) is Outcome.REPLACED


def test_the_workload_is_looked_at_every_ten_seconds() -> None:
    """Its wanted number has no watch; the pods have one and are not listed."""
    there = cluster(*peers())
    there.at = {LOOK_AGAIN * 2.5: lambda: setattr(there, "workload", workload(wanted=2))}
    assert outcome(there.wait()) is Outcome.SCALED_DOWN
    assert questions(there) == ["GET workload"] * 3


def test_a_workload_that_goes_is_seen() -> None:
    """Nobody makes another pod."""
    there = cluster(*peers())
    there.at = {5: lambda: setattr(there, "workload", None)}
    assert outcome(there.wait()) is Outcome.OWNER_GONE


def test_time_alone_is_no_verdict_where_the_watch_lags() -> None:
    """The new pod has been there for long and no event came: it is looked for before anybody is blamed."""
    there = cluster(*peers())
    there.at = {20: lambda: there.set(*peers(), NEW)}
    assert outcome(there.wait()) is Outcome.REPLACED
    assert there.now >= NOW + 590
    assert questions(there)[-1] == "LIST pods"


def test_a_look_that_shows_hope_goes_on_waiting() -> None:
    """The watch has shown a pod that nobody can place, and the list shows that it has been placed since."""
    lost = replace(NEW, ready_since=None, containers=(), unschedulable="0/3 nodes are available")
    there = cluster(*peers(), lost)
    there.at = {
        30: lambda: there.set(*peers(), replace(lost, unschedulable="")),
        300: lambda: there.events.append(Seen(NEW)),
    }
    assert outcome(there.wait()) is Outcome.REPLACED
    assert questions(there).count("LIST pods") == 1


def test_it_is_left_when_we_are_stopping() -> None:
    """The next leader has to wait on; within a second or so."""
    there = cluster(OLD, *peers(), stop_at=NOW + 7.0)
    assert there.wait() is None
    assert there.now <= NOW + 8.1


# When nobody answers


def test_silence_is_no_news() -> None:
    """While the API server is away nothing is concluded, however late it is; when it is back, the look decides."""
    there = cluster(*peers(), error=AWAY)
    there.at = {2500: lambda: setattr(there, "error", None), 2000: lambda: there.set(*peers(), NEW)}
    assert outcome(there.wait()) is Outcome.REPLACED
    assert there.now >= NOW + 2500


def test_a_server_in_trouble_is_not_asked_at_each_tick() -> None:
    """Once its time is over a record wants a look: every other second, from however many records there are."""
    there = cluster(*peers(), error=AWAY, stop_at=NOW + 2500)
    assert there.wait() is None
    over = 2500 - record().terms.ready_timeout
    assert over / 3 < there.asked.count("GET workload") - 2500 / LOOK_AGAIN < over


@pytest.mark.parametrize("error", [AWAY, KubernetesOdd("no JSON"), refused(500), refused(429)])
def test_who_does_not_answer_is_waited_for(error: KubernetesError) -> None:
    """For as long as it takes: what was begun is not dropped because a server is in trouble."""
    assert cluster(*peers(), error=error, stop_at=NOW + 2500).wait() is None


def test_a_right_that_is_gone_for_good_ends_it() -> None:
    """A namespace was deleted, and the Role in it with it: the record must not hold its slot for ever."""
    there = cluster(*peers(), error=refused(403))
    found = there.wait()
    assert found is not None
    assert found.outcome is Outcome.FAILED
    assert found.detail.startswith("no replacement of web-5d4f-abcde was available after 6")
    assert "nobody may look at it: can't look at Deployment/web: the API server answered 403" in found.detail
    assert there.now - NOW < 600 + GIVE_UP + 60


def test_a_right_that_comes_back_in_time_is_enough() -> None:
    """Refused for a while, and once not: what is seen then decides."""
    there = cluster(*peers())

    def comes_back() -> None:
        there.error = None
        there.set(*peers(), NEW)

    there.at = {500: lambda: setattr(there, "error", refused(403)), 500 + GIVE_UP - 30: comes_back}
    assert outcome(there.wait()) is Outcome.REPLACED


def test_refusals_before_the_time_is_over_end_nothing() -> None:
    """The watch may have its right still, and shows the new pod."""
    there = cluster(*peers(), error=refused(403))
    patient = record(terms=replace(record().terms, ready_timeout=3600))
    there.at = {GIVE_UP * 3: lambda: there.events.append(Seen(NEW))}
    assert outcome(there.wait(patient)) is Outcome.REPLACED


def test_without_a_stream_the_pods_are_listed() -> None:
    """A right to watch that is missing must not cost the whole time."""
    there = cluster(*peers(), problem="403")
    there.at = {3: lambda: there.set(*peers(), NEW)}
    assert outcome(there.wait()) is Outcome.REPLACED
    assert there.now <= NOW + LOOK_AGAIN + 2
    assert there.said[-1] == "the watch fails: 403"


def test_a_complaint_is_made_once() -> None:
    """Not every ten seconds for an hour."""
    there = cluster(OLD, *peers(), error=AWAY, stop_at=NOW + 2000)
    long = replace(OLD, deleted_at=NOW + 5000.0)
    there.set(long, *peers())
    there.wait()
    assert there.said == ["the old pod is terminating", f"can't look at Deployment/web: {AWAY}"]


# Whose pods they are


def test_an_orphan_is_nobodys() -> None:
    """A pod that was there before and has no controller any more is not one of those that are available."""
    first, second = peers()
    orphan = replace(second, controller=None)
    there = cluster(first, orphan, NEW, stop_at=NOW + 30)
    assert there.wait() is None
    assert there.said == ["2 of 3 pods are available"]


def test_the_old_pod_counts_whoever_controls_it() -> None:
    """It is not gone because nobody owns it."""
    there = cluster(replace(OLD, controller=None), *peers(), NEW, stop_at=NOW + 5)
    assert there.wait() is None
    assert there.said == ["the old pod is terminating"]


@pytest.mark.parametrize("answer", [AWAY, refused(403), None])
def test_the_old_pod_is_not_gone_because_its_replicaset_is(answer: KubernetesError | None) -> None:
    """Nor because nobody answers whose it is: a pod that is seen is there."""
    there = cluster(OLD, *peers(), NEW, stop_at=NOW + 15)
    there.owners = {"rs-uid": answer}
    new = replace(NEW, controller=replace(REPLICASET, uid="known"))
    there.owners["known"] = DEPLOYMENT
    there.set(OLD, *peers(), new)
    baseline = replace(record().baseline, revision="known")
    assert there.wait(record(baseline=baseline)) is None
    assert "the old pod is terminating" in there.said


@pytest.mark.parametrize("answer", [AWAY, refused(403), None])
def test_pods_that_were_there_before_stay_ours_while_nobody_says_otherwise(answer: KubernetesError | None) -> None:
    """And strangers stay strangers."""
    there = cluster(*peers(), NEW, stop_at=NOW + 15)
    there.owners = {"rs-uid": answer}
    assert there.wait() is None, "the new pod is not ours for all we know"
    known = replace(NEW, controller=replace(REPLICASET, uid="known"))
    there = cluster(*peers(), known, stop_at=NOW + 15)
    there.owners = {"rs-uid": answer, "known": DEPLOYMENT}
    baseline = replace(record().baseline, revision="known")
    assert outcome(there.wait(record(baseline=baseline))) is Outcome.REPLACED


@pytest.mark.parametrize("answer", [AWAY, None])
def test_an_unknown_replicaset_is_not_asked_about_at_every_event(answer: KubernetesError | None) -> None:
    """Of a hundred pods, in a minute of many events, a question every ten seconds."""
    strangers = [pod(uid=f"s{n}", name=f"s{n}", controller=replace(REPLICASET, uid="gone")) for n in range(100)]
    there = cluster(*peers(), *strangers, stop_at=NOW + 60)
    there.owners["gone"] = answer
    assert there.wait() is None
    assert 1 <= there.asked.count("GET gone") <= 8


def test_a_pod_of_another_workload_is_not_ours() -> None:
    """Although the selector finds it."""
    there = cluster(*peers(), stop_at=NOW + 5)
    there.owners["other"] = WorkloadRef("Deployment", "shop", "other", "other-uid")
    there.events.append(Seen(replace(NEW, controller=replace(REPLICASET, uid="other"))))
    assert there.wait() is None


# DaemonSets


def of_node(*pods: LivePod, **changes: Any) -> Cluster:  # noqa: ANN401
    """A DaemonSet with these pods."""
    there = cluster(*pods, workload=daemonset(), **changes)
    there.owners = {"ds-uid": daemonset().ref}
    return there


OTHERS = (agent("node-2", "peer-1"), agent("node-3", "peer-2"))


def test_a_node_that_goes_is_seen_within_seconds() -> None:
    """Well before the time is over, and no breaker opens."""
    there = of_node(*OTHERS)
    there.at = {3: lambda: setattr(there, "node", None)}
    found = there.wait(of_daemonset())
    assert found is not None
    assert (found.outcome, found.detail) == (Outcome.SCALED_DOWN, "node node-1 is gone")
    assert there.now <= NOW + LOOK_AGAIN + 2


def test_a_node_that_goes_in_the_last_moment_is_seen() -> None:
    """Before the time is called over, the node is looked at once more."""
    there = of_node(*OTHERS)
    there.at = {588: lambda: setattr(there, "node", None)}
    assert outcome(there.wait(of_daemonset())) is Outcome.SCALED_DOWN


def test_no_node_is_asked_about_while_the_old_pod_is_there() -> None:
    """Its end is all that is waited for."""
    there = of_node(*OTHERS, agent("node-1", UID, deleted_at=NOW + 3000.0), node=None, stop_at=NOW + 60)
    assert there.wait(of_daemonset()) is None
    assert "GET node" not in there.asked


def test_a_node_that_can_not_be_read_now_is_not_gone() -> None:
    """What was known of it stays; the wait goes on, and ends by what is seen of the pods."""
    there = of_node(*OTHERS, error=refused(429))
    there.at = {30: lambda: there.events.append(Seen(agent("node-1", "new", **fresh())))}
    assert outcome(there.wait(of_daemonset())) is Outcome.REPLACED


def test_a_node_that_comes_back_is_no_objection_any_more() -> None:
    """Untainted before the old pod was gone: the replacement is waited for as usual."""
    old = agent("node-1", UID, deleted_at=NOW + 20.0)
    there = of_node(*OTHERS, old, node=None)

    def back() -> None:
        there.node = Node("node-1")
        there.events.append(Gone(old))

    there.at = {15: back, 40: lambda: there.events.append(Seen(agent("node-1", "new", **fresh())))}
    assert outcome(there.wait(of_daemonset())) is Outcome.REPLACED
