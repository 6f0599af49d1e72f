"""What the daemon does and why, read from its log as it grows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from remediator.model.vocabulary import Outcome, Reason

# Other pods have their turn first.
_TURN = frozenset(
    {
        Reason.IN_FLIGHT,
        Reason.COOLDOWN,
        Reason.CONCURRENCY,
        Reason.WORKLOAD_NOT_READY,
        Reason.PREDECESSOR_UNAVAILABLE,
        Reason.ROLLOUT_IN_PROGRESS,
    }
)
# The samples are not those of this very pod, or not yet.
_DOUBT = frozenset({Reason.SAMPLE_GAP, Reason.REPLACED_SINCE_SAMPLE, Reason.TERMINATING, Reason.NOT_RUNNING})


@dataclass(frozen=True)
class Looked:
    """The first evaluation that measured something: so many series."""

    series: int


@dataclass(frozen=True)
class LeftAlone:
    """A pod that is over its threshold and stays, with the daemon's words."""

    pod: str
    uid: str
    """Empty where the samples were not found to be over: the daemon then tells of a name only."""
    reasons: tuple[str, ...]
    detail: str
    value: float | None
    """Bytes."""
    at: float
    """Unix seconds."""

    @property
    def waits(self) -> bool:
        """Whether it only has to wait for its turn."""
        return set(self.reasons) <= _TURN

    @property
    def passes(self) -> bool:
        """Whether the reasons pass by themselves."""
        return set(self.reasons) <= _TURN | _DOUBT


@dataclass(frozen=True)
class Replacement:
    """One remediation as far as it has come; times are Unix seconds, memory is bytes."""

    id: str
    pod: str
    uid: str
    before: float
    threshold_text: str
    evicted_at: float | None = None
    available_at: float | None = None
    replacement: str = ""
    after: float | None = None
    outcome: Outcome | None = None
    detail: str = ""
    opened_breaker: bool = False


@dataclass(frozen=True)
class Step:
    """A remediation has come further: `intended`, `evict`, `available` or `settled`, with the API server's words."""

    name: str
    about: Replacement
    words: str = ""


@dataclass(frozen=True)
class Trouble:
    """A warning or an error of the daemon's that no other line tells of."""

    event: str
    words: str


Happening = Looked | LeftAlone | Step | Trouble


class Story:
    """Follows a log file (JSON lines): `read` gives what is new, the attributes what there is until now."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = 0
        self._looked = False
        self.replacements: dict[str, Replacement] = {}
        """By the record's ID, in the order in which they were begun."""
        self._left: dict[str, LeftAlone] = {}
        self._waits: dict[str, LeftAlone] = {}
        self._said: set[tuple[str, tuple[str, ...]]] = set()

    def read(self) -> list[Happening]:
        """What has happened since the last call; what is only repeated is left out."""
        found = (self._understood(line) for line in self._lines())
        return [happening for happening in found if happening is not None]

    def of(self, uid: str) -> Replacement | None:
        """The latest remediation of this pod."""
        return next((one for one in reversed(self.replacements.values()) if one.uid == uid), None)

    def replaced_by(self, pod: str, uid: str) -> Replacement | None:
        """The latest remediation that ended with this pod in the place of another one."""
        found = (one for one in reversed(self.replacements.values()) if one.replacement == pod and one.uid != uid)
        return next(found, None)

    def left_alone(self, pod: str, uid: str) -> LeftAlone | None:
        """What was said last of this pod, but for what passes by itself."""
        return self._left.get(uid) or self._left.get(pod)

    def waits(self, pod: str, uid: str) -> LeftAlone | None:
        """What was said last of this pod and passes by itself; it may have passed."""
        return self._waits.get(uid) or self._waits.get(pod)

    def _lines(self) -> list[dict[str, Any]]:
        """The complete lines that have come since the last call."""
        if not self._log.exists():
            return []
        lines = []
        with self._log.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                try:
                    lines.append(orjson.loads(line))
                except orjson.JSONDecodeError:
                    # The interpreter's own words, a traceback say, which the log's tail shows.
                    continue
        return [line for line in lines if isinstance(line, dict)]

    def _understood(self, line: Mapping[str, Any]) -> Happening | None:
        event = str(line.get("event", ""))
        if event == "evaluation":
            return self._evaluation(line)
        if event == "left alone":
            return self._vetoed(line)
        # Of one that is left to the next look there is less to tell, and it is a warning like others.
        if event.startswith("remediation ") and {"remediation_id", "value"} <= line.keys():
            return self._step(event.removeprefix("remediation "), line)
        if line.get("level") in {"warning", "error", "critical"}:
            known = {"event", "level", "time", "logger", "query"}
            words = ", ".join(f"{key}: {value}" for key, value in line.items() if key not in known)
            return self._once(event, words)
        return None

    def _evaluation(self, line: Mapping[str, Any]) -> Looked | None:
        if self._looked or line["outcome"] != "ok":
            return None
        self._looked = True
        return Looked(int(line["series"]))

    def _vetoed(self, line: Mapping[str, Any]) -> LeftAlone | None:
        reasons = tuple(line["reasons"])
        if Reason.GONE in reasons:
            # Its samples outlive it for a while.
            return None
        value = float(line["value"]) if "value" in line else None
        at = datetime.fromisoformat(line["time"]).timestamp()
        one = LeftAlone(line["pod"], line.get("uid", ""), reasons, line["detail"], value, at)
        kept = self._waits if one.passes else self._left
        kept[one.uid or one.pod] = one
        key = (one.uid or one.pod, reasons)
        if key in self._said:
            return None
        self._said.add(key)
        return one

    def _step(self, name: str, line: Mapping[str, Any]) -> Step | None:
        begun = Replacement(
            line["remediation_id"], line["pod"], line["uid"], float(line["value"]), line["threshold_text"]
        )
        one = self.replacements.get(begun.id, begun)
        at = datetime.fromisoformat(line["time"]).timestamp()
        if name == "taken":
            one = replace(one, evicted_at=at)
        elif name == "available":
            one = replace(one, available_at=at, replacement=line["replacement"])
        elif name == "settled":
            one = replace(
                one,
                replacement=line["replacement"] or one.replacement,
                outcome=Outcome(line["outcome"]),
                detail=line["detail"],
                after=line["memory_after"],
                opened_breaker=bool(line["breaker_opened"]),
            )
        self.replacements[one.id] = one
        return Step(name, one, str(line.get("words", "")))

    def _once(self, event: str, words: str) -> Trouble | None:
        key = (event, (words,))
        if key in self._said:
            return None
        self._said.add(key)
        return Trouble(event, words)
