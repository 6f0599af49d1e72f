"""One line an event, with everything that is asked for and nothing that is secret."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from remediator.model.measures import Veto
from remediator.model.vocabulary import Outcome, Reason
from remediator.observe.logs import LogFormat, configure, logger
from remediator.observe.metrics import Metrics
from remediator.observe.state import State
from remediator.observe.voice import Voice
from tests.unit.make import GI, NOW, UID, breach, late_queue, record


class Log:
    """What was logged."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        """All of it."""
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """One object a line."""
        return [json.loads(line) for line in self.text.rstrip("\n").split("\n")] if self.text else []

    @property
    def line(self) -> dict[str, Any]:
        """The only line."""
        [line] = self.lines
        return line


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Puts back what is one for the whole process."""
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, threading.excepthook
    levels = {name: logging.getLogger(name).level for name in ("urllib3", "uvicorn", "kubernetes", "apscheduler")}
    yield
    root.handlers[:], threading.excepthook = handlers, hook
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()


def begin(form: LogFormat = "json", level: str = "info") -> Log:
    """Log from here on."""
    log = Log()
    configure(form=form, level=level, stream=log.stream)
    return log


def voice() -> Voice:
    """Who tells of remediations."""
    return Voice(Metrics(State(clock=lambda: float(NOW))))


MEASURED = {
    "policy": "everyone",
    "namespace": "shop",
    "pod": "web-5d4f-abcde",
    "uid": UID,
    "node": "node-1",
    "container": "",
    "value": 22.0 * GI,
    "limit": 24 * GI,
    "share": 0.9167,
    "threshold": 20.0 * GI,
    "threshold_text": "20Gi",
    "unit": "bytes",
    "sample_time": "2027-01-15T07:59:55+00:00",
    "query": 'container_memory_working_set_bytes{namespace="shop"}[180s]',
}


def test_a_line_is_an_object_that_begins_with_what_one_looks_for() -> None:
    """Time in UTC, level, event; then the fields."""
    log = begin()
    logger().info("evaluation", policy="p", outcome="ok")
    assert log.text.startswith('{"time":"')
    assert list(log.line)[:3] == ["time", "level", "event"]
    assert log.line["time"].endswith("Z")
    assert (log.line["level"], log.line["event"], log.line["policy"]) == ("info", "evaluation", "p")


def test_a_step_answers_why_my_pod() -> None:
    """Every step of a remediation carries all that was measured, and whose pod it was."""
    log = begin()
    voice().step(record(), "evict", answer="accepted")
    line = log.line
    assert {key: line[key] for key in MEASURED} == MEASURED
    assert line["event"] == "remediation evict"
    assert (line["remediation_id"], line["epoch"], line["action"]) == ("0123456789ab", 3, "evict")
    assert (line["workload"], line["answer"]) == ("Deployment/web", "accepted")


def test_an_end_says_how_long_it_took() -> None:
    """Outcome, detail, the new pod, its memory, and both durations; what is not replaced is a warning."""
    log = begin()
    end = {"settled_at": float(NOW), "available_at": NOW - 2.0, "replacement": "web-new", "after": 2.0 * GI}
    voice().settled(record(outcome=Outcome.REPLACED, detail="web-new is available", **end))
    line = log.line
    assert line["level"] == "info"
    assert {key: line[key] for key in MEASURED} == MEASURED
    assert (line["outcome"], line["replacement"], line["memory_after"]) == ("replaced", "web-new", 2.0 * GI)
    assert (line["seconds_to_available"], line["seconds_in_all"], line["breaker_opened"]) == (8.0, 11.0, False)
    log = begin()
    voice().settled(record(outcome=Outcome.NOT_READY, settled_at=float(NOW)))
    assert (log.line["level"], log.line["breaker_opened"], log.line["seconds_to_available"]) == ("warning", True, None)


def test_a_veto_says_why_not() -> None:
    """All reasons, all details, and what was measured."""
    log = begin()
    vetoes = (Veto(Reason.COOLDOWN, "5 s are left"), Veto(Reason.BUDGET, "20 are spent"))
    voice().vetoed(vetoes, policy="everyone", namespace="shop", pod="web", breach=breach(), workload="Deployment/web")
    line = log.line
    assert {key: line[key] for key in MEASURED} == MEASURED
    assert line["reasons"] == ["cooldown", "budget"]
    assert line["detail"] == "5 s are left; 20 are spent"


def test_a_queue_that_is_slower_than_the_leak_is_told_once() -> None:
    """With all its numbers and what to set; again where more are late, and when it is over."""
    teller, log = voice(), begin()
    teller.late("everyone", [late_queue()])
    line = log.line
    assert (line["event"], line["level"]) == ("queue slower than the leak", "warning")
    assert {key: line[key] for key in ("policy", "namespace", "workload", "pod", "waiting", "late")} == {
        "policy": "everyone",
        "namespace": "shop",
        "workload": "Deployment/web",
        "pod": "web-5d4f-p1",
        "waiting": 4,
        "late": 2,
    }
    assert (line["seconds_to_limit"], line["seconds_to_turn"], line["seconds_of_one"]) == (240, 900, 62)
    assert line["remedy"] == "set cooldown: 2m"
    log = begin()
    teller.late("everyone", [late_queue(limit_in=180.0)])
    teller.late("everyone", [late_queue(late=1)])
    teller.late("everyone", [late_queue()])
    assert log.text == "", "no worse than what was told"
    teller.late("everyone", [late_queue(late=3)])
    assert log.line["late"] == 3
    log = begin()
    teller.late("another", [])
    assert log.text == ""
    teller.late("everyone", [])
    assert (log.line["event"], log.line["level"]) == ("queue in time again", "info")
    log = begin()
    teller.late("everyone", [])
    assert log.text == ""


def test_what_is_no_news_is_not_told() -> None:
    """A pod of another policy's is told at debug level only."""
    other = (Veto(Reason.NOT_MATCHED, "it belongs to policy first"),)
    log = begin()
    voice().vetoed(other, policy="everyone", namespace="shop", pod="web", breach=breach())
    assert log.text == ""
    log = begin(level="debug")
    voice().vetoed(other, policy="everyone", namespace="shop", pod="web", breach=breach())
    assert log.line["level"] == "debug"


def test_a_breach_without_a_limit_has_no_share() -> None:
    """Null, and never a number."""
    log = begin()
    voice().step(record(breach=breach(limit=None)), "intended")
    assert (log.line["limit"], log.line["share"]) == (None, None)


# Other people's logs


def test_the_libraries_come_through_the_same_pipe() -> None:
    """As JSON, with their logger's name, their arguments and their extras."""
    log = begin()
    logging.getLogger("kubernetes.client").warning("refused %s of %d", "one", 3, extra={"host": "h"})
    line = log.line
    assert (line["event"], line["level"], line["logger"], line["host"]) == (
        "refused one of 3",
        "warning",
        "kubernetes.client",
        "h",
    )


def test_requests_are_never_logged_with_their_url() -> None:
    """Also at debug level: a URL may have what is secret in it."""
    log = begin(level="debug")
    for name in ("urllib3.connectionpool", "uvicorn.access", "kubernetes.client.rest"):
        logging.getLogger(name).debug("GET /?token=s3cr3t")
        logging.getLogger(name).info("GET /?token=s3cr3t")
    assert log.text == ""


@pytest.mark.parametrize(("level", "expected"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_is_a_floor(level: str, expected: int) -> None:
    """What is below is not there."""
    log = begin(level=level)
    for method in ("debug", "info", "warning", "error"):
        getattr(logger(), method)("x")
    assert len(log.lines) == expected


# Exceptions


def fail() -> None:
    """Fails with a secret in a local variable, and another one in the frame above."""
    password = "s3cr3t-local"  # noqa: F841
    message = "it broke"
    raise ValueError(message)


def test_a_traceback_has_no_local_variables() -> None:
    """Which functions, which lines, which error; not what was in their variables."""
    log = begin()
    token = "s3cr3t-frame"  # noqa: F841
    try:
        try:
            fail()
        except ValueError as exc:
            message = "and so did this"
            raise RuntimeError(message) from exc
    except RuntimeError:
        logger().exception("evaluation failed by a defect", policy="p")
    line = log.line
    assert line["level"] == "error"
    assert [one["exc_type"] for one in line["exception"]] == ["RuntimeError", "ValueError"]
    assert "fail" in [frame["name"] for frame in line["exception"][1]["frames"]]
    assert 's3cr3t-local"' not in log.text.replace('password = \\"s3cr3t-local\\"', "")
    assert '"locals"' not in log.text
    assert "s3cr3t-frame" not in log.text


def test_a_thread_that_dies_is_told() -> None:
    """In one line like everything else, and not on stderr past the log."""
    log = begin()
    thread = threading.Thread(target=fail, name="watch-shop")
    thread.start()
    thread.join()
    line = log.line
    assert (line["event"], line["thread"], line["level"]) == ("a thread died", "watch-shop", "error")
    assert line["exception"][0]["exc_value"] == "it broke"
    assert '"locals"' not in log.text


# Odd values


@pytest.mark.parametrize(
    "odd",
    [
        "\ud800 lone surrogate",
        "line\nbreak\r\u2028",
        "\x1b[31mred\x00",
        float("nan"),
        float("inf"),
        1 << 70,
        -(1 << 70),
        {"a": {1, 2}},
        {1: "number as a key"},
        b"\xff",
        object(),
        ValueError("x"),
        [breach(), record()],
        None,
    ],
    ids=lambda odd: type(odd).__name__,
)
@pytest.mark.parametrize("form", ["json", "text"])
def test_whatever_is_logged_is_one_line(odd: object, form: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    """No value makes a line disappear, or two of one: a log that fails to tell of a failure is none."""
    log = begin(form)
    logger().error("something failed", value=odd)
    assert "something failed" in log.text
    assert capsys.readouterr().err == ""
    if form == "json":
        assert log.text.count("\n") == 1
        assert log.line["event"] == "something failed"


def test_a_path_that_is_no_text_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """A file name in another encoding comes from the system as a text that can't be encoded."""
    log = begin()
    logger().error("policy file refused", problems=[b"/etc/\xff.yaml".decode("utf-8", "surrogateescape")])
    assert log.line["event"] == "policy file refused"
    assert capsys.readouterr().err == ""


# Text


def test_on_a_terminal_it_is_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """``auto`` is text on a terminal and JSON elsewhere; ``text`` elsewhere has no colours."""
    log = begin("auto")
    logger().info("evaluation", policy="p")
    assert log.line["policy"] == "p"
    terminal = Log()
    monkeypatch.setattr(terminal.stream, "isatty", lambda: True, raising=False)
    configure(form="auto", level="info", stream=terminal.stream)
    logger().info("evaluation", policy="p")
    assert "\x1b[" in terminal.text
    assert "evaluation" in terminal.text
    log = begin("text")
    logger().info("evaluation", policy="p")
    assert "policy=p" in log.text
    assert "\x1b[" not in log.text


def test_a_traceback_for_people_has_no_local_variables_either() -> None:
    """The plain one."""
    log = begin("text")
    secret = "s3cr3t-frame"  # noqa: F841
    try:
        fail()
    except ValueError:
        logger().exception("failed")
    assert "it broke" in log.text
    assert "s3cr3t-frame" not in log.text.replace('secret = "s3cr3t-frame"', "")


def test_it_goes_to_stderr() -> None:
    """Standard output belongs to the commands."""
    configure(form="json", level="info")
    [handler] = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stderr
