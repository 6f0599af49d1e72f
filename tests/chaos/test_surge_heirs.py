"""A surge whose heirs are killed as well, right before and right after they have stamped its pod."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.chaos.served import WANTED, Successor, behind_the_service, served, tried
from tests.chaos.steps import free_the_lease, in_journal
from tests.chaos.test_surge import FINISHING, TAKING_BACK, Matcher, is_taking_out, killed_at, one_over, patches
from tests.cluster.conftest import StartDaemon
from tests.cluster.test_surge import leaving_the_pool, orphans, policy, settled
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon, allow_surge
from tests.rig.proxy import Cut, Late, Proxy, Request

Json = dict[str, Any]
EPOCH = "remediator.dev/epoch"


@pytest.fixture(autouse=True)
def _rights(cluster: Cluster, home: str) -> None:
    allow_surge(cluster, home)


def is_stamping(request: Request) -> bool:
    """The PATCH of an heir that gives a pod another version, so that what was sent before it is refused."""
    if request.method != "PATCH" or "/pods/" not in request.path:
        return False
    metadata = orjson.loads(request.body)["metadata"]
    return "labels" not in metadata and (metadata.get("annotations") or {}).keys() == {EPOCH}


STEPS_OF_AN_HEIR: dict[str, tuple[Matcher, bool]] = {
    "before it stamps the pod": (is_stamping, False),
    "after it stamped the pod": (is_stamping, True),
}


def kill_two_heirs(cluster: Cluster, namespace: str, home: str, daemon: Daemon, api: Proxy) -> None:
    """One before its stamp, the next one after it; what the pod then says is whose the stamp is."""
    name = _inherited(cluster, home)["breach"]["pod"]
    for matches, forwarded in STEPS_OF_AN_HEIR.values():
        before = _epoch(cluster, namespace, name)
        free_the_lease(cluster, home)
        came = api.once(matches, Cut(forwarded=forwarded, first=daemon.kill))
        daemon.start()
        assert came.wait(180), f"the heir does not stamp the pod:\n{daemon.tail()}"
        daemon.wait()
        # It was the heir's turn, whether its stamp has landed or not.
        heir = str(in_journal(cluster, home)["epoch"])
        assert _epoch(cluster, namespace, name) == (heir if forwarded else before) != (before if forwarded else heir)
        assert _inherited(cluster, home)["outcome"] is None
    free_the_lease(cluster, home)


def _inherited(cluster: Cluster, home: str) -> Json:
    (record,) = in_journal(cluster, home)["in_flight"].values()
    return dict(record)


def _epoch(cluster: Cluster, namespace: str, name: str) -> str | None:
    found: str | None = (cluster.api.get("pods", namespace, name)["metadata"].get("annotations") or {}).get(EPOCH)
    return found


def is_replaced_by(successor: Successor, daemon: Daemon, cluster: Cluster, namespace: str) -> None:
    """The next heir waits for the new pod, and has tried nothing until that is Ready."""
    daemon.start()
    successor.holds_up(daemon)
    assert tried(cluster, namespace) == []
    successor.turn_ready()
    assert settled(daemon, "Deployment/web", timeout=180)["outcome"] == "replaced"
    cluster.ready_pods(namespace, WANTED)


def test_a_surge_whose_heirs_are_killed_at_their_stamps_is_finished(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """The pod is out: it goes once, and not before the new one is Ready; nobody is ever missing."""
    successor = served(cluster, namespace, budget=None)
    with behind_the_service(cluster, namespace):
        over = one_over(cluster, namespace)
        step = FINISHING["after the pod was taken out"]
        daemon = killed_at(start_daemon, policy(namespace, readyTimeout="10m"), api, kubeconfig, step)
        kill_two_heirs(cluster, namespace, home, daemon, api)
        is_replaced_by(successor, daemon, cluster, namespace)
    (taken,) = cluster.taken(namespace)
    assert taken.uid == over["metadata"]["uid"]
    assert orphans(cluster, namespace) == []


def test_a_surge_whose_heirs_are_killed_at_their_stamps_is_taken_back(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """That it is taken back was written down: all pods of before are there, without a mark, and the breaker is open."""
    leaving_the_pool(cluster, namespace, "web", replicas=WANTED)
    before = {pod["metadata"]["uid"] for pod in cluster.pods(namespace)}
    over = one_over(cluster, namespace)
    step = TAKING_BACK["after it was written that it is taken back"]
    daemon = killed_at(start_daemon, policy(namespace, readyTimeout="5s"), api, kubeconfig, step)
    kill_two_heirs(cluster, namespace, home, daemon, api)
    daemon.start()
    line = settled(daemon, "Deployment/web", timeout=180)
    assert (line["outcome"], line["breaker_opened"]) == ("rolled-back", True)
    assert {pod["metadata"]["uid"] for pod in cluster.ready_pods(namespace, WANTED)} == before
    assert _epoch(cluster, namespace, over["metadata"]["name"]) is None
    assert tried(cluster, namespace) == []


def test_the_stamp_of_an_heir_that_was_killed_after_it_holds(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """A request of the first leader comes when its heirs are dead as well: 409, and the next one takes the pod once."""
    successor = served(cluster, namespace, budget=None)
    with behind_the_service(cluster, namespace):
        over = one_over(cluster, namespace)
        late = Late(threading.Event())
        came = api.once(is_taking_out, late)
        daemon = start_daemon(policy(namespace, readyTimeout="10m"), kubeconfig=kubeconfig)
        assert came.wait(180), daemon.tail()
        daemon.kill()
        kill_two_heirs(cluster, namespace, home, daemon, api)
        late.release.set()
        assert late.passed.wait(120)
        cluster.wait(lambda: patches(cluster, namespace, code=409), 60, "the late request has been refused")
        assert orphans(cluster, namespace) == []
        is_replaced_by(successor, daemon, cluster, namespace)
    (taken,) = cluster.taken(namespace)
    assert taken.uid == over["metadata"]["uid"]
    assert len(in_journal(cluster, home)["settled"]) == 1
