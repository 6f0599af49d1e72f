"""Watches that lag, lose events, break and expire: a replacement is seen, and nothing is taken by mistake."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.chaos.steps import watched
from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.proxy import Edited, Fault, Proxy, Request, Respond

Edit = Callable[[bytes], Sequence[bytes] | None]
EXPIRED = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}


def delayed(line: bytes) -> Sequence[bytes]:
    """Each event comes two seconds later than the one before it."""
    time.sleep(2)
    return [line]


def swallowed(line: bytes) -> Sequence[bytes]:
    """No event comes at all, bookmarks do."""
    return [line] if b'"BOOKMARK"' in line else []


def doubled(line: bytes) -> Sequence[bytes]:
    """Each event comes twice."""
    return [line, line]


def broken(_line: bytes) -> None:
    """The connection ends instead of each event."""


def expired(_line: bytes) -> Sequence[bytes]:
    """Instead of each event, the version is too old."""
    return [json.dumps({"type": "ERROR", "object": EXPIRED}).encode()]


EDITS: dict[str, Edit] = {edit.__name__: edit for edit in (delayed, swallowed, doubled, broken, expired)}


class Watches:
    """Breaks the watch for each workload by its name; ``refused`` is the one that is refused with 410 at first."""

    def __init__(self) -> None:
        self.came: dict[str, int] = dict.fromkeys([*EDITS, "refused"], 0)

    def __call__(self, request: Request) -> Fault | None:
        """What goes wrong with this one."""
        for name in watched(request):
            return self._broken(name)
        return None

    def _broken(self, name: str) -> Fault | None:
        self.came[name] += 1
        if name == "refused":
            return Respond(410, json.dumps(EXPIRED).encode()) if self.came[name] <= 2 else None
        return Edited(EDITS[name])


def test_whatever_becomes_of_the_watch_one_pod_is_taken_and_its_replacement_seen(
    cluster: Cluster, namespace: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """Delayed, swallowed, doubled and broken events, 410 as a refusal and in the stream: each ends as replaced."""
    watches = Watches()
    for name in watches.came:
        cluster.api.create(workloads.deployment(name, namespace, replicas=2, memory=OVER))
    cluster.ready_pods(namespace, 2 * len(watches.came), deadline=180)
    api.fault = watches
    policy = policy_file(namespace, safety={"maxConcurrent": 6}, cooldown="20m", readyTimeout="25s")
    daemon = start_daemon(policy, kubeconfig=kubeconfig)
    settled = daemon.wait_for("remediation settled", count=6, timeout=300)
    assert {line["workload"]: (line["outcome"], line["breaker_opened"]) for line in settled} == {
        f"Deployment/{name}": ("replaced", False) for name in watches.came
    }
    taken = [event.uid for event in cluster.taken(namespace)]
    assert sorted(taken) == sorted(line["uid"] for line in settled)
    assert all(watches.came.values()), watches.came
    cluster.ready_pods(namespace, 2 * len(watches.came))
