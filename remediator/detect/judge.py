"""Whether a live pod is over its threshold, by the stored samples: pure.

A query may name a pod too many; this function may not. Each sample that counts belongs to a cgroup that lives
now, the window has no hole, and at every moment of it the value was above the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from remediator.detect.identity import OWN, of_container, of_pod, one_cluster
from remediator.detect.promql import weighs_pods
from remediator.detect.scope import Scope
from remediator.detect.tracks import Track, growth, hole, sums
from remediator.model.measures import Breach, Series, Veto
from remediator.model.pods import Container, LivePod
from remediator.model.vocabulary import Reason, Unit
from remediator.policy import Policy, Quantity, ShareOfLimit, ShareOfRequest

FALLEN = 0.9
"""Below this share of its peak within ``for``, memory is coming back by itself."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One question to the judge, and what the series say of it.

    ``tracks`` and ``holes`` are by container, under ``OWN`` for the pod's own cgroup.
    """

    pod: LivePod
    policy: Policy
    start: float
    query: str
    own_query: str
    tracks: dict[str, list[Track]] = field(default_factory=dict)
    holes: dict[str, list[Veto]] = field(default_factory=dict)
    strangers: list[Veto] = field(default_factory=list)


def weighs_the_pod(policy: Policy, pod: LivePod) -> bool:
    """Whether the pod's own cgroup is measured too: a pod with a limit of its own is killed on the sum."""
    return weighs_pods(policy) and pod.memory_limit is not None


def measures_the_pod(policy: Policy, pod: LivePod) -> bool:
    """The same, or where the policy's emergency is a share of the limit."""
    if weighs_the_pod(policy, pod):
        return True
    of_limit = isinstance(policy.emergency, ShareOfLimit) and not policy.match.containers
    return of_limit and pod.memory_limit is not None


def judge(
    series: Sequence[Series], *, pod: LivePod, policy: Policy, scope: Scope, now: float, query: str, own_query: str = ""
) -> Breach | Veto:
    """The breach that the samples prove, or why they prove none.

    ``now`` is the moment that the samples were asked for, in seconds since the epoch, ``query`` the text of that
    question, and ``own_query`` of the one about the pod's own cgroup. Raises MeasurementError where the series belong
    to more than one cluster.
    """
    one_cluster(series, pod)
    case = _Case(pod, policy, now - policy.for_seconds, query, own_query)
    for one in series:
        _take_in(one, case, scope=scope, now=now)
    if weighs_the_pod(policy, pod) and OWN not in case.tracks:
        # What is not seen is not below either.
        case.holes.setdefault(OWN, [Veto(Reason.SAMPLE_GAP, "the pod as a whole: no samples of its own cgroup")])
    verdicts = _verdicts(case)
    if breaches := _breaches(verdicts):
        return _worst(breaches, case)
    return _reason(case, [verdict for verdict in verdicts if isinstance(verdict, Veto)])


def _take_in(series: Series, case: _Case, *, scope: Scope, now: float) -> None:
    """Put a series where it belongs: among the tracks, those with a hole, or the strangers."""
    name = series.labels.get("container", "")
    own = name == OWN and measures_the_pod(case.policy, case.pod)
    found = of_pod(series, case.pod) if own else of_container(series, case.pod)
    if isinstance(found, Veto):
        case.strangers.append(found)
        return
    samples = tuple(sample for sample in found if not sample[0] <= case.start - scope.largest_gap)
    if torn := hole(samples, start=case.start, now=now, policy=case.policy, scope=scope):
        where = f"container {name}" if name else "the pod as a whole"
        case.holes.setdefault(name, []).append(Veto(Reason.SAMPLE_GAP, f"{where}: {torn}"))
    else:
        case.tracks.setdefault(name, []).append(Track(samples))


def _breaches(verdicts: Sequence[Breach | Veto]) -> list[Breach]:
    return [verdict for verdict in verdicts if isinstance(verdict, Breach)]


def _worst(breaches: Sequence[Breach], case: _Case) -> Breach:
    """The most urgent of them; in an emergency the most urgent of those that are one, where it can be told apart."""
    emergency = case.policy.emergency
    found = _breaches(_verdicts(replace(case, policy=replace(case.policy, threshold=emergency)))) if emergency else []
    over = {breach.container for breach in found}
    named = [breach for breach in breaches if breach.container in over]
    return replace(max(named or breaches, key=lambda breach: breach.urgency), emergency=bool(over))


def _reason(case: _Case, verdicts: Sequence[Veto]) -> Veto:
    """Why there is no breach: a hole first, because what is not seen is not below either; dead containers last."""
    missing = [name for name in case.holes if name not in case.tracks]
    # For the emergency alone the pod's own cgroup is no reason.
    asked = [name for name in missing if name != OWN or weighs_the_pod(case.policy, case.pod)]
    unseen = [doubt for name in asked for doubt in case.holes[name]]
    if unseen:
        return min(unseen, key=str)
    if verdicts:
        return next((veto for veto in verdicts if veto.reason is Reason.RECOVERING), verdicts[0])
    if case.strangers:
        return min(case.strangers, key=str)
    return Veto(Reason.SAMPLE_GAP, "no samples of its running containers")


def _verdicts(case: _Case) -> list[Breach | Veto]:
    """One verdict for the sum, or, for a share, one for the pod as a whole and one for each container.

    The kernel kills whole containers, and, where the pod has a limit of its own, on the sum.
    """
    # In the pod's order, not in that of the answer, which changes from one to the next.
    seen = [container for container in case.pod.containers if container.name in case.tracks]
    match case.policy.threshold:
        case Quantity(bytes=threshold):
            groups = [case.tracks[container.name] for container in seen]
            return [_verdict(case, groups, "", threshold=threshold, limit=_limit_of_sum(case, seen))] if seen else []
        case ShareOfLimit(ratio=share):
            verdicts = [_of_limit(case, container, share=share) for container in seen]
            own = case.tracks.get(OWN)
            if own and (limit := case.pod.memory_limit):
                asked = replace(case, query=case.own_query)
                verdicts.insert(0, _verdict(asked, [own], OWN, threshold=limit * share, limit=limit))
            return verdicts
        case ShareOfRequest(ratio=share):
            return [_of_request(case, container, share=share) for container in seen]


def _of_limit(case: _Case, container: Container, *, share: Fraction) -> Breach | Veto:
    limit = container.memory_limit
    if limit is None:
        return Veto(Reason.BELOW_THRESHOLD, f"container {container.name} has no memory limit in force")
    groups = [case.tracks[container.name]]
    return _verdict(case, groups, container.name, threshold=limit * share, limit=limit)


def _of_request(case: _Case, container: Container, *, share: Fraction) -> Breach | Veto:
    request = container.memory_request
    if request is None:
        return Veto(Reason.BELOW_THRESHOLD, f"container {container.name} has no memory request in force")
    groups = [case.tracks[container.name]]
    return _verdict(case, groups, container.name, threshold=request * share, limit=container.memory_limit)


def _limit_of_sum(case: _Case, seen: Sequence[Container]) -> int | None:
    """At which the kernel kills at the latest: the pod's own limit, or the containers' together; None for neither."""
    limits = [container.memory_limit for container in seen]
    together = [sum(one for one in limits if one)] if all(limits) else []
    own = [case.pod.memory_limit] if case.pod.memory_limit else []
    return min([*together, *own], default=None)


def _verdict(
    case: _Case, groups: Sequence[Sequence[Track]], container: str, *, threshold: int | Fraction, limit: int | None
) -> Breach | Veto:
    pod, policy = case.pod, case.policy
    values = sums(groups, case.start)
    time, newest = values[-1]
    breach = Breach(
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
        query=case.query,
        sample_time=time,
        over_since=values[0][0],
        growth=growth(groups, case.start),
    )
    low = min(value for _, value in values)
    if low <= threshold:
        detail = f"{breach.where} was at {low:.0f} bytes within `for`, above {float(threshold):.0f} is over"
        return Veto(Reason.BELOW_THRESHOLD, detail)
    peak = max(value for _, value in values)
    if newest < FALLEN * peak:
        return Veto(Reason.RECOVERING, f"{breach.where} has fallen to {newest / peak:.0%} of its peak within `for`")
    return breach
