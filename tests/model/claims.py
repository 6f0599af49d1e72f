"""What must hold in every state, and what an end of all work looks like; the numbers are those of docs/model.md."""

from __future__ import annotations

from tests.model.protocol import Protocol
from tests.model.world import Act, Phase, State, Step


def broken(protocol: Protocol, s: State) -> list[str]:
    """The invariants that the state breaks, each in a sentence that begins with its name."""
    return [words for words in (s.foul, _too_many(protocol, s), _forgotten(s), _taken_twice(s)) if words]


def settled(s: State) -> bool:
    """Whether all that was begun is over: in the journal, and in the mind of every daemon."""
    return not s.journal.in_flight and all(
        daemon.pending is None and all(thread.step is Step.IDLE for thread in daemon.threads) for daemon in s.daemons
    )


def _too_many(protocol: Protocol, s: State) -> str:
    """I3: in the journal, in the cluster, and by what new pods settle."""
    allowed = protocol.size.max_unavailable
    if len(s.journal.in_flight) > allowed:
        return f"I3: {len(s.journal.in_flight)} records are in flight, maxUnavailable is {allowed}"
    missing = protocol.size.pods - sum(pod.phase is Phase.UP for pod in s.pods)
    if missing > allowed + s.foreign:
        return f"I3: {missing} pods are missing, maxUnavailable is {allowed}"
    claimed = [one.settled_by for one in s.journal.records if one and one.settled_by is not None]
    if len(claimed) > len(set(claimed)):
        return "I3: a new pod settles two records"
    return ""


def _forgotten(s: State) -> str:
    """I5: what was intended stays in the journal, and what was taken stays paid for."""
    for r, far in enumerate(s.history):
        record = s.journal.records[r]
        if far > (0 if record is None else 2 if record.end else 1):
            return f"I5: the journal has forgotten how far record {r} had come"
        if far and s.journal.acts[r] is None:
            return f"I5: the cooldown of record {r} is lost"
    for r, uid in s.taken:
        if not s.history[r]:
            return f"I5: pod {uid} was taken for record {r}, which is not in the journal"
        if s.journal.acts[r] is not Act.SPENT:
            return f"I5: pod {uid} was taken for record {r}, and its budget was given back"
    return ""


def _taken_twice(s: State) -> str:
    """I7: one record takes at most one pod instance."""
    if len({r for r, _ in s.taken}) < len(s.taken):
        return f"I7: one record has taken several pods: {sorted(s.taken)}"
    return ""
