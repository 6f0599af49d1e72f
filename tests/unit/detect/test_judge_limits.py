"""Whether a live pod is over a share of its request, or of a limit of its own, and how fast it grows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from remediator.detect.judge import judge, weighs_the_pod
from remediator.errors import MeasurementError
from remediator.model.measures import Breach, Series, Veto
from remediator.model.pods import LivePod
from remediator.model.vocabulary import Reason, Signal
from remediator.policy import Match, Policy
from tests.unit.make import CONTAINER_ID, GI, NOW, SCOPE, UID, cgroup, container, pod, policy, series, steady

SIDE_ID = "beef" * 16
OTHER_UID = "ffffffff-0000-1111-2222-333344445555"
NINETY = policy("90% of limit")
Samples = Iterable[tuple[float, float]]


def verdict(*several: Series, pod: LivePod, policy: Policy = NINETY) -> Breach | Veto:
    """The judge's verdict."""
    return judge(several, pod=pod, policy=policy, scope=SCOPE, now=NOW, query="containers", own_query="pods")


def breach(found: Breach | Veto) -> Breach:
    """What has to be a breach."""
    assert isinstance(found, Breach), found
    return found


def veto(found: Breach | Veto) -> Veto:
    """What has to be none."""
    assert isinstance(found, Veto), found
    return found


def side(values: Samples) -> Series:
    """A series of the sidecar."""
    return series(values, container="side", name=SIDE_ID, id=cgroup(runtime_id=SIDE_ID))


def own(values: Samples, **changes: str | None) -> Series:
    """A series of the pod's own cgroup, as cAdvisor has it: without container, image and name."""
    usual = {"container": "", "image": "", "name": "", "id": f"/kubepods/burstable/pod{UID}"}
    return series(values, **{**usual, **changes})


# A share of the request


def requesting(request: int, **changes: Any) -> LivePod:  # noqa: ANN401
    """A pod of one container that has requested so much."""
    return pod(containers=(container(memory_request=request, **changes),))


def test_a_share_of_the_request_is_of_the_request_in_force() -> None:
    """Over by what was requested, while the share that is told is of the limit, at which the kernel kills."""
    by = policy("150% of request")
    found = breach(verdict(series(steady(16.0 * GI)), pod=requesting(10 * GI), policy=by))
    assert (found.container, found.threshold, found.limit) == ("app", 15.0 * GI, 24 * GI)
    assert found.threshold_text == "150% of request"
    assert found.share == 16 / 24
    below = veto(verdict(series(steady(15.0 * GI)), pod=requesting(10 * GI), policy=by))
    assert below.reason is Reason.BELOW_THRESHOLD


def test_a_share_of_the_request_needs_no_limit() -> None:
    """A container without a limit is over its request all the same; there is no share to tell."""
    found = breach(
        verdict(series(steady(2.0 * GI)), pod=requesting(GI, memory_limit=None), policy=policy("1% of request"))
    )
    assert found.limit is None
    assert found.share is None


def test_a_container_without_request_is_never_over_a_share_of_it() -> None:
    """Neither its limit nor the request of another container stands in."""
    mixed = pod(containers=(container(), container("side", id=SIDE_ID, memory_request=1)))
    found = veto(verdict(series(steady(23.0 * GI)), pod=mixed, policy=policy("1% of request")))
    assert (found.reason, found.detail) == (Reason.BELOW_THRESHOLD, "container app has no memory request in force")


def test_of_several_over_their_requests_the_nearest_to_its_limit_is_named() -> None:
    """Each container by itself, and the most urgent is the reason."""
    two = pod(
        containers=(container(memory_request=GI), container("side", id=SIDE_ID, memory_request=GI, memory_limit=4 * GI))
    )
    found = breach(verdict(series(steady(9.0 * GI)), side(steady(3.0 * GI)), pod=two, policy=policy("200% of request")))
    assert found.container == "side"


def test_the_pods_own_limit_is_no_matter_of_requests_and_quantities() -> None:
    """Only a share of the limit weighs the pod as a whole, and only where all its containers are meant."""
    limited = pod(memory_limit=GI)
    some = policy("90% of limit", match=Match(containers=("app",)))
    assert [weighs_the_pod(by, limited) for by in (NINETY, some, policy("20Gi"), policy("90% of request"))] == [
        True,
        False,
        False,
        False,
    ]
    assert not weighs_the_pod(NINETY, pod())


# The limit of the pod as a whole


def whole(**changes: Any) -> LivePod:  # noqa: ANN401 (as many types as it has fields)
    """A pod of two containers that have no limits, with a limit of 10 GiB of its own."""
    two = (container(memory_limit=None), container("side", id=SIDE_ID, memory_limit=None))
    return replace(pod(containers=two, memory_limit=10 * GI), **changes)


def parts(app: float, other: float) -> tuple[Series, Series]:
    """What its two containers use."""
    return series(steady(app * GI)), side(steady(other * GI))


def test_a_sum_near_the_pods_own_limit_is_over() -> None:
    """No container has a limit, and the kernel would kill on the sum: the record has no container and its own query."""
    found = breach(verdict(*parts(5, 4.4), own(steady(9.5 * GI)), pod=whole()))
    assert (found.container, found.value, found.limit, found.threshold) == ("", 9.5 * GI, 10 * GI, 9.0 * GI)
    assert found.query == "pods"
    assert found.where == "the pod as a whole"


def test_a_sum_below_the_pods_own_limit_is_not() -> None:
    """At the threshold is not over; the reason is about the pod, not about containers without limits."""
    found = veto(verdict(*parts(5, 3.9), own(steady(9.0 * GI)), pod=whole()))
    assert found.reason is Reason.BELOW_THRESHOLD
    assert found.detail.startswith("the pod as a whole was at")


def test_a_container_near_its_own_limit_is_over_whatever_the_pod_is() -> None:
    """The worst one counts; its query is that of the containers."""
    two = whole(containers=(container(memory_limit=2 * GI), container("side", id=SIDE_ID, memory_limit=None)))
    found = breach(verdict(*parts(1.9, 1), own(steady(3.0 * GI)), pod=two))
    assert (found.container, found.limit, found.query) == ("app", 2 * GI, "containers")


def test_the_pods_own_cgroup_counts_for_nothing_without_a_limit_of_its_own() -> None:
    """Whatever it says: the kernel does not kill on the sum."""
    free = whole(memory_limit=None)
    found = veto(verdict(*parts(1, 1), own(steady(900.0 * GI)), pod=free))
    assert found.reason is Reason.BELOW_THRESHOLD
    assert "limit in force" in found.detail


def test_the_limit_of_a_sum_is_the_lowest_that_kills_it() -> None:
    """For a quantity: the pod's own limit, or the sum of its containers' where that is less."""
    by = policy("2Gi")
    one = pod(containers=(container(memory_limit=4 * GI),), memory_limit=10 * GI)
    assert breach(verdict(series(steady(3.0 * GI)), pod=one, policy=by)).limit == 4 * GI
    assert breach(verdict(series(steady(3.0 * GI)), pod=replace(one, memory_limit=3 * GI), policy=by)).limit == 3 * GI
    assert breach(verdict(*parts(2, 2), pod=whole(), policy=by)).limit == 10 * GI
    assert breach(verdict(*parts(2, 2), pod=whole(), policy=by)).where == "the sum of its containers"


@pytest.mark.parametrize(
    "id_",
    [
        f"/kubepods/pod{UID}",
        f"/kubelet/kubepods/besteffort/pod{UID}",
        f"/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice",
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID.replace('-', '_')}.slice",
    ],
)
def test_a_cgroup_that_ends_with_the_uid_is_the_pods_own(id_: str) -> None:
    """Whatever driver wrote the path, and whichever class of service it is in."""
    assert breach(verdict(*parts(5, 4.4), own(steady(9.5 * GI), id=id_, node=None), pod=whole())).container == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"id": f"/kubepods/burstable/pod{OTHER_UID}"}, "another pod's"),
        ({"id": f"/kubepods/burstable/pod{UID}/{CONTAINER_ID}"}, "a container's that has lost its name"),
        ({"id": f"/kubepods/burstable/pod{UID}/{CONTAINER_ID}/nested"}, "a part of a container"),
        ({"id": "/kubepods/burstable"}, "all pods of a class"),
        ({"id": "/"}, "the node"),
        ({"id": f"/system.slice/pod{UID}-backup.service"}, "something that is called like it"),
        ({"id": f"/tripod{UID}"}, "something that ends like it"),
        ({"name": CONTAINER_ID}, "a container's"),
        ({"image": "registry.k8s.io/pause:3.10"}, "the sandbox"),
        ({"id": None, "node": "node-2"}, "of another node"),
        ({"id": None, "node": None}, "of no node"),
        ({"container": "POD"}, "the sandbox under its old name"),
    ],
)
def test_no_other_cgroup_is_taken_for_the_pods_own(changes: dict[str, str | None], why: str) -> None:
    """A series that is not certainly the pod's own counts for nothing, and the pod is not known to be over."""
    found = veto(verdict(*parts(1, 1), own(steady(900.0 * GI), **changes), pod=whole()))
    assert found.reason is Reason.SAMPLE_GAP, why
    assert found.detail == "the pod as a whole: no samples of its own cgroup"


def test_without_a_path_the_node_and_the_start_tie_the_samples_to_the_pod() -> None:
    """Only samples from after the start of all that runs in it now: what was before may be a pod of the same name."""
    nameless = own(steady(9.5 * GI), id=None)
    assert breach(verdict(*parts(5, 4), nameless, pod=whole())).container == ""
    young = whole(containers=(container(memory_limit=None), container("side", id=SIDE_ID, started_at=float(NOW - 90))))
    found = veto(verdict(series(steady(5.0 * GI)), side(steady(4.0 * GI, since=NOW - 85)), nameless, pod=young))
    assert found.reason is Reason.SAMPLE_GAP


def test_a_pod_of_which_nothing_runs_has_no_memory() -> None:
    """Between two runs of its only container, a path that is dropped leaves nothing to tell by."""
    resting = whole(containers=(container(id="", started_at=None),))
    found = veto(verdict(own(steady(9.5 * GI), id=None), pod=resting))
    assert found.reason is Reason.SAMPLE_GAP


def test_the_pods_own_cgroup_outlives_a_restart_of_a_container() -> None:
    """With its path, samples from before the restart are the pod's as well: the kernel counts on."""
    restarted = whole(containers=(container(started_at=float(NOW - 60)), container("side", id=SIDE_ID)))
    assert breach(verdict(own(steady(9.5 * GI)), pod=restarted)).value == 9.5 * GI


def test_a_hole_in_the_pods_own_series_is_told() -> None:
    """What is not seen is not below, also where the containers are."""
    torn = own([(NOW - 120.0, 9.5 * GI), (NOW - 5.0, 9.5 * GI)])
    found = veto(verdict(*parts(1, 1), torn, pod=whole()))
    assert found.reason is Reason.SAMPLE_GAP
    assert found.detail.startswith("the pod as a whole: 2 samples")


def test_the_pods_own_cgroup_told_twice_counts_once() -> None:
    """Of a pair of servers the lower counts."""
    pair = [own(steady(value * GI), prometheus_replica=name) for name, value in (("a", 9.5), ("b", 8.0))]
    for several in (pair, pair[::-1]):
        assert veto(verdict(*parts(5, 4), *several, pod=whole())).reason is Reason.BELOW_THRESHOLD


def test_a_pod_that_comes_back_by_itself_is_left_alone() -> None:
    """Falling memory of the pod as a whole is recovering, as that of a container is."""
    falling = own([*steady(10.5 * GI, until=NOW - 15), (NOW, 9.2 * GI)])
    assert veto(verdict(*parts(5, 4), falling, pod=whole())).reason is Reason.RECOVERING


# Parts of a container, clusters


def test_a_cgroup_below_the_containers_own_is_a_part_of_it() -> None:
    """A nested cgroup under the container's labels is less than the container, and hides no breach of it."""
    limited = pod()
    nested = series(steady(1.0 * GI), id=f"{cgroup()}/init.scope")
    assert breach(verdict(series(steady(23.0 * GI)), nested, pod=limited)).value == 23.0 * GI
    alone = veto(verdict(series(steady(23.0 * GI), id=f"{cgroup()}/init.scope"), pod=limited))
    assert alone.reason is Reason.REPLACED_SINCE_SAMPLE


@pytest.mark.parametrize(
    "label", ["cluster", "cluster_name", "k8s_cluster_name", "cluster_id", "clusterName", "k8s_cluster"]
)
def test_two_clusters_by_any_usual_name_fail_and_it_is_named(label: str) -> None:
    """The label that tells them apart is the one to set, and the pod's own cgroup is no exception."""
    for several in ([series(steady(1.0)), series(steady(1.0))], [series(steady(1.0)), own(steady(1.0))]):
        both = [replace(one, labels={**one.labels, label: name}) for one, name in zip(several, "ab", strict=True)]
        with pytest.raises(MeasurementError, match=rf'for example {label}="a"'):
            verdict(*both, pod=whole())


@pytest.mark.parametrize("label", ["prometheus_replica", "container_label_cluster", "cluster_role", "instance"])
def test_other_labels_may_differ(label: str) -> None:
    """What only tells servers or containers apart is no cluster."""
    several = [series(steady(23.0 * GI), **{label: name}) for name in "ab"]
    assert breach(verdict(*several, pod=pod())).value == 23.0 * GI


# Signals


@pytest.mark.parametrize("signal", list(Signal))
def test_all_signals_are_judged_alike(signal: Signal) -> None:
    """Which number it is, is for the query to say; all are bytes."""
    found = breach(verdict(series(steady(23.0 * GI)), pod=pod(), policy=policy("90% of limit", signal=signal)))
    assert found.unit == "bytes"


# Growth


def line(per_second: float, *, at_end: float = 22.0 * GI, every: int = 15) -> list[tuple[float, float]]:
    """Samples on a straight line."""
    return [(t, at_end - (NOW - t) * per_second) for t, _ in steady(0, every=every)]


def test_growth_is_the_slope_of_the_window() -> None:
    """So many bytes a second, and 0 where it is steady or falls."""
    by = policy("20Gi")
    assert breach(verdict(series(line(5000.0)), pod=pod(), policy=by)).growth == pytest.approx(5000.0)
    assert breach(verdict(series(steady(22.0 * GI)), pod=pod(), policy=by)).growth == 0.0
    assert breach(verdict(series(line(-5000.0)), pod=pod(), policy=by)).growth == 0.0


def test_what_was_before_the_window_has_no_part_in_growth() -> None:
    """A jump before the start of ``for`` is no leak within it."""
    samples = [*steady(20.0 * GI, until=NOW - 135), *steady(22.0 * GI, since=NOW - 120)]
    assert breach(verdict(series(samples), pod=pod(), policy=policy("19Gi"))).growth == 0.0


def test_the_growth_of_a_sum_is_that_of_all_its_containers() -> None:
    """One that grows and one that shrinks, scraped at different times, add up."""
    two = pod(containers=(container(), container("side", id=SIDE_ID)))
    shrinking = side(line(-2000.0, at_end=1.0 * GI, every=10))
    found = breach(verdict(series(line(5000.0)), shrinking, pod=two, policy=policy("20Gi")))
    assert found.growth == pytest.approx(3000.0)


def test_zeros_take_no_part_in_growth() -> None:
    """A living container reports 0 for a while: it has not been measured then, and has not grown since."""
    two = pod(containers=(container(), container("side", id=SIDE_ID)))
    gone = side([(t, 0.0 if t < NOW - 60 else 1.0 * GI) for t, _ in steady(0)])
    found = breach(verdict(series(line(1000.0)), gone, pod=two, policy=policy("20Gi")))
    assert found.growth == pytest.approx(1000.0)


def test_one_odd_sample_is_no_growth_of_its_own() -> None:
    """The slope is of all samples: a single spike at the end does not become a leak of its size."""
    samples = [*steady(22.0 * GI, until=NOW - 15), (NOW, 23.0 * GI)]
    found = breach(verdict(series(samples), pod=pod(), policy=policy("20Gi")))
    assert 0 < found.growth < GI / 120
