"""The demo as a person starts it: what it shows, how it fails, and that it leaves nothing behind."""

from __future__ import annotations

import datetime as dt
import io
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from demo import run as demo
from demo.audit import objections
from demo.interrupts import Interrupts
from demo.show import Show
from demo.stage import ACCOUNT, NAMESPACE, Actor, Stage, roles
from demo.story import Replacement
from tests.rig.audit import AuditEvent

ROOT = Path(__file__).resolve().parents[2]
# Each starts a cluster of its own; together they would be slower than one after the other.
pytestmark = pytest.mark.xdist_group("demo")


class Running:
    """`python -m demo` as a process, in a process group of its own, as a terminal would have it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._output = folder / "output"
        self._temporary = folder / "tmp"
        self._temporary.mkdir()
        self._mark = f"DEMO_UNDER_TEST={uuid.uuid4()}"
        name, _, value = self._mark.partition("=")
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo", *arguments],
                cwd=ROOT,
                env={**os.environ, name: value, "TMPDIR": str(self._temporary), "COLUMNS": "80"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What it has printed, with every run of white space as one blank, so that no wrapping matters."""
        return " ".join(self._output.read_text().split())

    def wait_until_said(self, words: str, *, seconds: float = 80) -> None:
        """Returns when it has printed these words; fails where it ends before that."""
        deadline = time.monotonic() + seconds
        while words not in self.output:
            assert self.process.poll() is None, f"it ended before {words!r}: {self.output}"
            assert time.monotonic() < deadline, f"{words!r} was not said within {seconds} s: {self.output}"
            time.sleep(0.05)

    def processes(self) -> dict[int, str]:
        """The command lines of all that descends from it and is alive, by process ID."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                # It has ended meanwhile, or is another user's.
                continue
        return found

    def assert_nothing_left(self) -> None:
        """No process, and nothing in the folder for temporary files."""
        assert self.processes() == {}
        assert list(self._temporary.iterdir()) == []


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Running]:
    """A demo, which is killed with all that belongs to it where the test fails."""
    one = Running(folder, *arguments)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            for pid in one.processes():
                os.kill(pid, signal.SIGKILL)
            one.process.wait(10)


def test_three_pods_are_replaced_and_the_others_left_alone_with_their_reasons(tmp_path: Path) -> None:
    """Without a terminal it prints plain lines, ends by itself with 0 in less than 90 seconds, and leaves nothing."""
    started = time.monotonic()
    with running(tmp_path) as one:
        code = one.process.wait(120)
    seconds = time.monotonic() - started
    assert code == 0, one.output
    assert seconds < 90
    assert "\x1b" not in one.output
    introduction, _, rest = one.output.partition("set-up")
    assert "Simulated the nodes and pods (KWOK)" in introduction
    _, _, summary = rest.partition("replaced pod before after")
    assert summary.count(" replaced leaking-") + summary.count(" replaced Breach:") == 3
    assert "opted-out: pod opted-out-" in summary
    assert "disruption-budget: PodDisruptionBudget guarded allows no disruption" in summary
    assert "below-threshold: it was never over its threshold" in summary
    assert "audit log agrees: 3 evictions, of these 3 pods, by the daemon's own account" in summary
    one.assert_nothing_left()


@pytest.mark.parametrize(
    ("number", "moment"),
    [(signal.SIGINT, "decides to evict"), (signal.SIGTERM, "starting kube-apiserver")],
    ids=["Ctrl-C in the middle of a remediation", "SIGTERM while the control plane comes up"],
)
def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    """Whatever is going on, it stops everything within seconds, and says so; the exit code is the signal's."""
    with running(tmp_path, "--keep") as one:
        one.wait_until_said(moment)
        # To the whole group, as the terminal does it: the daemon gets it as well.
        os.killpg(one.process.pid, number)
        code = one.process.wait(30)
    assert code == 128 + number
    assert one.output.endswith("Stopped; nothing is left.")
    assert "failed" not in one.output
    one.assert_nothing_left()


def test_a_daemon_that_ends_fails_the_demo(tmp_path: Path) -> None:
    """It says so, shows the end of the daemon's log, ends with 1, and leaves nothing."""
    with running(tmp_path) as one:
        one.wait_until_said("the daemon's first evaluation")
        (daemon,) = (pid for pid, command in one.processes().items() if "remediator run" in command)
        os.kill(daemon, signal.SIGKILL)
        code = one.process.wait(30)
    assert code == 1
    assert one.output.endswith("The demo failed: the daemon ended by itself, with exit code -9")
    assert '"event":"policy file read"' in one.output
    one.assert_nothing_left()


def test_time_running_out_fails_the_demo_and_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clear sentence instead of waiting for ever."""
    monkeypatch.setattr(demo, "DEADLINE", 5.0)
    printed = io.StringIO()
    code = demo.run(Show(Console(file=printed, width=200)), keep=False, interrupts=Interrupts())
    assert code == 1
    *_, last = printed.getvalue().rstrip().split("The demo failed: ")
    said = " ".join(last.split())
    assert said.startswith("after 5 s there is still missing: leaking-")
    assert said.count("is not replaced") == 3
    assert "is not said to be left alone as opted-out" in said


# The cross-check with the audit log, on made-up logs.

STAGE = Stage(
    tuple(
        Actor(f"{role.workload}-{number}", f"uid-{role.workload}-{number}", role)
        for role in roles()
        for number in range(role.pods)
    ),
    Path("kubeconfig"),
)
SAID = [
    Replacement(str(number), actor.pod, actor.uid, 1.0, "75% of limit", evicted_at=1.0)
    for number, actor in enumerate(STAGE.to_replace)
]
LEFT = {actor.uid: actor.pod for actor in STAGE.to_leave}
WHEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def request(
    pod: str, *, uid: str | None = None, user: str = ACCOUNT, verb: str = "create", code: int = 201
) -> AuditEvent:
    """An eviction as the audit log has it, or with another verb a request for the pod itself."""
    return AuditEvent(
        user=user,
        verb=verb,
        resource="pods",
        subresource="eviction" if verb == "create" else "",
        namespace=NAMESPACE,
        name=pod,
        code=code,
        request={"deleteOptions": {"preconditions": {"uid": uid or f"uid-{pod}"}}},
        received=WHEN,
        answered=WHEN,
        user_agent="",
        stage="ResponseComplete",
        uri=f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}",
        reason="",
        message="",
    )


EVICTIONS = [request(actor.pod) for actor in STAGE.to_replace]


def test_the_three_evictions_and_nothing_else_are_as_it_must_be() -> None:
    """A refused try at one of the three, and the control plane's own deletes, are no objection."""
    retried = request("leaking-1", code=429)
    by_controller = request("healthy-0", user="system:serviceaccount:kube-system:node-controller", verb="delete")
    assert objections(STAGE, events=[retried, by_controller, *EVICTIONS], said=SAID, there=LEFT) == []


@pytest.mark.parametrize(
    ("events", "there", "objection"),
    [
        (EVICTIONS[:2], LEFT, "the audit log shows 2 pods taken, not 3: leaking-0, leaking-1"),
        ([], LEFT, "the audit log shows 0 pods taken, not 3: none"),
        ([*EVICTIONS, EVICTIONS[0]], LEFT, "the daemon's log tells of 3 evictions, the audit log of 4"),
        ([*EVICTIONS, request("healthy-0")], LEFT, "healthy-0 was evicted, and was to be left alone"),
        ([*EVICTIONS, request("guarded-0", code=429)], LEFT, "the daemon sent a create of eviction for guarded-0"),
        (
            [*EVICTIONS, request("healthy-0", verb="patch", code=200)],
            LEFT,
            "the daemon sent a patch of pod for healthy-0",
        ),
        ([*EVICTIONS[:2], request("leaking-2", user="admin")], LEFT, "leaking-2 was evicted by admin"),
        ([*EVICTIONS[:2], request("leaking-2", verb="delete")], LEFT, f"leaking-2 was deleted by {ACCOUNT}"),
        ([*EVICTIONS[:2], request("leaking-2", uid="another")], LEFT, "leaking-2 was evicted for the UID another"),
        (EVICTIONS, {}, "healthy-0 is not there any more"),
        (EVICTIONS, {**LEFT, "uid-leaking-0": "leaking-0"}, "leaking-0 is still there"),
    ],
)
def test_what_is_not_as_it_must_be_is_named(events: list[AuditEvent], there: dict[str, str], objection: str) -> None:
    """One pod too many or too few, another way, another user, another pod: each has its sentence."""
    found = objections(STAGE, events=events, said=SAID, there=there)
    assert any(sentence.startswith(objection) for sentence in found), found
