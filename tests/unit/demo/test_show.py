"""What is printed at once, what waits for the end of the live view, and what an interrupt does to both."""

from __future__ import annotations

import io
import os
import signal

import pytest
from rich.console import Console

from demo.interrupts import Interrupts
from demo.screen import Screen
from demo.show import Show
from tests.unit.demo.make import example

TAKES_SCREEN, GIVES_BACK = "\x1b[?1049h", "\x1b[?1049l"


def terminal() -> Console:
    """A console that takes its file for a terminal."""
    return Console(file=io.StringIO(), force_terminal=True, width=80, height=24, highlight=False, _environ={})


def printed(console: Console) -> str:
    """All of it."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def interrupts() -> Interrupts:
    """Ctrl-C and its relatives, without the handlers."""
    return Interrupts()


def test_what_is_said_while_one_watches_is_printed_after_the_view(interrupts: Interrupts) -> None:
    """In the order in which it was said."""
    console = terminal()
    show = Show(console, screen=Screen(console))
    show.step("before")
    with show.watching(interrupts):
        show.draw(example())
        show.step("first")
        show.good("second")
        assert "first" not in printed(console)
    before, _, rest = printed(console).partition(TAKES_SCREEN)
    view, _, after = rest.partition(GIVES_BACK)
    assert "before" in before
    assert "replaced" in view
    assert after.index("first") < after.index("second")
    assert [line.words for line in show.said] == ["before", "first"]


def test_the_screen_is_given_back_whatever_happens(interrupts: Interrupts) -> None:
    """And what was said until then is printed."""
    console = terminal()
    show = Show(console, screen=Screen(console))

    def fail() -> None:
        with show.watching(interrupts):
            show.step("first")
            message = "a defect"
            raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="a defect"):
        fail()
    _, _, after = printed(console).partition(GIVES_BACK)
    assert "first" in after


def test_without_a_screen_everything_is_printed_at_once(interrupts: Interrupts) -> None:
    """And pictures of the memory come now and then."""
    console = Console(file=io.StringIO(), width=80)
    show = Show(console)
    with show.watching(interrupts):
        show.step("first")
        assert "first" in printed(console)
        show.draw(example())
        show.draw(example())
    assert printed(console).count("threshold 384Mi") == 1
    assert "\x1b" not in printed(console)


def test_a_picture_is_of_the_time_at_which_it_was_taken(
    interrupts: Interrupts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not of that at which it is printed."""
    console = terminal()
    now = 100.0
    monkeypatch.setattr("demo.show.time.monotonic", lambda: now)
    show = Show(console, screen=Screen(console))
    with show.watching(interrupts):
        now = 103.0
        show.picture(example().rows)
        now = 200.0
    assert "  3.0 s" in printed(console)


def test_a_held_interrupt_counts_at_the_end(interrupts: Interrupts) -> None:
    """Also where one step that must not be left half-way is within another."""
    done = []

    def step() -> None:
        with interrupts.held():
            with interrupts.held():
                interrupts._came(signal.SIGINT, None)
            done.append("the rest of the outer step")

    with pytest.raises(KeyboardInterrupt):
        step()
    assert done == ["the rest of the outer step"]


def test_the_first_interrupt_counts_and_no_other() -> None:
    """It raises in the main thread; those after it do nothing."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    interrupts = Interrupts()
    interrupts.install()
    try:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert interrupts.number is signal.SIGTERM
