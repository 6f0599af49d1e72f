"""The cross-check: what the API server's audit log says was done, against what the daemon says it did."""

from collections.abc import Iterable, Mapping, Sequence

from demo.cast import NAMESPACE
from demo.stage import ACCOUNT, Stage
from demo.story import Replacement
from tests.rig.audit import AuditEvent, taken

_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


def objections(
    stage: Stage, *, events: Sequence[AuditEvent], said: Iterable[Replacement], there: Mapping[str, str]
) -> list[str]:
    """What is not as it must be, a sentence each; none where exactly the leaking pods were evicted, by the daemon.

    `said` are the remediations of the daemon's log, `there` the UIDs and names of the pods that are there now.
    """
    wanted = {actor.uid: actor.pod for actor in stage.to_replace}
    gone = taken(events, NAMESPACE)
    found: list[str] = []
    if len(gone) != len(wanted):
        names = ", ".join(event.name or "several at once" for event in gone) or "none"
        found.append(f"the audit log shows {len(gone)} pods taken, not {len(wanted)}: {names}")
    evicted = sum(1 for one in said if one.evicted_at is not None)
    if evicted != len(gone):
        found.append(f"the daemon's log tells of {evicted} evictions, the audit log of {len(gone)}")
    for event in gone:
        how = "evicted" if event.subresource == "eviction" else "deleted"
        if event.user != ACCOUNT or how != "evicted":
            found.append(f"{event.name or 'pods'} was {how} by {event.user}")
        if event.name not in wanted.values():
            found.append(f"{event.name or 'pods'} was {how}, and was to be left alone")
        elif (uid := event.uid) not in wanted:
            found.append(f"{event.name} was {how} for the UID {uid or 'of whoever has that name'}, not for its own")
    found += [
        f"the daemon sent a {event.verb} of {event.subresource or 'pod'} for {event.name}"
        for event in events
        if event.user == ACCOUNT
        and (event.namespace, event.resource) == (NAMESPACE, "pods")
        and event.verb in _WRITES
        and event not in gone
        and not event.dry_run
        # A refused try at a pod that was to go is no objection: it is tried again.
        and (event.succeeded or event.name not in wanted.values())
    ]
    found += [f"{actor.pod} is not there any more" for actor in stage.to_leave if actor.uid not in there]
    found += [f"{pod} is still there" for uid, pod in wanted.items() if uid in there]
    return found
