"""Parts of a scene, with the values that a test does not care about filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from demo.cast import MI, roles
from demo.pods import Place, Pod
from demo.reading import Reading
from demo.scene import Mood, Row, Scene, Why, scene
from demo.story import Story
from demo.words import Line

AT = 1_800_000_000.0
"""Unix seconds: when everything happens, 2027-01-15 08:00:00 UTC."""
TIME = "2027-01-15T08:00:00Z"


def log(folder: Path, *lines: dict[str, Any]) -> Story:
    """What the story is of a log with these lines."""
    file = folder / "remediator.log"
    file.write_bytes(b"".join(orjson.dumps({"time": TIME, "level": "info", **line}) + b"\n" for line in lines))
    story = Story(file)
    story.read()
    return story


def step(name: str, pod: str, uid: str, **more: object) -> dict[str, Any]:
    """The log line of a step of a remediation."""
    common = {
        "remediation_id": f"of-{uid}",
        "pod": pod,
        "uid": uid,
        "value": 400.0 * MI,
        "threshold_text": "75% of limit",
    }
    return {"event": f"remediation {name}", **common, **more}


def settled(pod: str, uid: str, by: str, *, outcome: str = "replaced") -> dict[str, Any]:
    """The log line of the end of one."""
    end = {"outcome": outcome, "detail": "", "memory_after": 70.0 * MI, "breaker_opened": outcome == "not-ready"}
    return step("settled", pod, uid, replacement=by, **end)


def left_alone(pod: str, uid: str, *reasons: str, detail: str = "the detail", **more: object) -> dict[str, Any]:
    """The log line of a pod that is left alone; without a UID where it was not found to be over."""
    known = {"uid": uid, "value": 400.0 * MI} if uid else {}
    return {"event": "left alone", "pod": pod, **known, "reasons": reasons, "detail": detail, **more}


def seen(story: Story, reading: Reading, *pods: Pod) -> Scene:
    """The scene with these pods."""
    places = [Place(pod) for pod in pods]
    return scene(places, cast=roles(), story=story, reading=reading, elapsed=31.4, said=[])


def example(*, said: int = 20, left: int = 3) -> Scene:
    """A scene with a row of each mood and all that can be shown beside them."""
    rows = [
        Row(
            f"web-7c7b945545-{mood.name.lower().replace('_', 'x'):x<5.5}",
            "Deployment",
            "leaks",
            (100 + 40 * place) * MI,
            mood,
            f"it {mood.name}",
        )
        for place, mood in enumerate(Mood)
    ]
    return Scene(
        elapsed=31.4,
        rows=(*rows, Row("agent-fresh", "DaemonSet", "leaks", None, Mood.STARTS, "new, not Ready yet")),
        in_flight=1,
        replaced=2,
        wanted=7,
        left_alone=tuple(
            Why(f"legacy-68f9c88d5d-n8tf{number}", "opted-out", "it has the annotation " * 5) for number in range(left)
        ),
        said=tuple(
            Line(float(number), "evicted", f"web-7c7b945545-pod{number:02} (accepted)") for number in range(said)
        ),
    )
