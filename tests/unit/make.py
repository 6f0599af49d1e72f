"""Values to test with: each is valid as it comes, and a test names only what it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from remediator.detect.scope import Scope
from remediator.model.measures import Breach, Series
from remediator.model.pods import Container, LivePod, OwnerReference
from remediator.model.queues import LateQueue
from remediator.model.remediations import Baseline, Remediation, Terms
from remediator.model.selectors import LabelSelector
from remediator.model.vocabulary import Action, Unit
from remediator.model.workloads import Workload, WorkloadRef
from remediator.policy import Budget, CountOrPercent, Match, Policy, PolicyFile, Safety
from remediator.policy.thresholds import parse_threshold

NOW = 1_800_000_000
GI = 1 << 30
UID = "0a1b2c3d-1111-2222-3333-444455556666"
CONTAINER_ID = "c0ffee" * 10 + "beef"
SCOPE = Scope(sample_interval=30)
DEPLOYMENT = WorkloadRef("Deployment", "shop", "web", "dep-uid")
REPLICASET = OwnerReference("apps/v1", "ReplicaSet", "web-5d4f", "rs-uid")


def policy(threshold: str = "20Gi", **changes: Any) -> Policy:  # noqa: ANN401 (as many types as it has fields)
    """A policy of two minutes over everything."""
    usual = Policy(
        name="everyone",
        match=Match(),
        threshold=parse_threshold(threshold),
        for_seconds=120,
        max_sample_age=75,
        pace=60,
        jitter=5,
        action=Action.EVICT,
        max_unavailable=CountOrPercent(1),
        cooldown=600,
        max_per_workload=Budget(actions=6, per=6 * 3600),
        min_age=300,
        ready_timeout=600,
        grace_period=None,
        dry_run=False,
        enabled=True,
        line=1,
    )
    return replace(usual, **changes)


def safety(**changes: Any) -> Safety:  # noqa: ANN401
    """What a file without ``safety`` means, but for the excluded namespaces."""
    usual = Safety(
        excluded_namespaces=("kube-system",),
        max_concurrent=3,
        budget=Budget(actions=20, per=3600),
        max_breaching=50,
        hold_when=(),
        paused=False,
        annotations=False,
        foreign_marks=True,
    )
    return replace(usual, **changes)


def policies(*some: Policy, **changes: Any) -> PolicyFile:  # noqa: ANN401
    """A policy file; the keywords are those of ``safety``."""
    return PolicyFile(some or (policy(),), safety(**changes))


def container(name: str = "app", **changes: Any) -> Container:  # noqa: ANN401
    """A container that has run for a day, with a limit of 24 GiB."""
    usual = Container(name=name, id=CONTAINER_ID, started_at=float(NOW - 86400), memory_limit=24 * GI, image="app:1")
    return replace(usual, **changes)


def pod(**changes: Any) -> LivePod:  # noqa: ANN401
    """A Ready pod of a Deployment, on its node for a day."""
    usual = LivePod(
        namespace="shop",
        name="web-5d4f-abcde",
        uid=UID,
        resource_version="41",
        phase="Running",
        node="node-1",
        labels={"app": "web"},
        controller=REPLICASET,
        containers=(container(),),
        created_at=float(NOW - 86410),
        ready_since=float(NOW - 86390),
    )
    return replace(usual, **changes)


def cgroup(uid: str = UID, runtime_id: str = CONTAINER_ID) -> str:
    """The cgroup path as the cgroupfs driver writes it."""
    return f"/kubepods/burstable/pod{uid}/{runtime_id}"


def labels(**changes: str | None) -> dict[str, str]:
    """The labels of a container's series as cAdvisor and Prometheus give them; None leaves one out."""
    usual: dict[str, str | None] = {
        "__name__": "container_memory_working_set_bytes",
        "namespace": "shop",
        "pod": "web-5d4f-abcde",
        "container": "app",
        "id": cgroup(),
        "name": CONTAINER_ID,
        "image": "docker.io/app:1",
        "node": "node-1",
        "instance": "10.0.0.1:10250",
        "job": "kubelet",
    }
    return {key: value for key, value in {**usual, **changes}.items() if value is not None}


def series(values: Iterable[tuple[float, float]] = (), **changes: str | None) -> Series:
    """A series with those samples; the keywords change labels."""
    return Series(labels(**changes), tuple(values))


def steady(value: float, *, since: float = NOW - 180, until: float = NOW, every: int = 15) -> list[tuple[float, float]]:
    """The same value at each step of a time, the last at its end."""
    times = []
    time = until
    while time >= since:
        times.append((time, value))
        time -= every
    return times[::-1]


def breach(**changes: Any) -> Breach:  # noqa: ANN401
    """The pod of ``pod()``, at 22 GiB over 20."""
    usual = Breach(
        policy="everyone",
        namespace="shop",
        pod="web-5d4f-abcde",
        uid=UID,
        node="node-1",
        container="",
        value=22.0 * GI,
        threshold=20.0 * GI,
        threshold_text="20Gi",
        limit=24 * GI,
        unit=Unit.BYTES,
        query='container_memory_working_set_bytes{namespace="shop"}[180s]',
        sample_time=NOW - 5.0,
        over_since=NOW - 120.0,
    )
    return replace(usual, **changes)


def record(**changes: Any) -> Remediation:  # noqa: ANN401
    """A remediation whose eviction was accepted ten seconds ago, of a workload of three."""
    usual = Remediation(
        id="0123456789ab",
        epoch=3,
        workload=DEPLOYMENT,
        breach=breach(),
        action=Action.EVICT,
        baseline=Baseline(
            pods=frozenset({UID, "peer-1", "peer-2"}),
            wanted=3,
            available=3,
            pods_version="40",
            revision="rs-uid",
            selector="app in (web)",
        ),
        terms=Terms(ready_timeout=600),
        intended_at=NOW - 11.0,
        taken_at=NOW - 10.0,
    )
    return replace(usual, **changes)


def peers(count: int = 2, **changes: Any) -> tuple[LivePod, ...]:  # noqa: ANN401
    """The other pods of the workload: ``peer-1`` and so on."""
    return tuple(pod(name=f"web-5d4f-p{n}", uid=f"peer-{n}", **changes) for n in range(1, count + 1))


def workload(**changes: Any) -> Workload:  # noqa: ANN401
    """A Deployment of three, all of them available."""
    usual = Workload(
        ref=DEPLOYMENT, wanted=3, selector=LabelSelector.parse("app=web"), pods=(pod(), *peers()), pods_version="40"
    )
    return replace(usual, **changes)


def late_queue(**changes: Any) -> LateQueue:  # noqa: ANN401
    """A queue of four pods of ``workload()``, of which two are late."""
    usual = LateQueue(
        workload=DEPLOYMENT,
        waiting=4,
        late=2,
        pod="web-5d4f-p1",
        limit_in=240.4,
        turn_in=900.0,
        took=62.0,
        remedy="set cooldown: 2m",
    )
    return replace(usual, **changes)


def by_uid(*pods: LivePod) -> Mapping[str, LivePod]:
    """Pods by their UID."""
    return {one.uid: one for one in pods}
