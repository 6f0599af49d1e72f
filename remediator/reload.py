"""The policy file as it holds: read at the start, and again whenever it has become another one.

A thread of its own looks, so that no evaluation that waits for Prometheus holds a kill switch up. A file that can't be
used changes nothing but what is said.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from remediator.errors import PolicyError
from remediator.observe.logs import logger
from remediator.observe.state import State
from remediator.policy import PolicyFile, PolicyWatch, load
from remediator.pulse import Pulse

LOOK = 0.1
"""Seconds between two looks. A file is in force after two of them at most, and the time that it takes to read."""
_NAME = "the reader of the policy file"


class Reload:
    """Keeps the newest policy file that could be used. Safe to ask from several threads."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        sample_interval: int,
        own_namespace: str,
        state: State,
        pulse: Pulse,
        taken: Callable[[PolicyFile], None],
    ) -> None:
        """``taken`` is called with each new file once it is in force, from this one's thread.

        The other arguments are those of :func:`remediator.policy.load`.
        """
        self._path = path
        self._sample_interval = sample_interval
        self._own_namespace = own_namespace
        self._state = state
        self._pulse = pulse
        self._taken = taken
        self._watch = PolicyWatch(path)
        self._policies: PolicyFile | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="policy file", daemon=True)

    @property
    def policies(self) -> PolicyFile | None:
        """What holds now; None where no file could be used yet."""
        return self._policies

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; what is being read goes nowhere."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._pulse.recurred(_NAME)
            self.look()
            self._stopping.wait(LOOK)

    def look(self) -> None:
        """Look once, and read the file where it has become another one. Never raises."""
        if not self._watch.changed():
            return
        began = time.monotonic()
        try:
            policies = load(self._path, sample_interval=self._sample_interval, own_namespace=self._own_namespace)
            if not self._watch.is_torn() and not self._stopping.is_set():
                self._take(policies, time.monotonic() - began)
        except PolicyError as exc:
            # What was in the middle of a swap, or still being written, is told when it is whole.
            if not self._watch.is_torn() and not self._watch.is_past():
                self._refuse([str(problem) for problem in exc.problems], str(exc))
        except Exception as exc:  # noqa: BLE001
            # A defect of ours is no reason to look no more, and must be seen.
            logger().exception("policy file refused by a defect")
            self._refuse([repr(exc)], f"a defect keeps it from being read: {exc!r}")

    def _refuse(self, problems: list[str], words: str) -> None:
        self._state.reloaded(ok=False)
        kept = "; the policies read before stay in force" if self._policies else "; nothing is evaluated"
        logger().error("policy file refused" + kept, problems=problems)
        if self._policies is None:
            self._state.depends("policy", words)

    def _take(self, policies: PolicyFile, seconds: float) -> None:
        self._policies = policies
        self._taken(policies)
        self._state.reloaded(ok=True)
        self._state.depends("policy", "")
        names = tuple(policy.name for policy in policies.policies)
        logger().info("policy file read", policies=names, seconds=round(seconds, 3))
