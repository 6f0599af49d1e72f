"""``plan``: what the daemon would do now, by its own queries, judge and guards, and without doing any of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from remediator.act import ledger as changes
from remediator.act.census import Census
from remediator.act.examine import Examination
from remediator.act.intent import intend
from remediator.act.looks import Go, Vetoed
from remediator.act.rehearsal import rehearse, rehearsed
from remediator.cluster.orphans import Orphans
from remediator.cluster.removal import Answer, Removal, Taken
from remediator.decide.clock import clock_hold
from remediator.detect.holds import ask_holds
from remediator.detect.nominate import nominated
from remediator.detect.prometheus import Prometheus
from remediator.detect.promql import Queries, compile_queries
from remediator.detect.scope import Scope
from remediator.errors import KubernetesError, MeasurementError, PrometheusError
from remediator.model.holds import Hold
from remediator.model.measures import Breach, Candidate, Veto
from remediator.model.pods import LivePod
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Action, Evaluation, Reason
from remediator.model.workloads import WorkloadRef
from remediator.observe.clocks import Clocks
from remediator.policy import Policy, PolicyFile
from remediator.survey import values
from remediator.survey.ask import Ask, Tell
from remediator.survey.ledger import Account
from remediator.survey.lines import Evaluated, Line, Plan, Verdict
from remediator.survey.live import Live
from remediator.survey.workloads import is_only

_TRIES = 3
_AGAIN = frozenset({Answer.CHANGED, Answer.CONTENTION})
"""Answers that say nothing of the pod but that something was being written just then."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a plan is made with. ``dry_run`` is what dry runs are asked by, and is None where nobody wants them."""

    prometheus: Prometheus
    live: Live
    dry_run: tuple[Removal, Orphans] | None
    clocks: Clocks
    scope: Scope
    clock: Callable[[], float]
    tell: Tell


@dataclass(slots=True)
class _Case:
    """One policy and what was measured for it."""

    policy: Policy
    evaluated: Evaluated
    measured: values.Measured = field(default_factory=values.Measured)
    candidates: tuple[Candidate, ...] = ()


def make(policies: PolicyFile, means: Means, account: Account) -> Plan:
    """The plan. Raises KubernetesError where the cluster can't be read at all."""
    at = int(means.clock())
    ask = Ask(means.prometheus, at=at, tell=means.tell)
    cases = {policy.name: _case(ask, policy, policies, means.scope) for policy in policies.policies}
    namespaces = {namespace for case in cases.values() for namespace, _ in case.measured.values}
    means.live.read(policies, measured=namespaces)
    holds = ask_holds(means.prometheus, policies.safety.hold_when, at=at)
    if clock := clock_hold(means.clocks.readings, account.ledger, means.clock()):
        holds = (*holds, clock)
    draft = _Draft(policies, means, account, at, holds)
    matched = list(means.live.matched(policies))
    by_policy: dict[str, list[tuple[LivePod, WorkloadRef | None]]] = defaultdict(list)
    for pod, owner, policy in matched:
        by_policy[policy.name].append((pod, owner))
    for name, case in cases.items():
        draft.judge(case, by_policy.get(name, ()))
    draft.decide()
    errors = [f"policy {case.policy.name}: {case.evaluated.words}" for case in cases.values() if _failed(case)]
    errors += [f"namespace {name}: {why}" for name, why in means.live.refused.items()]
    errors += [account.held] if account.held else []
    notes = [account.note] if account.note else []
    notes += [f"nothing is taken while this holds all action: {hold.why}" for hold in holds]
    return Plan(draft.lines, tuple(case.evaluated for case in cases.values()), tuple(notes), tuple(errors), holds)


def _case(ask: Ask, policy: Policy, policies: PolicyFile, scope: Scope) -> _Case:
    """Ask what one evaluation asks, and for the memory of all pods besides; never raises."""
    if not policy.enabled:
        return _Case(policy, Evaluated(policy.name, Evaluation.SKIPPED, "it is disabled"))
    queries = compile_queries(policy, policies.safety, scope)
    try:
        return _asked(ask, policy, policies, scope, queries)
    except (PrometheusError, MeasurementError) as exc:
        return _Case(policy, Evaluated(policy.name, Evaluation.ERROR, str(exc), query=queries.nominate))


def _asked(ask: Ask, policy: Policy, policies: PolicyFile, scope: Scope, queries: Queries) -> _Case:
    ask.tell(f"policy {policy.name}: asking Prometheus")
    if not ask.number(queries.fresh):
        if ask.number(queries.present):
            words = f"no sample is younger than {policy.max_sample_age} s"
            return _Case(policy, Evaluated(policy.name, Evaluation.STALE, words, query=queries.nominate))
        words = "the selector matches no series; remediator check --prometheus-url names what empties it"
        return _Case(policy, Evaluated(policy.name, Evaluation.NO_DATA, words, query=queries.nominate))
    candidates = nominated(ask.prometheus, policy, queries, at=ask.at)
    measured = values.measure(ask, policy, policies.safety, scope)
    evaluated = Evaluated(
        policy.name, Evaluation.OK, pods=len(measured.values), nominated=len(candidates), query=queries.nominate
    )
    return _Case(policy, evaluated, measured, candidates)


def _failed(case: _Case) -> bool:
    return case.evaluated.outcome in {Evaluation.ERROR, Evaluation.NO_DATA, Evaluation.STALE}


@dataclass(frozen=True, slots=True)
class _Over:
    """A pod that was judged to be over."""

    breach: Breach
    pod: LivePod
    policy: Policy
    line: Line


class _Draft:
    """The plan while it is being made."""

    def __init__(self, policies: PolicyFile, means: Means, account: Account, at: int, holds: tuple[Hold, ...]) -> None:
        self._policies = policies
        self._holds = holds
        self._means = means
        self._at = at
        self._now = account.ledger
        # What the journal would hold if all that was planned so far had begun.
        self._then = account.ledger
        self._over: list[_Over] = []
        self._lines: list[Line] = []
        live = means.live
        self._census = Census(live.pods, live.owners)
        self._examination = Examination(
            prometheus=means.prometheus,
            pods=live.pods,
            owners=live.owners,
            nodes=live.nodes,
            budgets=live.budgets,
            neighbourhood=live.neighbourhood,
            scope=means.scope,
            clock=means.clock,
        )
        self._around = self._examination.surroundings()

    @property
    def lines(self) -> tuple[Line, ...]:
        """All of them, the most urgent first."""
        ordered = sorted(self._lines, key=lambda line: (line.namespace, line.pod))
        return tuple(sorted(ordered, key=lambda line: line.weight.urgency, reverse=True))

    def judge(self, case: _Case, matched: Sequence[tuple[LivePod, WorkloadRef | None]]) -> None:
        """Give each pod of one policy its line, but those that are over: these wait for their turn."""
        named = {(one.namespace, one.pod) for one in case.candidates}
        mass = self._mass(case)
        nominated: dict[str, list[Line]] = defaultdict(list)
        pods: dict[tuple[str, str], LivePod] = {}
        for pod, owner in matched:
            line = self._line(case, pod, owner)
            if not case.policy.enabled:
                veto = Veto(Reason.NOT_MATCHED, f"its policy {case.policy.name} is disabled")
                self._lines.append(replace(line, verdict=Verdict.LEFT_ALONE, reasons=(veto,)))
            elif _failed(case):
                self._lines.append(replace(line, verdict=Verdict.COULD_NOT_TELL, words=case.evaluated.words))
            elif (pod.namespace, pod.name) not in named:
                self._lines.append(line)
            elif mass:
                self._lines.append(replace(line, verdict=Verdict.LEFT_ALONE, reasons=(mass,)))
            else:
                nominated[pod.namespace].append(line)
                pods[pod.namespace, pod.name] = pod
        for namespace, lines in nominated.items():
            self._judge_namespace(case, namespace, lines, pods)

    def _judge_namespace(
        self, case: _Case, namespace: str, lines: Sequence[Line], pods: Mapping[tuple[str, str], LivePod]
    ) -> None:
        self._means.tell(f"policy {case.policy.name}: judging {len(lines):,} pods of {namespace}")
        by_name = {line.pod: line for line in lines}
        try:
            judged = self._examination.judged(case.policy, namespace=namespace, names=list(by_name), at=self._at)
        except (KubernetesError, PrometheusError, MeasurementError) as exc:
            self._lines.extend(replace(line, verdict=Verdict.COULD_NOT_TELL, words=str(exc)) for line in lines)
            return
        for name, line in by_name.items():
            verdict = judged[name].verdict
            if isinstance(verdict, Breach):
                over = replace(line, weight=case.measured.of_breach(verdict), emergency=verdict.emergency)
                self._over.append(_Over(verdict, pods[namespace, name], case.policy, over))
            else:
                below = verdict.reason is Reason.BELOW_THRESHOLD
                kind = Verdict.BELOW if below else Verdict.LEFT_ALONE
                self._lines.append(replace(line, verdict=kind, reasons=(verdict,)))

    def decide(self) -> None:
        """Ask the guards about each pod that is over, the most urgent first, as if each one before it had begun."""
        ordered = sorted(self._over, key=lambda one: one.breach.urgency, reverse=True)
        for number, over in enumerate(ordered, start=1):
            self._means.tell(f"asking the guards: {number:,} of {len(ordered):,} pods that are over")
            try:
                self._lines.append(self._decided(over))
            except KubernetesError as exc:
                self._lines.append(replace(over.line, verdict=Verdict.COULD_NOT_TELL, words=str(exc)))

    def _decided(self, over: _Over) -> Line:
        answer = self._guarded(over, self._now)
        if isinstance(answer, Vetoed):
            return replace(over.line, verdict=Verdict.LEFT_ALONE, reasons=answer.vetoes)
        line = self._as_held_back(over.line, answer)
        later = self._guarded(over, self._then)
        if isinstance(later, Vetoed):
            return replace(line, verdict=Verdict.WAITS, reasons=later.vetoes)
        if answer.policy.dry_run and self._means.dry_run is not None:
            return replace(line, verdict=Verdict.LEFT_ALONE, reasons=rehearsed(answer, *self._means.dry_run))
        if answer.policy.dry_run:
            veto = Veto(Reason.DRY_RUN, "the policy is on trial")
            return replace(line, verdict=Verdict.LEFT_ALONE, reasons=(veto,))
        line = self._asked(answer, line)
        if line.verdict is Verdict.WOULD_ACT and answer.policy.action is not Action.NOTIFY:
            record = intend(answer, ledger=self._then, now=self._means.clock())
            self._then = changes.intended(self._then, record)
        return line

    def _as_held_back(self, line: Line, go: Go) -> Line:
        """The line by the policy that holds for the pod: its workload's annotations may have held that back."""
        weight = replace(line.weight, value=go.breach.value, threshold=go.breach.threshold, limit=go.breach.limit)
        return replace(
            line,
            action=go.policy.action,
            threshold=go.policy.threshold.text,
            weight=weight,
            words=f"{go.policy.action} instead: {go.instead}" if go.instead else line.words,
            emergency=go.breach.emergency,
        )

    def _guarded(self, over: _Over, ledger: Ledger) -> Go | Vetoed:
        return self._examination.guarded(
            over.breach,
            pod=over.pod,
            policy=over.policy,
            policies=self._policies,
            ledger=ledger,
            holds=self._holds,
            every_stage=True,
            around=self._around,
        )

    def _asked(self, go: Go, line: Line) -> Line:
        """What the API server says to a dry run, which changes nothing; the guards' word where it is not asked."""
        dry_run = self._means.dry_run
        if dry_run is None or go.policy.action is Action.NOTIFY:
            return replace(line, verdict=Verdict.WOULD_ACT)
        pod, taken = go.pod, Taken(Answer.UNKNOWN)
        for _ in range(_TRIES):
            taken = rehearse(pod, go, *dry_run)
            if taken.answer not in _AGAIN:
                break
            found = self._means.live.pods.again(pod)
            if found is None or found.uid != pod.uid:
                taken = Taken(Answer.GONE)
                break
            pod = found
        match taken.answer:
            case Answer.ACCEPTED:
                return replace(line, verdict=Verdict.WOULD_ACT)
            case Answer.GONE:
                veto = Veto(Reason.GONE, "it has gone in the meantime")
                return replace(line, verdict=Verdict.LEFT_ALONE, reasons=(veto,))
            case Answer.BUDGET:
                veto = Veto(Reason.DISRUPTION_BUDGET, taken.words)
                return replace(line, verdict=Verdict.LEFT_ALONE, reasons=(veto,))
            case _:
                words = f"the API server's answer to a dry run: {taken.words}"
                return replace(line, verdict=Verdict.COULD_NOT_TELL, words=words)

    def _mass(self, case: _Case) -> Veto | None:
        pods = (self._listed(one) for one in case.candidates)
        live = [pod for pod in pods if pod is not None]
        return self._census.after(case.candidates, live, measured=case.evaluated.pods, safety=self._policies.safety)

    def _listed(self, candidate: Candidate) -> LivePod | None:
        return self._means.live.pods.by_namespace.get(candidate.namespace, {}).get(candidate.pod)

    def _line(self, case: _Case, pod: LivePod, owner: WorkloadRef | None) -> Line:
        weight = case.measured.weigh(pod, case.policy)
        boundless = weight.value is not None and weight.threshold is None
        return Line(
            namespace=pod.namespace,
            pod=pod.name,
            uid=pod.uid,
            node=pod.node,
            workload=str(owner or ""),
            policy=case.policy.name,
            action=case.policy.action,
            threshold=case.policy.threshold.text,
            weight=weight,
            verdict=Verdict.NOT_MEASURED if weight.value is None else Verdict.BELOW,
            words=f"nothing is set that {case.policy.threshold} could be of, so it is never over" if boundless else "",
            only_replica=owner is not None and is_only(owner, self._means.live.owners.pods_of(owner)),
            before=tuple(map(str, case.policy.before)),
        )
