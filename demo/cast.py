"""Who is on the stage: the workloads, what their pods do, and what has to become of them under which policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from remediator.model.vocabulary import Reason
from tests.rig import workloads

Json = dict[str, Any]

NAMESPACE = "shop"
"""Where the workloads are."""
MI = 1 << 20
LIMIT = 512 * MI
"""Bytes; every container's limit."""
PERCENT = 75
THRESHOLD = LIMIT * PERCENT // 100
"""Bytes above which a pod is over."""
FOR = 10
"""Seconds that it must be over without a gap."""
NODES = 2

_LIMIT = f"{LIMIT // MI}Mi"
_LEAK = 4
# Mebibytes that a leaking pod starts with. On its own it would take more than a minute to the threshold, so the first
# ones begin with what they would have after a while, and come to the threshold one after the other.
_FRESH = 64
_LEAKS = "leaks 4Mi a second"
# Below the limit: nobody kills a simulated container for memory, so no leak may get there.
_LEAK_ENDS = 480


@dataclass(frozen=True)
class Role:
    """One workload: what its pods do, and what has to become of them."""

    workload: str
    kind: str
    about: str
    """In a few words, for people."""
    manifests: Sequence[Json]
    head_starts: tuple[int | None, ...]
    """For each pod the mebibytes with which it begins instead of its manifest's."""
    left_alone: Reason | None
    """Why its pods must be left alone; None where they must be replaced."""

    @property
    def pods(self) -> int:
        """How many it has."""
        return len(self.head_starts)


def roles() -> tuple[Role, ...]:
    """Everybody, in the order in which they are shown."""
    return (*_leaking(), *_protected(), *_noisy())


def policy() -> Json:
    """The policy file: one policy, with a demo's pace."""
    return {
        "safety": {
            # For `--keep`: the default of 20 within an hour would be spent in ten minutes.
            "budget": {"actions": 500, "per": "1h"},
            # One more than there are leaking workloads, so that nobody waits only because others have their turn.
            "maxConcurrent": 4,
        },
        "policies": [
            {
                "name": "demo",
                "match": {"namespaces": [NAMESPACE]},
                "threshold": f"{PERCENT}% of limit",
                "for": f"{FOR}s",
                # Shorter than the peaks of the noisy ones: what was seen last must not stand for what is.
                "maxSampleAge": "3s",
                "every": "2s",
                "jitter": "0s",
                "action": "evict",
                "cooldown": "2s",
                "maxPerWorkload": {"actions": 500, "per": "1h"},
                "minAge": "0s",
                "readyTimeout": "30s",
            }
        ],
    }


def _leaking() -> tuple[Role, ...]:
    """Those that must be replaced, whatever controller they have."""
    leak = _leak(ready_delay="3", delete_delay="1")
    web = workloads.deployment("web", NAMESPACE, replicas=3, limit=_LIMIT, memory=f"{_FRESH}Mi", annotations=leak)
    db = workloads.statefulset("db", NAMESPACE, replicas=2, limit=_LIMIT, memory=f"{_FRESH}Mi", annotations=leak)
    agent = workloads.daemonset("agent", NAMESPACE, limit=_LIMIT, memory=f"{_FRESH}Mi", annotations=leak)
    return (
        Role("web", "Deployment", _LEAKS, [web], (360, 352, 344), None),
        # db-1 is made when db-0 is Ready, and so has leaked for some seconds less. It is to be the more urgent one.
        Role("db", "StatefulSet", _LEAKS, [db], (336, 364), None),
        Role("agent", "DaemonSet", _LEAKS, [agent], (336, 328), None),
    )


def _protected() -> tuple[Role, ...]:
    """Those that leak, and that somebody or something protects."""
    leak = _leak()

    def deployment(name: str, annotations: dict[str, str]) -> Json:
        return workloads.deployment(name, NAMESPACE, limit=_LIMIT, memory=f"{_FRESH}Mi", annotations=annotations)

    return (
        Role(
            "legacy",
            "Deployment",
            "leaks; annotated as opted out",
            [deployment("legacy", {**leak, "remediator.dev/opt-out": "true"})],
            (356,),
            Reason.OPTED_OUT,
        ),
        Role(
            "billing",
            "Deployment",
            "leaks; under a strict budget",
            [deployment("billing", leak), workloads.pdb("billing", NAMESPACE, max_unavailable=0)],
            (348,),
            Reason.DISRUPTION_BUDGET,
        ),
        Role(
            "batch",
            "Job",
            "leaks; its work would be lost",
            [
                workloads.job(
                    "batch", NAMESPACE, limit=_LIMIT, memory=f"{_FRESH}Mi", annotations=_leak(complete_delay="never")
                )
            ],
            (340,),
            Reason.UNSUPPORTED_OWNER,
        ),
    )


def _noisy() -> tuple[Role, ...]:
    """Those that come over the threshold and go back by themselves.

    `search` is over for less than 5 s in 15. `import` is over for 13 s, longer than a breach takes, but falls so fast
    that it is always below nine tenths of what it was 10 s before: the daemon takes that for memory that comes back.
    """
    search = workloads.behaviour(swing="248Mi", swing_period=15, noise="12Mi")
    jumps = workloads.behaviour(swing="172Mi", swing_period=20, swing_after=8, swing_shape="burst", noise="1Mi")
    return (
        Role(
            "search",
            "Deployment",
            "rises, collects its garbage",
            [workloads.deployment("search", NAMESPACE, limit=_LIMIT, memory="200Mi", annotations=search)],
            (None,),
            Reason.BELOW_THRESHOLD,
        ),
        Role(
            "import",
            "Deployment",
            "bursts, gives memory back",
            [workloads.deployment("import", NAMESPACE, limit=_LIMIT, memory="324Mi", annotations=jumps)],
            (None,),
            Reason.RECOVERING,
        ),
    )


def _leak(**more: str) -> dict[str, str]:
    found: dict[str, str] = workloads.behaviour(leak=f"{_LEAK}Mi", memory_max=f"{_LEAK_ENDS}Mi", **more)
    return found
