"""One soak: remediations under faults at random, what must hold all the while, and how it ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.chaos.soak.chronicle import Chronicle, Limits
from tests.chaos.soak.faults import FAULTS, Begin, End
from tests.chaos.soak.stage import Stage, staged
from tests.chaos.soak.watcher import Count, Watcher
from tests.rig.cluster import Cluster

LATE = 150.0
"""Seconds that a record may take to end when nothing goes wrong any more: an inherited intent that the guards don't
confirm is kept in flight until no old request can arrive."""
HEARD = 10.0
"""Seconds after which a daemon has read the policy file that pauses it, and what it was about to begin has begun."""
LOOK = 0.5


@dataclass
class Progress:
    """How far it is, and in the end how it went; ``violations`` are defects, and there must be none."""

    seed: int
    wanted: int
    settled: int = 0
    seconds: float = 0.0
    active: tuple[str, ...] = ()
    faults: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    leaders: int = 0
    missing: int = 0
    violations: list[str] = field(default_factory=list)


Tell = Callable[[Progress], None]
Say = Callable[[str], None]


def soak(
    cluster: Cluster,
    *,
    folder: Path,
    seed: int,
    remediations: int,
    workloads: int,
    limits: Limits,
    at_most: float,
    leaders: int = 1,
    faults: Sequence[Begin] = FAULTS,
    say: Say = lambda _line: None,
    tell: Tell = lambda _progress: None,
) -> Progress:
    """Runs until so many pods were replaced, by so many leaders or more, and until all has come to rest then.

    For at most so many seconds, but for the rest.
    """
    progress = Progress(seed, remediations)
    with staged(cluster, folder=folder, number=workloads, limits=limits, say=say) as stage:
        chronicle = Chronicle(home=stage.home, namespaces=stage.namespaces.values(), limits=limits)
        with Watcher(cluster, Count(stage.wanted, stage.allowed)) as watcher:
            run = _Run(stage, chronicle, watcher, progress, tell, leaders)
            for end in run.disturbed(Random(seed), faults, at_most=at_most):
                end()
            say("nothing goes wrong any more; what is in flight comes to an end")
            run.come_to_rest()
    return progress


class _Run:
    def __init__(
        self, stage: Stage, chronicle: Chronicle, watcher: Watcher, progress: Progress, tell: Tell, leaders: int
    ) -> None:
        self._stage = stage
        self._chronicle = chronicle
        self._watcher = watcher
        self._progress = progress
        self._tell = tell
        self._leaders = leaders
        self._began = time.monotonic()

    def disturbed(self, random: Random, faults: Sequence[Begin], *, at_most: float) -> Iterator[End]:
        """Begins one fault after the other, several at a time; gives the ends of those that are left."""
        active: dict[str, tuple[float, End]] = {}
        # In rounds, so that a short run has met each of them as well.
        order = _rounds(random, faults)
        following = time.monotonic() + 2
        while self._goes_on(at_most):
            now = time.monotonic()
            for name, (until, end) in list(active.items()):
                if now >= until:
                    end()
                    del active[name]
            if now >= following:
                fault = next(order)
                following = now + random.uniform(1, 5)
                if fault.__name__ not in active:
                    seconds, end = fault(self._stage, random)
                    active[fault.__name__] = (now + seconds, end)
                    self._progress.faults[fault.__name__] += 1
            self._look(tuple(active))
            time.sleep(LOOK)
        yield from (end for _, end in active.values())

    def _goes_on(self, at_most: float) -> bool:
        enough = self._progress.settled >= self._progress.wanted and self._progress.leaders >= self._leaders
        return not (enough or self._progress.violations or time.monotonic() - self._began > at_most)

    def come_to_rest(self) -> None:
        """What is in flight ends, nothing new is begun, and all pods are Ready; else that is a violation as well."""
        # Before the pause: it would call intents off that a leader of before may have acted on.
        self._until(lambda: not self._chronicle.inherited, "records of leaders of before are still in flight")
        self._stage.pause()
        paused = time.monotonic()
        self._until(
            lambda: time.monotonic() - paused > HEARD and not self._chronicle.in_flight, "records are still in flight"
        )
        self._until(lambda: not any(self._missing().values()), "not all pods are Ready")
        self._chronicle.close()
        missing = [f"{'/'.join(workload)} lacks {count}" for workload, count in self._missing().items() if count]
        self._progress.violations += [one for one in missing if one not in self._progress.violations]
        self._look(())

    def _missing(self) -> dict[tuple[str, str], int]:
        count = self._watcher.count
        return {workload: count.missing(workload) for workload in count.wanted}

    def _until(self, condition: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + LATE
        while not condition():
            if time.monotonic() > deadline:
                self._chronicle.violations.append(f"{LATE:.0f} s after the last fault: {otherwise}")
                return
            self._look(())
            time.sleep(LOOK)

    def _look(self, active: tuple[str, ...]) -> None:
        chronicle, count, progress = self._chronicle, self._watcher.count, self._progress
        chronicle.read(self._stage.cluster.audit())
        progress.active = active
        progress.seconds = time.monotonic() - self._began
        progress.outcomes, progress.actions = chronicle.outcomes, chronicle.actions
        progress.settled = progress.outcomes["replaced"]
        progress.leaders = chronicle.epoch
        progress.missing = max(count.worst.values(), default=0)
        problem = [self._watcher.problem] if self._watcher.problem else []
        for words in (*chronicle.violations, *count.violations, *problem, *self._stage.ended()):
            if words not in progress.violations:
                progress.violations.append(words)
        self._tell(progress)


def _rounds(random: Random, faults: Sequence[Begin]) -> Iterator[Begin]:
    """All of them in an order at random, and again."""
    while True:
        yield from random.sample(faults, len(faults))
