"""Telling of remediations: each step one log line with everything that "why did it take my pod" asks for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from remediator.model.measures import Breach, Veto
from remediator.model.pods import LivePod
from remediator.model.queues import LateQueue
from remediator.model.remediations import Remediation
from remediator.model.vocabulary import OPENS_BREAKER, Outcome, Reason
from remediator.observe.logs import logger
from remediator.observe.metrics import Metrics


class Voice:
    """The log and the metrics together."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._late: dict[str, dict[str, LateQueue]] = {}

    def step(self, record: Remediation, event: str, **words: object) -> None:
        """One step of a remediation."""
        log = logger().warning if "failed" in {event, words.get("outcome")} else logger().info
        log(f"remediation {event}", **_about(record), **words)

    def settled(self, record: Remediation) -> None:
        """Its end."""
        self._metrics.settled(record)
        seconds = {
            "seconds_to_available": _between(record.taken_at, record.available_at),
            "seconds_in_all": _between(record.intended_at, record.settled_at),
        }
        log = logger().info if record.outcome is Outcome.REPLACED else logger().warning
        log(
            "remediation settled",
            **_about(record),
            outcome=record.outcome,
            detail=record.detail,
            replacement=record.replacement,
            memory_after=record.after,
            breaker_opened=record.outcome in OPENS_BREAKER,
            **seconds,
        )

    def fallback(self, record: Remediation, why: Veto) -> None:
        """The policy's action can't be done, and its fallback is: counted like a reason to leave a pod alone."""
        self._metrics.vetoed(record.breach.policy, why.reason)
        self.step(record, "fallback", words=str(why))

    def stray(self, pod: LivePod, words: str) -> None:
        """A pod that is out of its ReplicaSet, and no record says so."""
        logger().warning("pod out of its ReplicaSet", namespace=pod.namespace, pod=pod.name, uid=pod.uid, words=words)

    def vetoed(
        self,
        vetoes: tuple[Veto, ...],
        *,
        policy: str,
        namespace: str,
        pod: str,
        breach: Breach | None,
        workload: str = "",
    ) -> None:
        """A pod was left alone, for these reasons."""
        for veto in vetoes:
            self._metrics.vetoed(policy, veto.reason)
        reasons = [veto.reason for veto in vetoes]
        # A pod of another policy's, or one that is not over, is no news; of a mass breach one line tells for all.
        # One that is over by the policy, and below what its owner has written, is to be told.
        no_news = {Reason.NOT_MATCHED, Reason.MASS_BREACH}
        quiet = set(reasons) <= (no_news if breach else {*no_news, Reason.BELOW_THRESHOLD})
        log = logger().debug if quiet else logger().info
        known = measured(breach) if breach else {"policy": policy, "namespace": namespace, "pod": pod}
        log("left alone", **known, workload=workload, reasons=reasons, detail="; ".join(v.detail for v in vetoes))

    def late(self, policy: str, queues: Sequence[LateQueue]) -> None:
        """The queues of a policy that clear more slowly than their pods leak: told once, until it gets worse."""
        before = self._late.get(policy, {})
        told = {queue.workload.uid: queue for queue in queues}
        for uid, queue in told.items():
            known = before.get(uid)
            if known is None or queue.late > known.late:
                logger().warning("queue slower than the leak", policy=policy, **_of_queue(queue))
            else:
                # What was told is what the next one is compared with.
                told[uid] = known
        for uid, queue in before.items():
            if uid not in told:
                workload = str(queue.workload)
                logger().info(
                    "queue in time again", policy=policy, namespace=queue.workload.namespace, workload=workload
                )
        self._late[policy] = told


def measured(breach: Breach) -> dict[str, Any]:
    """The fields of a breach, for a log line; times in UTC."""
    return {
        "policy": breach.policy,
        "namespace": breach.namespace,
        "pod": breach.pod,
        "uid": breach.uid,
        "node": breach.node,
        "container": breach.container,
        "value": breach.value,
        "limit": breach.limit,
        "share": None if breach.share is None else round(breach.share, 4),
        "threshold": breach.threshold,
        "threshold_text": breach.threshold_text,
        "emergency": breach.emergency,
        "unit": breach.unit,
        "sample_time": datetime.fromtimestamp(breach.sample_time, UTC).isoformat(),
        "query": breach.query,
    }


def _about(record: Remediation) -> dict[str, Any]:
    about = {"remediation_id": record.id, "epoch": record.epoch, "action": record.action}
    return {**about, "workload": str(record.workload), **measured(record.breach)}


def _of_queue(queue: LateQueue) -> dict[str, Any]:
    return {
        "namespace": queue.workload.namespace,
        "workload": str(queue.workload),
        "waiting": queue.waiting,
        "late": queue.late,
        "pod": queue.pod,
        "seconds_to_limit": round(queue.limit_in),
        "seconds_to_turn": round(queue.turn_in),
        "seconds_of_one": round(queue.took),
        "remedy": queue.remedy,
    }


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round(end - start, 3)
