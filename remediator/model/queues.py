"""A workload whose pods leak faster than they can be replaced one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from remediator.model.workloads import WorkloadRef


@dataclass(frozen=True, slots=True)
class LateQueue:
    """The breaching pods of one workload that wait for their turn, of which some reach their limit before it comes.

    ``waiting`` are all of them, ``late`` those that are too late, and ``pod`` is the one that will be later than any
    other: it reaches its limit in ``limit_in`` seconds, and its turn is in ``turn_in``. One replacement takes ``took``
    seconds. ``remedy`` is what to set.
    """

    workload: WorkloadRef
    waiting: int
    late: int
    pod: str
    limit_in: float
    turn_in: float
    took: float
    remedy: str

    def __str__(self) -> str:
        return (
            f"{self.late} of {self.waiting} waiting pods of {self.workload} reach their limit before their turn: "
            f"{self.pod} in {self.limit_in:.0f} s, its turn is in {self.turn_in:.0f} s; {self.remedy}"
        )
