"""Workloads of kinds that we don't know: what can be read of them and of their scale, where we may.

A right to them is nobody's duty to give: without it their pods are told by the controller that they name, as many are
wanted as there are, and what their owners have written on them is not seen. Source: https://kubernetes.io/docs/tasks/
extend-kubernetes/custom-resources/custom-resource-definitions/#scale-subresource
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from urllib.parse import quote

from remediator.cluster.api import ApiServer, Json
from remediator.errors import KubernetesOdd, KubernetesRefused
from remediator.model.selectors import LabelSelector
from remediator.model.workloads import Workload, WorkloadRef

_ITSELF, _SCALE = "", "/scale"
"""What there is to be read of a workload, as it ends the path."""
_NOT_FOUND, _INTERNAL = 404, 500
_NO_NUMBER = "the spec replicas field"
"""What the API server complains of where a custom object has no number of replicas to be scaled."""
ASK_AGAIN = 300.0
"""Seconds for which a kind that could not be read in a namespace is not asked for there: each would be a request."""


class _Gone(Exception):
    """The workload is certainly not there any more."""


class CustomWorkloads:
    """Workloads of one cluster that are of no kind of the apps group."""

    def __init__(self, api: ApiServer, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._unreadable: dict[tuple[str, str, str, str], float] = {}
        self._plurals: dict[tuple[str, str], str] = {}

    def describe(self, ref: WorkloadRef) -> Workload | None:
        """What its scale and its annotations say; nothing but its name where none can be read; None where it is gone.

        Raises KubernetesError where the API server does not answer.
        """
        if not ref.api_version:
            return Workload(ref, wanted=None, selector=None)
        try:
            return _described(ref, scale=self._read(ref, _SCALE), itself=self._read(ref, _ITSELF))
        except _Gone:
            return None

    def _read(self, ref: WorkloadRef, part: str) -> Json | None:
        """One part of it; None where that can't be read. Raises _Gone, KubernetesError."""
        if self._is_unreadable(ref, part):
            return None
        try:
            plural = self._plural(ref)
            found = self._api.get(_path(ref, plural, part), may_be_refused=True) if plural else None
        except KubernetesRefused as exc:
            if exc.status.code == _NOT_FOUND and exc.status.name == ref.name:
                raise _Gone from exc
            if exc.status.code == _INTERNAL and _NO_NUMBER in exc.status.message:
                # Its author has left the number of replicas out, and what that means its controller alone knows.
                return None
            if not exc.forbidden and exc.status.code != _NOT_FOUND:
                raise
            found = None
        if found is None:
            self._remember(ref, part)
        return found

    def _is_unreadable(self, ref: WorkloadRef, part: str) -> bool:
        with self._lock:
            asked = self._unreadable.get(_readable_as(ref, part))
        return asked is not None and self._monotonic() - asked < ASK_AGAIN

    def _remember(self, ref: WorkloadRef, part: str) -> None:
        """That it could not be read; what was remembered for long enough is forgotten, however many kinds there are."""
        now = self._monotonic()
        with self._lock:
            # It may be served under another name when it is asked for again.
            self._plurals.pop((ref.api_version, ref.kind), None)
            self._unreadable = {key: asked for key, asked in self._unreadable.items() if now - asked < ASK_AGAIN}
            self._unreadable[_readable_as(ref, part)] = now

    def _plural(self, ref: WorkloadRef) -> str:
        """The kind's name in paths, by discovery; empty where it has no scale, and so is no workload.

        Whoever makes a pod writes the kind of its owner: nothing else is read for that.
        """
        kind = (ref.api_version, ref.kind)
        with self._lock:
            if kind in self._plurals:
                return self._plurals[kind]
        resources = self._api.get(_group(ref), may_be_refused=True).get("resources") or ()
        try:
            plural = next((r["name"] for r in resources if r["kind"] == ref.kind and "/" not in r["name"]), "")
            if f"{plural}{_SCALE}" not in {r["name"] for r in resources}:
                plural = ""
        except (KeyError, TypeError) as exc:
            message = f"the API server's list of what {ref.api_version} has can't be understood: {exc!r}"
            raise KubernetesOdd(message) from exc
        with self._lock:
            self._plurals[kind] = plural
        return plural


def _readable_as(ref: WorkloadRef, part: str) -> tuple[str, str, str, str]:
    # Rights may be given for one namespace.
    return ref.namespace, ref.api_version, ref.kind, part


def _group(ref: WorkloadRef) -> str:
    return f"/{'apis' if '/' in ref.api_version else 'api'}/{quote(ref.api_version)}"


def _path(ref: WorkloadRef, plural: str, part: str) -> str:
    return f"{_group(ref)}/namespaces/{quote(ref.namespace, safe='')}/{plural}/{quote(ref.name, safe='')}{part}"


def _described(ref: WorkloadRef, *, scale: Json | None, itself: Json | None) -> Workload:
    """Raises _Gone where another one has its name, and KubernetesOdd."""
    try:
        # The scale has the UID of what it scales.
        if any(found["metadata"]["uid"] != ref.uid for found in (scale, itself) if found is not None):
            raise _Gone
        selector = ((scale or {}).get("status") or {}).get("selector")
        return Workload(
            ref,
            wanted=None if scale is None else int((scale.get("spec") or {}).get("replicas") or 0),
            selector=LabelSelector.parse(selector) if selector else None,
            annotations=(itself["metadata"].get("annotations") or {}) if itself else {},
            is_ending=itself is not None and "deletionTimestamp" in itself["metadata"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        message = f"{ref} in {ref.namespace}: the API server's object can't be understood: {exc!r}"
        raise KubernetesOdd(message) from exc
