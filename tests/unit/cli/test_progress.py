"""What is shown to those who wait: on a terminal, after a second, on standard error."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import textwrap

import pytest

from remediator.cli import progress
from remediator.cli.progress import Progress

WAITING = textwrap.dedent(
    """
    import sys, threading
    from remediator.cli.progress import Progress
    with Progress() as tell:
        tell("listing pods")
        print(sys.stdin.readline().strip(), flush=True)
    """
)


def read_until(descriptor: int, words: bytes) -> bytes:
    """What a terminal shows, up to these words."""
    seen = b""
    while words not in seen:
        seen += os.read(descriptor, 4096)
    return seen


def test_it_is_shown_on_a_terminal_and_taken_away_again() -> None:
    """Not on standard output, where the result is."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    try:
        assert b"listing pods" in read_until(ours, b"listing pods")
        stdout, _ = process.communicate("done\n", timeout=60)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert (process.returncode, stdout) == (0, "done\n")


def test_without_a_terminal_nothing_is_shown(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A log file has no use for it."""
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with Progress() as tell:
        tell("listing pods")
        tell._show()
    assert capfd.readouterr() == ("", "")
