"""A pod as the API server has it now, trimmed to what is decided on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remediator.model.surge import Footprint


@dataclass(frozen=True, slots=True)
class OwnerReference:
    """Who controls an object."""

    api_version: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a live pod that keeps running: a native sidecar is one, a finished init container is not.

    ``id`` is the container ID without its scheme, empty while nothing runs. ``started_at`` is in seconds
    since the epoch, None while nothing runs. ``memory_limit`` and ``memory_request`` are those in force in bytes,
    None for none.
    """

    name: str
    id: str
    started_at: float | None
    memory_limit: int | None
    image: str = ""
    waiting: str = ""
    memory_request: int | None = None

    @property
    def running(self) -> bool:
        """Whether a process of it runs now."""
        return self.started_at is not None and self.id != ""


@dataclass(frozen=True, slots=True)
class LivePod:
    """One pod instance: the UID, not the name, is what it is.

    ``node`` is the one that it is on or, while it is on none, the only one that it can get on: a DaemonSet makes each
    pod for one node. ``deleted_at`` is the moment by which its grace period ends (the API's deletionTimestamp), None
    while nobody has asked for its deletion. ``ready_since`` is None while it is not Ready. ``memory_limit`` is the
    limit in force of the pod as a whole, in bytes, None for none. ``resizing`` are Kubernetes' words for a resize that
    is being carried out, empty while none is. ``unready`` says which probe or gate keeps it from being Ready, and
    ``initializing`` what an init container waits for, where that is not just its turn. ``ip`` is its address in the
    cluster, empty while it has none. ``other_owners`` are the owners beside its controller, as ``Kind/name``.
    ``restart_policy`` is ``Always`` where it is meant to run for ever.
    """

    namespace: str
    name: str
    uid: str
    resource_version: str
    phase: str
    node: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    controller: OwnerReference | None = None
    containers: tuple[Container, ...] = ()
    created_at: float = 0.0
    deleted_at: float | None = None
    grace_period: int = 30
    ready_since: float | None = None
    disruption_target: str = ""
    unschedulable: str = ""
    pod_group: str = ""
    finalizers: tuple[str, ...] = ()
    memory_limit: int | None = None
    resizing: str = ""
    unready: str = ""
    initializing: str = ""
    ip: str = ""
    other_owners: tuple[str, ...] = ()
    restart_policy: str = "Always"
    footprint: Footprint = field(default_factory=Footprint)

    @property
    def terminating(self) -> bool:
        """Whether its deletion has been asked for."""
        return self.deleted_at is not None

    @property
    def finished(self) -> bool:
        """Whether it has ended by itself and will never be Ready again."""
        return self.phase in {"Succeeded", "Failed"}

    def available(self, *, min_ready_seconds: int, now: float) -> bool:
        """Ready for that long, alive and wanted: what its controller counts as available."""
        if self.ready_since is None or self.terminating or self.finished:
            return False
        # Two clocks are compared here, so only where somebody has asked for it.
        return min_ready_seconds == 0 or now - self.ready_since >= min_ready_seconds
