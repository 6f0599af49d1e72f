"""One leader by a Lease, judged by monotonic clocks alone.

The client's stock elector dies on a connection reset without saying so, never steps down on a hang and never
releases; here the deadline counts from before the last successful renewal was sent, and each write asks it first.
A Lease does not fence: what makes a late write harmless is its UID, its resourceVersion and the journal's epoch.
Source: https://kubernetes.io/docs/concepts/architecture/leases/
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from remediator.cluster.api import READ_TIMEOUT
from remediator.cluster.store import Leases, LeaseState
from remediator.errors import KubernetesError, KubernetesRefused, NotLeader

MARGIN = 2.0
"""Seconds that have to be left on the lease beyond a write's time-out."""
_CHANGED = frozenset({404, 409})
"""The Lease is gone, or another version of it is there."""
_RETRY = 1.0
_LOOK = 0.5
"""Seconds between a standby's looks: how long a lease that was handed over lies about."""


class Elector:
    """Holds the Lease, or waits for it. ``run`` is the loop; all else may be called from any thread.

    ``on_change(leading, words)`` is called from the loop when leadership begins or ends, and while it waits when
    the words change. The lease is renewed only while ``hung`` says nothing, which is what has stopped moving, in words
    that stay: a leader in name keeps others from leading.
    """

    def __init__(
        self,
        leases: Leases,
        *,
        identity: str,
        duration: int,
        on_change: Callable[[bool, str], None],
        hung: Callable[[], str] = lambda: "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = identity
        self._leases = leases
        self._duration = duration
        self._on_change = on_change
        self._hung = hung
        self._stepped = monotonic()
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._leading = False
        self._deadline = 0.0
        self._lease: LeaseState | None = None
        self._annotations: dict[str, str] = {}
        self._unanswered: float | None = None
        self._unchanged_since = 0.0
        self._waiting_for = ""
        self.standby = False
        """Whether somebody else leads, as far as we can see."""

    @property
    def stuck(self) -> bool:
        """Whether a turn of the loop has taken longer than the lease lasts: a request that no time-out ends."""
        return self._monotonic() - self._stepped > self._duration

    @property
    def holder(self) -> str:
        """Who holds the lease, as last seen; empty for nobody."""
        return self._lease.holder if self._lease else ""

    def fence(self, timeout: float) -> None:
        """Raise NotLeader unless the lease outlasts a write with that time-out in seconds."""
        left = self._deadline - self._monotonic()
        if not self._leading:
            message = f"the lease {self._leases.name} is held by {self.holder or 'nobody'}: nothing is written"
            raise NotLeader(message)
        if left <= timeout + MARGIN:
            message = f"{max(left, 0):.0f} s are left on the lease, too little for a write of up to {timeout:.0f} s"
            raise NotLeader(message)

    def annotation(self, key: str) -> str:
        """An annotation of the Lease; empty where it has none."""
        return self._lease.annotations.get(key, "") if self._lease else ""

    def annotate(self, key: str, value: str) -> None:
        """Set an annotation of the Lease that we hold. Raises KubernetesError, NotLeader."""
        with self._lock:
            self.fence(self._timeout)
            annotations = {**(self._lease.annotations if self._lease else {}), key: value}
            self._write(self.identity, annotations=annotations)

    def run(self) -> None:
        """Acquire, renew, lose and acquire again until ``stop``."""
        while not self._stopping.is_set():
            self._stopping.wait(self._step())

    def stop(self) -> None:
        """End the loop; the lease is kept until ``release``."""
        self._stopping.set()

    def step_down(self, words: str) -> None:
        """Give leadership up at once, because something else shows that another one leads."""
        with self._lock:
            self._deadline = 0.0
            self._lose(words)

    def release(self) -> None:
        """Hand the lease over, so that the next one need not wait for its end. Best effort: it runs out anyway."""
        with self._lock:
            if self._lease is None or self._lease.holder != self.identity:
                return
            try:
                self._hand_over()
            except KubernetesError:
                # The lease runs out by itself; there is nothing else to do about it on the way out.
                self._deadline = 0.0
            self._leading = False

    def _hand_over(self) -> None:
        try:
            self._write("", annotations=None)
        except KubernetesRefused as exc:
            # Annotated meanwhile, or our last renewal was not answered: still ours, unless the Lease says otherwise.
            if exc.status.code not in _CHANGED:
                raise
            self._look_back()
            self._write("", annotations=None)

    @property
    def _timeout(self) -> float:
        return min(5.0, self._duration / 4)

    @property
    def _pace(self) -> float:
        """Seconds between renewals: often enough that the longest write always fits into what is left."""
        return min(self._duration / 6, (self._duration - READ_TIMEOUT - MARGIN) / 2)

    def _step(self) -> float:
        """One turn; gives the seconds until the next one."""
        self._stepped = self._monotonic()
        with self._lock:
            try:
                if self._leading and (words := self._hung()):
                    return self._failed(KubernetesError(f"{words}, so nobody renews"))
                if self._leading:
                    if self._unanswered is not None:
                        self._look_back()
                    self._write(self.identity, annotations=None)
                else:
                    self._try()
            except KubernetesError as exc:
                return self._failed(exc)
            return self._pace if self._leading else _LOOK

    def _failed(self, exc: KubernetesError) -> float:
        if isinstance(exc, KubernetesRefused) and exc.status.code in _CHANGED:
            # Where it can't be read, the next turn asks again, and the deadline goes on.
            with suppress(KubernetesError):
                self._look_back()
        if self._leading and self._monotonic() >= self._deadline - self._timeout:
            self._lose(f"the lease could not be renewed: {exc}")
        elif not self._leading:
            self._wait_for(str(exc))
        return _RETRY

    def _look_back(self) -> None:
        """Whether a renewal without an answer has landed, or somebody has taken, deleted or annotated the Lease.

        Raises KubernetesError where it is not known, or the Lease is not ours any more.
        """
        before = self._lease
        self._seen(self._leases.read(timeout=self._timeout))
        if self._lease is None or self._lease.holder != self.identity:
            self._deadline = 0.0
            message = f"it is held by {self.holder or 'nobody'}"
            raise KubernetesError(message)
        if self._unanswered is not None and before is not None and before.renewed_at != self._lease.renewed_at:
            # Only we write that with our name. Which of our writes it was can't be told; not before the first of them.
            self._deadline, self._unanswered = self._unanswered + self._duration, None

    def _try(self) -> None:
        seen = self._leases.read(timeout=self._timeout)
        self._seen(seen)
        if words := self._hung():
            self._wait_for(f"{words}, so this process does not lead")
            return
        now = self._monotonic()
        free = seen is None or not seen.holder or seen.holder == self.identity
        if not free and seen is not None and now - self._unchanged_since <= (seen.duration or self._duration):
            self._wait_for(f"the lease {self._leases.name} is held by {seen.holder}", standby=True)
            return
        self._write(self.identity, annotations=None)
        self._leading = True
        self.standby = False
        self._waiting_for = ""
        self._on_change(True, f"holds the lease {self._leases.name}")  # noqa: FBT003  the callback's documented order

    def _seen(self, lease: LeaseState | None) -> None:
        """Take in the Lease as read; each change of it begins the wait for its end anew."""
        if lease is None or self._lease is None or lease.version != self._lease.version:
            self._unchanged_since = self._monotonic()
        self._lease = lease
        if lease is not None:
            self._annotations = lease.annotations

    def _write(self, holder: str, *, annotations: dict[str, str] | None) -> None:
        if annotations is None:
            # Those of a Lease that was deleted as well: with them went which journal is ours.
            annotations = self._annotations
        sent = self._monotonic()
        self._unanswered = sent if self._unanswered is None else self._unanswered
        self._lease = self._leases.write(
            holder=holder, duration=self._duration, previous=self._lease, annotations=annotations, timeout=self._timeout
        )
        self._annotations, self._unanswered = self._lease.annotations, None
        self._deadline = sent + self._duration if holder else 0.0

    def _wait_for(self, words: str, *, standby: bool = False) -> None:
        self.standby = standby
        if words != self._waiting_for:
            self._waiting_for = words
            self._on_change(False, words)  # noqa: FBT003

    def _lose(self, words: str) -> None:
        if self._leading:
            self._leading = False
            self._unchanged_since = self._monotonic()
            self._on_change(False, words)  # noqa: FBT003
