"""The demo from its first line to its last."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGTERM

import requests

from demo import audit
from demo.interrupts import Interrupts
from demo.memory import Memory
from demo.show import Addresses, Replaced, Show, Stayed
from demo.stage import ACCOUNT, FOR, HOME, NAMESPACE, THRESHOLD, Stage, policy, roles, set_stage
from demo.story import Story
from remediator.model.vocabulary import Outcome, Reason
from tests.rig import tools
from tests.rig.api import ApiError
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon
from tests.rig.errors import RigError

DEADLINE = 80.0
"""Seconds from the start of the control plane until the last of the three must have been replaced."""

_TICK = 0.25
# Seconds to the first picture of the memory, and between two, before the three are replaced and after that.
_FIRST_PICTURE, _PICTURE, _PICTURE_LATER = 2.5, 5.0, 15.0
# Seconds that the daemon has to end, and that the audit log may lag behind.
_GRACE, _LAG = 15.0, 5.0


class Failed(Exception):
    """The demo did not show what it is there to show; the text says why."""


def run(show: Show, *, keep: bool, interrupts: Interrupts) -> int:
    """Plays the demo, and gives the exit code: 0 where all went as it must, else 1. Leaves nothing running.

    With `keep` it goes on until an interrupt. Raises `KeyboardInterrupt` where that comes before the end.
    """
    show.introduce()
    try:
        tools.ensure()
        show.begin()
        with Cluster.start(progress=show.step) as cluster:
            try:
                return _play(cluster, show, keep=keep, interrupts=interrupts)
            finally:
                interrupts.close()
    except (Failed, RigError) as error:
        show.bad(f"The demo failed: {error}")
    # What the rig gives up waiting for is an AssertionError.
    except (AssertionError, ApiError, requests.RequestException) as error:
        show.bad(f"The demo failed: the control plane did not do what it was asked for: {error}")
    return 1


def _play(cluster: Cluster, show: Show, *, keep: bool, interrupts: Interrupts) -> int:
    show.step("creating the workloads, and the daemon's account")
    stage = set_stage(cluster)
    show.cast(roles())
    folder = Path(cluster.description.folder) / "daemon"
    folder.mkdir()
    daemon = Daemon(
        kubeconfig=stage.kubeconfig,
        prometheus_url=cluster.prometheus_url,
        namespace=HOME,
        policy=policy(),
        folder=folder,
        name=HOME,
        # It keeps the API server's certificate in a temporary file, and would leave it there if it were killed.
        environment={"TMPDIR": str(folder)},
    )
    with _running(daemon, interrupts):
        show.step(f"the daemon has been started, as {ACCOUNT}")
        if keep:
            show.addresses(_addresses(cluster, daemon))
        play = Play(cluster, stage, daemon, show)
        try:
            code = play.until_replaced(interrupts)
            if keep and code == 0:
                play.go_on(interrupts)
        except Exception:
            show.tail(daemon.tail())
            raise
        return code


class Play:
    """The course of things once the daemon runs."""

    def __init__(self, cluster: Cluster, stage: Stage, daemon: Daemon, show: Show) -> None:
        self._cluster = cluster
        self._stage = stage
        self._daemon = daemon
        self._show = show
        self._story = Story(daemon.log_file)
        self._memory = Memory(cluster, namespace=NAMESPACE, threshold=THRESHOLD)
        self._next_reading = time.monotonic()
        # By then the daemon has looked for the first time.
        self._next_picture = self._next_reading + _FIRST_PICTURE

    def until_replaced(self, interrupts: Interrupts) -> int:
        """Tells what happens until all is done, sums up, and gives the exit code. Raises `Failed`."""
        while missing := self._missing():
            interrupts.check()
            if self._show.elapsed > DEADLINE:
                message = f"after {DEADLINE:.0f} s there is still missing: {'; '.join(missing)}"
                raise Failed(message)
            self._tick(_PICTURE)
        return self._sum_up()

    def go_on(self, interrupts: Interrupts) -> None:
        """Tells what happens until an interrupt, which is then how it was to end. Raises `Failed`."""
        self._show.step("going on until Ctrl-C; the new pods leak as well, and are over in about a minute", word="keep")
        self._next_picture = time.monotonic() + _PICTURE_LATER
        with suppress(KeyboardInterrupt):
            while True:
                interrupts.check()
                self._tick(_PICTURE_LATER)

    def _missing(self) -> list[str]:
        """What has to happen yet."""
        missing = []
        for actor in self._stage.to_replace:
            one = self._story.of(actor.uid)
            if one is not None and one.opened_breaker:
                message = f"the replacement of {actor.pod} ended as {one.outcome}: {one.detail}"
                raise Failed(message)
            if one is None or one.outcome is not Outcome.REPLACED:
                missing.append(f"{actor.pod} is not replaced")
        for actor in self._stage.to_leave:
            reason = actor.role.left_alone
            said = self._story.left_alone.get(actor.uid)
            if reason is not Reason.BELOW_THRESHOLD and (said is None or reason not in said.reasons):
                missing.append(f"{actor.pod} is not said to be left alone as {reason}")
        return missing

    def _tick(self, picture: float) -> None:
        """Looks at everything once, tells what is new, and waits a little."""
        if (code := ended(self._daemon)) is not None:
            message = f"the daemon ended by itself, with exit code {code}"
            raise Failed(message)
        for name in self._cluster.components:
            if self._cluster.component(name).pid is None:
                message = f"{name} ended by itself{self._cluster.component(name).tail()}"
                raise Failed(message)
        now = time.monotonic()
        if now >= self._next_reading:
            self._next_reading = now + 1.0
            for pod in self._memory.read():
                self._show.over(pod, self._memory.now[pod])
        for happening in self._story.read():
            self._show.tell(happening)
        if now >= self._next_picture:
            self._next_picture = now + picture
            self._show.memory(self._memory.now)
        time.sleep(_TICK)

    def _sum_up(self) -> int:
        """The tables, and what the audit log says to that; gives the exit code."""
        self._memory.read()
        self._show.memory(self._memory.now)
        self._show.summary([*self._replaced()], [*self._stayed()])
        objections = self._objections()
        for objection in objections:
            self._show.bad(f"The demo failed: {objection}")
        if objections:
            return 1
        count = len(self._stage.to_replace)
        self._show.good(
            f"The API server's audit log agrees: {count} evictions, of these {count} pods, by the daemon's own account "
            f"{ACCOUNT}; no other pod was touched."
        )
        self._show.good(f"Done after {self._show.elapsed:.0f} s.")
        return 0

    def _replaced(self) -> Iterator[Replaced]:
        wanted = {actor.uid for actor in self._stage.to_replace}
        for one in (one for one in self._story.replacements.values() if one.uid in wanted):
            over = self._memory.over_since(one.pod)
            yield Replaced(
                pod=one.pod,
                before=one.before,
                after=one.after,
                to_eviction=one.evicted_at - over - FOR if over and one.evicted_at else None,
                to_available=one.available_at - one.evicted_at if one.available_at and one.evicted_at else None,
                outcome=str(one.outcome),
            )

    def _stayed(self) -> Iterator[Stayed]:
        for actor in self._stage.to_leave:
            said = self._story.left_alone.get(actor.uid)
            reason = ", ".join(said.reasons) if said else str(Reason.BELOW_THRESHOLD)
            words = said.detail if said else "it was never over its threshold"
            yield Stayed(actor.pod, self._memory.now.get(actor.pod), reason, words)

    def _objections(self) -> list[str]:
        """What the audit log and the pods that are there object; waits a moment for a log that lags behind."""
        until = time.monotonic() + _LAG
        while True:
            found = audit.objections(
                self._stage,
                events=self._cluster.audit(),
                said=self._story.replacements.values(),
                there={pod["metadata"]["uid"]: pod["metadata"]["name"] for pod in self._cluster.pods(NAMESPACE)},
            )
            if not found or time.monotonic() > until:
                return found
            time.sleep(_TICK)


def ended(daemon: Daemon) -> int | None:
    """The exit code of a daemon that has ended."""
    try:
        return daemon.wait(0)
    except subprocess.TimeoutExpired:
        return None


@contextmanager
def _running(daemon: Daemon, interrupts: Interrupts) -> Iterator[None]:
    """The daemon's process, ended whatever happens."""
    try:
        # It is nobody's child before its process is known.
        with interrupts.held():
            daemon.start()
        yield
    finally:
        try:
            interrupts.close()
        finally:
            _stop(daemon)


def _stop(daemon: Daemon) -> None:
    if ended(daemon) is not None:
        return
    daemon.signal(SIGTERM)
    try:
        daemon.wait(_GRACE)
    except subprocess.TimeoutExpired:
        daemon.kill()


def _addresses(cluster: Cluster, daemon: Daemon) -> Addresses:
    return Addresses(
        kubeconfig=cluster.kubeconfig,
        prometheus=cluster.prometheus_url,
        metrics=f"{daemon.url}/metrics",
        log=daemon.log_file,
    )
