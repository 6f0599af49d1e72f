"""The note on a pod that was taken out: read back it is what was written, and nothing else is believed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from remediator.act import note
from remediator.cluster.orphans import NOTE
from remediator.model.remediations import Remediation
from remediator.model.vocabulary import Action
from tests.unit.act.strategies import records
from tests.unit.make import REPLICASET, pod, record

LABELS = {"app": "web", "pod-template-hash": "5d4f"}
SURGE = record(action=Action.SURGE)


def test_what_was_written_is_read() -> None:
    """The remediation but for its workload's pods, the ReplicaSet, and the hash."""
    written = note.write(SURGE, pod(labels=LABELS), home="ops/remediator")
    out = pod(labels={**LABELS, "pod-template-hash": "remediator-surge"}, annotations={NOTE: written})
    short = replace(SURGE, baseline=replace(SURGE.baseline, pods=frozenset()))
    assert note.read(out) == note.Note("ops/remediator", short, REPLICASET, "5d4f")


@given(records)
def test_every_record_survives(one: Remediation) -> None:
    """Whatever is in it."""
    one = replace(one, action=Action.SURGE, workload=replace(one.workload, namespace=one.breach.namespace))
    there = pod(labels=LABELS, namespace=one.breach.namespace, name=one.breach.pod, uid=one.breach.uid)
    read = note.read(replace(there, annotations={NOTE: note.write(one, there, home="ops/remediator")}))
    assert read is not None
    assert read.record == replace(one, baseline=replace(one.baseline, pods=frozenset()))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"record": {}}', "null"])
def test_what_is_no_note_is_none(text: str) -> None:
    """Nothing is done on its word."""
    assert note.read(pod(annotations={NOTE: text})) is None


@pytest.mark.parametrize(
    "other",
    [
        replace(SURGE, breach=replace(SURGE.breach, uid="other")),
        replace(SURGE, breach=replace(SURGE.breach, pod="other")),
        replace(SURGE, breach=replace(SURGE.breach, namespace="other")),
        replace(SURGE, workload=replace(SURGE.workload, namespace="other")),
        replace(SURGE, action=Action.DELETE),
    ],
)
def test_a_note_about_something_else_is_none(other: Remediation) -> None:
    """Copied onto a pod or made up by somebody, it leads to no other pod, no other namespace, and nothing else done."""
    written = note.write(other, pod(labels=LABELS), home="ops/remediator")
    assert note.read(pod(annotations={NOTE: written})) is None


def test_a_pod_without_a_controller_gets_none() -> None:
    """There is nobody to put it back to."""
    with pytest.raises(ValueError, match="has no controller"):
        note.write(SURGE, pod(labels=LABELS, controller=None), home="ops/remediator")
