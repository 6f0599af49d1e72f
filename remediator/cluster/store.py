"""Two objects in our own namespace: the journal's ConfigMap, and the Lease."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from remediator.cluster.api import READ_TIMEOUT, ApiServer, Json
from remediator.errors import KubernetesOdd

_LABELS = {"app.kubernetes.io/managed-by": "remediator"}
"""No release-tracking labels: GitOps tools prune what carries theirs."""


@dataclass(frozen=True, slots=True)
class StoredText:
    """A ConfigMap with one text; ``version`` is the resourceVersion that the next write is conditional on."""

    uid: str
    version: str
    text: str | None


class TextStore:
    """ConfigMaps in one namespace that hold one text each, under ``key``."""

    def __init__(self, api: ApiServer, *, namespace: str, key: str) -> None:
        self._api = api
        self._namespace = namespace
        self._key = key
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"

    def read(self, name: str) -> StoredText | None:
        """The ConfigMap of that name; None where there is none. Raises KubernetesError."""
        found = self._api.find(f"{self._path}/{name}")
        return None if found is None else self._stored(found)

    def create(self, name: str, text: str, *, timeout: float) -> StoredText:
        """A new ConfigMap. Raises KubernetesError, a refusal with 409 where it is there already."""
        body = self._body(name, text)
        return self._stored(self._api.write("create", "POST", self._path, body, timeout=timeout))

    def update(self, name: str, text: str, *, stored: StoredText, timeout: float) -> StoredText:
        """Replace the text of exactly that version. Raises KubernetesError, a refusal with 409 where it moved."""
        body = self._body(name, text)
        body["metadata"] |= {"uid": stored.uid, "resourceVersion": stored.version}
        return self._stored(self._api.write("update", "PUT", f"{self._path}/{name}", body, timeout=timeout))

    def _body(self, name: str, text: str) -> Json:
        metadata: Json = {"name": name, "namespace": self._namespace, "labels": dict(_LABELS)}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {self._key: text}}

    def _stored(self, item: Json) -> StoredText:
        metadata = item.get("metadata") or {}
        try:
            text = (item.get("data") or {}).get(self._key)
            return StoredText(metadata["uid"], metadata["resourceVersion"], text)
        except (KeyError, AttributeError) as exc:
            message = f"ConfigMap {metadata.get('name', '?')}: the API server's object can't be understood"
            raise KubernetesOdd(message) from exc


@dataclass(frozen=True, slots=True)
class LeaseState:
    """A Lease as read. ``holder`` is empty when it was released; durations in whole seconds."""

    version: str
    holder: str
    duration: int
    transitions: int
    acquired_at: str
    renewed_at: str
    annotations: dict[str, str] = field(default_factory=dict)


class Leases:
    """The one Lease of that name."""

    def __init__(self, api: ApiServer, *, namespace: str, name: str) -> None:
        self._api = api
        self._namespace = namespace
        self.name = name
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"

    def read(self, *, timeout: float = READ_TIMEOUT) -> LeaseState | None:
        """The Lease; None where there is none. Raises KubernetesError."""
        found = self._api.find(f"{self._path}/{self.name}", timeout=timeout)
        return None if found is None else _lease(found)

    def write(
        self,
        *,
        holder: str,
        duration: int,
        previous: LeaseState | None,
        annotations: dict[str, str] | None,
        timeout: float,
    ) -> LeaseState:
        """Create the Lease, or replace exactly the version that was read. Raises KubernetesError.

        ``holder`` empty releases it. Annotations that are None stay as they were.
        """
        now = micro_time(datetime.now(UTC))
        same = previous is not None and previous.holder == holder
        transitions = previous.transitions if previous else 0
        if annotations is None:
            annotations = dict(previous.annotations) if previous else {}
        metadata: Json = {
            "name": self.name,
            "namespace": self._namespace,
            "labels": dict(_LABELS),
            "annotations": annotations,
        }
        spec: Json = {
            "holderIdentity": holder,
            "leaseDurationSeconds": duration,
            "renewTime": now,
            "acquireTime": previous.acquired_at if same and previous else now,
            "leaseTransitions": transitions + (0 if same or not holder else 1),
        }
        body: Json = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        if previous is None:
            return _lease(self._api.write("create", "POST", self._path, body, timeout=timeout))
        metadata["resourceVersion"] = previous.version
        path = f"{self._path}/{self.name}"
        return _lease(self._api.write("update", "PUT", path, body, timeout=timeout))

    def annotate(self, lease: LeaseState, annotations: dict[str, str], *, timeout: float) -> LeaseState:
        """Set annotations of exactly that version, whoever holds it. Raises KubernetesError."""
        body: Json = {"metadata": {"resourceVersion": lease.version, "annotations": annotations}}
        path, kind = f"{self._path}/{self.name}", "application/merge-patch+json"
        return _lease(self._api.write("patch", "PATCH", path, body, timeout=timeout, content_type=kind))


def micro_time(moment: datetime) -> str:
    """The API's MicroTime: exactly six fractional digits, or the server refuses it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _lease(item: Json) -> LeaseState:
    metadata, spec = item.get("metadata") or {}, item.get("spec") or {}
    if "resourceVersion" not in metadata:
        message = "the Lease has no resourceVersion"
        raise KubernetesOdd(message)
    return LeaseState(
        version=metadata["resourceVersion"],
        holder=spec.get("holderIdentity") or "",
        duration=int(spec.get("leaseDurationSeconds") or 0),
        transitions=int(spec.get("leaseTransitions") or 0),
        acquired_at=spec.get("acquireTime") or "",
        renewed_at=spec.get("renewTime") or "",
        annotations=dict(metadata.get("annotations") or {}),
    )
