"""The composition root: builds the parts, starts and stops them in order. The life of the process reads downwards."""

from __future__ import annotations

import os
import queue
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType

from remediator.act.census import Census
from remediator.act.examine import Examination
from remediator.act.gates import Gates
from remediator.act.hooks import Hooks
from remediator.act.journal import KEY, Journal
from remediator.act.means import Means
from remediator.act.remediations import Remediations
from remediator.act.taking import LATE
from remediator.cluster.api import ApiServer, connect
from remediator.cluster.disruption import DisruptionBudgets
from remediator.cluster.election import Elector
from remediator.cluster.events import Events
from remediator.cluster.neighbours import Neighbourhood
from remediator.cluster.nodes import Nodes
from remediator.cluster.orphans import Orphans
from remediator.cluster.owners import Owners
from remediator.cluster.pods import Pods
from remediator.cluster.removal import Removal
from remediator.cluster.store import Leases, TextStore
from remediator.cycle import Cycle
from remediator.detect.prometheus import Prometheus
from remediator.errors import PolicyError, PrometheusError
from remediator.model.holds import by_gate
from remediator.model.remediations import Remediation
from remediator.observe.clocks import API_SERVER, PROMETHEUS, Clocks
from remediator.observe.http import HttpServer, application
from remediator.observe.logs import logger
from remediator.observe.metrics import Metrics
from remediator.observe.state import Pace, State
from remediator.observe.voice import Voice
from remediator.policy import Cron, Policy, PolicyFile
from remediator.pulse import LONGEST, Pulse
from remediator.reload import Reload
from remediator.schedule import At, Every, Schedule
from remediator.settings import Settings

HEARTBEAT, REVIEW = 5, 10
"""Seconds between heartbeats, and looks at the journal's records, or a standby's at Prometheus."""
_EVALUATE = "evaluate "
WAKE = 1.0
"""Seconds after which a signal is heard at the latest."""
_BEAT = 10.0
"""Seconds after which a thread that waits for a time which it knows says that it lives."""
LAST_WRITE = 20.0
"""Seconds that a write at hand may take when we are told to stop: an eviction's time-out and a little."""


class Term:
    """What exists while we lead: built when the lease is won, ended for good when it is lost."""

    def __init__(self, daemon: Daemon) -> None:
        self._ending = threading.Event()
        self._pulse = daemon.pulse
        settings, api = daemon.settings, daemon.api
        pods = Pods(api)
        owners = Owners(api, pods)
        nodes = Nodes(api, readable=settings.nodes)
        self.journal = Journal(
            TextStore(api, namespace=daemon.namespace, key=KEY), name=f"{settings.name}-journal", elector=daemon.elector
        )
        neighbourhood = Neighbourhood(api)
        removal = Removal(api, fence=daemon.elector.fence)
        examination = Examination(
            prometheus=daemon.prometheus,
            pods=pods,
            owners=owners,
            nodes=nodes,
            budgets=DisruptionBudgets(api),
            neighbourhood=neighbourhood,
            scope=settings.scope,
            clock=time.time,
        )
        told = daemon.state.term()
        gates = Gates(
            prometheus=daemon.prometheus,
            clocks=daemon.clocks,
            ledger=lambda: self.journal.ledger,
            state=told,
            clock=time.time,
        )
        means = Means(
            api=api,
            pods=pods,
            owners=owners,
            hooks=Hooks(daemon.connection, fence=daemon.elector.fence),
            removal=removal,
            orphans=Orphans(api, removal),
            neighbourhood=neighbourhood,
            events=Events(api),
            nodes=nodes,
            journal=self.journal,
            examination=examination,
            voice=daemon.voice,
            clock=time.time,
            monotonic=time.monotonic,
            pause=self._pause,
            policies=daemon.policies,
            home=f"{daemon.namespace}/{settings.name}",
            holds=gates.ask,
            sample_interval=settings.sample_interval,
            late=LATE + settings.lease_duration,
            pulse=daemon.pulse,
        )
        self.remediations = Remediations(means, failed=_tell_failed)
        self.cycle = Cycle(
            prometheus=daemon.prometheus,
            census=Census(pods, owners),
            examination=examination,
            remediations=self.remediations,
            ledger=self.journal.current,
            policies=daemon.policies,
            gates=gates,
            scope=settings.scope,
            state=told,
            metrics=daemon.metrics,
            voice=daemon.voice,
            clock=time.time,
        )

    def jobs(self, policies: PolicyFile) -> dict[str, Every | At]:
        """What runs while we lead: an evaluation for each policy, and a look after the records."""
        evaluations = {
            f"{_EVALUATE}{policy.name}": self._evaluation(policy) for policy in policies.policies if policy.enabled
        }
        return {"review": Every(REVIEW, self.cycle.review, apart=True), **evaluations}

    def _evaluation(self, policy: Policy) -> Every | At:
        run = partial(self.cycle.evaluate, policy.name)
        if isinstance(policy.pace, Cron):
            return At(policy.pace, run, policy.jitter)
        return Every(policy.pace, run, policy.jitter)

    def _pause(self, seconds: float) -> bool:
        """Wait so long, or until the term ends, and say which; whoever waits for a time that he knows does not hang."""
        over = time.monotonic() + seconds
        while not self._ending.is_set() and (left := over - time.monotonic()) > 0:
            self._pulse.beat()
            self._ending.wait(min(left, _BEAT))
        return self._ending.is_set()

    def end(self, *, timeout: float) -> None:
        """Begin nothing more, let the writes at hand end, and leave the rest to the next leader.

        At most that many seconds in all.
        """
        deadline = time.monotonic() + timeout
        self._ending.set()
        self.remediations.join(timeout)
        self.journal.close(timeout=deadline - time.monotonic())


class Daemon:
    """``remediator run``."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError where a setting can't be used."""
        self.settings = settings
        self.state = State(clock=time.time)
        self.metrics = Metrics(self.state)
        self.pulse = Pulse(longest=LONGEST + settings.prometheus_timeout)
        self.pulse.recurred("the scheduler")
        self.voice = Voice(self.metrics)
        self.connection = connect(settings.kubeconfig)
        self.namespace = settings.namespace or self.connection.namespace
        self.clocks = Clocks()
        self.api = ApiServer(self.connection, observe=self._kubernetes_answered, heard=self.clocks.of(API_SERVER))
        self.prometheus = Prometheus(
            settings.access, observe=self._prometheus_answered, heard=self.clocks.of(PROMETHEUS)
        )
        self.elector = Elector(
            Leases(self.api, namespace=self.namespace, name=settings.name),
            identity=f"{socket.gethostname()}_{uuid.uuid4()}",
            duration=settings.lease_duration,
            on_change=lambda leading, words: self._leadership.put((leading, words)),
            hung=lambda: self.pulse.hung,
        )
        self._leadership: queue.SimpleQueue[tuple[bool, str] | None] = queue.SimpleQueue()
        self._schedule = Schedule(skipped=self._skipped, pulse=self.pulse)
        self._http = HttpServer(settings.http_address, application(self.state, self.metrics, self.pulse))
        self._reload = Reload(
            settings.policy,
            sample_interval=settings.sample_interval,
            own_namespace=self.namespace,
            state=self.state,
            pulse=self.pulse,
            taken=self._taken,
        )
        self._term: Term | None = None
        self._election_died = False
        self._stuck = False
        self._lock = threading.Lock()

    def run(self) -> int:
        """Work until SIGTERM or SIGINT, then give 0; 1 where the election died. Raises SettingsError at the start."""
        address = self._http.start()
        logger().info("listening", address=address, namespace=self.namespace, identity=self.elector.identity)
        elector = threading.Thread(target=self._elect, name="elector", daemon=True)
        with self._until_told_to_stop():
            self._schedule.start()
            self._arrange()
            self._reload.start()
            elector.start()
            while (change := self._next_change()) is not None:
                self._lead(*change)
        logger().info("stopping", why="the election died" if self._election_died else "told to")
        deadline = time.monotonic() + LAST_WRITE
        self._reload.stop()
        self._schedule.stop()
        self._end_term(timeout=LAST_WRITE)
        self.elector.stop()
        elector.join(max(deadline - time.monotonic(), 1.0))
        if not elector.is_alive():
            self.elector.release()
        self._http.stop()
        logger().info("stopped")
        return 1 if self._election_died else 0

    def _next_change(self) -> tuple[bool, str] | None:
        """The next change of leadership; None where we are told to stop."""
        while True:
            # The kernel may give a signal to any thread, which interrupts no wait of this one; and its handler runs in
            # this one alone, once that wakes.
            with suppress(queue.Empty):
                return self._leadership.get(timeout=WAKE)

    def _elect(self) -> None:
        """The election; a process whose election has died is a leader in name only, and ends."""
        try:
            self.elector.run()
        except BaseException:
            self._election_died = True
            self._leadership.put(None)
            raise

    def policies(self) -> PolicyFile:
        """The policies that hold now."""
        policies = self._reload.policies
        if policies is None:
            message = "no policy has been read yet"
            raise PolicyError([]) from RuntimeError(message)
        return policies

    @contextmanager
    def _until_told_to_stop(self) -> Iterator[None]:
        def stop(_number: int, _frame: FrameType | None) -> None:
            self._leadership.put(None)

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _lead(self, leading: bool, words: str) -> None:  # noqa: FBT001  the order of the elector's callback
        standby = self.elector.standby
        self.state.led(leading=leading, standby=words if standby else "")
        self.state.depends("leader", "" if leading or standby else words)
        logger().info("leading" if leading else "not leading", why=words)
        self._end_term(timeout=LAST_WRITE)
        if leading:
            with self._lock:
                self._term = Term(self)
        self._arrange(anew=leading)

    def _end_term(self, *, timeout: float) -> None:
        with self._lock:
            term, self._term = self._term, None
        if term is not None:
            self._arrange()
            term.end(timeout=timeout)

    def _arrange(self, *, anew: bool = False) -> None:
        """The jobs that run now; ``anew`` where what ran in an earlier term does not count."""
        jobs: dict[str, Every | At] = {"heartbeat": Every(HEARTBEAT, self._beat, apart=True)}
        with self._lock:
            policies = self._reload.policies
            if self._term is not None and policies is not None:
                jobs |= self._term.jobs(policies)
            if self._term is None:
                jobs |= {"prometheus": Every(REVIEW, self._ask_prometheus, apart=True)}
            # Under the lock: jobs of a term that has ended must not come back.
            self._schedule.replace(jobs, anew=anew)

    def _beat(self) -> None:
        self.pulse.recurred("the scheduler")
        # Seen twice: in a process that was frozen, and goes on, everything is late at first.
        before, self._stuck = self._stuck, self.elector.stuck
        if before and self._stuck:
            # Nothing in this process can end that request; a new process can.
            self._election_died = True
            self._leadership.put(None)

    def _ask_prometheus(self) -> None:
        """Whether a standby could work: who leads asks anyway."""
        # What goes wrong is in /readyz.
        with suppress(PrometheusError):
            self.prometheus.vector("vector(1)", at=int(time.time()))

    def _taken(self, policies: PolicyFile) -> None:
        """A new policy file is in force."""
        names = tuple(policy.name for policy in policies.policies)
        paces = {one.name: Pace(one.interval, one.when) for one in policies.policies if one.enabled}
        self.state.policies(names, by_gate(policies.safety.hold_when), paces)
        self.metrics.keep(names)
        self._arrange()

    def _skipped(self, job: str) -> None:
        policy = job.removeprefix(_EVALUATE)
        if policy != job:
            self.metrics.skipped(policy)
            logger().warning("evaluation skipped", policy=policy, why="the one before it still runs")

    def _prometheus_answered(self, outcome: str, seconds: float, words: str) -> None:
        self.pulse.beat()
        self.metrics.prometheus(outcome, seconds)
        self.state.depends("prometheus", words)

    def _kubernetes_answered(self, verb: str, outcome: str, seconds: float, words: str) -> None:
        self.pulse.beat()
        self.metrics.kubernetes(verb, outcome, seconds)
        # "No such object" and "somebody was faster" are answers like any other.
        well = outcome in {"ok", "404", "409", "410", "429"}
        self.state.depends("kubernetes", "" if well else words)


def _tell_failed(record: Remediation, error: Exception) -> None:
    logger().warning(
        "remediation left in flight",
        remediation_id=record.id,
        workload=str(record.workload),
        namespace=record.breach.namespace,
        pod=record.breach.pod,
        uid=record.breach.uid,
        error=str(error),
    )


def run(settings: Settings) -> int:
    """Run the daemon; gives the exit code. Raises SettingsError."""
    code = Daemon(settings).run()
    # Threads that wait for an answer of Prometheus hold nothing that has to be put away.
    if threading.active_count() > 1:
        os._exit(code)
    return code
