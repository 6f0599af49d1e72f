"""One evaluation of one policy: nominate, judge, decide, and begin what may be done."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from remediator.act.census import Census
from remediator.act.examine import Examination
from remediator.act.gates import Gates
from remediator.act.looks import Go, Judged, Vetoed
from remediator.act.remediations import Remediations
from remediator.decide import about_gates, concerning
from remediator.decide.journal import budget_left
from remediator.decide.mass import WORKLOADS
from remediator.decide.queue import Queue, late_queue, waits
from remediator.decide.windows import window_closed
from remediator.detect.nominate import count, nominated
from remediator.detect.prometheus import Prometheus
from remediator.detect.promql import Queries, compile_queries
from remediator.detect.scope import Scope
from remediator.errors import (
    JournalError,
    KubernetesError,
    KubernetesOdd,
    KubernetesRefused,
    NotLeader,
    PrometheusError,
    RemediatorError,
)
from remediator.model.holds import Hold
from remediator.model.measures import Breach, Candidate, Veto
from remediator.model.pods import LivePod
from remediator.model.queues import LateQueue
from remediator.model.remediations import Ledger
from remediator.model.vocabulary import Action, Evaluation, Gate
from remediator.observe.logs import logger
from remediator.observe.metrics import Metrics
from remediator.observe.state import PolicyState, TermState
from remediator.observe.voice import Voice
from remediator.policy import Policy, PolicyFile

_NAMED = 10
"""Pods that a line about many names at most."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the queries of one evaluation gave. ``pods`` were measured; counted only where many were named."""

    outcome: Evaluation
    series: int
    coverage: float | None
    candidates: tuple[Candidate, ...]
    pods: int = 0


class Cycle:
    """Evaluates policies for as long as we lead."""

    def __init__(
        self,
        *,
        prometheus: Prometheus,
        census: Census,
        examination: Examination,
        remediations: Remediations,
        ledger: Callable[[], Ledger],
        policies: Callable[[], PolicyFile],
        gates: Gates,
        scope: Scope,
        state: TermState,
        metrics: Metrics,
        voice: Voice,
        clock: Callable[[], float],
    ) -> None:
        self._prometheus = prometheus
        self._census = census
        self._examination = examination
        self._remediations = remediations
        self._ledger = ledger
        self._policies = policies
        self._gates = gates
        self._scope = scope
        self._state = state
        self._metrics = metrics
        self._voice = voice
        self._clock = clock

    def evaluate(self, name: str) -> Evaluation:
        """Evaluate the policy of that name. Never raises: whatever goes wrong, nothing is taken and it is told."""
        started = time.monotonic()
        outcome = Evaluation.ERROR
        try:
            outcome = self._evaluate(name)
        except NotLeader as exc:
            logger().warning("evaluation ended", policy=name, outcome=outcome, error=str(exc))
        except JournalError as exc:
            outcome = Evaluation.HELD
            self._gates.tell(Gate.JOURNAL, str(exc))
            logger().error("evaluation held by the journal", policy=name, outcome=outcome, error=str(exc))
        except RemediatorError as exc:
            logger().error("evaluation failed", policy=name, outcome=outcome, error=str(exc))
        except Exception:  # noqa: BLE001
            # The one broad except of the program: a defect must not end the schedule, and must be seen.
            logger().exception("evaluation failed by a defect", policy=name, outcome=outcome)
        finally:
            self._metrics.evaluated(name, outcome, time.monotonic() - started)
        return outcome

    def review(self) -> None:
        """Between evaluations: adopt records that nobody works on, look after open breakers, and see to what holds.

        Each of these for itself: what can't be done now keeps none of the others. Never raises.
        """
        distrust = ""
        for look_after in (self._remediations.adopt, self._remediations.review_breakers):
            try:
                look_after()
            except JournalError as exc:
                distrust = str(exc)
                logger().error("held by the journal", error=distrust)
            except (RemediatorError, RuntimeError) as exc:
                # The latter where there may be no more threads just now.
                logger().warning("the journal's records can't be looked after now", error=str(exc))
        if self._record() or distrust:
            self._gates.tell(Gate.JOURNAL, distrust)
        policies = self._policies()
        if not any(policy.enabled and isinstance(policy.pace, int) for policy in policies.policies):
            # Nothing is evaluated before long, and whether Prometheus answers is to be seen all the same: in /readyz.
            with suppress(PrometheusError):
                self._prometheus.vector("vector(1)", at=int(self._clock()))
        self._gates.ask_seldom(policies)

    def _evaluate(self, name: str) -> Evaluation:
        policies = self._policies()
        policy = policies.named(name)
        if policy is None or not policy.enabled:
            return Evaluation.SKIPPED
        started = time.monotonic()
        self._ledger()
        self._gates.tell(Gate.JOURNAL, "")
        at = int(self._clock())
        measured = self._measure(policy, compile_queries(policy, policies.safety, self._scope), at)
        refused: set[str] = set()
        mass = self._census.before(measured.candidates, measured=measured.pods, safety=policies.safety)
        judged = [] if mass else self._judge(policy, measured.candidates, at, refused)
        # Once everybody has answered, so that their clocks are known.
        holds = self._gates.ask(policies)
        standing = concerning(about_gates(policies, holds), policy.action)
        live = [one.pod for _, one in judged if one.pod]
        mass = mass or self._census.after(measured.candidates, live, measured=measured.pods, safety=policies.safety)
        breaches: list[tuple[Breach, LivePod]] = []
        queues: dict[str, Queue] = {}
        begun = 0
        if mass:
            self._leave_all(policy, measured, mass)
        else:
            breaches = self._breaches(policy, judged)
            begun = self._decide(policy, policies, breaches, queues, refused, holds)
        outcome = measured.outcome
        # What was not looked at is neither late nor in time again.
        seen = outcome is Evaluation.OK and not (mass or refused or standing or window_closed(policy, self._clock()))
        late = self._late(policy, policies, queues.values()) if seen else ()
        if outcome is Evaluation.OK and (refused or mass or standing):
            outcome = Evaluation.ERROR if refused else Evaluation.HELD
        over = len(measured.candidates) if mass else len(breaches)
        self._state.evaluated(name, PolicyState(self._clock(), over, measured.coverage, late))
        self._record()
        logger().info(
            "evaluation",
            policy=name,
            outcome=outcome,
            series=measured.series,
            coverage=measured.coverage,
            nominated=len(measured.candidates),
            breaching=over,
            begun=begun,
            seconds=round(time.monotonic() - started, 3),
        )
        return outcome

    def _measure(self, policy: Policy, queries: Queries, at: int) -> Measured:
        series = count(self._prometheus, queries.fresh, at=at)
        if series == 0:
            seen = count(self._prometheus, queries.present, at=at)
            outcome = Evaluation.STALE if seen else Evaluation.NO_DATA
            why = f"no sample is younger than {policy.max_sample_age} s" if seen else "the selector matches no series"
            logger().warning(
                "nothing was measured", policy=policy.name, outcome=outcome, why=why, query=queries.present
            )
            return Measured(outcome, 0, None, ())
        coverage = self._coverage(queries.coverage, at)
        ordered = nominated(self._prometheus, policy, queries, at=at)
        pods = count(self._prometheus, queries.pods, at=at) if len(ordered) > WORKLOADS else 0
        return Measured(Evaluation.OK, series, coverage, ordered, pods)

    def _coverage(self, query: str, at: int) -> float | None:
        """Measured pods over running ones; None where kube-state-metrics tells of none."""
        found = self._prometheus.vector(query, at=at)
        return found[0][1] if found and math.isfinite(found[0][1]) else None

    def _leave_all(self, policy: Policy, measured: Measured, veto: Veto) -> None:
        """Every named pod is left alone: one line tells it for all of them."""
        pods = [f"{one.namespace}/{one.pod}" for one in measured.candidates]
        logger().error(
            "mass breach",
            policy=policy.name,
            outcome=Evaluation.HELD,
            why=veto.detail,
            nominated=len(pods),
            measured=measured.pods,
            pods=[*pods[:_NAMED], *([f"and {len(pods) - _NAMED} more"] if len(pods) > _NAMED else [])],
        )
        for one in measured.candidates:
            self._voice.vetoed((veto,), policy=policy.name, namespace=one.namespace, pod=one.pod, breach=None)

    def _judge(
        self, policy: Policy, candidates: Sequence[Candidate], at: int, refused: set[str]
    ) -> list[tuple[Candidate, Judged]]:
        """What each candidate turned out to be; namespaces that can't be read go to ``refused``."""
        by_namespace: dict[str, dict[str, Candidate]] = {}
        for candidate in candidates:
            by_namespace.setdefault(candidate.namespace, {})[candidate.pod] = candidate
        found: list[tuple[Candidate, Judged]] = []
        for namespace, named in by_namespace.items():
            try:
                judged = self._examination.judged(policy, namespace=namespace, names=list(named), at=at)
            except (KubernetesRefused, KubernetesOdd) as exc:
                _leave_namespace(policy, namespace, exc, refused)
                continue
            found.extend((named[name], one) for name, one in judged.items())
        return found

    def _breaches(self, policy: Policy, judged: Sequence[tuple[Candidate, Judged]]) -> list[tuple[Breach, LivePod]]:
        """The breaches, the most urgent first; of the others it is told why they are none."""
        breaches: list[tuple[Breach, LivePod]] = []
        for candidate, one in judged:
            if isinstance(one.verdict, Breach) and one.pod is not None:
                breaches.append((one.verdict, one.pod))
            else:
                self._leave(policy, candidate.namespace, candidate.pod, one)
        return sorted(breaches, key=lambda pair: pair[0].urgency, reverse=True)

    def _leave(self, policy: Policy, namespace: str, name: str, judged: Judged) -> None:
        if not isinstance(judged.verdict, Breach):
            self._voice.vetoed((judged.verdict,), policy=policy.name, namespace=namespace, pod=name, breach=None)

    def _decide(
        self,
        policy: Policy,
        policies: PolicyFile,
        breaches: Sequence[tuple[Breach, LivePod]],
        queues: dict[str, Queue],
        refused: set[str],
        holds: Sequence[Hold],
    ) -> int:
        """Begin what no guard objects to; how many that were.

        Pods that have to wait for their turn go to ``queues``, by the UID of their workload, and namespaces that can't
        be read to ``refused``.
        """
        begun, around = 0, self._examination.surroundings()
        for breach, pod in breaches:
            ledger = self._ledger()
            try:
                answer = self._examination.guarded(
                    breach, pod=pod, policy=policy, policies=policies, ledger=ledger, holds=holds, around=around
                )
            except (KubernetesRefused, KubernetesOdd) as exc:
                _leave_namespace(policy, breach.namespace, exc, refused)
                continue
            result = answer if isinstance(answer, Vetoed) else self._remediations.begin(answer)
            if isinstance(result, Vetoed):
                self._voice.vetoed(
                    result.vetoes,
                    policy=policy.name,
                    namespace=breach.namespace,
                    pod=breach.pod,
                    breach=breach,
                    workload=str(result.workload or ""),
                )
            else:
                begun += 1
                # Its world is about to change by our own hand.
                around.forget()
            ref = result.workload if isinstance(result, Vetoed) else result.record.workload
            if ref is not None:
                queue = queues.setdefault(ref.uid, Queue(ref))
                queue.workload = answer.workload if isinstance(answer, Go) else queue.workload
                taken = any(record.breach.uid == breach.uid for record in ledger.in_flight_of(ref.uid))
                if isinstance(result, Vetoed) and waits(result.vetoes) and not taken:
                    queue.breaches.append(breach)
        return begun

    def _late(self, policy: Policy, policies: PolicyFile, queues: Iterable[Queue]) -> tuple[LateQueue, ...]:
        """The queues that clear more slowly than their pods leak, the longest first; they are told of."""
        found = []
        if policy.action is not Action.NOTIFY:
            ledger, now = self._ledger(), self._clock()
            tried = (late_queue(queue, policy=policy, policies=policies, ledger=ledger, now=now) for queue in queues)
            found = sorted(filter(None, tried), key=lambda one: one.late, reverse=True)
        self._voice.late(policy.name, found)
        return tuple(found)

    def _record(self) -> bool:
        """Show the journal as last known; whether it is known."""
        try:
            ledger = self._ledger()
        except RemediatorError:
            # It is logged where it stopped the work; here is only the picture of it.
            return False
        self._state.recorded(ledger, budget_left(self._policies(), ledger, self._clock()))
        return True


def _leave_namespace(policy: Policy, namespace: str, error: KubernetesError, refused: set[str]) -> None:
    """No right to look at one namespace, or an odd object in it, is no reason to leave all others alone."""
    refused.add(namespace)
    logger().error("namespace left alone", policy=policy.name, namespace=namespace, error=str(error))
