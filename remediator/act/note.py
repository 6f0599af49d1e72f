"""What is written on a pod that was taken out of its ReplicaSet: enough to carry on without a journal."""

from __future__ import annotations

from dataclasses import dataclass, replace

import orjson
import pydantic

from remediator.cluster.orphans import NOTE
from remediator.model.pods import LivePod, OwnerReference
from remediator.model.remediations import Remediation
from remediator.model.surge import hash_label
from remediator.model.vocabulary import Action


@dataclass(frozen=True, slots=True)
class Note:
    """The remediation, without the UIDs of the workload's pods, and what putting the pod back needs.

    ``home`` is whose it is, by the journal's namespace and name: there may be several daemons in a cluster.
    """

    home: str
    record: Remediation
    replicaset: OwnerReference
    template_hash: str


_NOTE = pydantic.TypeAdapter(Note)
_LARGEST = float(1 << 64)
"""No number of bytes, pods or seconds is as large."""


def write(record: Remediation, pod: LivePod, *, home: str) -> str:
    """The note for a pod that its ReplicaSet still controls."""
    if pod.controller is None:
        message = f"pod {pod.name} has no controller, so there is none to put it back to"
        raise ValueError(message)
    # A large workload has more pods than an annotation has room.
    short = replace(record, baseline=replace(record.baseline, pods=frozenset()))
    return _NOTE.dump_json(Note(home, short, pod.controller, pod.labels[hash_label(pod.labels)])).decode()


def read(pod: LivePod) -> Note | None:
    """What is written on a pod; None where nothing is, nothing that can be read, or something about another pod.

    Whoever may change pods may have written it: it leads to nothing outside the pod's own namespace.
    """
    text = pod.annotations.get(NOTE, "")
    try:
        # Strictly: a text that says NaN is no number, and of one that is in the journal nothing can be read any more.
        note = _NOTE.validate_json(text, strict=True)
        if not _are_small(orjson.loads(text)):
            return None
    except (pydantic.ValidationError, orjson.JSONDecodeError):
        return None
    record, breach = note.record, note.record.breach
    about = (record.workload.namespace, breach.namespace, breach.pod, breach.uid)
    is_about_it = about == (pod.namespace, pod.namespace, pod.name, pod.uid)
    return note if is_about_it and record.action is Action.SURGE else None


def _are_small(written: object) -> bool:
    """Whether all numbers in it are such that can be reckoned with."""
    match written:
        case dict():
            return all(map(_are_small, written.values()))
        case list():
            return all(map(_are_small, written))
        case int() | float():
            return -_LARGEST < written < _LARGEST
        case _:
            return True
