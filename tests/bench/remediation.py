"""What one remediation asks of the API server, from the breach until it is settled, at 10 and at 1,000 pods."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tests.bench import asked
from tests.bench.crowd import Crowd
from tests.bench.figures import Figure, Target, Unit
from tests.bench.stage import (
    ACCOUNT,
    Json,
    Say,
    daemon,
    exported,
    exporting,
    only_nodes,
    policy_file,
    roles,
    server_page,
    settle_in,
)
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon

PART = "requests"
EXPECT = "3 min"

_KINDS = {"Deployment": "deployment", "StatefulSet": "statefulset", "DaemonSet": "daemonset"}
"""Kinds of workloads, and the namespace that has one of each."""
_REPLICAS = 3
_CROWD = "crowd"
_PODS = (10, 1_000)
"""Pods of the cluster, those of the three workloads among them."""
_TARGET = Target(10)
_PATIENCE = 120


@dataclass(frozen=True)
class _Remediation:
    """One that was settled."""

    requests: Counter[str]
    by_metrics: Counter[str]
    outcome: str


def measure(say: Say) -> Iterator[Figure]:
    """The figures of this part."""
    with ExitStack() as ends:
        cluster = ends.enter_context(Cluster.start(nodes=_REPLICAS + 1, progress=say))
        address = ends.enter_context(exporting(Path(cluster.description.folder)))
        settle_in(cluster, [*_KINDS.values(), _CROWD])
        last = f"node-{_REPLICAS}"
        cluster.configure_prometheus(only_nodes(f"node-[0-{_REPLICAS - 1}]"))
        for manifest in _workloads(last):
            cluster.api.create(manifest)
        for namespace in _KINDS.values():
            cluster.ready_pods(namespace, _REPLICAS, deadline=_PATIENCE)
        crowd = Crowd(cluster, namespace=_CROWD, prefix="calm", node=last)
        own = _REPLICAS * len(_KINDS)
        # Long enough that no evaluation comes between a breach and its settlement.
        policy = policy_file(every="8s", cooldown="1s", for_="3s")
        running = ends.enter_context(daemon(cluster, policy, interval=1))
        running.wait_for("evaluation", outcome="ok", timeout=_PATIENCE)
        for count in _PODS:
            say(f"making {count} pods")
            crowd.grow(count - own)
            cluster.configure_prometheus(exported(address, [f"/cadvisor/{_CROWD}/calm/{count - own}"]))
            for kind in _KINDS:
                say(f"one pod of a {kind} is over, at {count} pods")
                yield _figure(kind, count, cluster, running, say)


def _workloads(crowded: str) -> Iterator[Json]:
    """One of each kind, a pod on each node but the crowd's."""
    elsewhere = {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [crowded]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [elsewhere]}]}
    spec = {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}
    yield workloads.deployment("web", "deployment", replicas=_REPLICAS, memory="50Mi", spec=spec)
    yield workloads.statefulset("web", "statefulset", replicas=_REPLICAS, memory="50Mi", spec=spec)
    yield workloads.daemonset("web", "daemonset", memory="50Mi", spec=spec)


def _figure(kind: str, count: int, cluster: Cluster, running: Daemon, say: Say) -> Figure:
    what = f"{kind}, {count:,} pods"
    done = _one(_KINDS[kind], cluster, running)
    if isinstance(done, str):
        return Figure(PART, what, None, Unit.REQUESTS, _TARGET, done)
    say(f"{kind}: {asked.told(done.requests)}")
    # The API server asks itself for the budgets when it is asked for an eviction.
    own = Counter({"list poddisruptionbudgets": done.requests["create pods/eviction"]})
    others = done.by_metrics - done.requests - own
    metrics = f"more by the API server's metrics: {asked.told(others)}" if others else "the API server's metrics agree"
    note = f"{done.outcome}; {metrics}"
    return Figure(PART, what, done.requests.total(), Unit.REQUESTS, _TARGET, note)


def _one(namespace: str, cluster: Cluster, running: Daemon) -> _Remediation | str:
    """Makes the last pod of a workload leak, and gives what was asked; or why it was left alone."""
    allowed = asked.rights(roles())
    pod = cluster.pods(namespace)[-1]["metadata"]
    settled, logged = len(running.events("remediation settled")), len(running.events())
    before = server_page(cluster, asked.REQUESTS)
    cluster.api.annotate("pods", namespace, pod["name"], workloads.behaviour(memory="250Mi"))
    try:
        *_, ended = running.wait_for("remediation settled", count=settled + 1, timeout=_PATIENCE)
    except AssertionError:
        left = [
            line for line in running.events("left alone", pod=pod["name"])[-1:] if line in running.events()[logged:]
        ]
        if not left:
            raise
        # Calm again, so that the next one is over alone.
        cluster.api.annotate("pods", namespace, pod["name"], workloads.behaviour(memory="50Mi"))
        return f"left alone: {', '.join(left[0]['reasons'])}"
    since, until = _begin(running, ended["remediation_id"]), datetime.fromisoformat(ended["time"])

    def counted() -> Counter[str]:
        return asked.by_account(cluster.audit(), ACCOUNT, since=since, until=until)

    # A request is counted when it has ended, which a watch does after the settlement.
    cluster.wait(lambda: counted()["watch pods"], 10, "the watch is in the audit log")
    after = server_page(cluster, asked.REQUESTS)
    return _Remediation(counted(), asked.by_metrics(before, after, allowed), ended["outcome"])


def _begin(running: Daemon, remediation: str) -> datetime:
    """When the evaluation began that found the breach."""
    (intended,) = running.events("remediation intended", remediation_id=remediation)

    def evaluation() -> list[Json]:
        lines = running.events("evaluation")
        return [line for line in lines if line["begun"] and line["time"] >= intended["time"]]

    line = running.until(evaluation, what="the evaluation has ended", timeout=_PATIENCE)[0]
    # A hundredth of a second for what comes before its own clock starts.
    return datetime.fromisoformat(line["time"]) - timedelta(seconds=line["seconds"] + 0.01)
