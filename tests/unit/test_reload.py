"""The policy file as it holds: a good one is taken, a broken one changes nothing but what is said."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from remediator.observe.state import State
from remediator.policy import PolicyFile, load
from remediator.pulse import Pulse
from remediator.reload import Reload
from tests.rig import volumes
from tests.rig.waiting import until

GOOD = "policies: [{name: web, threshold: 20Gi}]\n"
OTHER = "policies: [{name: api, threshold: 90% of limit}, {name: web, threshold: 20Gi}]\n"
BROKEN = "policies: [{name: web, threshold: 20G i, every: 5}]\n"
Logs = list[dict[str, Any]]


class Reader:
    """A reader of the policy file in a ConfigMap's volume, with what it has told."""

    def __init__(self, folder: Path) -> None:
        self.volume = folder / "volume"
        self.state = State(clock=time.time)
        self.pulse = Pulse(longest=0.25)
        self.taken: list[PolicyFile] = []
        self.reload = Reload(
            self.volume / "policy.yaml",
            sample_interval=30,
            own_namespace="remediator",
            state=self.state,
            pulse=self.pulse,
            taken=self.taken.append,
        )

    def swap(self, text: str) -> None:
        """As the kubelet does."""
        volumes.swap(self.volume, {"policy.yaml": volumes.File(text.encode(), 0o644)})

    def look(self, text: str) -> None:
        """Swap, and look."""
        self.swap(text)
        self.reload.look()

    @property
    def names(self) -> list[str]:
        """The names of the policies that hold."""
        return [policy.name for policy in self.reload.policies.policies] if self.reload.policies else []


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """One that has looked at nothing yet."""
    return Reader(tmp_path)


@pytest.fixture
def logs() -> Iterator[Logs]:
    """What is logged."""
    with capture_logs() as entries:
        yield entries  # type: ignore[misc]


def test_each_swap_is_taken_once(reader: Reader, logs: Logs) -> None:
    """The newest file holds, is told and counted; nothing happens while nothing has changed."""
    before = time.time()
    reader.look(GOOD)
    first = reader.state.now
    reader.reload.look()
    reader.look(OTHER)
    assert reader.names == ["api", "web"]
    assert [[policy.name for policy in file.policies] for file in reader.taken] == [["web"], ["api", "web"]]
    assert reader.taken[-1].safety.excluded_namespaces[-1] == "remediator"
    assert [entry["policies"] for entry in logs if entry["event"] == "policy file read"] == [("web",), ("api", "web")]
    assert first.reload_ok
    assert first.dependencies["policy"] == ""
    assert first.reloaded_at is not None
    assert before <= first.reloaded_at <= (reader.state.now.reloaded_at or 0) <= time.time()


def test_a_broken_file_changes_nothing(reader: Reader, logs: Logs) -> None:
    """All its problems are logged, the metric is 0, we stay Ready with the policies as they were; then it is mended."""
    reader.look(GOOD)
    taken_at = reader.state.now.reloaded_at
    reader.look(BROKEN)
    reader.reload.look()
    assert reader.names == ["web"]
    assert len(reader.taken) == 1
    (said,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert said["event"] == "policy file refused; the policies read before stay in force"
    assert [problem.split(": ")[1] for problem in said["problems"]] == ["policies[0].threshold", "policies[0].every"]
    assert (reader.state.now.reload_ok, reader.state.now.reloaded_at) == (False, taken_at)
    assert reader.state.now.dependencies["policy"] == ""
    reader.look(GOOD)
    assert reader.state.now.reload_ok
    assert len(reader.taken) == 2


def test_broken_at_the_start_it_is_not_ready_and_says_why(reader: Reader, logs: Logs) -> None:
    """Nothing holds, and each problem is in /readyz; a corrected file works without a restart."""
    reader.look(BROKEN)
    assert reader.reload.policies is None
    assert logs[0]["event"] == "policy file refused; nothing is evaluated"
    words = reader.state.now.dependencies["policy"]
    assert "policies[0].threshold" in words
    assert "policies[0].every" in words
    reader.look(GOOD)
    assert reader.names == ["web"]
    assert reader.state.now.dependencies["policy"] == ""


def gone(reader: Reader) -> None:
    """The ConfigMap has lost its key."""
    volumes.swap(reader.volume, {"other.yaml": volumes.File(b"", 0o644)})


def dangling(reader: Reader) -> None:
    """The link leads nowhere."""
    (reader.volume / "..data").unlink()


def folder(reader: Reader) -> None:
    """It is a directory."""
    (reader.volume / "policy.yaml").unlink()
    (reader.volume / "policy.yaml").mkdir()


def binary(reader: Reader) -> None:
    """It is no text."""
    volumes.swap(reader.volume, {"policy.yaml": volumes.File(b"\xff\xfe\x00", 0o644)})


def empty(reader: Reader) -> None:
    """It is empty."""
    reader.swap("")


def huge(reader: Reader) -> None:
    """It is larger than a ConfigMap can be."""
    reader.swap("# " + "x" * (1 << 20))


@pytest.mark.parametrize("break_it", [gone, dangling, folder, binary, empty, huge])
def test_what_is_no_policy_file_changes_nothing(reader: Reader, logs: Logs, break_it: Callable[[Reader], None]) -> None:
    """Missing, unreadable, empty: refused once, in words; what comes back is read again."""
    reader.look(GOOD)
    break_it(reader)
    for _ in range(4):
        reader.reload.look()
    assert reader.names == ["web"]
    (said,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert len(said["problems"]) == 1
    assert not reader.state.now.reload_ok
    if (reader.volume / "policy.yaml").is_dir() and not (reader.volume / "policy.yaml").is_symlink():
        (reader.volume / "policy.yaml").rmdir()
    if not (reader.volume / "..data").exists():
        (reader.volume / "policy.yaml").unlink()
    reader.look(OTHER)
    reader.reload.look()
    assert reader.names == ["api", "web"]


def test_half_a_file_is_never_taken(tmp_path: Path, logs: Logs) -> None:
    """Written in place, with the line that holds everything back at its end: only the whole of it comes into force."""
    reader = Reader(tmp_path)
    reader.volume.mkdir()
    path = reader.volume / "policy.yaml"
    path.write_text(f"{GOOD}safety: {{paused: true}}\n")
    reader.reload.look()
    with path.open("w") as file:
        for line in (OTHER, "safety:\n", "  paused: true\n"):
            file.write(line)
            file.flush()
            reader.reload.look()
    reader.reload.look()
    reader.reload.look()
    assert [file.safety.paused for file in reader.taken] == [True, True]
    assert reader.names == ["api", "web"]
    assert [entry["event"] for entry in logs] == ["policy file read"] * 2


@pytest.mark.parametrize("then", [GOOD + "safety: {paused: true}\n", BROKEN], ids=["good", "broken"])
def test_what_changes_while_it_is_read(tmp_path: Path, logs: Logs, monkeypatch: pytest.MonkeyPatch, then: str) -> None:
    """Written in place meanwhile, what was read counts for nothing; swapped meanwhile, a refusal is not told."""
    reader = Reader(tmp_path)
    reader.swap(GOOD)
    during: list[Callable[[], object]] = []

    def slow(*arguments: Any, **more: Any) -> PolicyFile:  # noqa: ANN401
        try:
            return load(*arguments, **more)
        finally:
            if during:
                during.pop()()

    monkeypatch.setattr("remediator.reload.load", slow)
    during.append(lambda: (reader.volume / "policy.yaml").write_text(OTHER))
    reader.reload.look()
    assert reader.taken == []
    for _ in range(2):
        reader.reload.look()
    assert reader.names == ["api", "web"]
    during.append(lambda: reader.swap(then))
    reader.look(BROKEN.replace("web", "odd"))
    assert reader.state.now.reload_ok
    reader.reload.look()
    refused = [entry for entry in logs if entry["log_level"] == "error"]
    assert len(refused) == (1 if then == BROKEN else 0)
    assert all("odd" not in entry["problems"][0] for entry in refused)
    assert reader.reload.policies is not None
    assert reader.reload.policies.safety.paused is (then != BROKEN)


def test_a_defect_takes_nothing_and_goes_on(reader: Reader, logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is raised, the policies stay, it is told as a defect with its trace, and the next file is read."""
    reader.look(GOOD)
    with monkeypatch.context() as broken:
        broken.setattr("remediator.reload.load", lambda *_, **__: 1 / 0)
        reader.look(OTHER)
    assert reader.names == ["web"]
    assert not reader.state.now.reload_ok
    assert any(entry["event"] == "policy file refused by a defect" and entry.get("exc_info") for entry in logs)
    reader.look(OTHER)
    reader.look(GOOD + "\n")
    assert reader.state.now.reload_ok
    assert len(reader.taken) == 2


def test_its_own_thread_looks_until_it_is_stopped(reader: Reader) -> None:
    """A swap is taken by itself; a reader that hangs is named, and one that is stopped takes nothing."""
    reader.swap(GOOD)
    reader.reload.start()
    until(lambda: reader.names == ["web"], "the file is read", 60, every=0.005)
    reader.swap(OTHER)
    until(lambda: reader.names == ["api", "web"], "the new one is read", 60, every=0.005)
    # A machine that stands still for a moment lets everything look so; a reader that looks on is not named any more.
    until(lambda: reader.pulse.still == "", "its reader goes on", 60, every=0.005)
    reader.reload.stop()
    until(
        lambda: all(thread.name != "policy file" for thread in threading.enumerate()),
        "its reader has ended",
        60,
        every=0.005,
    )
    reader.swap(GOOD)
    assert reader.names == ["api", "web"]
    until(
        lambda: reader.pulse.still.startswith("the reader of the policy file has not moved"),
        "its reader is seen to hang",
        60,
        every=0.005,
    )
