"""Whether a live pod is over: each rule of the judge, in tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from remediator.cluster.pods import parse_memory
from remediator.detect.judge import judge
from remediator.detect.scope import Scope
from remediator.errors import MeasurementError
from remediator.model.measures import Breach, Series, Veto
from remediator.model.pods import Container, LivePod
from remediator.model.vocabulary import Reason, Unit
from remediator.policy import Match, Policy
from tests.unit.make import CONTAINER_ID, GI, NOW, SCOPE, UID, cgroup, container, pod, policy, series, steady

OVER, UNDER = 22.0 * GI, 5.0 * GI
OTHER_ID = "dead" * 16
OTHER_UID = "ffffffff-0000-1111-2222-333344445555"


def verdict(
    *several: Series, pod: LivePod | None = None, policy: Policy | None = None, scope: Scope = SCOPE
) -> Breach | Veto:
    """The judge's verdict on ``pod()`` by ``policy()``, unless others are named."""
    return judge(several, pod=pod or live(), policy=policy or twenty(), scope=scope, now=NOW, query="the query")


def live(*containers: Container) -> LivePod:
    """A live pod with these containers."""
    return pod(containers=containers or (container(),))


def twenty() -> Policy:
    """Over at 20 GiB for two minutes."""
    return policy("20Gi")


def reason(found: Breach | Veto) -> Reason | None:
    """Why it is no breach; None where it is one."""
    return found.reason if isinstance(found, Veto) else None


def value_at(found: Breach | Veto) -> float:
    """The value of what has to be a breach."""
    assert isinstance(found, Breach), found
    return found.value


def test_a_breach_carries_all_that_why_my_pod_asks_for() -> None:
    """A sum that is over during all of ``for`` is a breach with value, limit, threshold, query and times."""
    found = verdict(series(steady(OVER, until=NOW - 3)))
    assert found == Breach(
        policy="everyone",
        namespace="shop",
        pod="web-5d4f-abcde",
        uid=UID,
        node="node-1",
        container="",
        value=OVER,
        threshold=20.0 * GI,
        threshold_text="20Gi",
        limit=24 * GI,
        unit=Unit.BYTES,
        query="the query",
        sample_time=NOW - 3,
        over_since=NOW - 120,
    )


def test_a_share_is_of_one_container() -> None:
    """A share of the limit names the container, its limit, and the bytes that the share comes to."""
    found = verdict(series(steady(23.0 * GI)), policy=policy("90% of limit"))
    assert isinstance(found, Breach)
    assert (found.container, found.limit, found.threshold, found.threshold_text) == (
        "app",
        24 * GI,
        0.9 * 24 * GI,
        "90% of limit",
    )


# Identity


SYSTEMD = (
    f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID.replace('-', '_')}.slice/"
    f"cri-containerd-{CONTAINER_ID}.scope"
)


@pytest.mark.parametrize(
    ("id_", "name"),
    [
        pytest.param(cgroup(), CONTAINER_ID, id="cgroupfs"),
        pytest.param(SYSTEMD, CONTAINER_ID, id="systemd"),
        pytest.param(cgroup(), None, id="cgroupfs, name dropped"),
        pytest.param(SYSTEMD, None, id="systemd, name dropped"),
        pytest.param(None, CONTAINER_ID, id="id dropped"),
        pytest.param(f"/kubelet/kubepods/pod{UID}/{CONTAINER_ID}", CONTAINER_ID, id="nested kubelet"),
        pytest.param("", CONTAINER_ID, id="id empty"),
    ],
)
def test_the_cgroup_path_or_the_container_id_ties_a_series_to_the_pod(id_: str | None, name: str | None) -> None:
    """Either of cAdvisor's ``id`` and ``name`` is enough, whatever driver wrote the path."""
    assert value_at(verdict(series(steady(OVER), id=id_, name=name))) == OVER


@pytest.mark.parametrize(
    ("id_", "name"),
    [
        pytest.param(cgroup(uid=OTHER_UID), CONTAINER_ID, id="another pod's path"),
        pytest.param(cgroup(uid=OTHER_UID), None, id="another pod's path, name dropped"),
        pytest.param(SYSTEMD.replace(UID.replace("-", "_"), OTHER_UID.replace("-", "_")), None, id="systemd"),
        pytest.param(cgroup(runtime_id=OTHER_ID), OTHER_ID, id="an earlier container"),
        pytest.param(None, OTHER_ID, id="an earlier container, id dropped"),
        pytest.param(cgroup(runtime_id=OTHER_ID), None, id="an earlier container, name dropped"),
        pytest.param(SYSTEMD.replace(CONTAINER_ID, OTHER_ID), None, id="an earlier container, systemd, name dropped"),
        pytest.param(f"/kubepods/burstable/pod{UID}", OTHER_ID, id="an earlier container, path of the pod"),
    ],
)
def test_series_of_another_pod_or_container_count_for_nothing(id_: str | None, name: str | None) -> None:
    """A namesake's series and those of a container that has ended are refused for what they are."""
    assert reason(verdict(series(steady(OVER), id=id_, name=name))) is Reason.REPLACED_SINCE_SAMPLE


@pytest.mark.parametrize("node", ["node-2", None, ""])
def test_without_id_and_name_the_node_has_to_agree(node: str | None) -> None:
    """Where relabelling dropped both, a series of another node, or of no named one, is not the pod's."""
    found = verdict(series(steady(OVER), id=None, name=None, node=node))
    assert reason(found) is Reason.REPLACED_SINCE_SAMPLE


def test_a_path_that_names_no_container_is_judged_by_time() -> None:
    """The pod's own path, which all of its containers have."""
    of_pod = series(steady(OVER), id=f"/kubepods/burstable/pod{UID}", name=None)
    assert value_at(verdict(of_pod)) == OVER
    just = live(container(started_at=float(NOW - 90)))
    assert reason(verdict(of_pod, pod=just)) is Reason.SAMPLE_GAP


def test_without_id_and_name_the_pods_own_node_is_enough() -> None:
    """Where relabelling dropped both, the node and the start of the container tie the samples to it."""
    assert value_at(verdict(series(steady(OVER), id=None, name=None))) == OVER


def test_without_id_and_name_only_samples_after_the_start_count() -> None:
    """A container that started 90 s ago can't have been over for two minutes, whatever the series says."""
    just = live(container(started_at=float(NOW - 90)))
    found = verdict(series(steady(OVER), id=None, name=None), pod=just)
    assert reason(found) is Reason.SAMPLE_GAP


def test_a_sample_at_the_very_start_is_of_the_one_before() -> None:
    """The start has whole seconds only, so a sample of that second may be the predecessor's and counts for nothing."""
    just = live(container(started_at=float(NOW - 120)))
    assert reason(verdict(series(steady(OVER), id=None, name=None), pod=just)) is Reason.SAMPLE_GAP


def test_a_container_that_does_not_run_has_no_memory() -> None:
    """A container that waits to be restarted has no samples, however fresh those of its past are."""
    waiting = live(container(id="", started_at=None, waiting="CrashLoopBackOff"))
    assert reason(verdict(series(steady(OVER)), pod=waiting)) is Reason.REPLACED_SINCE_SAMPLE


@pytest.mark.parametrize("name", ["", None, "POD", "other"])
def test_a_series_of_no_container_of_the_pod_counts_for_nothing(name: str | None) -> None:
    """The pod's own cgroup, the pause container and containers that the pod has not are left out."""
    assert reason(verdict(series(steady(OVER), container=name))) is Reason.REPLACED_SINCE_SAMPLE


def test_no_series_at_all_is_no_breach() -> None:
    """Without samples nothing is known, and nothing is over."""
    assert reason(verdict()) is Reason.SAMPLE_GAP


# A container that has restarted, as cAdvisor shows it: its samples have their own times, and no staleness marker
# ends the old series.


def test_a_container_restarted_three_minutes_ago_is_judged_by_itself() -> None:
    """The dead container's high samples are still in the range, the living one is low: no breach."""
    restarted = live(container(started_at=float(NOW - 180)))
    before = series(steady(OVER, since=NOW - 400, until=NOW - 170), id=cgroup(runtime_id=OTHER_ID), name=OTHER_ID)
    after = series(steady(UNDER, since=NOW - 165))
    for both in ((before, after), (after, before)):
        assert not isinstance(verdict(*both, pod=restarted), Breach)


def test_a_restarted_container_with_id_and_name_dropped_is_judged_by_itself() -> None:
    """Both containers' samples are in one series then, and those before the start of the living one don't count."""
    restarted = live(container(started_at=float(NOW - 180)))
    mixed = [*steady(OVER, since=NOW - 400, until=NOW - 185), *steady(UNDER, since=NOW - 165)]
    assert reason(verdict(series(mixed, id=None, name=None), pod=restarted)) is Reason.BELOW_THRESHOLD


def test_a_dead_container_lends_nothing_to_a_living_one_without_samples() -> None:
    """While the new container has no samples yet, the old one's are no evidence against it."""
    restarted = live(container(started_at=float(NOW - 20)))
    before = series(steady(OVER, until=NOW), id=cgroup(runtime_id=OTHER_ID), name=OTHER_ID)
    assert reason(verdict(before, pod=restarted)) is Reason.REPLACED_SINCE_SAMPLE


def test_a_restarted_container_that_leaks_again_is_over_by_its_own_samples() -> None:
    """Three minutes after its restart a container may be over for two minutes again, and that is a breach."""
    restarted = live(container(started_at=float(NOW - 180)))
    before = series(steady(OVER, since=NOW - 400, until=NOW - 185), id=cgroup(runtime_id=OTHER_ID), name=OTHER_ID)
    assert value_at(verdict(before, series(steady(OVER, since=NOW - 150)), pod=restarted)) == OVER


# Age


@pytest.mark.parametrize(
    ("age", "expected"), [(0, None), (75, None), (75.5, Reason.SAMPLE_GAP), (300, Reason.SAMPLE_GAP)]
)
def test_the_newest_sample_is_young_enough(age: float, expected: Reason | None) -> None:
    """A newest sample of exactly ``maxSampleAge`` still counts, an older one does not."""
    found = verdict(series(steady(OVER, since=NOW - 180, until=NOW - age)))
    assert reason(found) is expected


def test_the_age_is_told() -> None:
    """A stale series says how old it is and what is allowed."""
    found = verdict(series(steady(OVER, until=NOW - 90)))
    assert isinstance(found, Veto)
    assert "90 s old, 75 s are allowed" in found.detail


# Wholeness


def at(*times: float) -> list[tuple[float, float]]:
    """Samples over the threshold, so many seconds ago."""
    return [(NOW - time, OVER) for time in times]


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        pytest.param((120, 60, 0), None, id="three samples"),
        pytest.param((130, 65, 0), None, id="gaps of just twice the interval and 5 s"),
        pytest.param((120, 0), Reason.SAMPLE_GAP, id="two samples"),
        pytest.param((130,), Reason.SAMPLE_GAP, id="one sample"),
        pytest.param((), Reason.SAMPLE_GAP, id="a series without samples"),
        pytest.param((119.9, 60, 30, 0), Reason.SAMPLE_GAP, id="begins after the start"),
        pytest.param((120, 66, 0), Reason.SAMPLE_GAP, id="a hole at the end"),
        pytest.param((131, 65, 0), Reason.SAMPLE_GAP, id="a hole across the start"),
        pytest.param((184, 119, 60, 0), None, id="a gap of just twice the interval and 5 s across the start"),
        pytest.param((185, 119, 60, 0), Reason.SAMPLE_GAP, id="a longer one across the start"),
        pytest.param((170, 120, 90, 60, 30, 0), None, id="more before the start"),
    ],
)
def test_a_window_with_a_hole_proves_nothing(ago: Sequence[float], expected: Reason | None) -> None:
    """At least three samples, the first at or before the start of ``for``, and no two too far apart."""
    assert reason(verdict(series(at(*ago)))) is expected


def test_two_samples_prove_nothing_however_short_the_window() -> None:
    """Whole by their times, and still no more than two looks."""
    short = policy(for_seconds=60)
    assert reason(verdict(series(at(60, 0)), policy=short)) is Reason.SAMPLE_GAP
    assert reason(verdict(series(at(60, 30, 0)), policy=short)) is None


@pytest.mark.parametrize("interval", [5, 15, 30, 60])
@pytest.mark.parametrize("offset", [0, 1, 15, 30, 59, 60, 61, 63, 64, 65, 66])
def test_closed_and_left_open_ranges_give_the_same_verdict(interval: int, offset: int) -> None:
    """Prometheus 2 gives a sample at the very start of the range, Prometheus 3 does not: the verdict is the same."""
    times = [NOW - 185 + offset * (k > 0) + interval * max(k - 1, 0) for k in range(60)]
    closed = [(float(time), OVER) for time in sorted(set(times)) if NOW - 185 <= time <= NOW]
    left_open = [sample for sample in closed if sample[0] > NOW - 185]
    assert reason(verdict(series(closed))) is reason(verdict(series(left_open)))


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf"), -1.0, 2.0**60, 2.0**64, 1e308])
@pytest.mark.parametrize("index", [0, 1, 6, -1])
def test_a_sample_that_is_no_number_proves_nothing(odd: float, index: int) -> None:
    """NaN, the infinities and negative values make the window no evidence, wherever they are in it."""
    samples = steady(OVER, since=NOW - 165)
    samples[index] = (samples[index][0], odd)
    assert reason(verdict(series(samples))) is Reason.SAMPLE_GAP


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_a_time_that_is_no_number_proves_nothing(odd: float) -> None:
    """A sample without a time is refused."""
    samples = steady(OVER)
    samples[3] = (odd, OVER)
    assert reason(verdict(series(samples))) is Reason.SAMPLE_GAP


def test_times_out_of_order_prove_nothing() -> None:
    """Two samples of one time, or one that goes back, are no series of a container."""
    samples = steady(OVER)
    assert reason(verdict(series([*samples[:3], samples[2], *samples[3:]]))) is Reason.SAMPLE_GAP
    assert reason(verdict(series(samples[::-1]))) is Reason.SAMPLE_GAP


# Over


@pytest.mark.parametrize("index", range(len(steady(OVER, since=NOW - 120))))
def test_every_sample_in_the_window_has_to_be_over(index: int) -> None:
    """A value just at the threshold, at any sample's time within ``for``, is no breach: over is strictly over."""
    samples = steady(OVER, since=NOW - 120)
    samples[index] = (samples[index][0], 20.0 * GI)
    assert reason(verdict(series(samples))) is Reason.BELOW_THRESHOLD
    samples[index] = (samples[index][0], 20.0 * GI + 1)
    assert isinstance(verdict(series(samples)), Breach)


def test_what_was_before_the_window_does_not_count() -> None:
    """A value under the threshold before the start of ``for`` takes nothing away from a breach."""
    samples = [*steady(UNDER, until=NOW - 135), *steady(OVER, since=NOW - 120)]
    assert isinstance(verdict(series(samples)), Breach)


def test_the_value_in_force_at_the_start_counts() -> None:
    """The start of ``for`` lies between two samples: the one before it holds there."""
    samples = [(NOW - 130, UNDER), *steady(OVER, since=NOW - 110)]
    assert reason(verdict(series(samples))) is Reason.BELOW_THRESHOLD


@pytest.mark.parametrize(("percent", "limit"), [("29", 100), ("57", 100), ("58", 100), ("7", 100), ("1.1", 1000)])
def test_a_share_is_exact(percent: str, limit: int) -> None:
    """Just at the share is not over, and one byte more is, where binary fractions would be a little off."""
    small = live(container(memory_limit=limit))
    exact = float(percent) * limit / 100
    just = policy(f"{percent}% of limit")
    assert reason(verdict(series(steady(round(exact))), pod=small, policy=just)) is Reason.BELOW_THRESHOLD
    assert isinstance(verdict(series(steady(round(exact) + 1.0)), pod=small, policy=just), Breach)


# Sums

SIDE_ID = "beef" * 16


def two() -> LivePod:
    """A pod of an application and a sidecar."""
    return live(container(), container("side", id=SIDE_ID, memory_limit=4 * GI))


def side(values: Iterable[tuple[float, float]]) -> Series:
    """A series of the sidecar."""
    return series(values, container="side", name=SIDE_ID, id=cgroup(runtime_id=SIDE_ID))


def test_the_containers_of_a_pod_are_summed() -> None:
    """Two containers that are both below are over together; the limit is the sum of theirs."""
    found = verdict(series(steady(19.0 * GI)), side(steady(2.0 * GI)), pod=two())
    assert isinstance(found, Breach)
    assert (found.value, found.limit, found.container) == (21.0 * GI, 28 * GI, "")


def test_the_pods_own_cgroup_is_not_in_the_sum() -> None:
    """The roll-up of the pod and the pause container would make the sum nearly twice what it is."""
    rollup = series(steady(11.0 * GI), container=None, name=None, image=None, id=f"/kubepods/burstable/pod{UID}")
    pause = series(steady(9.0 * GI), container="POD", name=OTHER_ID, id=cgroup(runtime_id=OTHER_ID))
    assert not isinstance(verdict(series(steady(11.0 * GI)), rollup, pause), Breach)


def test_at_each_time_the_latest_of_each_container_counts() -> None:
    """Containers are scraped at different times: while one falls before the other rises, the sum is below."""
    app = series([(NOW - 150, 15.0 * GI), (NOW - 100, 15.0 * GI), (NOW - 60, 14.0 * GI), (NOW - 10, 14.0 * GI)])
    late = side([(NOW - 145, 5.5 * GI), (NOW - 95, 5.5 * GI), (NOW - 50, 6.5 * GI), (NOW - 5, 6.5 * GI)])
    early = side([(NOW - 145, 5.5 * GI), (NOW - 95, 5.5 * GI), (NOW - 65, 6.5 * GI), (NOW - 5, 6.5 * GI)])
    assert reason(verdict(app, late, pod=two())) is Reason.BELOW_THRESHOLD
    assert isinstance(verdict(app, early, pod=two()), Breach)


def test_a_container_with_a_hole_does_not_hide_one_that_is_over_alone() -> None:
    """Memory is never negative: what is over without the container that can't be seen is over with it."""
    assert isinstance(verdict(series(steady(OVER)), side(at(120, 0)), pod=two()), Breach)


def test_a_hole_is_the_reason_where_the_rest_is_not_enough() -> None:
    """Below the threshold without a container that can't be seen is not known to be below it."""
    assert reason(verdict(series(steady(19.0 * GI)), side(at(120, 0)), pod=two())) is Reason.SAMPLE_GAP


def test_only_what_the_policy_measures_is_weighed_against_its_limit() -> None:
    """With ``match.containers`` the share is of the measured containers' limits, not of those of the whole pod."""
    only = policy("20Gi", match=Match(containers=("app",)))
    found = verdict(series(steady(OVER)), pod=two(), policy=only)
    assert isinstance(found, Breach)
    assert found.limit == 24 * GI


@pytest.mark.parametrize(
    "label", [{"prometheus_replica": "b"}, {"job": "kubelet-leftover"}, {"instance": "other:10250"}]
)
def test_two_series_that_say_the_same_count_once(label: dict[str, str]) -> None:
    """A pair of Prometheus servers and a kubelet scraped through a second Service don't make twice the memory."""
    once, twice = series(steady(11.0 * GI)), series(steady(11.0 * GI), **label)
    assert reason(verdict(once, twice)) is Reason.BELOW_THRESHOLD
    assert value_at(verdict(series(steady(OVER)), series(steady(OVER), **label))) == OVER


def test_two_series_that_say_the_same_count_once_in_a_share() -> None:
    """Half of the limit, told twice, is no whole limit."""
    half = [series(steady(12.0 * GI), prometheus_replica=name) for name in "ab"]
    assert reason(verdict(*half, policy=policy("90% of limit"))) is Reason.BELOW_THRESHOLD


def test_of_a_pair_that_disagrees_the_lower_counts() -> None:
    """Where two whole series of one container differ, nothing is taken on the word of one of them."""
    high, low = series(steady(OVER), prometheus_replica="a"), series(steady(UNDER), prometheus_replica="b")
    assert reason(verdict(high, low)) is Reason.BELOW_THRESHOLD
    assert reason(verdict(low, high)) is Reason.BELOW_THRESHOLD


def test_one_whole_series_of_a_pair_is_enough() -> None:
    """One of two Prometheus servers has a hole after its restart; the other one saw everything."""
    torn = series(at(120, 0), prometheus_replica="b")
    assert value_at(verdict(torn, series(steady(OVER), prometheus_replica="a"))) == OVER


# Falling


def test_memory_that_comes_back_by_itself_is_left_alone() -> None:
    """Over all the time, but below nine tenths of its peak now: a collection has begun."""
    samples = [*steady(30.0 * GI, until=NOW - 15), (NOW, 26.9 * GI)]
    found = verdict(series(samples))
    assert reason(found) is Reason.RECOVERING
    assert "90%" in str(found)


def test_a_small_dip_is_no_recovery() -> None:
    """At nine tenths of its peak and above it is as high as it was."""
    assert isinstance(verdict(series([*steady(30.0 * GI, until=NOW - 15), (NOW, 27.0 * GI)])), Breach)


def test_a_peak_before_the_window_is_no_recovery() -> None:
    """Only the peak within ``for`` says whether memory falls."""
    samples = [*steady(40.0 * GI, until=NOW - 135), *steady(OVER, since=NOW - 120)]
    assert isinstance(verdict(series(samples)), Breach)


# Limits


NO_LIMITS = [None, "0", 0, str(2**63 - 4096), str(2**63), str(2**64 - 1), str(2**60)]


@pytest.mark.parametrize("written", NO_LIMITS)
def test_every_way_to_say_no_limit_is_no_limit(written: object) -> None:
    """0, 2^60 and above, and an absent limit are no limit: no share is computed, and no such number is shown."""
    unlimited = live(container(memory_limit=parse_memory(written)))
    found = verdict(series(steady(OVER)), pod=unlimited, policy=policy("90% of limit"))
    assert isinstance(found, Veto)
    assert found.reason is Reason.BELOW_THRESHOLD
    assert found.detail == "container app has no memory limit in force"
    summed = verdict(series(steady(OVER)), pod=unlimited)
    assert isinstance(summed, Breach)
    assert summed.limit is None
    assert summed.share is None


def test_a_container_without_limit_makes_the_pods_sum_without_limit() -> None:
    """The limit of one container is no limit of the pod."""
    mixed = live(container(), container("side", id=SIDE_ID, memory_limit=None))
    found = verdict(series(steady(OVER)), side(steady(1.0 * GI)), pod=mixed)
    assert isinstance(found, Breach)
    assert found.limit is None


def test_of_several_containers_that_are_over_the_most_urgent_is_named() -> None:
    """The container that is nearest to its limit is the reason."""
    found = verdict(series(steady(22.0 * GI)), side(steady(3.9 * GI)), pod=two(), policy=policy("90% of limit"))
    assert isinstance(found, Breach)
    assert (found.container, found.limit) == ("side", 4 * GI)


def test_a_container_is_never_measured_against_anothers_limit() -> None:
    """The sidecar's small limit says nothing about the application, and the application's large one not about it."""
    assert reason(
        verdict(series(steady(4.0 * GI)), side(steady(1.0 * GI)), pod=two(), policy=policy("90% of limit"))
    ) is (Reason.BELOW_THRESHOLD)


def test_the_limit_in_force_counts_not_the_one_at_sample_time() -> None:
    """The kernel's limit was raised a moment ago: the same bytes are a smaller share."""
    raised = live(container(memory_limit=48 * GI))
    assert reason(verdict(series(steady(23.0 * GI)), pod=raised, policy=policy("90% of limit"))) is (
        Reason.BELOW_THRESHOLD
    )


# Clusters


def test_two_clusters_in_one_store_fail_and_the_matcher_is_named() -> None:
    """Where two clusters have a pod of that name, nobody's samples count, and the message says what to set."""
    both = [series(steady(OVER), cluster=name, prometheus="x") for name in ("north", "south")]
    with pytest.raises(MeasurementError, match=r"several clusters \(north, south\)") as caught:
        verdict(*both)
    assert "REMEDIATOR_MATCHERS" in str(caught.value)
    assert 'cluster="north"' in str(caught.value)
    assert "shop/web-5d4f-abcde" in str(caught.value)


def test_two_clusters_fail_even_where_one_of_them_is_certainly_another_pod() -> None:
    """The missing matcher is a mistake also while the pod's UID still tells the two apart."""
    other = series(steady(UNDER), cluster="south", id=cgroup(uid=OTHER_UID), name=OTHER_ID)
    with pytest.raises(MeasurementError):
        verdict(series(steady(OVER), cluster="north"), other)


def test_one_cluster_is_no_contradiction() -> None:
    """A store that names its only cluster is as good as one that names none."""
    assert isinstance(verdict(series(steady(OVER), cluster="north")), Breach)


# Order


def test_neither_verdict_nor_reason_depends_on_the_order_of_series() -> None:
    """Prometheus lists series in no order, and the reason is a metric label: it must not change with it."""
    cases = [
        [series(steady(19.0 * GI)), side(at(120, 0)), series(steady(OVER), id=None, name=OTHER_ID)],
        [series(steady(UNDER)), series(steady(OVER), name=OTHER_ID), series(steady(OVER), container="gone")],
        [series(at(120, 0)), series(steady(OVER), name=OTHER_ID), series(steady(OVER), id=cgroup(uid=OTHER_UID))],
        [series(steady(22.0 * GI), node="n"), side(steady(22.0 * GI / 6))],
    ]
    for case in cases:
        for by in (policy("20Gi"), policy("90% of limit")):
            there, back = (verdict(*several, pod=two(), policy=by) for several in (case, case[::-1]))
            assert there == back


def test_what_lives_and_is_whole_gives_the_reason() -> None:
    """A living container that is below its threshold is just that, whatever is still stored of dead ones."""
    dead = series(steady(OVER), id=cgroup(runtime_id=OTHER_ID), name=OTHER_ID)
    for several in ((series(steady(UNDER)), dead), (dead, series(steady(UNDER)))):
        assert reason(verdict(*several)) is Reason.BELOW_THRESHOLD


def test_samples_of_the_past_are_left_where_they_are() -> None:
    """The judge reads its arguments and changes nothing in them."""
    samples = series(steady(OVER))
    before = replace(samples)
    verdict(samples)
    assert samples == before
