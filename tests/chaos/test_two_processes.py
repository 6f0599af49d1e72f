"""Two live processes on one policy, by one Lease: whoever leads, ends or freezes, one pod goes for each breach."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.chaos.steps import in_journal, taken
from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_answers import WIDE
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon
from tests.rig.proxy import Fault, Late, Proxy, Request

Json = dict[str, Any]


def make_over(cluster: Cluster, namespace: str, *, labels: str = "") -> list[str]:
    """Makes these pods leak, and not their successors; gives their UIDs."""
    pods = cluster.pods(namespace, labels=labels)
    for pod in pods:
        cluster.api.annotate("pods", namespace, pod["metadata"]["name"], workloads.behaviour(memory=OVER))
    return [pod["metadata"]["uid"] for pod in pods]


def started(start_daemon: StartDaemon, folder: Path, policy: Json, **more: Any) -> Daemon:  # noqa: ANN401
    """A daemon with a folder of its own, beside another one of the same name."""
    folder.mkdir()
    return start_daemon(policy, folder=folder, **more)


@pytest.mark.parametrize(("end", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_the_other_one_settles_what_a_leader_leaves(
    cluster: Cluster,
    namespace: str,
    home: str,
    start_daemon: StartDaemon,
    tmp_path: Path,
    end: signal.Signals,
    code: int,
) -> None:
    """Six breaches; the leader ends while replacements are waited for, and the other one takes no pod twice."""
    # Longer than it takes from the third pod's end to the leader's.
    slow = workloads.behaviour(ready_delay="10")
    for name in ("web", "api", "search"):
        cluster.api.create(workloads.deployment(name, namespace, replicas=2, annotations=slow))
    cluster.ready_pods(namespace, 6)
    over = make_over(cluster, namespace)
    policy = policy_file(namespace, safety=WIDE, readyTimeout="2m")
    one, two = (started(start_daemon, tmp_path / name, policy) for name in ("one", "two"))
    one.until(lambda: one.events("leading") or two.events("leading"), what="one of them leads")
    leader, other = (one, two) if one.events("leading") else (two, one)

    leader.wait_for("remediation taken", count=3)
    assert other.events("evaluation") == []
    leader.signal(end)
    assert leader.wait() == code
    assert in_journal(cluster, home)["in_flight"]

    other.wait_for("remediation inherited")
    other.until(lambda: len(in_journal(cluster, home)["settled"]) >= len(over), what="all are settled", timeout=300)
    seen = len(other.events("evaluation"))
    other.wait_for("evaluation", count=seen + 3)
    stored = in_journal(cluster, home)
    assert [record["outcome"] for record in stored["settled"]] == ["replaced"] * len(over)
    assert (stored["epoch"], stored["in_flight"]) == (2, {})
    assert sorted(event.uid for event in cluster.taken(namespace)) == sorted(over)


def test_a_leader_that_froze_after_its_intents_takes_nothing_more(
    cluster: Cluster,
    namespace: str,
    home: str,
    start_daemon: StartDaemon,
    api: Proxy,
    kubeconfig: Path,
    prometheus: Proxy,
    tmp_path: Path,
) -> None:
    """SIGSTOP with one eviction on its way and one about to be sent; after the take-over it goes on: too late."""
    for name in ("late", "frozen"):
        cluster.api.create(workloads.statefulset(name, namespace))
    cluster.api.create(workloads.deployment("fresh", namespace, replicas=2))
    cluster.ready_pods(namespace, 4)
    over = make_over(cluster, namespace, labels="app in (late, frozen)")
    policy = policy_file(namespace, safety=WIDE, cooldown="10m", readyTimeout="2m")
    old = started(
        start_daemon,
        tmp_path / "old",
        policy,
        kubeconfig=kubeconfig,
        prometheus_url=prometheus.url,
        # Else the answer that it finds when it goes on would be too old for it.
        environment={"REMEDIATOR_PROMETHEUS_TIMEOUT": "15m"},
    )
    eviction = Late(release=threading.Event())
    on_its_way = api.once(lambda request: "late" in taken(request), eviction)
    frozen = threading.Event()

    def freeze(request: Request) -> Fault | None:
        """At the samples of the second look: all that comes after their answer is the eviction."""
        query = parse_qs(request.body.decode()).get("query", [""])[0]
        second = "frozen" in query and old.events("remediation intended", workload="StatefulSet/frozen")
        if second and not frozen.is_set() and on_its_way.wait(120):
            old.freeze()
            frozen.set()
        return None

    prometheus.fault = freeze
    old.wait_for("leading")
    new = started(start_daemon, tmp_path / "new", policy)
    assert frozen.wait(180), old.tail()
    new.wait_for("remediation settled", count=2, outcome="replaced", timeout=240)
    assert len({line["remediation_id"] for line in new.events("remediation inherited")}) == 2
    # Something to be tempted by: over for the one that wakes up as well, whose ledger knows of no act on it.
    make_over(cluster, namespace, labels="app=fresh")
    new.wait_for("remediation settled", count=3, outcome="replaced", timeout=180)

    eviction.release.set()
    assert eviction.passed.wait(120)
    began = len(old.events("remediation intended"))
    asleep = len(api.requests)
    old.signal(signal.SIGCONT)
    cluster.wait(lambda: old.events("not leading"), 120, "it knows that it leads no more")
    seen = len(new.events("evaluation"))
    new.wait_for("evaluation", count=seen + 5)
    assert old.exit_code is None, "it stands by, and was not taken for one that hangs"
    assert len(old.events("remediation intended")) == began
    assert [request for request in api.requests[asleep:] if taken(request)] == []

    assert sorted(event.uid for event in cluster.taken(namespace) if not event.name.startswith("fresh-")) == sorted(
        over
    )
    assert len(cluster.taken(namespace)) == 3
    late = [
        event.code
        for event in cluster.audit()
        if event.namespace == namespace and event.name == "late-0" and event.subresource == "eviction"
    ]
    assert late == [201, 409]
    stored = in_journal(cluster, home)
    assert [record["outcome"] for record in stored["settled"]] == ["replaced"] * 3
    assert (stored["epoch"], stored["in_flight"], stored["breakers"]) == (2, {}, {})
