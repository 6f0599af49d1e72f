"""Whether a live pod is over, searched for a case where the judge is wrong.

Each series is made together with the truth about it: which container, or the pod as a whole, wrote which of its
samples. The oracle knows the truth and no labels, and goes through the window second by second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from remediator.detect.judge import judge
from remediator.detect.scope import Scope
from remediator.model.measures import Breach, Series, Veto
from remediator.model.pods import LivePod
from remediator.model.vocabulary import Reason
from remediator.policy import Policy
from tests.unit.make import NOW, UID, cgroup, container, labels, pod, policy

FOR = 60
INTERVAL = 10
AGE = 35
GAP = 2 * INTERVAL + 5
LONGEST = FOR + GAP
SCOPE = Scope(sample_interval=INTERVAL)
IDS = {"app": "aa" * 32, "side": "bb" * 32}
WHOLE = "(the pod as a whole)"
OLD_ID, OTHER_UID = "cc" * 32, "99999999-0000-1111-2222-333344445555"


@dataclass(frozen=True)
class Made:
    """A series with the truth: what it is of (a container, ``WHOLE``, empty for none that lives), and its writers."""

    series: Series
    container: str
    living: tuple[bool, ...]

    def readings(self) -> list[tuple[float, float]]:
        """The samples that the living one wrote."""
        return [sample for sample, alive in zip(self.series.samples, self.living, strict=True) if alive]


@dataclass(frozen=True)
class Case:
    """A pod, what is stored of it, and what it is judged by."""

    pod: LivePod
    made: tuple[Made, ...]
    policy: Policy

    def judged(self, series: Sequence[Series] | None = None) -> Breach | Veto:
        """The verdict, on these series or all of its own."""
        found = [one.series for one in self.made] if series is None else series
        return judge(found, pod=self.pod, policy=self.policy, scope=SCOPE, now=NOW, query="q")


def latest(samples: Sequence[tuple[float, float]], second: int) -> float | None:
    """What was last written at that second or before."""
    found = [value for time, value in samples if time <= second]
    return found[-1] if found else None


def whole(samples: Sequence[tuple[float, float]]) -> bool:
    """Whether somebody who walks from the start of the window until now is never without a sample for too long."""
    if len(samples) < 3 or any(not 0 <= value < float("inf") for _, value in samples):
        return False
    times = [time for time, _ in samples]
    if min(times) > NOW - FOR or max(times) < NOW - AGE:
        return False
    for second in range(int(min(times)), int(max(times))):
        before, after = max(t for t in times if t <= second), min(t for t in times if t > second)
        if after - before > GAP:
            return False
    return True


def levels(case: Case, pick: Callable[[list[float]], float]) -> dict[str, list[float]]:
    """For each container that was seen whole, and for the pod, its value at every second of the window."""
    found: dict[str, list[float]] = {}
    for name in (*IDS, WHOLE):
        tracks = [one.readings() for one in case.made if one.container == name and whole(one.readings())]
        if tracks:
            rows = [[latest(track, second) for track in tracks] for second in range(NOW - FOR, NOW + 1)]
            found[name] = [pick([value for value in row if value is not None]) for row in rows]
    return found


def over(case: Case, pick: Callable[[list[float]], float]) -> bool:
    """Whether the pod was over at every second and has not fallen far since."""
    seen = levels(case, pick)
    number, _, base = case.policy.threshold.text.partition("% of ")
    if base:
        allowed = {one.name: one.memory_limit if base == "limit" else one.memory_request for one in case.pod.containers}
        allowed[WHOLE] = case.pod.memory_limit if base == "limit" else None
        rows = [(values, allowed[name] or 0) for name, values in seen.items()]
        return any(_sustained(values, most * int(number)) for values, most in rows if most)
    seen.pop(WHOLE, None)
    if not seen:
        return False
    sums = [sum(row) for row in zip(*seen.values(), strict=True)]
    return _sustained(sums, int(number.removesuffix("k")) * 1000 * 100)


def _sustained(values: Sequence[float], hundredfold: float) -> bool:
    """All of them over a hundredth of that, in whole numbers, and the last not below nine tenths of the highest."""
    return all(value * 100 > hundredfold for value in values) and values[-1] * 10 >= max(values) * 9


# Made once: to make a strategy costs more than to draw from it.
BASES = st.sampled_from([4900.0, 5100.0, 5500.0, 9000.0])
STEPS = st.sampled_from([5, 10, 15, 20, 25, 26])
AGES = st.integers(0, 40)
INDEXES = st.integers(0, 30)
CHANGES = st.sampled_from([0, 0, 1, 2])
VALUES = st.sampled_from([4500.0, 4999.0, 5000.0, 5001.0, 5040.0, 5500.0, 0.0, 10_000.0, float("nan")])
KINDS = st.sampled_from(["own", "own", "own", "no name", "no id", "neither", "old", "part", "other pod", "other node"])
STRANGERS = st.sampled_from(["old", "part", "other pod", "other node"])
WHOLE_KINDS = st.sampled_from(["own", "own", "systemd", "no id", "other pod", "container", "sandbox", "other node"])
WHOLE_STRANGERS = st.sampled_from(["other pod", "container", "sandbox", "other node"])
REPLICAS = st.sampled_from("ab")
NAMES = st.sampled_from([["app"], ["app", "side"]])
STARTS = st.sampled_from([5000, 5000, 90, 70, 60, 30])
LIMITS = st.sampled_from([None, 5500, 6000])
STEADY = st.booleans()
NUMBERS = st.integers(1, 3)
THRESHOLDS = st.sampled_from(["5k", "10k", "90% of limit", "50% of limit", "90% of request", "150% of request"])
REQUESTS = st.sampled_from([None, 3400, 5500])


@st.composite
def samples(draw: st.DrawFn) -> list[tuple[float, float]]:
    """A series' samples at whole seconds, in order, one of them missing; often a steady value around the threshold."""
    times = list(range(NOW - draw(AGES), NOW - LONGEST - 20, -draw(STEPS)))[::-1]
    base = draw(BASES)
    changes = {draw(INDEXES): draw(VALUES) for _ in range(draw(CHANGES))}
    missing = draw(INDEXES)
    return [(float(t), changes.get(n, base)) for n, t in enumerate(times) if n != missing]


SAMPLES = samples()


@st.composite
def made(
    draw: st.DrawFn, name: str, started: int, *, steady: bool = False, kinds: st.SearchStrategy[str] = KINDS
) -> Made:
    """A series, identified in one of the ways there are, with its truth."""
    found = [(t, v) for t, v in draw(SAMPLES) if t > NOW - LONGEST]
    if steady:
        found = [(float(t), 5500.0) for t in range(NOW - LONGEST + 5, NOW + 1, 5)]
    runtime_id, extra = IDS[name], {"container": name, "replica": draw(REPLICAS)}
    given: dict[str, str | None] = {}
    living = tuple(time > started for time, _ in found)
    kind = draw(kinds)
    alive = sum(living)
    match kind:
        case "own" | "no name" | "no id":
            # A container writes nothing before it starts.
            found, living = found[len(found) - alive :], (True,) * alive
            given["id"] = None if kind == "no id" else cgroup(runtime_id=runtime_id)
            given["name"] = None if kind == "no name" else runtime_id
        case "neither":
            given = {"id": None, "name": None}
        case "old":
            given, living = {"id": cgroup(runtime_id=OLD_ID), "name": OLD_ID}, (False,) * len(found)
        case "part":
            given, living = {"id": f"{cgroup(runtime_id=runtime_id)}/init", "name": None}, (False,) * len(found)
        case "other pod":
            given, living = {"id": cgroup(uid=OTHER_UID), "name": None}, (False,) * len(found)
        case _:
            given, living = {"id": None, "name": None, "node": "node-9"}, (False,) * len(found)
    return Made(Series(labels(**extra, **given), tuple(found)), name if any(living) else "", living)


@st.composite
def made_whole(
    draw: st.DrawFn, started: int, *, steady: bool = False, kinds: st.SearchStrategy[str] = WHOLE_KINDS
) -> Made:
    """A series without a container's name, which is of the pod as a whole or of something else, with its truth.

    ``started`` is the newest start of the pod's containers: what a nameless path can be trusted from.
    """
    found = [(t, v) for t, v in draw(SAMPLES) if t > NOW - LONGEST]
    if steady:
        found = [(float(t), 5500.0) for t in range(NOW - LONGEST + 5, NOW + 1, 5)]
    given: dict[str, str | None] = {"container": "", "name": "", "image": "", "replica": draw(REPLICAS)}
    living = (False,) * len(found)
    match draw(kinds):
        case "own":
            given["id"], living = f"/kubepods/pod{UID}", (True,) * len(found)
        case "systemd":
            given["id"] = f"/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice"
            living = (True,) * len(found)
        case "no id":
            given["id"], living = None, tuple(time > started for time, _ in found)
        case "other pod":
            given["id"] = f"/kubepods/pod{OTHER_UID}"
        case "container":
            given["id"] = cgroup(runtime_id=IDS["app"])
        case "sandbox":
            given |= {"id": f"/kubepods/pod{UID}", "name": OLD_ID}
        case _:
            given |= {"id": None, "node": "node-9"}
    return Made(Series(labels(**given), tuple(found)), WHOLE if any(living) else "", living)


@st.composite
def cases(draw: st.DrawFn, *, pairs: bool) -> Case:
    """A pod of one or two containers that may have restarted; with ``pairs``, several series of each."""
    names = draw(NAMES)
    starts = {name: NOW - draw(STARTS) for name in names}
    containers = [
        container(
            name, id=IDS[name], started_at=float(starts[name]), memory_limit=draw(LIMITS), memory_request=draw(REQUESTS)
        )
        for name in names
    ]
    several: list[Made] = []
    for name in names:
        steady = draw(STEADY)
        several += [draw(made(name, starts[name], steady=steady)) for _ in range(draw(NUMBERS) if pairs else 1)]
    steady, newest = draw(STEADY), max(starts.values())
    several += [draw(made_whole(newest, steady=steady)) for _ in range(draw(NUMBERS) if pairs else 1)]
    threshold = draw(THRESHOLDS)
    judged_by = policy(threshold, for_seconds=FOR, max_sample_age=AGE)
    live = pod(containers=tuple(containers), memory_limit=draw(LIMITS))
    return Case(live, tuple(draw(st.permutations(several))), judged_by)


@given(case=cases(pairs=False))
def test_a_breach_is_just_what_the_oracle_says(case: Case) -> None:
    """With one series of each, the judge and a walk through every second of the window agree both ways."""
    found = case.judged()
    event(str(found.reason) if isinstance(found, Veto) else "breach")
    assert isinstance(found, Breach) == over(case, max)


@given(case=cases(pairs=True))
def test_no_breach_that_the_samples_of_the_living_do_not_show(case: Case) -> None:
    """With pairs of servers too: a breach is over at every second by the lowest of each container's whole series."""
    found = case.judged()
    event(str(found.reason) if isinstance(found, Veto) else "breach")
    assert isinstance(found, Breach) == over(case, min)
    if isinstance(found, Breach):
        assert found.uid == UID
        times = {time for one in case.made for time, _ in one.readings()}
        assert found.sample_time in times
        assert found.value > found.threshold


@given(case=cases(pairs=True), data=st.data())
def test_the_order_of_series_changes_nothing(case: Case, data: st.DataObject) -> None:
    """The verdict, its value and its reason are the same however Prometheus lists the series."""
    shuffled = data.draw(st.permutations([one.series for one in case.made]))
    assert case.judged(shuffled) == case.judged()


@given(case=cases(pairs=True), data=st.data())
def test_saying_it_twice_changes_nothing(case: Case, data: st.DataObject) -> None:
    """A second copy of a series, from another replica of Prometheus, counts for nothing."""
    several = [one.series for one in case.made]
    copied = data.draw(st.sampled_from(several))
    copy = replace(copied, labels={**copied.labels, "replica": "copy"})
    assert case.judged([*several, copy]) == case.judged()


strangers = st.one_of(made("app", NOW - 5000, kinds=STRANGERS), made_whole(NOW - 5000, kinds=WHOLE_STRANGERS))


@given(case=cases(pairs=False), extra=st.lists(strangers, min_size=1, max_size=3))
def test_strangers_never_make_a_breach_nor_hide_one(case: Case, extra: list[Made]) -> None:
    """Series of dead containers, other pods and other nodes leave the verdict as it is without them."""
    several = [one.series for one in case.made]
    before, after = case.judged(), case.judged([*several, *(one.series for one in extra)])
    if isinstance(before, Breach) or isinstance(after, Breach):
        assert after == before
    elif before.reason is not Reason.SAMPLE_GAP:
        assert after.reason is before.reason


@given(case=cases(pairs=True), extra=st.one_of(made("app", NOW - 5000), made_whole(NOW - 5000)))
def test_more_series_of_a_container_that_is_seen_never_make_a_breach(case: Case, extra: Made) -> None:
    """Where all that there is is seen whole, one more series can only lower what is known of it."""
    if set(levels(case, min)) != {*(one.name for one in case.pod.containers), WHOLE}:
        return
    before, after = case.judged(), case.judged([*(one.series for one in case.made), extra.series])
    if isinstance(after, Breach):
        assert isinstance(before, Breach) or before.reason is Reason.RECOVERING


@given(case=cases(pairs=True), factor=st.sampled_from([2, 3, 10, 1 << 20]))
def test_the_unit_does_not_matter(case: Case, factor: int) -> None:
    """All bytes many times as many, in values, limits and threshold alike, is the same verdict."""
    threshold = case.policy.threshold.text
    if threshold.endswith("k"):
        threshold = f"{int(threshold[:-1]) * factor}k"
    large = Case(
        replace(
            case.pod,
            containers=tuple(
                replace(
                    one,
                    memory_limit=one.memory_limit and one.memory_limit * factor,
                    memory_request=one.memory_request and one.memory_request * factor,
                )
                for one in case.pod.containers
            ),
            memory_limit=case.pod.memory_limit and case.pod.memory_limit * factor,
        ),
        tuple(
            replace(one, series=replace(one.series, samples=tuple((t, v * factor) for t, v in one.series.samples)))
            for one in case.made
        ),
        policy(threshold, for_seconds=FOR, max_sample_age=AGE),
    )
    small, found = case.judged(), large.judged()
    assert isinstance(small, Breach) == isinstance(found, Breach)
    if isinstance(small, Breach) and isinstance(found, Breach):
        assert found.value == small.value * factor
        assert (found.container, found.sample_time) == (small.container, small.sample_time)
        assert found.growth == pytest.approx(small.growth * factor)
    elif isinstance(small, Veto) and isinstance(found, Veto):
        assert found.reason is small.reason


@given(case=cases(pairs=True), data=st.data())
def test_a_lower_threshold_is_never_harder_to_be_over(case: Case, data: st.DataObject) -> None:
    """What is a breach at a threshold is one at each lower threshold."""
    if isinstance(case.judged(), Veto):
        return
    text = case.policy.threshold.text
    _, share, base = text.partition("% of ")
    lower = f"1{share}{base}" if share else data.draw(st.sampled_from(["1k", "4k", text]))
    eased = replace(case, policy=policy(lower, for_seconds=FOR, max_sample_age=AGE))
    assert isinstance(eased.judged(), Breach)


@given(case=cases(pairs=True))
def test_closed_and_left_open_ranges_agree(case: Case) -> None:
    """The sample at the very start of the range, which Prometheus 2 gives and 3 does not, changes nothing."""
    closed = [replace(one.series, samples=((float(NOW - LONGEST), 5500.0), *one.series.samples)) for one in case.made]
    assert case.judged(closed) == case.judged()
