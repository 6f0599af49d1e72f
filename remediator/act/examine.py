"""The look at live pods: read them, judge their samples, and ask the guards. Reads only.

The evaluation asks it about all candidates; a transaction asks it once more about its own pod, right before it acts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from remediator.act.looks import GONE, Go, Judged, Vetoed, World
from remediator.act.surroundings import Surroundings, is_fresh
from remediator.cluster.disruption import DisruptionBudgets
from remediator.cluster.neighbours import Neighbourhood
from remediator.cluster.nodes import Nodes
from remediator.cluster.owners import Owners
from remediator.cluster.pods import Pods
from remediator.decide import about_pod, about_workload, concerning, policy_and_journal
from remediator.decide.annotations import own_policy
from remediator.decide.journal import pauses
from remediator.decide.surge import surge_impossible, surge_would_be_noticed
from remediator.detect.asked import Asked
from remediator.detect.judge import judge, measures_the_pod
from remediator.detect.prometheus import Prometheus
from remediator.detect.promql import own_samples_query, samples_query
from remediator.detect.scope import Scope
from remediator.errors import KubernetesRefused
from remediator.model.holds import Hold
from remediator.model.measures import Breach, Series, Veto
from remediator.model.pods import LivePod
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Action, Reason
from remediator.model.workloads import WorkloadRef
from remediator.policy import Policy, PolicyFile

BATCH = 100
"""Pods in one question for samples: a longer one makes the server compile a larger expression for each series."""
ONE_BY_ONE = 20
"""Candidates of a namespace that are read one by one; for more, its pods are listed."""
_LOOKS = 3
"""Times that the second look reads the world, where annotations ask for other samples and those are slow to come."""


class Examination:
    """Looks at pods with these clients."""

    def __init__(
        self,
        *,
        prometheus: Prometheus,
        pods: Pods,
        owners: Owners,
        nodes: Nodes,
        budgets: DisruptionBudgets,
        neighbourhood: Neighbourhood,
        scope: Scope,
        clock: Callable[[], float],
    ) -> None:
        self._prometheus = prometheus
        self._pods = pods
        self._owners = owners
        self._nodes = nodes
        self._budgets = budgets
        self._neighbourhood = neighbourhood
        self._scope = scope
        self._clock = clock

    def judged(self, policy: Policy, *, namespace: str, names: Sequence[str], at: int) -> dict[str, Judged]:
        """Each named pod with its verdict, on samples as of that whole second.

        Raises PrometheusError, KubernetesError, MeasurementError.
        """
        found: dict[str, Judged] = {}
        listed = self._listed(namespace) if len(names) > ONE_BY_ONE else None
        for first in range(0, len(names), BATCH):
            batch = names[first : first + BATCH]
            asked = Asked(self._prometheus, at=at)
            series = asked.matrix(samples_query(policy, self._scope, namespace=namespace, pods=batch))
            read = self._pods.read
            pods = {name: read(namespace, name) if listed is None else listed.get(name) for name in batch}
            by_pod = _by_pod([*series, *self._own_series(policy, [pod for pod in pods.values() if pod], asked)])
            for name, pod in pods.items():
                found[name] = self._judged(policy, pod, series=by_pod.get(name, ()), at=at)
        return found

    def surroundings(self) -> Surroundings:
        """What is around pods, of which nothing is known yet."""
        return Surroundings(owners=self._owners, nodes=self._nodes, budgets=self._budgets, clock=self._clock)

    def guarded(
        self,
        breach: Breach,
        *,
        pod: LivePod,
        policy: Policy,
        policies: PolicyFile,
        ledger: Ledger,
        holds: Sequence[Hold],
        every_stage: bool = False,
        asked: Asked | None = None,
        around: Surroundings | None = None,
    ) -> Go | Vetoed:
        """Ask all guards, stage by stage; with ``every_stage`` also those after one that objects.

        ``holds`` are the gates that were found to hold, ``asked`` the samples that are here already, ``around`` what
        was read for the pods before this one.

        Raises KubernetesError.
        """
        around = around or self.surroundings()
        owner = self._owners.workload_of(pod)
        for again in (True, False):
            vetoes = self._first_stages(
                breach, pod, owner, policy=policy, policies=policies, ledger=ledger, holds=holds, both=every_stage
            )
            if owner is None or (vetoes and not (every_stage and _may_be_asked_about(vetoes))):
                return Vetoed(vetoes, owner)
            world = around.of(pod, owner)
            if world is not None:
                last = self._last_stages(
                    breach, pod, world, policy=policy, policies=policies, ledger=ledger, asked=asked
                )
                if not vetoes:
                    return last
                return Vetoed((*vetoes, *(last.vetoes if isinstance(last, Vetoed) else ())), owner)
            # Orphaned or adopted since it was last asked for: its pods have another workload now.
            found = self._owners.workload_of(pod, fresh=True)
            if not again or found == owner:
                break
            owner = found
        return Vetoed((*vetoes, Veto(Reason.NO_CONTROLLER, f"{owner} is gone")), owner)

    def confirmed(
        self,
        breach: Breach,
        *,
        policy: Policy,
        policies: PolicyFile,
        ledger: Ledger,
        holds: Callable[[], Sequence[Hold]],
        first: Go | None,
    ) -> Go | Vetoed:
        """The second look at the pod of a breach: judge and guards once more, on fresh samples and a new reading.

        Whoever may be slow is waited for first: Prometheus, then ``holds``, which so knows the clock of who gave the
        samples. What is acted on is read after that, and of what the first look saw only what is as good as new then
        is believed. Samples that were young when they were asked for, and are not any more when everybody has answered,
        are no evidence. Raises as ``judged``.
        """
        pod = first.pod if first is not None else self._pods.read(breach.namespace, breach.pod)
        if pod is None:
            return Vetoed((GONE,))
        asked = Asked(self._prometheus, at=int(self._clock()))
        self._series(policy, pod, asked)
        standing = holds()
        for _ in range(_LOOKS):
            known = len(asked)
            found = self._looked_at(
                breach, policy=policy, policies=policies, ledger=ledger, holds=standing, first=first, asked=asked
            )
            if isinstance(found, Vetoed) or len(asked) == known or is_fresh(found.world.read_at, self._clock()):
                return self._still_young(found)
            # Its workload's annotations asked for other samples, and the world went on meanwhile.
            first = None
        return Vetoed((Veto(Reason.SAMPLE_GAP, "annotations of its workload ask for other samples at each look"),))

    def _looked_at(
        self,
        breach: Breach,
        *,
        policy: Policy,
        policies: PolicyFile,
        ledger: Ledger,
        holds: Sequence[Hold],
        first: Go | None,
        asked: Asked,
    ) -> Go | Vetoed:
        """The pod and what is around it as it is now, judged by samples that are here already."""
        world = None
        if first is not None and is_fresh(first.world.read_at, self._clock()):
            world = replace(first.world, workload=self._owners.with_pods(first.workload))
        pod = next((one for one in world.workload.pods if one.uid == breach.uid), None) if world else None
        if pod is None:
            # Its labels may have changed; then the list by selector does not have it.
            pod, world = self._pods.read(breach.namespace, breach.pod), None
        verdict = self._judged_now(policy, pod, asked) if pod else GONE
        if isinstance(verdict, Veto):
            return Vetoed((verdict,))
        if pod is None or pod.uid != breach.uid:
            return Vetoed((Veto(Reason.REPLACED_SINCE_SAMPLE, "another pod has its name now"),))
        if world is None:
            return self.guarded(
                verdict, pod=pod, policy=policy, policies=policies, ledger=ledger, holds=holds, asked=asked
            )
        owner = world.workload.ref
        vetoes = self._first_stages(verdict, pod, owner, policy=policy, policies=policies, ledger=ledger, holds=holds)
        if vetoes:
            return Vetoed(vetoes, owner)
        return self._last_stages(verdict, pod, world, policy=policy, policies=policies, ledger=ledger, asked=asked)

    def _still_young(self, found: Go | Vetoed) -> Go | Vetoed:
        if isinstance(found, Vetoed):
            return found
        age, allowed = self._clock() - found.breach.sample_time, found.policy.max_sample_age
        if age <= allowed:
            return found
        words = f"the look took so long that its newest sample is {age:.0f} s old, {allowed} s are allowed"
        return Vetoed((Veto(Reason.SAMPLE_GAP, words),), found.workload.ref)

    def budgets_of(self, pod: LivePod) -> tuple[str, ...]:
        """The names of the disruption budgets that cover a pod, in order. Raises KubernetesError."""
        return tuple(sorted(one.name for one in self._budgets.of(pod.namespace) if one.covers(pod)))

    def _first_stages(
        self,
        breach: Breach,
        pod: LivePod,
        owner: WorkloadRef | None,
        *,
        policy: Policy,
        policies: PolicyFile,
        ledger: Ledger,
        holds: Sequence[Hold],
        both: bool = False,
    ) -> tuple[Veto, ...]:
        vetoes = policy_and_journal(
            breach,
            pod=pod,
            owner=owner,
            policy=policy,
            policies=policies,
            ledger=ledger,
            holds=holds,
            now=self._clock(),
        )
        standing = concerning(vetoes, policy.action)
        if standing and not both:
            return standing
        vetoes = about_pod(breach, pod=pod, owner=owner, policy=policy, now=self._clock())
        return (*standing, *concerning(vetoes, policy.action))

    def _last_stages(
        self,
        breach: Breach,
        pod: LivePod,
        world: World,
        *,
        policy: Policy,
        policies: PolicyFile,
        ledger: Ledger,
        asked: Asked | None,
    ) -> Go | Vetoed:
        """What the workload says: by its own annotations first, where the policy file lets it, then by its state."""
        ref, own = world.workload.ref, policy
        if policies.safety.annotations:
            held_back = own_policy(policy, world.workload.annotations, what=str(ref))
            if isinstance(held_back, Veto):
                return Vetoed((held_back,), ref)
            if held_back != policy:
                verdict = self._judged_now(held_back, pod, asked or Asked(self._prometheus, at=int(self._clock())))
                if isinstance(verdict, Veto):
                    detail = f"{verdict.detail}, by the annotations of {ref}"
                    return Vetoed((replace(verdict, detail=detail),), ref)
                if breach.emergency:
                    # By its own annotations it may be none, or a report, and wait like everybody else.
                    waits = pauses(verdict, owner=ref, policy=held_back, ledger=ledger, now=self._clock())
                    if vetoes := concerning(waits, held_back.action):
                        return Vetoed(vetoes, ref)
                breach, own = verdict, held_back
        instead = None
        if own.action is Action.SURGE and (instead := self._no_surge(pod, world)):
            own = replace(own, action=own.fallback)
        vetoes = about_workload(
            pod,
            workload=world.workload,
            node=world.node,
            budgets=world.budgets,
            policy=own,
            policies=policies,
            ledger=ledger,
            now=self._clock(),
        )
        vetoes = concerning(vetoes, own.action)
        if vetoes:
            return Vetoed((*([instead] if instead else []), *vetoes), ref)
        return Go(breach, pod, world, own, instead)

    def _no_surge(self, pod: LivePod, world: World) -> Veto | None:
        """Why the pod can't be replaced first and removed after; what costs no request is asked first.

        Raises KubernetesError.
        """
        if veto := surge_impossible(pod, world.workload, world.budgets):
            return veto
        try:
            neighbours = self._neighbourhood.of(pod)
        except KubernetesRefused as exc:
            if not exc.forbidden:
                raise
            return Veto(Reason.SURGE_IMPOSSIBLE, f"who would notice it may not be read: {exc}")
        return surge_would_be_noticed(pod, world.workload, neighbours)

    def _judged_now(self, policy: Policy, pod: LivePod, asked: Asked) -> Breach | Veto:
        """The verdict on one pod, on samples of their own instant. Raises PrometheusError, MeasurementError."""
        return self._judged(policy, pod, series=self._series(policy, pod, asked), at=asked.at).verdict

    def _series(self, policy: Policy, pod: LivePod, asked: Asked) -> list[Series]:
        query = samples_query(policy, self._scope, namespace=pod.namespace, pods=[pod.name])
        return [*asked.matrix(query), *self._own_series(policy, [pod], asked)]

    def _listed(self, namespace: str) -> Mapping[str, LivePod]:
        pods, _ = self._pods.select(namespace, "")
        return {pod.name: pod for pod in pods}

    def newest_value(self, policy: Policy, *, pod: LivePod, container: str, at: int) -> float | None:
        """The memory of a new pod as last measured, in bytes; None where it has not been measured yet.

        Of one container, or, with an empty name, the sum. Raises PrometheusError.
        """
        query = samples_query(policy, self._scope, namespace=pod.namespace, pods=[pod.name])
        values: dict[str, float] = {}
        for one in self._prometheus.matrix(query, at=at):
            time, value = one.samples[-1] if one.samples else (0.0, 0.0)
            if time >= pod.created_at and value > 0:
                values[one.labels.get("container", "")] = value
        if container:
            return values.get(container)
        return sum(values.values()) if values else None

    def _own_series(self, policy: Policy, pods: Sequence[LivePod], asked: Asked) -> Sequence[Series]:
        """The samples of the own cgroups of those pods, all of one namespace, that have a limit of their own."""
        names = [pod.name for pod in pods if measures_the_pod(policy, pod)]
        if not names:
            return []
        return asked.matrix(own_samples_query(policy, self._scope, namespace=pods[0].namespace, pods=names))

    def _judged(self, policy: Policy, pod: LivePod | None, *, series: Sequence[Series], at: int) -> Judged:
        if pod is None:
            return Judged(None, GONE)
        # The record keeps the question about this pod alone: a batch of a hundred names would fill the journal.
        query, own_query = (
            ask(policy, self._scope, namespace=pod.namespace, pods=[pod.name])
            for ask in (samples_query, own_samples_query)
        )
        verdict = judge(series, pod=pod, policy=policy, scope=self._scope, now=at, query=query, own_query=own_query)
        return Judged(pod, verdict)


def _may_be_asked_about(vetoes: Sequence[Veto]) -> bool:
    """Whether the pod has a workload of a kind that can be read."""
    return not any(veto.reason in {Reason.UNSUPPORTED_OWNER, Reason.NO_CONTROLLER} for veto in vetoes)


def _by_pod(series: Sequence[Series]) -> Mapping[str, list[Series]]:
    found: dict[str, list[Series]] = {}
    for one in series:
        found.setdefault(one.labels.get("pod", ""), []).append(one)
    return found
