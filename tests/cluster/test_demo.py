"""The demo as a person starts it: what it shows, how it fails, and that it leaves nothing behind."""

from __future__ import annotations

import datetime as dt
import io
import os
import signal
from pathlib import Path

import pytest
from rich.console import Console

from demo import play
from demo.audit import objections
from demo.cast import NAMESPACE, roles
from demo.interrupts import Interrupts
from demo.run import run
from demo.show import Show
from demo.stage import ACCOUNT, Actor, Stage
from demo.story import Replacement
from tests.cluster.terminal import Running, running
from tests.rig.audit import AuditEvent

# Each starts a cluster of its own; together they would be slower than one after the other.
pytestmark = pytest.mark.xdist_group("demo")

LONGEST = 240.0
"""Seconds: longer than the demo itself waits before it fails and says why."""
TAKES_SCREEN, GIVES_BACK, SHOWS_CURSOR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"


def assert_all_as_it_must_be(one: Running) -> None:
    """The summary: who was replaced, who was left alone and why, and that the audit log says the same."""
    _, _, summary = one.output.partition("replaced pod before after")
    taken, _, left = summary.partition("left alone memory reason")
    names = ["web-", "db-0", "db-1", "agent-"]
    assert [taken.count(f" {name}") for name in names] == [3, 1, 1, 2], taken
    assert taken.count(" replaced ") == 7
    for reason in (
        "opted-out: pod legacy-",
        "disruption-budget: PodDisruptionBudget billing allows no disruption",
        "unsupported-owner: a pod of a Job",
        "below-threshold: over for",
        "recovering: container app has fallen to",
    ):
        assert reason in left
    assert "audit log agrees: 7 evictions, of these 7 pods, by the daemon's own account" in left
    one.assert_nothing_left()


def test_leaking_pods_are_replaced_and_the_others_left_alone_with_their_reasons(tmp_path: Path) -> None:
    """Without a terminal it prints plain lines, ends by itself with 0, writes the still, and leaves nothing."""
    with running(tmp_path, "demo", "--still", str(tmp_path / "still.txt")) as one:
        code = one.wait(LONGEST)
    assert code == 0, one.output
    assert "\x1b" not in one.raw
    introduction, _, rest = one.output.partition("set-up")
    assert "Simulated the nodes and pods (KWOK)" in introduction
    assert "decides to evict" in rest
    assert "memory; ┃ threshold 384Mi" in rest
    assert_all_as_it_must_be(one)
    still = (tmp_path / "still.txt").read_text("utf-8")
    assert [line for line in still.splitlines() if len(line) > 80] == []
    assert "left alone: disruption-budget" in still


def test_on_a_terminal_there_is_a_live_view_and_the_summary_after_it(tmp_path: Path) -> None:
    """It takes over the screen, follows its size, gives it back, and then prints what it prints without a terminal."""
    with running(tmp_path, "demo", size=(80, 24)) as one:
        one.wait_until_said("in flight 0 replaced 0 of 7")
        assert "left alone, because" not in one.output
        one.resize(140, 45)
        one.wait_until_said("left alone, because")
        code = one.wait(LONGEST)
    assert code == 0, one.output
    before, _, rest = one.raw.partition(TAKES_SCREEN)
    view, _, after = rest.partition(GIVES_BACK)
    assert "set-up" in before
    assert "7 of 7" in view
    assert SHOWS_CURSOR in view + after
    assert "decides" in after
    assert_all_as_it_must_be(one)


def test_ctrl_c_in_the_live_view_gives_the_screen_back_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """In the middle of a remediation; what has happened until then is printed, and the exit code is the signal's."""
    with running(tmp_path, "demo", "--keep", size=(80, 24)) as one:
        one.wait_until_said("to evict web-")
        one.press(b"\x03")
        code = one.wait(60)
    assert code == 128 + signal.SIGINT
    _, _, after = one.raw.partition(GIVES_BACK)
    assert "to evict" in after
    assert one.output.endswith("Stopped; nothing is left.")
    assert "failed" not in one.output
    one.assert_nothing_left()


def test_sigterm_while_the_control_plane_comes_up_leaves_nothing_behind(tmp_path: Path) -> None:
    """Whatever is going on, it stops everything within seconds, and says so."""
    with running(tmp_path, "demo", "--keep") as one:
        one.wait_until_said("starting kube-apiserver")
        # To the whole group, as a shell does it: what it has started gets it as well.
        os.killpg(one.process.pid, signal.SIGTERM)
        code = one.wait(60)
    assert code == 128 + signal.SIGTERM
    assert one.output.endswith("Stopped; nothing is left.")
    assert "failed" not in one.output
    one.assert_nothing_left()


def test_a_daemon_that_ends_fails_the_demo(tmp_path: Path) -> None:
    """It says so, shows the end of the daemon's log, ends with 1, and leaves nothing."""
    with running(tmp_path, "demo") as one:
        one.wait_until_said("the daemon's first evaluation")
        (daemon,) = (pid for pid, command in one.processes().items() if "remediator run" in command)
        os.kill(daemon, signal.SIGKILL)
        code = one.wait(60)
    assert code == 1
    assert one.output.endswith("The demo failed: the daemon ended by itself, with exit code -9")
    assert '"event":"' in one.output.partition("The daemon's log ends with:")[2]
    one.assert_nothing_left()


def test_time_running_out_fails_the_demo_and_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clear sentence instead of waiting for ever."""
    monkeypatch.setattr(play, "DEADLINE", 5.0)
    printed = io.StringIO()
    code = run(Show(Console(file=printed, width=200)), keep=False, interrupts=Interrupts())
    assert code == 1
    *_, last = printed.getvalue().rstrip().split("The demo failed: ")
    said = " ".join(last.split())
    assert said.startswith("after 5 s there is still missing: web-")
    assert said.count("is not replaced") == 7
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
        group="",
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


def test_these_evictions_and_nothing_else_are_as_it_must_be() -> None:
    """A refused try at one of them, and the control plane's own deletes, are no objection."""
    retried = request("web-1", code=429)
    by_controller = request("search-0", user="system:serviceaccount:kube-system:node-controller", verb="delete")
    assert objections(STAGE, events=[retried, by_controller, *EVICTIONS], said=SAID, there=LEFT) == []


@pytest.mark.parametrize(
    ("events", "there", "objection"),
    [
        (EVICTIONS[:2], LEFT, "the audit log shows 2 pods taken, not 7: web-0, web-1"),
        ([], LEFT, "the audit log shows 0 pods taken, not 7: none"),
        ([*EVICTIONS, EVICTIONS[0]], LEFT, "the daemon's log tells of 7 evictions, the audit log of 8"),
        ([*EVICTIONS, request("search-0")], LEFT, "search-0 was evicted, and was to be left alone"),
        ([*EVICTIONS, request("billing-0", code=429)], LEFT, "the daemon sent a create of eviction for billing-0"),
        (
            [*EVICTIONS, request("search-0", verb="patch", code=200)],
            LEFT,
            "the daemon sent a patch of pod for search-0",
        ),
        ([*EVICTIONS[1:], request("web-0", user="admin")], LEFT, "web-0 was evicted by admin"),
        ([*EVICTIONS[1:], request("web-0", verb="delete")], LEFT, f"web-0 was deleted by {ACCOUNT}"),
        ([*EVICTIONS[1:], request("web-0", uid="another")], LEFT, "web-0 was evicted for the UID another"),
        (EVICTIONS, {}, "legacy-0 is not there any more"),
        (EVICTIONS, {**LEFT, "uid-web-0": "web-0"}, "web-0 is still there"),
    ],
)
def test_what_is_not_as_it_must_be_is_named(events: list[AuditEvent], there: dict[str, str], objection: str) -> None:
    """One pod too many or too few, another way, another user, another pod: each has its sentence."""
    found = objections(STAGE, events=events, said=SAID, there=there)
    assert any(sentence.startswith(objection) for sentence in found), found
