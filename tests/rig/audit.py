"""The API server's audit log: what it writes, and reading it.

Who sent which eviction, delete and patch is known from here, not from what the daemon says of itself.
"""

import datetime as dt
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

READ = threading.Event()
"""Set once this process has read what was asked of the API server."""

_EVENTS = [{"group": "", "resources": ["events"]}, {"group": "events.k8s.io"}]

# The first rule that fits a request decides. Bodies are kept where a test may want to know what was asked
# for.
POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted", "Panic"],
    "rules": [
        {"level": "None", "namespaces": ["kube-node-lease"]},
        # Those of the control plane would be most of the log; a daemon's show which rights it makes use of.
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"], "resources": _EVENTS},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"], "resources": _EVENTS},
        {"level": "None", "resources": _EVENTS},
        # A token in a log would be a token in a test's output.
        {"level": "Metadata", "resources": [{"group": "", "resources": ["secrets", "serviceaccounts/token"]}]},
        {
            "level": "Request",
            "verbs": ["create", "update", "patch", "delete", "deletecollection"],
            "resources": [
                {
                    "group": "",
                    "resources": ["pods", "pods/eviction", "pods/resize", "configmaps", "pods/ephemeralcontainers"],
                },
                {"group": "coordination.k8s.io", "resources": ["leases"]},
                {"group": "apps"},
                {"group": "policy"},
            ],
        },
        {"level": "Metadata", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        # Reads of the control plane's own controllers and of certificates' holders are noise, those of
        # workloads not.
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ],
}


@dataclass(frozen=True)
class AuditEvent:
    """One request that the API server answered."""

    user: str
    """As RBAC knows it, for example `system:serviceaccount:NAMESPACE:NAME`."""
    group: str
    """The API group of the resource; empty for the core group, and where nothing but a path was asked for."""
    verb: str
    """create, update, patch, delete, deletecollection, get, list or watch; an eviction is a create."""
    resource: str
    subresource: str
    """`eviction`, `status`, ...; empty for the resource itself."""
    namespace: str
    name: str
    code: int
    """The HTTP status of the answer."""
    request: Mapping[str, Any] | None
    """The body that was sent, where the policy keeps it; of a delete, its options."""
    received: dt.datetime
    answered: dt.datetime
    user_agent: str
    stage: str
    uri: str
    """With the query, so with `dryRun`, `limit`, `resourceVersion`."""
    reason: str
    """The reason of a refusal as the API server worded it; empty where it did not."""
    message: str

    @property
    def succeeded(self) -> bool:
        """Whether the API server did it; a dry run that passed has succeeded as well."""
        return 200 <= self.code < 300

    @property
    def dry_run(self) -> bool:
        """Whether nothing was to be changed, by the query or by the eviction's and the delete's options."""
        options = self.request or {}
        return "dryRun=" in self.uri or bool(
            options.get("dryRun") or (options.get("deleteOptions") or {}).get("dryRun")
        )

    @property
    def is_system(self) -> bool:
        """Whether a component of the control plane or of the rig sent it, and not a person or a workload."""
        if self.user.startswith("system:serviceaccount:"):
            return self.user.startswith("system:serviceaccount:kube-system:")
        return self.user.startswith("system:")

    @property
    def takes_a_pod(self) -> bool:
        """Whether it is an eviction or a delete of pods, dry runs excluded, whatever became of it."""
        eviction = self.verb == "create" and self.subresource == "eviction"
        delete = self.verb in ("delete", "deletecollection") and self.subresource == ""
        return self.resource == "pods" and (eviction or delete) and not self.dry_run

    @property
    def uid(self) -> str:
        """The UID that an eviction or a delete demands of its object; empty where it demands none."""
        options = self.request or {}
        options = options.get("deleteOptions") or options
        return str((options.get("preconditions") or {}).get("uid", ""))


class AuditLog:
    """Reads the audit log as it grows; may be used from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._offset = 0
        self._events: list[AuditEvent] = []

    def events(self) -> list[AuditEvent]:
        """All events until now, in the order in which they were answered.

        The API server writes an event when it has finished with the request, which can be a moment after the
        client has read the answer: wait for what must be there, and look for what must not be there only
        after that.
        """
        READ.set()
        with self._lock:
            if self.path.exists():
                with self.path.open("rb") as file:
                    file.seek(self._offset)
                    for line in file:
                        if not line.endswith(b"\n"):
                            break
                        self._offset += len(line)
                        self._events.append(_event(orjson.loads(line)))
            return list(self._events)


def taken(events: Iterable[AuditEvent], namespace: str) -> list[AuditEvent]:
    """The evictions and deletes of pods in a namespace that were done, and not by the control plane itself.

    A delete that only repeats an earlier one (the pod was already on its way) is in it too: the API server
    says 200.
    """
    return [
        event
        for event in events
        if event.namespace == namespace and event.takes_a_pod and event.succeeded and not event.is_system
    ]


def _event(raw: dict[str, Any]) -> AuditEvent:
    target = raw.get("objectRef") or {}
    status = raw.get("responseStatus") or {}
    request = raw.get("requestObject")
    return AuditEvent(
        user=raw["user"]["username"],
        group=target.get("apiGroup", ""),
        verb=raw["verb"],
        resource=target.get("resource", ""),
        subresource=target.get("subresource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=status.get("code", 0),
        request=request,
        received=dt.datetime.fromisoformat(raw["requestReceivedTimestamp"]),
        answered=dt.datetime.fromisoformat(raw["stageTimestamp"]),
        user_agent=raw.get("userAgent", ""),
        stage=raw["stage"],
        uri=raw["requestURI"],
        reason=status.get("reason", ""),
        message=status.get("message", ""),
    )
