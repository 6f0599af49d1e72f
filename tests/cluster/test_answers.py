"""The table of answers: each answer to an eviction, a delete and a dry run, with what is made of it.

Every row has a workload of its own in one run of the daemon. What can be provoked on the real API server is: something
happens in the moment in which the request is on its way. The rest comes from a proxy in between.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.cluster.conftest import StartDaemon, policy_file
from tests.cluster.test_guards import OVER, left_alone
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon, allow_delete
from tests.rig.proxy import Cut, Fault, Hang, Proxy, Request, Respond

Json = dict[str, Any]
Happening = Callable[[Cluster, str, str], object]
"""What happens to the pod of that name, in that namespace, while the request is on its way."""

ALWAYS = 1_000_000
LONG_LEASE = {"REMEDIATOR_LEASE_DURATION": "120s"}
"""A write of the journal wants 17 s of it. Where less is left, its record is left in flight; who inherits it knows of
requests that may be under way, and sends more of them."""
WIDE = {"maxConcurrent": 50, "budget": {"actions": 100, "per": "1h"}, "maxBreaching": "100%"}


def status(code: int, *, reason: str = "", message: str = "", cause: str = "", kind: str = "", **more: str) -> Respond:
    """The API server's own form of a refusal; ``more`` are headers."""
    details: Json = {"kind": kind}
    if cause:
        details["causes"] = [{"reason": cause, "message": "needs 3 healthy pods and has 3"}]
    body = {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    return Respond(code, json.dumps(body).encode(), {key.replace("_", "-"): value for key, value in more.items()})


def landed(code: int) -> Respond:
    """The server has done it, and somebody on the way back says otherwise."""
    return Respond(code, b"upstream connect error or disconnect/reset before headers", forwarded=True)


def delete_it(cluster: Cluster, namespace: str, pod: str) -> None:
    """An operator deletes it at once."""
    cluster.api.delete("pods", namespace, pod, grace=0)


def replace_it(cluster: Cluster, namespace: str, pod: str) -> None:
    """An operator deletes it, and its successor has the same name already."""
    old = cluster.api.get("pods", namespace, pod)["metadata"]["uid"]
    cluster.api.delete("pods", namespace, pod, grace=0)
    cluster.wait(
        lambda: (new := cluster.api.find("pods", namespace, pod)) and new["metadata"]["uid"] != old,
        30,
        f"another {pod} is there",
    )


def touch_it(cluster: Cluster, namespace: str, pod: str) -> None:
    """Somebody changes it."""
    cluster.api.annotate("pods", namespace, pod, {"example.com/touched": "yes"})


def budgets(number: int, *, max_unavailable: int = 1) -> Happening:
    """So many disruption budgets appear over its workload, and their controller has seen them."""

    def happen(cluster: Cluster, namespace: str, pod: str) -> None:
        app = pod.partition("-")[0]
        names = [f"{app}-{letter}" for letter in "abc"[:number]]
        for name in names:
            cluster.api.create(workloads.pdb(name, namespace, app=app, max_unavailable=max_unavailable))

        def seen(name: str) -> bool:
            one = cluster.api.get("policy/v1/poddisruptionbudgets", namespace, name)
            return bool(one.get("status", {}).get("observedGeneration") == one["metadata"]["generation"])

        cluster.wait(lambda: all(map(seen, names)), 30, f"budgets of {app} are computed")

    return happen


@dataclass(frozen=True)
class Row:
    """One row of the table: ``fault`` for the first ``times`` requests, and ``happens`` before the first.

    ``sent`` requests are sent in all for the workload's pods.
    """

    outcome: str
    sent: int
    fault: Fault | None = None
    times: int = 1
    happens: Happening | None = None
    given_back: bool = False
    words: str = ""
    kind: str = "Deployment"


BOTH: dict[str, Row] = {
    "accepted": Row("replaced", 1),
    "404, the pod is gone": Row("superseded", 1, happens=delete_it, given_back=True),
    "409, the pod has changed": Row("replaced", 2, happens=touch_it),
    "409, another pod has its name": Row("superseded", 1, happens=replace_it, given_back=True, kind="StatefulSet"),
    "409 on the pod, each time": Row(
        "called-off",
        3,
        status(409, reason="Conflict", kind="pods", message="the ResourceVersion does not match"),
        ALWAYS,
        given_back=True,
        words="the ResourceVersion does not match",
    ),
    "429 of flow control": Row("replaced", 2, status(429, message="too many requests", Retry_After="1")),
    "429 of flow control, each time": Row(
        "called-off",
        3,
        status(429, message="too many requests", Retry_After="1"),
        ALWAYS,
        given_back=True,
        words="too many requests",
    ),
    "503": Row("replaced", 2, status(503, reason="ServiceUnavailable", message="overloaded", Retry_After="1")),
    "503 after the server has acted": Row("replaced", 1, landed(503)),
    "401 of a token that has just been rotated": Row("replaced", 2, status(401, reason="Unauthorized")),
    "403": Row("failed", 1, status(403, reason="Forbidden", kind="pods", message="cannot do that"), words="cannot do"),
    "422": Row("failed", 1, status(422, reason="Invalid", message="no such thing"), words="no such thing"),
    "500": Row("replaced", 2, status(500, reason="InternalError", message="etcdserver: leader changed")),
    "500 after the server has acted": Row("replaced", 1, landed(500)),
    "504": Row("replaced", 2, status(504, reason="Timeout", message="timed out")),
    "504 after the server has acted": Row("replaced", 1, landed(504)),
    "time-out": Row("replaced", 2, Hang()),
    "time-out after the server has acted": Row("replaced", 1, Hang(forwarded=True)),
    "cut before the server saw it": Row("replaced", 2, Cut(forwarded=False)),
    "cut after the server has acted": Row("replaced", 1, Cut(forwarded=True)),
    "200 with rubbish": Row("replaced", 2, Respond(200, b"<html>a proxy's page</html>")),
    "200 with rubbish after the server has acted": Row("replaced", 1, landed(200)),
}
EVICTIONS: dict[str, Row] = {
    **BOTH,
    "429 of a budget": Row(
        "blocked", 1, happens=budgets(1, max_unavailable=0), given_back=True, words="needs 1 healthy pods and has 1"
    ),
    "429 of a budget that is still computed": Row(
        "blocked",
        1,
        status(429, message="would violate the pod's disruption budget", cause="DisruptionBudget", Retry_After="10"),
        given_back=True,
        words="would violate the pod's disruption budget",
    ),
    "403 of a budget": Row(
        "blocked",
        1,
        status(403, reason="Forbidden", kind="poddisruptionbudget", message="pdb disruptions allowed is negative"),
        given_back=True,
        words="pdb disruptions allowed is negative",
    ),
    "500 for two budgets": Row(
        "blocked",
        1,
        happens=budgets(2),
        given_back=True,
        words="more than one PodDisruptionBudget, which the eviction subresource does not support.; "
        "it is covered by PodDisruptionBudget {app}-a, {app}-b",
    ),
    "409 on a budget": Row(
        "replaced", 2, status(409, reason="Conflict", kind="poddisruptionbudgets", message="it was modified")
    ),
    "409 on a budget, each time": Row(
        "blocked",
        2,
        status(409, reason="Conflict", kind="poddisruptionbudgets", message="it was modified"),
        ALWAYS,
        given_back=True,
        words="it was modified",
    ),
}
DELETES: dict[str, Row] = {**BOTH, "a budget, which is not asked": Row("replaced", 1, happens=budgets(2))}


class Faults:
    """Breaks the requests that take pods, by the row whose workload the pod is of; counts them."""

    def __init__(self, cluster: Cluster, namespace: str, rows: dict[str, Row]) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._rows = rows
        self._lock = threading.Lock()
        self.sent = dict.fromkeys(rows, 0)

    def __call__(self, request: Request) -> Fault | None:
        """What goes wrong with this one."""
        if not (takes := _pod_taken_by(request)):
            return None
        app = takes.partition("-")[0]
        name = next(name for number, name in enumerate(self._rows) if app == f"row{number}")
        row = self._rows[name]
        with self._lock:
            self.sent[name] += 1
            number = self.sent[name]
        if number == 1 and row.happens:
            row.happens(self._cluster, self._namespace, takes)
        return row.fault if number <= row.times else None


def _pod_taken_by(request: Request) -> str:
    """The pod that the request takes; empty for every other request."""
    parts = request.path.partition("?")[0].split("/")
    if request.is_("POST", "/eviction"):
        return parts[-2]
    return parts[-1] if request.method == "DELETE" and parts[-2] == "pods" else ""


def carried_out(
    cluster: Cluster,
    namespace: str,
    start_daemon: StartDaemon,
    api: Proxy,
    kubeconfig: Path,
    rows: dict[str, Row],
    **policy: Any,  # noqa: ANN401
) -> tuple[Daemon, Faults]:
    """A daemon that has settled one record for each row."""
    for number, row in enumerate(rows.values()):
        make = workloads.statefulset if row.kind == "StatefulSet" else workloads.deployment
        cluster.api.create(make(f"row{number}", namespace, memory=OVER))
    cluster.ready_pods(namespace, len(rows), deadline=60)
    faults = Faults(cluster, namespace, rows)
    api.fault = faults
    daemon = start_daemon(
        policy_file(namespace, safety=WIDE, cooldown="20m", readyTimeout="60s", for_="10s", **policy),
        kubeconfig=kubeconfig,
        # Told so, it does not mind a few scrapes that a busy machine misses: a hole would call an act off in between.
        sample_interval=3,
        environment=LONG_LEASE,
    )
    return daemon, faults


def compare(cluster: Cluster, namespace: str, home: str, daemon: Daemon, faults: Faults, rows: dict[str, Row]) -> None:
    """Every row has ended as the table says, and nothing more is sent for it."""
    settled = daemon.wait_for("remediation settled", count=len(rows), timeout=150)
    seen = len(daemon.events("evaluation"))
    daemon.wait_for("evaluation", count=seen + 3)
    by_app = {line["workload"].partition("/")[2]: line for line in settled}
    ledger = json.loads(cluster.api.get("configmaps", home, "remediator-journal")["data"]["journal.json"])["ledger"]
    names = {record["workload"]["uid"]: record["workload"]["name"] for record in ledger["settled"]}
    spends = {names[act["workload_uid"]]: act["spends"] for act in ledger["acts"]}
    breakers = {one["workload"]["name"] for one in ledger["breakers"].values()}
    taken: dict[str, list[str]] = {}
    for event in cluster.taken(namespace):
        if event.user.endswith(":remediator"):
            taken.setdefault(event.name.partition("-")[0], []).append(event.uid)
    expected, found = {}, {}
    for number, (name, row) in enumerate(rows.items()):
        app = f"row{number}"
        line = by_app[app]
        ours = [line["uid"]] if row.outcome == "replaced" else []
        failed = row.outcome == "failed"
        words = row.words.format(app=app)
        expected[name] = (row.outcome, row.sent, not row.given_back, failed, ours, True)
        right = words in line["detail"] or line["detail"]
        found[name] = (
            line["outcome"],
            faults.sent[name],
            spends[app],
            app in breakers,
            taken.get(app, []),
            right is True or right,
        )
    assert found == expected
    assert len(ledger["acts"]) == len(ledger["settled"]) == len(rows)
    spent = sum(not row.given_back for row in rows.values())
    daemon.until(lambda: daemon.metric("remediator_budget_remaining") == 100 - spent, what="the budget is right")
    for number in range(len(rows)):
        left_alone(daemon, f"row{number}-", "cooldown")


def test_every_answer_to_an_eviction_has_its_outcome(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """Outcome, requests sent, budget, breaker, cooldown and the pods that are gone by the audit log, row by row."""
    daemon, faults = carried_out(cluster, namespace, start_daemon, api, kubeconfig, EVICTIONS)
    compare(cluster, namespace, home, daemon, faults, EVICTIONS)


def test_every_answer_to_a_delete_has_its_outcome(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """The same rows for ``action: delete``, which no budget stops."""
    allow_delete(cluster, home)
    daemon, faults = carried_out(cluster, namespace, start_daemon, api, kubeconfig, DELETES, action="delete")
    compare(cluster, namespace, home, daemon, faults, DELETES)


REHEARSALS: dict[str, tuple[Row, str, bool]] = {
    "accepted": (Row("", 0), "the API server would have accepted the evict", False),
    "429 of a budget": (Row("", 0, happens=budgets(1, max_unavailable=0)), "needs 1 healthy pods and has 1", True),
    "500 for two budgets": (Row("", 0, happens=budgets(2)), "more than one PodDisruption", True),
    "403 of a budget": (Row("", 0, EVICTIONS["403 of a budget"].fault, ALWAYS), "pdb disruptions allowed", True),
    "404, the pod is gone": (Row("", 0, happens=delete_it), "not found", False),
    "409, the pod has changed": (Row("", 0, happens=touch_it), "does not match the ResourceVersion", False),
    "403": (Row("", 0, BOTH["403"].fault, ALWAYS), "would have refused the evict: cannot do that", False),
    "500": (Row("", 0, BOTH["500"].fault, ALWAYS), "could not tell: etcdserver: leader changed", False),
    "504": (Row("", 0, BOTH["504"].fault, ALWAYS), "could not tell: timed out", False),
    "cut": (Row("", 0, Cut(forwarded=False), ALWAYS), "did not answer", False),
    "rubbish": (Row("", 0, Respond(200, b"<html>a page</html>"), ALWAYS), "is no JSON", False),
    # Of the last ones each wants some peace for all writes, so each only once.
    "401": (Row("", 0, status(401, message="who are you?", Retry_After="1")), "could not tell: who are you?", False),
    "503": (Row("", 0, BOTH["503"].fault), "could not tell: overloaded", False),
    "429 of flow control": (Row("", 0, BOTH["429 of flow control"].fault), "could not tell: too many requests", False),
}


def test_every_answer_to_a_dry_run_is_told_and_nothing_is_spent(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon, api: Proxy, kubeconfig: Path
) -> None:
    """Yes, no by a budget, no, or "could not tell", with the server's words; nothing goes, nothing is written."""
    rows = {name: row for name, (row, _, _) in REHEARSALS.items()}
    daemon, faults = carried_out(cluster, namespace, start_daemon, api, kubeconfig, rows, dryRun=True)

    def told(number: int, words: str, by_budget: bool) -> bool:  # noqa: FBT001
        return any(
            line["pod"].startswith(f"row{number}-")
            and "dry-run" in line["reasons"]
            and words in line["detail"]
            and ("disruption-budget" in line["reasons"]) == by_budget
            for line in daemon.events("left alone")
        )

    for number, (name, (_, words, by_budget)) in enumerate(REHEARSALS.items()):
        daemon.until(partial(told, number, words, by_budget), what=f"{name}: {words!r} is told")
    assert min(faults.sent.values()) >= 1
    assert daemon.events("remediation intended") == []
    ledger = json.loads(cluster.api.get("configmaps", home, "remediator-journal")["data"]["journal.json"])["ledger"]
    assert (ledger["acts"], ledger["settled"], ledger["in_flight"]) == ([], [], {})
    assert [event.name for event in cluster.taken(namespace) if event.user.endswith(":remediator")] == []


def test_without_the_right_to_evict_nothing_is_lost(
    cluster: Cluster, namespace: str, home: str, start_daemon: StartDaemon
) -> None:
    """RBAC says no: failed, with its words; the breaker holds, and nothing is sent a second time."""
    name = f"{home}-remediator"
    role = cluster.api.get("rbac.authorization.k8s.io/v1/clusterroles", None, name)
    rules = [rule for rule in role["rules"] if rule["resources"] != ["pods/eviction"]]
    cluster.api.patch("rbac.authorization.k8s.io/v1/clusterroles", None, name, {"rules": rules})
    cluster.api.create(workloads.deployment("web", namespace, replicas=2, memory=OVER))
    cluster.ready_pods(namespace, 2)
    daemon = start_daemon(policy_file(namespace))
    (settled,) = daemon.wait_for("remediation settled")
    assert (settled["outcome"], settled["breaker_opened"]) == ("failed", True)
    assert 'cannot create resource "pods/eviction"' in settled["detail"]
    left_alone(daemon, "web", "breaker-open")
    seen = len(daemon.events("evaluation"))
    daemon.wait_for("evaluation", count=seen + 3)
    sent = [event for event in cluster.audit() if event.namespace == namespace and event.subresource == "eviction"]
    assert [event.code for event in sent] == [403]
    daemon.until(lambda: daemon.metric("remediator_budget_remaining") == 19, what="the budget is spent")
