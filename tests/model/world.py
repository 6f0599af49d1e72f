"""The world of the model: what there is, what can happen to it, how large it is, and by which rules.

Who moves: daemons, each of whose steps sends one request at most; the API server, which carries requests out in any
order, late, twice or never; the workload's controller; and time. What goes wrong is counted: every run with at most
``Size.faults`` faults is explored, of whatever kinds and between whichever steps.

The Lease is there by what it does *not* promise: any daemon may lead at any moment, and one that was overtaken need not
know. Times are there by what they order: a cooldown passes some time after it began, and a late request stops being
possible some time after nobody can send it any more. ``docs/model.md`` says what is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeVar

T = TypeVar("T")
NOBODY = -1
TRIES = 2
"""Requests for one record in one term; the daemon sends three."""
GOING = frozenset({"ending", "gone"})
"""The phases of a pod that was taken."""


class Phase(StrEnum):
    """A pod's life; its UID is its place in ``State.pods``."""

    STARTING = "starting"
    UP = "up"
    ENDING = "ending"
    GONE = "gone"


class Pod(NamedTuple):
    """``version`` is its resourceVersion, which rises with each change of it."""

    name: int
    phase: Phase
    version: int = 0


class End(StrEnum):
    """How a record ends."""

    REPLACED = "replaced"
    NOT_READY = "not-ready"
    SUPERSEDED = "superseded"
    CALLED_OFF = "called-off"


GIVES_BACK = frozenset({End.SUPERSEDED, End.CALLED_OFF})


class Act(StrEnum):
    """What a record has cost; its cooldown runs either way."""

    SPENT = "spent"
    GIVEN_BACK = "given-back"


class Record(NamedTuple):
    """``target`` is the pod's UID, ``epoch`` that of the intent; ``settled_by`` the UID of the new pod.

    ``mark`` tells intents apart that are equal otherwise: how many faults there had been. ``taken`` is whether whoever
    carries it out knows that the pod was taken, or the journal does.
    """

    target: int
    epoch: int
    mark: int
    baseline: frozenset[int]
    available: int
    taken: bool = False
    end: End | None = None
    settled_by: int | None = None


class Journal(NamedTuple):
    """The ConfigMap. A record has the same place in ``records`` and in ``acts``."""

    version: int
    epoch: int
    holder: int
    records: tuple[Record | None, ...]
    acts: tuple[Act | None, ...]

    @property
    def in_flight(self) -> tuple[Record, ...]:
        """The records that are not settled."""
        return tuple(one for one in self.records if one and not one.end)


class Write(NamedTuple):
    """A write of the journal on its way, conditional on the version ``base``.

    ``sender`` is a process that believes that it leads in ``epoch``.
    """

    sender: int
    epoch: int
    base: int
    journal: Journal


class Eviction(NamedTuple):
    """An eviction on its way, with its preconditions."""

    sender: int
    record: int
    uid: int
    version: int


class Step(StrEnum):
    """Where a daemon stands with a record."""

    IDLE = "idle"
    INTENT = "writes the intent"
    LOOK = "is to look at the pod"
    BASELINE = "writes the new baseline"
    ARMED = "is to send the eviction"
    ASKED = "waits for the answer to the eviction"
    LATE = "waits until no request can be late any more"
    NOTE = "writes that the pod was taken"
    WAIT = "waits for the replacement"
    SETTLE = "writes the settlement"


class Thread(NamedTuple):
    """``record`` as it knows it; ``sent``: a request of ours or of a leader before us may be under way.

    ``inherited``: somebody before us may have sent one. ``version`` is the pod's as just read.
    """

    step: Step = Step.IDLE
    record: Record | None = None
    sent: bool = False
    inherited: bool = False
    tries: int = 0
    version: int = 0


class Daemon(NamedTuple):
    """``process`` is new after each crash. ``epoch`` is 0 until its take-over is acknowledged.

    ``known`` is the journal in memory, None while it stands by. ``pending`` is the write whose answer it waits for.
    """

    process: int
    threads: tuple[Thread, ...]
    epoch: int = 0
    known: Journal | None = None
    pending: Write | None = None


class State(NamedTuple):
    """The world. ``cooled`` are the records whose cooldown has passed.

    From ``taken`` on: what nobody in it knows, for the invariants.
    ``taken``: which pod went by the request of which record.
    ``history``: how far each record ever came, 1 for intended, 2 for settled. ``foreign``: pods that others took.
    """

    journal: Journal
    pods: tuple[Pod, ...]
    daemons: tuple[Daemon, ...]
    writes: frozenset[Write]
    wire: frozenset[Eviction]
    cooled: frozenset[int]
    faults: int
    taken: frozenset[tuple[int, int]]
    history: tuple[int, ...]
    foreign: int = 0
    foul: str = ""


class Kind(StrEnum):
    """What can happen, as a trace tells it."""

    ACQUIRE = "daemon {daemon} takes the lease, reads the journal and sends the write that raises the epoch"
    STEAL = "daemon {daemon} takes the lease from a leader that does not know it, and does the same"
    NOTICE = "daemon {daemon} notices that it was overtaken"
    CRASH = "daemon {daemon} is killed"
    BEGIN = "daemon {daemon} sends the intent of record {record}: pod {pod}"
    INHERIT = "daemon {daemon} takes record {record} over"
    LOOK = "daemon {daemon} looks at the pod of record {record}"
    OBJECT = "daemon {daemon} looks at the pod of record {record}, and a guard objects"
    SEND = "daemon {daemon} sends the eviction for record {record}"
    WITHOUT_INTENT = "daemon {daemon} sends the eviction for record {record} before its intent: pod {pod}"
    LATE_TAKEN = "daemon {daemon} sees that a late request has taken the pod of record {record}"
    LATE_OVER = "daemon {daemon} has waited for late requests of record {record}"
    SETTLE = "daemon {daemon} sends the settlement of record {record}: pod {pod} has replaced it"
    GIVE_UP = "readyTimeout passes for record {record}; daemon {daemon} sends its settlement"
    WRITTEN = "the journal takes the write of daemon {daemon}, and answers"
    WRITTEN_UNHEARD = "the journal takes the write of daemon {daemon}, and the answer is lost"
    WRITTEN_LATE = "the journal takes a late write of process {daemon}"
    WRITE_UNKNOWN = "daemon {daemon} waits no longer for the answer to its write, and reads the journal"
    NOT_AGAIN = "daemon {daemon} does the same, and its guards forbid a new try"
    WRITE_REFUSED = "daemon {daemon} is told that its write is refused, or nothing at all, and reads the journal"
    EVICTED = "the eviction by daemon {daemon} for record {record} is carried out, and answered"
    EVICTED_UNHEARD = "the eviction by daemon {daemon} for record {record} is carried out, and the answer is lost"
    EVICTED_LATE = "a late eviction by process {daemon} for record {record} is carried out on pod {pod}"
    EVICT_BLOCKED = "the disruption budget refuses the eviction by daemon {daemon} for record {record}"
    EVICT_REFUSED = "the eviction by daemon {daemon} for record {record} is refused: the pod has changed"
    EVICT_UNKNOWN = "daemon {daemon} waits no longer for the answer to its eviction for record {record}"
    VANISH = "a late eviction by process {daemon} for record {record} can't arrive any more"
    ENDED = "pod {pod} is gone"
    CREATED = "the controller makes pod {pod}"
    STARTED = "pod {pod} is available"
    CHANGED = "something about pod {pod} changes"
    FOREIGN = "somebody else takes pod {pod}"
    COOLED = "so much time passes that all cooldowns are over"


FAULTS = frozenset(
    {
        Kind.STEAL, Kind.CRASH, Kind.GIVE_UP, Kind.WRITTEN_UNHEARD, Kind.WRITE_UNKNOWN, Kind.NOT_AGAIN,
        Kind.EVICTED_UNHEARD, Kind.EVICT_UNKNOWN, Kind.CHANGED, Kind.FOREIGN,
    }
)  # fmt: skip
"""What is counted against ``Size.faults``."""


class Move(NamedTuple):
    """One transition; its name is unique among those of a state."""

    kind: Kind
    daemon: int = NOBODY
    record: int = NOBODY
    pod: int = NOBODY

    def __str__(self) -> str:
        return self.kind.format(daemon=self.daemon, record=self.record, pod=self.pod)


class Stamp(StrEnum):
    """When the pod of a record is changed for which somebody may have sent a request."""

    NEVER = "never"
    AT_ONCE = "when it is taken over, and when it is to be dropped, and nothing is waited for then"
    TWICE = "when it is taken over, and when it is dropped, after whoever led before has noticed"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the protocol relies on; each can be dropped, to see that the invariants then fail."""

    uid: bool = True
    """Evictions name the UID (F2)."""
    version: bool = True
    """Evictions name the resourceVersion."""
    conditional: bool = True
    """Writes of the journal are conditional on what was read (F1)."""
    waits: bool = True
    """What may have been sent is dropped only when it can't arrive any more (F3)."""
    act_stays: bool = True
    """Settlement leaves the act in the journal."""
    intent_first: bool = True
    """Intent is written before anything is sent."""
    stamp: Stamp = Stamp.NEVER
    """Whether pods are changed, so that older requests fail (F4)."""
    spares_replacements: bool = True
    """No pod is taken that may be what another record waits for."""
    one_each: bool = True
    """A new pod settles one record only."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a world is explored. ``named``: the replacement has its predecessor's name, as in a StatefulSet.

    ``punctual``: when F3's time is over no request is under way any more, as the time-outs promise. Without it a leader
    may be frozen, between the fence and the request, for longer than that.
    """

    daemons: int = 2
    pods: int = 2
    records: int = 2
    faults: int = 2
    max_unavailable: int = 1
    budget: int = 2
    named: bool = False
    foreign: bool = False
    punctual: bool = True


def put(items: tuple[T, ...], place: int, item: T) -> tuple[T, ...]:
    """The tuple with another item in that place."""
    return (*items[:place], item, *items[place + 1 :])


def the(value: T | None) -> T:
    """The value, which is there."""
    if value is None:
        raise AssertionError
    return value
