"""The course of things once the daemon runs: look, show, and sum up."""

import time
from collections.abc import Iterator
from contextlib import suppress

from demo import audit
from demo.cast import FOR, NAMESPACE, THRESHOLD, roles
from demo.errors import Failed
from demo.interrupts import Interrupts
from demo.memory import Memory
from demo.pods import Place, Pod, placed, seen
from demo.process import ended
from demo.scene import Scene, scene, why_left_alone
from demo.show import Show
from demo.stage import ACCOUNT, Stage
from demo.still import Still
from demo.story import Story
from demo.summary import Replaced, Stayed
from demo.words import between
from remediator.model.vocabulary import Outcome, Reason
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon

DEADLINE = 150.0
"""Seconds from the start of the control plane until everything must have happened; it takes a third of that."""

# Seconds between two looks at the log, at the pods, and at the memory.
_TICK, _PODS, _MEMORY = 0.25, 0.5, 1.0
# Seconds for which the end is shown before it is summed up, and that the audit log may lag behind.
_LINGER, _LAG = 3.0, 5.0


class Play:
    """One performance."""

    def __init__(
        self,
        cluster: Cluster,
        stage: Stage,
        daemon: Daemon,
        *,
        show: Show,
        interrupts: Interrupts,
        still: Still | None = None,
        notes: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self._cluster = cluster
        self._stage = stage
        self._daemon = daemon
        self._show = show
        self._interrupts = interrupts
        self._still = still
        self._notes = notes
        self._story = Story(daemon.log_file)
        self._memory = Memory(cluster, namespace=NAMESPACE, threshold=THRESHOLD)
        self._places = tuple(Place(Pod(actor.pod, actor.uid, actor.role.workload)) for actor in stage.actors)
        self._next_memory = self._next_pods = time.monotonic()

    def until_replaced(self) -> int:
        """Shows what happens until all is done, sums up, and gives the exit code. Raises `Failed`."""
        while missing := self._missing():
            if self._show.elapsed > DEADLINE:
                message = f"after {DEADLINE:.0f} s there is still missing: {'; '.join(missing)}"
                raise Failed(message)
            self._tick()
        until = self._show.elapsed + _LINGER
        while self._show.elapsed < until:
            self._tick()
        return self._sum_up()

    def go_on(self) -> None:
        """Shows what happens until an interrupt, which is then how it was to end. Raises `Failed`."""
        self._show.step("going on until Ctrl-C; the new pods leak as well, and are over in about a minute", word="keep")
        self._show.slower()
        with suppress(KeyboardInterrupt):
            while True:
                self._tick()

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
            why = why_left_alone(actor.pod, actor.uid, story=self._story, reading=self._memory.reading)
            if why is None or reason not in why.reason.split(", "):
                missing.append(f"{actor.pod} is not said to be left alone as {reason}")
        return missing

    def _tick(self) -> None:
        """Looks at everything once, shows it, and waits a little."""
        self._interrupts.check()
        if (code := ended(self._daemon)) is not None:
            message = f"the daemon ended by itself, with exit code {code}"
            raise Failed(message)
        for name in self._cluster.components:
            if self._cluster.component(name).pid is None:
                message = f"{name} ended by itself{self._cluster.component(name).tail()}"
                raise Failed(message)
        now = time.monotonic()
        if now >= self._next_pods:
            self._next_pods = now + _PODS
            self._places = placed(self._places, seen(self._cluster.api.list("pods", NAMESPACE)))
        if now >= self._next_memory:
            self._next_memory = now + _MEMORY
            self._read_memory()
        for happening in self._story.read():
            self._show.tell(happening)
        picture = self._scene()
        if self._still:
            self._still.offer(picture)
        # A screen must not be left half drawn.
        with self._interrupts.held():
            self._show.draw(picture)
        time.sleep(_TICK)

    def _read_memory(self) -> None:
        names = {place.pod.uid: place.pod.name for place in self._places}
        fresh = self._memory.read()
        for uid in (uid for uid in fresh if uid in names):
            self._show.over(names[uid], self._memory.reading.now[uid])

    def _scene(self) -> Scene:
        return scene(
            self._places,
            cast=roles(),
            story=self._story,
            reading=self._memory.reading,
            elapsed=self._show.elapsed,
            said=self._show.said,
            notes=self._notes,
        )

    def _sum_up(self) -> int:
        """The tables, and what the audit log says to that; gives the exit code."""
        self._read_memory()
        self._show.picture(self._scene().rows)
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
        """One for each pod; a remediation that was called off before is told in its line."""
        wanted = {actor.uid for actor in self._stage.to_replace}
        done = [one for one in self._story.replacements.values() if one.outcome is Outcome.REPLACED]
        for one in (one for one in done if one.uid in wanted):
            over = self._memory.first_over(one.pod)
            yield Replaced(
                pod=one.pod,
                before=one.before,
                after=one.after,
                to_eviction=one.evicted_at - over - FOR if over and one.evicted_at else None,
                to_available=between(one.evicted_at, one.available_at),
                outcome=str(one.outcome),
            )

    def _stayed(self) -> Iterator[Stayed]:
        for actor in self._stage.to_leave:
            why = why_left_alone(actor.pod, actor.uid, story=self._story, reading=self._memory.reading)
            reason, words = (
                (why.reason, why.words) if why else (str(Reason.BELOW_THRESHOLD), "it was never over its threshold")
            )
            yield Stayed(actor.pod, self._memory.reading.now.get(actor.uid), reason, words)

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
