"""The one place in the program that takes a pod away, and it demands the UID.

Source: https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/ and, for the answers,
``pkg/registry/core/pod/storage/eviction.go`` of Kubernetes 1.36.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from remediator.cluster.api import READ_TIMEOUT, ApiServer, Json
from remediator.cluster.pods import pod_path
from remediator.errors import KubernetesOdd, KubernetesRefused, KubernetesUnreachable, Status
from remediator.model.vocabulary import Action

Fence: TypeAlias = Callable[[float], None]
"""Called before each write with its time-out in seconds; raises NotLeader where the lease is too short for it."""

_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT = 400, 401, 403, 404, 409
_INVALID, _TOO_MANY, _INTERNAL, _UNAVAILABLE, _GATEWAY_TIMEOUT = 422, 429, 500, 503, 504
OVERLOADED, LONGEST_PAUSE = 5, 30
"""Seconds of peace for an overloaded server that names none, and at most."""
_BUDGET = "DisruptionBudget"
DRY_RUN = "?dryRun=All"


class Answer(Enum):
    """What the API server made of the request."""

    ACCEPTED = auto()
    GONE = auto()
    CHANGED = auto()
    """Another UID or resourceVersion: read again."""
    CONTENTION = auto()
    """The budget was being written: once more after a second."""
    BUDGET = auto()
    """The disruption budget says not now, or can't say."""
    OVERLOAD = auto()
    """Flow control, a server in trouble, or one that does not know us just now: after ``retry_after``."""
    FORBIDDEN = auto()
    REFUSED = auto()
    NO_DRY_RUN = auto()
    """A webhook with side effects refuses every dry run: what the real answer would be can't be told."""
    UNKNOWN = auto()
    """Whether it was carried out can't be told: read again."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer with the server's own words; ``retry_after`` in seconds where the server named it.

    ``may_have_landed``: whether the request may have been carried out, or may still be, whatever was answered.
    """

    answer: Answer
    words: str = ""
    retry_after: int | None = None
    may_have_landed: bool = False


class Removal:
    """Takes pods away, each write behind the fence, and all of them slower while the server is overloaded."""

    def __init__(self, api: ApiServer, *, fence: Fence, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._fence = fence
        self._monotonic = monotonic
        self._not_before = 0.0

    @property
    def pause(self) -> float:
        """Seconds that the server wants to be left in peace, whoever of us it told so."""
        return max(self._not_before - self._monotonic(), 0.0)

    def take(
        self,
        action: Action,
        *,
        namespace: str,
        name: str,
        uid: str,
        resource_version: str,
        grace_period: int | None = None,
        dry_run: bool = False,
    ) -> Taken:
        """Ask for exactly this instance as it was just read: by the Eviction API, or, for ``delete``, past it.

        A dry run changes nothing, and its answer is what the real one would have been now. Raises NotLeader.
        """
        options: Json = {"preconditions": {"uid": uid, "resourceVersion": resource_version}}
        if grace_period is not None:
            options["gracePeriodSeconds"] = grace_period
        path, query = pod_path(namespace, name), ""
        if dry_run:
            # Of the dry run of an eviction webhooks are told by the query alone; one that ends pods in its own way
            # would begin to.
            options["dryRun"], query = ["All"], DRY_RUN
        if action is Action.DELETE:
            return self.send("delete", "DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", **options})
        return self.send("evict", "POST", f"{path}/eviction{query}", _eviction(namespace, name, options))

    def send(self, verb: str, method: str, path: str, body: Json, *, content_type: str = "application/json") -> Taken:
        """One write to a pod, sent once. Raises NotLeader."""
        self._fence(READ_TIMEOUT)
        try:
            self._api.write(verb, method, path, body, content_type=content_type)
        except (KubernetesUnreachable, KubernetesOdd) as exc:
            return Taken(Answer.UNKNOWN, str(exc), may_have_landed=True)
        except KubernetesRefused as exc:
            taken = understand(exc.status)
            if taken.answer is Answer.OVERLOAD:
                seconds = OVERLOADED if taken.retry_after is None else min(taken.retry_after, LONGEST_PAUSE)
                self._not_before = self._monotonic() + seconds
            return taken
        return Taken(Answer.ACCEPTED)


def _eviction(namespace: str, name: str, options: Json) -> Json:
    return {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
        "deleteOptions": options,
    }


def understand(status: Status) -> Taken:
    """The table of answers: only the cause ``DisruptionBudget`` makes a 429 the budget's."""
    words = status.message
    causes = {reason for reason, _ in status.causes}
    match status.code:
        case code if code == _NOT_FOUND:
            answer = Answer.GONE
        case code if code == _CONFLICT:
            budget = status.kind.lower().startswith("poddisruptionbudget")
            answer = Answer.CONTENTION if budget else Answer.CHANGED
        case code if code == _INVALID and "metadata.uid" in words:
            # A PATCH of another instance: its UID can't be changed to ours.
            answer = Answer.CHANGED
        case code if code == _TOO_MANY:
            answer = Answer.BUDGET if _BUDGET in causes else Answer.OVERLOAD
        case code if code == _FORBIDDEN:
            budget = _BUDGET in causes or status.kind.lower().startswith("poddisruptionbudget")
            answer = Answer.BUDGET if budget else Answer.FORBIDDEN
        case code if code == _INTERNAL and "more than one PodDisruptionBudget" in words:
            answer = Answer.BUDGET
        case code if code == _BAD_REQUEST and "does not support dry run" in words:
            answer = Answer.NO_DRY_RUN
        case code if code in {_UNAUTHORIZED, _UNAVAILABLE}:
            # A token that has just been rotated is read anew within a minute, and says nothing of the workload.
            answer = Answer.OVERLOAD
        case code if code == _GATEWAY_TIMEOUT or code >= _INTERNAL:
            answer = Answer.UNKNOWN
        case _:
            answer = Answer.REFUSED
    words = "; ".join(filter(None, (words, *(message for _, message in status.causes))))
    # A load balancer that loses the server in the middle of a request says 503 as well.
    landed = answer is Answer.UNKNOWN or status.code == _UNAVAILABLE
    return Taken(answer, words, status.retry_after, may_have_landed=landed)
