"""The pods as the API server has them, each in the place of the one before it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.rig.cluster import is_ready

Json = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod of the stage."""

    name: str
    uid: str
    workload: str
    """The name of it."""
    node: str = ""
    ready: bool = True
    leaving: bool = False
    """It is terminating, or gone."""


@dataclass(frozen=True)
class Place:
    """One pod of those that a workload wants: who has it now, until another one comes in its place."""

    pod: Pod
    number: int = 0
    """How many have had it before."""


def seen(items: Iterable[Json]) -> list[Pod]:
    """Pods from the API server's answer, in the order of their creation and names."""
    return [
        Pod(
            name=item["metadata"]["name"],
            uid=item["metadata"]["uid"],
            workload=item["metadata"]["labels"]["app"],
            node=item["spec"].get("nodeName", ""),
            ready=is_ready(item),
            leaving="deletionTimestamp" in item["metadata"],
        )
        for item in sorted(items, key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["name"]))
    ]


def placed(places: Sequence[Place], pods: Sequence[Pod]) -> tuple[Place, ...]:
    """The same places with the pods that are there now: a new pod takes the place of one that leaves.

    Preferred is the place of the same name, then that on the same node. A pod for whom no place is free gets one at the
    end of its workload's.
    """
    there = {pod.uid: pod for pod in pods}
    now = [replace(place, pod=there.get(place.pod.uid, replace(place.pod, leaving=True))) for place in places]
    known = {place.pod.uid for place in now}
    for pod in (pod for pod in pods if pod.uid not in known and not pod.leaving):
        free = [place for place in now if place.pod.workload == pod.workload and place.pod.leaving]
        if free:
            best = max(free, key=lambda place: (place.pod.name == pod.name, place.pod.node == pod.node))
            now[now.index(best)] = Place(pod, best.number + 1)
        else:
            peers = [number for number, place in enumerate(now) if place.pod.workload == pod.workload]
            now.insert(peers[-1] + 1 if peers else len(now), Place(pod))
    return tuple(now)
