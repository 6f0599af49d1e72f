"""Whether a live pod is over its threshold, by the stored samples: pure.

A query may name a pod too many; this function may not. Each sample that counts belongs to a container that runs
now, the window has no hole, and at every moment of it the value was above the threshold.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from operator import itemgetter

from remediator.detect.scope import Scope
from remediator.errors import MeasurementError
from remediator.model.measures import Breach, Series, Veto
from remediator.model.pods import Container, LivePod
from remediator.model.vocabulary import Reason, Unit
from remediator.policy import Policy, Quantity, ShareOfLimit

LEAST_SAMPLES = 3
FALLEN = 0.9
"""Below this share of its peak within ``for``, memory is coming back by itself."""
CLUSTER_LABEL = "cluster"


@dataclass(frozen=True, slots=True)
class _Track:
    """The samples of one container that runs now, whole, and in order of time."""

    container: Container
    samples: tuple[tuple[float, float], ...]

    def at(self, moment: float) -> float:
        """The latest value at that moment, which is not before the first sample."""
        return self.samples[bisect_right(self.samples, moment, key=itemgetter(0)) - 1][1]


def judge(
    series: Sequence[Series], *, pod: LivePod, policy: Policy, scope: Scope, now: float, query: str
) -> Breach | Veto:
    """The breach that the samples prove, or why they prove none.

    ``now`` is the moment that the samples were asked for, in seconds since the epoch, and ``query`` the text of that
    question. Raises MeasurementError where the series belong to more than one cluster.
    """
    _one_cluster(series, pod)
    start = now - policy.for_seconds
    tracks: dict[str, list[_Track]] = {}
    holes: dict[str, list[Veto]] = {}
    strangers: list[Veto] = []
    for one in series:
        match _identified(one, pod):
            case Veto() as stranger:
                strangers.append(stranger)
            case container, kept:
                samples = tuple(sample for sample in kept if not sample[0] <= start - scope.range_margin)
                if hole := _hole(samples, start=start, now=now, policy=policy, scope=scope):
                    doubt = Veto(Reason.SAMPLE_GAP, f"container {container.name}: {hole}")
                    holes.setdefault(container.name, []).append(doubt)
                else:
                    tracks.setdefault(container.name, []).append(_Track(container, samples))
    # In the pod's order, not in that of the answer, which changes from one to the next.
    whole = [tracks[container.name] for container in pod.containers if container.name in tracks]
    verdicts = _verdicts(whole, pod=pod, policy=policy, start=start, query=query) if whole else []
    breaches = [verdict for verdict in verdicts if isinstance(verdict, Breach)]
    if breaches:
        return max(breaches, key=lambda breach: breach.urgency)
    unseen = [doubt for name, doubts in holes.items() if name not in tracks for doubt in doubts]
    return _reason(unseen, [verdict for verdict in verdicts if isinstance(verdict, Veto)], strangers)


def _reason(unseen: Sequence[Veto], verdicts: Sequence[Veto], strangers: Sequence[Veto]) -> Veto:
    """Why there is no breach: a hole first, because what is not seen is not below either; dead containers last."""
    if unseen:
        return min(unseen, key=str)
    if verdicts:
        return next((veto for veto in verdicts if veto.reason is Reason.RECOVERING), verdicts[0])
    if strangers:
        return min(strangers, key=str)
    return Veto(Reason.SAMPLE_GAP, "no samples of its running containers")


def _one_cluster(series: Sequence[Series], pod: LivePod) -> None:
    clusters = sorted({one.labels[CLUSTER_LABEL] for one in series if CLUSTER_LABEL in one.labels})
    if len(clusters) > 1:
        message = (
            f"pod {pod.namespace}/{pod.name} is measured in several clusters ({', '.join(clusters)}): "
            f'set REMEDIATOR_MATCHERS to the one that this is, for example {CLUSTER_LABEL}="{clusters[0]}"'
        )
        raise MeasurementError(message)


def _identified(series: Series, pod: LivePod) -> tuple[Container, Sequence[tuple[float, float]]] | Veto:
    """The running container that a series is of, with those samples that are certainly of it.

    cAdvisor's ``name`` is the container ID and its ``id`` the cgroup path, with the pod's UID in it (the systemd
    driver writes ``-`` as ``_``). Where relabelling dropped both, the node has to agree and time has to tell.
    """
    labels = series.labels
    name = labels.get("container", "")
    container = next((c for c in pod.containers if c.name == name), None)
    if container is None or not container.running or container.started_at is None:
        return Veto(Reason.REPLACED_SINCE_SAMPLE, f"container {name!r} does not run in the pod now")
    cgroup, runtime_id = labels.get("id", ""), labels.get("name", "")
    if cgroup and pod.uid not in cgroup and pod.uid.replace("-", "_") not in cgroup:
        detail = f"container {name}: the samples are of another pod of that name, {cgroup}"
        return Veto(Reason.REPLACED_SINCE_SAMPLE, detail)
    if runtime_id and runtime_id != container.id:
        return Veto(Reason.REPLACED_SINCE_SAMPLE, f"container {name} has restarted since: the samples are of its past")
    if runtime_id or (cgroup and container.id in cgroup):
        return container, series.samples
    if not cgroup and labels.get("node", "") != pod.node:
        seen = labels.get("node") or "no label tells of which node"
        detail = f"container {name}: can't tell whether the samples are of this pod (it is on {pod.node}; {seen})"
        return Veto(Reason.REPLACED_SINCE_SAMPLE, detail)
    started = container.started_at
    return container, [sample for sample in series.samples if not sample[0] <= started]


def _hole(samples: Sequence[tuple[float, float]], *, start: float, now: float, policy: Policy, scope: Scope) -> str:
    """Why these samples are no whole window from ``start`` until now; empty where they are.

    By times and not by counting: closed ranges (Prometheus 2) have a sample more than left-open ones (3).
    """
    if len(samples) < LEAST_SAMPLES:
        return f"{len(samples)} samples, at least {LEAST_SAMPLES} are needed"
    if any(not math.isfinite(value) or value < 0 for _, value in samples):
        return "a sample is no finite number"
    if any(not math.isfinite(time) for time, _ in samples) or any(b <= a for (a, _), (b, _) in pairwise(samples)):
        return "the samples' times are out of order"
    if (age := now - samples[-1][0]) > policy.max_sample_age:
        return f"the newest sample is {age:.0f} s old, {policy.max_sample_age} s are allowed"
    if samples[-1][0] > now + scope.sample_interval:
        return "the newest sample is from the future"
    if (late := samples[0][0] - start) > 0:
        return f"the samples begin {late:.0f} s after the start of `for`"
    gap, at = max((b - a, a) for (a, _), (b, _) in pairwise(samples))
    if gap > scope.largest_gap:
        return f"no samples for {gap:.0f} s, {now - at:.0f} s ago; {scope.largest_gap} s are allowed"
    return ""


def _verdicts(
    whole: Sequence[Sequence[_Track]], *, pod: LivePod, policy: Policy, start: float, query: str
) -> list[Breach | Veto]:
    """One verdict for the sum, or, for a share, one for each container: the kernel kills whole containers."""
    match policy.threshold:
        case Quantity(bytes=threshold):
            limits = [same[0].container.memory_limit for same in whole]
            limit = sum(one for one in limits if one) if all(limits) else None
            values = _sums(whole, start)
            verdict = _verdict(
                values, pod=pod, policy=policy, container="", threshold=threshold, limit=limit, query=query
            )
            return [verdict]
        case ShareOfLimit(ratio=share):
            return [_of_limit(same, pod=pod, policy=policy, share=share, start=start, query=query) for same in whole]


def _of_limit(
    same: Sequence[_Track], *, pod: LivePod, policy: Policy, share: Fraction, start: float, query: str
) -> Breach | Veto:
    container = same[0].container
    limit = container.memory_limit
    if limit is None:
        return Veto(Reason.BELOW_THRESHOLD, f"container {container.name} has no memory limit in force")
    values = _sums([same], start)
    return _verdict(
        values, pod=pod, policy=policy, container=container.name, threshold=limit * share, limit=limit, query=query
    )


def _sums(groups: Sequence[Sequence[_Track]], start: float) -> list[tuple[float, float]]:
    """At the start of the window and at each sample's time, the sum of each container's latest value.

    Of several series that say the same of one container (a pair of Prometheus servers, a kubelet scraped twice)
    the lowest counts, once. Whole tracks have a sample at or before the start, so each has a value at all times.
    """
    times = {time for same in groups for track in same for time, _ in track.samples if time > start}
    return [(time, sum(min(track.at(time) for track in same) for same in groups)) for time in sorted({start, *times})]


def _verdict(
    values: Sequence[tuple[float, float]],
    *,
    pod: LivePod,
    policy: Policy,
    container: str,
    threshold: int | Fraction,
    limit: int | None,
    query: str,
) -> Breach | Veto:
    where = f"container {container}" if container else "the sum of its containers"
    time, newest = values[-1]
    low = min(value for _, value in values)
    if low <= threshold:
        detail = f"{where} was at {low:.0f} bytes within `for`, above {float(threshold):.0f} is over"
        return Veto(Reason.BELOW_THRESHOLD, detail)
    peak = max(value for _, value in values)
    if newest < FALLEN * peak:
        return Veto(Reason.RECOVERING, f"{where} has fallen to {newest / peak:.0%} of its peak within `for`")
    return Breach(
        policy=policy.name,
        namespace=pod.namespace,
        pod=pod.name,
        uid=pod.uid,
        node=pod.node,
        container=container,
        value=newest,
        threshold=float(threshold),
        threshold_text=policy.threshold.text,
        limit=limit,
        unit=Unit.BYTES,
        query=query,
        sample_time=time,
        over_since=values[0][0],
    )
