"""The policy file swapped under load, as the kubelet swaps a ConfigMap's volume: nothing is lost, doubled or mixed up.

No kubelet runs here: the test does what one does to the volume, step by step (`tests.rig.volumes.swap`), and far more
often than the once a minute of a real one.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER
from tests.rig import volumes, workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon
from tests.rig.proxy import Hang, Proxy

Json = dict[str, Any]

# Seconds between two swaps: several between two looks of the daemon, which looks ten times a second.
EVERY = 0.04
# Seconds under load.
LOAD = 20
# Seconds between two evaluations of a policy whose times can be told apart however slow the machine is.
SELDOM = 10


def swap(volume: Path, policy: Json | str) -> None:
    """Replace the ConfigMap's content, as the kubelet does."""
    text = policy if isinstance(policy, str) else yaml.safe_dump(policy, sort_keys=False)
    volumes.swap(volume, {"policy.yaml": volumes.File(text.encode(), 0o644)})


@contextmanager
def swapping(volume: Path, versions: list[Json]) -> Iterator[list[float]]:
    """Swaps them in, one after another and over again; gives when each swap was done, in seconds since 1970."""
    texts = itertools.cycle(yaml.safe_dump(version, sort_keys=False) for version in versions)
    ended = threading.Event()
    swaps: list[float] = []

    def run() -> None:
        while not ended.wait(EVERY):
            swap(volume, next(texts))
            swaps.append(time.time())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield swaps
    finally:
        ended.set()
        thread.join()


def policy(name: str, **fields: Any) -> Json:  # noqa: ANN401 (as many types as it has fields)
    """A policy that measures a namespace of its own, which has no pods."""
    one: Json = policy_file(f"none-{name}", **fields)["policies"][0]
    return {**one, "name": name}


def versions(namespace: str) -> list[Json]:
    """Files that differ in everything but `steady` and `seldom`, and in what is about the workload by its waiting time.

    The first, third and fifth have `comes`, which the others lack; `paces` has another pace, `moved` another place and
    threshold in each, one of two names is there, and one policy is now enabled and now not.
    """
    files = []
    for number in range(5):
        leaky = policy_file(namespace, readyTimeout="1s", cooldown="30m")["policies"][0]
        moved = policy("moved", threshold=f"{80 + number}% of limit")
        some = [
            policy("steady"),
            policy("seldom", every=f"{SELDOM}s"),
            policy("paces", every=f"{3 + number % 2}s"),
            policy("switched", enabled=number % 2 == 0),
            policy(f"name-{number % 2}"),
            *([policy("comes", every="3s")] if number % 2 == 0 else []),
        ]
        some.insert(number, moved)
        # The last version knows nothing of the workload any more.
        files.append({"policies": some if number == 4 else [*some, leaky]})
    return files


def at(line: Json) -> float:
    """When it was logged, in seconds since 1970."""
    return datetime.fromisoformat(line["time"]).timestamp()


def began(daemon: Daemon, name: str) -> list[float]:
    """When evaluations of a policy began, in order."""
    return sorted(at(line) - line["seconds"] for line in daemon.events("evaluation", policy=name))


def held_up(daemon: Daemon, start: float, end: float) -> float:
    """Seconds in which the process did not run: under load it tells of a swap ten times a second."""
    said = [start, *sorted(when for line in daemon.events() if start <= (when := at(line)) <= end), end]
    return sum(gap for one, other in itertools.pairwise(said) if (gap := other - one) > 0.5)


def test_swaps_under_load_lose_and_double_no_evaluation(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, tmp_path: Path
) -> None:
    """With a swap each 40 ms each policy is evaluated at its pace; a remediation in flight ends by its own policy."""
    slow = workloads.behaviour(ready_delay="10")
    cluster.api.create(workloads.deployment("web", namespace, memory=OVER, annotations=slow))
    cluster.ready_pods(namespace, 1)
    volume = tmp_path / "volume"
    first = policy_file(namespace, readyTimeout="60s", cooldown="30m")
    first["policies"][:0] = [policy("steady"), policy("seldom", every=f"{SELDOM}s")]
    swap(volume, first)
    daemon = start_daemon(first, environment={"REMEDIATOR_POLICY": str(volume / "policy.yaml")})
    daemon.wait_for("remediation taken")
    files = versions(namespace)
    with swapping(volume, files) as swaps:
        start = time.time()
        daemon.until(
            lambda: time.time() - start > LOAD and len(swaps) > LOAD / EVERY / 3, what="the load", timeout=10 * LOAD
        )
        end = time.time()
    # What holds at the end is whole, and what no file has any more is gone.
    swap(volume, {"safety": {"paused": True}, "policies": [policy("last"), policy("steady")]})
    daemon.until(
        lambda: daemon.events("policy file read")[-1]["policies"] == ["last", "steady"], what="the last file is read"
    )
    (settled,) = daemon.wait_for("remediation settled")
    assert (settled["outcome"], settled["policy"]) == ("replaced", "leaky")
    assert settled["seconds_in_all"] > 8, "it has waited longer than any of the files allow that came after it"
    assert len(cluster.taken(namespace)) == 1

    seconds = end - start
    ran = seconds - held_up(daemon, start, end)
    # The pace in seconds, at its fastest and at its slowest.
    for name, fastest, slowest in (
        ("steady", 1, 1),
        ("moved", 1, 1),
        ("switched", 1, 2),
        ("paces", 3, 4),
        ("comes", 3, 4),
    ):
        runs = len([begin for begin in began(daemon, name) if start <= begin < end])
        skipped = len(daemon.events("evaluation skipped", policy=name))
        assert runs <= seconds / fastest + 2, f"{name} is evaluated more often than its pace"
        # What is due several times while the process does not run, is run once.
        assert runs + skipped >= ran / slowest - 2, (
            f"{name} has lost evaluations: {runs} in {ran:.1f} of {seconds:.1f} s"
        )
    seldom = [begin for begin in began(daemon, "seldom") if begin < end]
    # The first one may have been late itself.
    late = [(begin - seldom[0] + 2) % SELDOM - 2 for begin in seldom]
    assert max(late) < 4, f"its schedule is what it was, but for what comes late: {late}"
    assert len(seldom) + len(daemon.events("evaluation skipped", policy="seldom")) >= (end - seldom[0]) // SELDOM

    read = {tuple(line["policies"]) for line in daemon.events("policy file read")}
    allowed = {tuple(one["name"] for one in file["policies"]) for file in [first, *files]}
    assert read <= allowed | {("last", "steady")}, "only whole files are read"
    assert len(read) > len(files) / 2
    refused = [line for line in daemon.events() if line["level"] == "error"]
    assert refused == [], "a swap is never taken for a missing file"
    daemon.until(
        lambda: daemon.metric("remediator_evaluation_interval_seconds", policy="moved") is None,
        what="the series of what is gone are gone",
    )


def test_a_kill_switch_waits_for_no_evaluation(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, tmp_path: Path, prometheus: Proxy
) -> None:
    """More evaluations wait for Prometheus than the scheduler has threads: a swap is in force while they all wait."""
    many = {"policies": [policy(f"p{number}") for number in range(15)]}
    volume = tmp_path / "volume"
    swap(volume, many)
    environment = {"REMEDIATOR_POLICY": str(volume / "policy.yaml"), "REMEDIATOR_PROMETHEUS_TIMEOUT": "20m"}
    daemon = start_daemon(many, environment=environment, prometheus_url=prometheus.url)
    for number in range(15):
        daemon.wait_for("evaluation", policy=f"p{number}")
    prometheus.fault = lambda _: Hang()
    for number in range(15):
        daemon.wait_for("evaluation skipped", policy=f"p{number}")
    ended = len(daemon.events("evaluation"))
    took = []
    for number in range(2, 9):
        swapped = time.time()
        swap(volume, {**many, "safety": {"paused": number % 2 == 0}})
        took.append(at(daemon.wait_for("policy file read", count=number)[-1]) - swapped)
    assert len(daemon.events("evaluation")) == ended, "all of them still wait, and do so for twenty minutes"
    # One pause of the machine is longer than what is promised; it is not there each time.
    assert min(took) < 1
    told = daemon.metric("remediator_policy_reload_timestamp_seconds")
    assert told is not None
    assert swapped <= told <= time.time()
