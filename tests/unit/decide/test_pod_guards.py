"""Stage two: what the pod itself says."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.decide import about_pod
from remediator.decide.pod import opted_out, too_young
from remediator.model.pods import Container, OwnerReference
from remediator.model.vocabulary import Reason
from remediator.model.workloads import WorkloadRef
from tests.unit.make import DEPLOYMENT, NOW, breach, container, pod, policy


def reasons(owner: WorkloadRef | None = DEPLOYMENT, **of_pod: Any) -> set[Reason]:  # noqa: ANN401 (fields of a pod)
    """The reasons of this stage for ``pod()``, changed."""
    found = about_pod(breach(), pod=pod(**of_pod), owner=owner, policy=policy(min_age=300), now=NOW)
    assert all(veto.detail for veto in found)
    return {veto.reason for veto in found}


def controller(kind: str) -> OwnerReference:
    """A controller of that kind."""
    return OwnerReference("x/v1", kind, "it", "it-uid")


def owner(kind: str) -> WorkloadRef:
    """A workload of that kind."""
    return WorkloadRef(kind, "shop", "it", "it-uid")


def test_nothing_objects_to_a_running_pod_of_a_deployment() -> None:
    """The usual pod may go; so may one that is not Ready, because leaking pods often aren't."""
    assert reasons() == set()
    assert reasons(ready_since=None) == set()
    assert reasons(owner("ReplicaSet")) == set()


@pytest.mark.parametrize(
    ("value", "opted_out"),
    [("true", True), ("", True), ("False", True), ("no", True), ("ture", True), ("false", False), ("false ", True)],
)
def test_our_own_mark_opts_out_unless_it_says_false(value: str, opted_out: bool) -> None:  # noqa: FBT001
    """Every value but ``false`` protects: a slip of the pen must not take a pod."""
    found = reasons(annotations={"remediator.dev/opt-out": value})
    assert found == ({Reason.OPTED_OUT} if opted_out else set())


def test_a_mark_with_a_long_value_is_cut() -> None:
    """An annotation may hold a quarter of a megabyte, and goes into a log line at each evaluation."""
    veto = opted_out({"remediator.dev/opt-out": "x" * 100_000}, "pod web")
    assert veto is not None
    assert len(veto.detail) < 200


def test_other_annotations_are_not_our_mark() -> None:
    """Only the mark itself counts."""
    assert reasons(annotations={"remediator.dev/note": "true", "opt-out": "true"}) == set()


def test_another_uid_is_another_pod() -> None:
    """The pod that was measured is the pod that goes."""
    assert reasons(uid="somebody-else") == {Reason.REPLACED_SINCE_SAMPLE}


def test_a_pod_that_goes_already_is_left_alone() -> None:
    """Its deletion has been asked for, or it is about to be."""
    assert reasons(deleted_at=NOW + 30.0) == {Reason.TERMINATING}
    assert reasons(disruption_target="DeletionByTaintManager: its node is tainted") == {Reason.TERMINATING}
    marked = {"descheduler.alpha.kubernetes.io/eviction-in-progress": "true"}
    assert reasons(annotations=marked) == {Reason.TERMINATING}


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed", "Unknown", ""])
def test_a_pod_that_does_not_run_frees_nothing(phase: str) -> None:
    """Only a running pod is taken."""
    assert reasons(phase=phase) == {Reason.NOT_RUNNING}


def test_a_pod_that_nobody_would_replace_stays() -> None:
    """A bare pod, and one whose controller is gone."""
    assert reasons(None, controller=None) == {Reason.NO_CONTROLLER}
    assert reasons(None) == {Reason.NO_CONTROLLER}


@pytest.mark.parametrize("kind", ["Job", "Node"])
def test_owners_that_replace_nothing_are_left_alone(kind: str) -> None:
    """A Job's work would be lost, and a static pod can't be taken by way of the API."""
    assert reasons(owner(kind), controller=controller(kind)) == {Reason.UNSUPPORTED_OWNER}


@pytest.mark.parametrize("restarts", ["Never", "OnFailure"])
@pytest.mark.parametrize("kind", ["Workflow", "TaskRun", "SparkApplication"])
def test_what_runs_to_an_end_is_left_alone_whoever_controls_it(kind: str, restarts: str) -> None:
    """A Job by another name: nobody would do its work again, or all of it from the start."""
    assert reasons(owner(kind), controller=controller(kind), restart_policy=restarts) == {Reason.UNSUPPORTED_OWNER}


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "ReplicationController", "Rollout", "Cluster"])
def test_every_other_controller_is_believed_to_replace_its_pods(kind: str) -> None:
    """Known or not: whether it has done so is seen afterwards, and the breaker holds where it has not."""
    assert reasons(owner(kind), controller=controller(kind)) == set()


def test_a_static_pod_is_known_by_its_annotation_as_well() -> None:
    """The API's copy of a static pod can't be replaced by taking it away."""
    assert Reason.UNSUPPORTED_OWNER in reasons(annotations={"kubernetes.io/config.mirror": "abc"})


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"pod_group": "training"}, id="spec"),
        pytest.param({"labels": {"scheduling.x-k8s.io/pod-group": "training"}}, id="label"),
        pytest.param({"labels": {"pod-group.scheduling.sigs.k8s.io": "training"}}, id="the older label"),
        pytest.param({"labels": {"kueue.x-k8s.io/pod-group-name": "training"}}, id="Kueue"),
        pytest.param({"labels": {"gang.scheduling.koordinator.sh/name": "training"}}, id="Koordinator, label"),
        pytest.param({"annotations": {"gang.scheduling.koordinator.sh/name": "training"}}, id="Koordinator"),
        pytest.param({"annotations": {"scheduling.k8s.io/group-name": "training"}}, id="Volcano"),
        pytest.param({"annotations": {"scheduling.volcano.sh/group-name": "training"}}, id="Volcano, its own"),
    ],
)
def test_a_member_of_a_group_is_left_alone(told: dict[str, Any]) -> None:
    """A gang that is scheduled together loses all its work with one pod, by whatever mark it is one."""
    assert reasons(**told) == {Reason.UNSUPPORTED_OWNER}


def test_a_label_that_is_empty_names_no_group() -> None:
    """Charts write labels without a value where nothing is meant."""
    assert reasons(labels={"scheduling.x-k8s.io/pod-group": ""}) == set()


@pytest.mark.parametrize(
    ("ages", "young"),
    [
        ([86400], False),
        ([300], False),
        ([299.5], True),
        ([86400, 299], True),
        ([None, 86400], False),
        ([None], False),
        ([], False),
    ],
)
def test_what_has_just_started_is_too_young(ages: list[float | None], young: bool) -> None:  # noqa: FBT001
    """The youngest container counts, also where only that one was restarted; what does not run has no age."""
    found = reasons(containers=tuple(aged(age) for age in ages))
    assert found == ({Reason.TOO_YOUNG} if young else set())


def aged(age: float | None) -> Container:
    """A container that started so many seconds ago."""
    return container(started_at=None if age is None else NOW - age)


def test_a_min_age_of_nothing_is_none() -> None:
    """``minAge: 0s`` switches the guard off; else both times are in the sentence."""
    just = pod(containers=(aged(0),))
    assert too_young(just, policy(min_age=0), NOW) is None
    veto = too_young(just, policy(min_age=5400), NOW)
    assert veto is not None
    assert veto.detail == "its youngest container started 0 s ago, minAge is 1h30m"


def test_a_resize_that_is_being_carried_out_is_waited_for() -> None:
    """The limit is changing; Kubernetes' words are in the sentence."""
    assert reasons(resizing="PodResizeInProgress: Actuating") == {Reason.RESIZE_IN_PROGRESS}


def test_all_reasons_are_told_at_once() -> None:
    """Every reason of the stage, not the first."""
    assert reasons(
        None,
        uid="x",
        deleted_at=NOW + 1.0,
        phase="Failed",
        controller=None,
        pod_group="g",
        resizing="now",
        containers=(aged(1),),
        annotations={"remediator.dev/opt-out": "yes"},
    ) == {
        Reason.OPTED_OUT,
        Reason.REPLACED_SINCE_SAMPLE,
        Reason.TERMINATING,
        Reason.NOT_RUNNING,
        Reason.TOO_YOUNG,
        Reason.RESIZE_IN_PROGRESS,
        Reason.UNSUPPORTED_OWNER,
        Reason.NO_CONTROLLER,
    }
