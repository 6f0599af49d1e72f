"""The messages as amtool writes them: whole, harmless, and small enough for whoever gets them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rig.helm import Helm
from tests.stack.amtool import render
from tests.stack.files import ROBOTS
from tests.stack.messages import LONG, NASTY, alert, message, nasty
from tests.stack.robots import accepted, texts
from tests.stack.secret import secret

HARMLESS = str.maketrans("<[", "＜［")  # noqa: RUF001
"""What stands for the characters of markup."""

KEYWORD = {"en": "Alert", "zh": "告警"}
"""What a robot may ask for in each message."""


@pytest.fixture(scope="module", params=["card", "brief"])
def design(request: pytest.FixtureRequest) -> str:
    """Each of the two designs."""
    found: str = request.param
    return found


@pytest.fixture(scope="module", params=list(KEYWORD))
def language(request: pytest.FixtureRequest) -> str:
    """Each language."""
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def folder(helm: Helm, design: str, language: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Alertmanager's files for this design in this language."""
    names = (["messages-brief.yaml"] if design == "brief" else []) + (
        ["messages-chinese.yaml"] if language == "zh" else []
    )
    made = tmp_path_factory.mktemp(f"{design}-{language}")
    secret(helm, *names).write(made)
    return made


def cleaned(text: str) -> str:
    """A text as a message has it on one line: without what is no letter, and with single spaces."""
    control = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufff0-\uffff]"
    return re.sub(r"\s+", " ", re.sub(control, "", text)).strip()


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize("what", NASTY)
def test_no_text_breaks_a_message(amtool: Path, folder: Path, language: str, robot: str, what: str) -> None:
    """Whatever an alert says, in whatever place, the robot takes the message, and the text is in it."""
    text = NASTY[what]
    body = accepted(robot, render(amtool, folder, robot, message(nasty(text))), keyword=KEYWORD[language])
    wanted, said = cleaned(text)[:50], " ".join(texts(body))
    if robot == "slack":
        said = said.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert any(form in said for form in (wanted, wanted.translate(HARMLESS)))


@pytest.mark.parametrize("robot", ROBOTS)
def test_no_text_becomes_a_mention_a_link_or_an_image(amtool: Path, folder: Path, robot: str) -> None:
    """Where a robot reads tags, or Markdown, an alert's text has none left; elsewhere its text is plain."""
    body = accepted(robot, render(amtool, folder, robot, message(nasty(NASTY["mention"]))))
    for text in read_as_markup(robot, body):
        assert "<" not in text
        assert robot == "slack" or "[" not in text


def read_as_markup(robot: str, body: dict[str, Any]) -> Iterator[str]:
    """The texts of a message in which the robot looks for mentions and links."""
    match robot, body.get("msgtype"):
        case "feishu", _:
            # plain_text and the cells of a table of texts are shown as they are, which `accepted` has made sure of.
            return
        case "dingtalk", "actionCard" | "markdown" as kind:
            yield body[kind]["text"]
        case "wecom", "markdown":
            yield body["markdown"]["content"]
        case "slack", _:
            yield body["text"]


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize("what", LONG)
def test_a_big_incident_gets_through(amtool: Path, folder: Path, language: str, robot: str, what: str) -> None:
    """60 alerts of far too long texts are cut to what the robot takes, and how many more there are is said."""
    links = {"runbook_url": "https://runbooks.test/?" + "&" * 270}
    alerts = [
        alert(LONG[what], summary=LONG[what], description=LONG[what], labels={"pod": LONG[what]}, annotations=links)
        | {"generatorURL": "https://prometheus.test/?" + "&" * 270}
        for _ in range(60)
    ]
    body = accepted(robot, render(amtool, folder, robot, message(*alerts)), keyword=KEYWORD[language])
    more = {"en": r"\+ (50|56) more", "zh": r"\+ (50|56) 条"}[language]
    assert re.search(more, "\n".join(texts(body)))
    assert "…" in "".join(texts(body))


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize(
    ("severity", "state", "title"),
    [
        ("critical", "firing", {"en": "Alert (1) Critical:", "zh": "告警 (1) 严重:"}),
        ("warning", "firing", {"en": "Alert (1) Warning:", "zh": "告警 (1) 警告:"}),
        ("info", "firing", {"en": "Alert (1) Info:", "zh": "告警 (1) 提示:"}),
        ("page", "firing", {"en": "Alert (1) page:", "zh": "告警 (1) page:"}),
        ("alert", "firing", {"en": "Alert (1) alert:", "zh": "告警 (1) alert:"}),
        ("critical", "resolved", {"en": "Alert resolved (1) Critical:", "zh": "告警恢复 (1) 严重:"}),
    ],
)
def test_the_title_says_what_and_where(
    amtool: Path, folder: Path, language: str, robot: str, severity: str, state: str, title: dict[str, str]
) -> None:
    """State, count, severity, alert and namespace stand in the title, in the language that was chosen."""
    body = accepted(
        robot, render(amtool, folder, robot, message(alert(severity=severity, resolved=state == "resolved")))
    )
    assert f"{title[language]} KubePodCrashLooping · shop" in "\n".join(texts(body))


def test_the_colour_is_that_of_the_worst_that_fires(amtool: Path, folder: Path) -> None:
    """Red where anything critical fires, blue where nothing but infos does; green once all is resolved."""

    def colour(*alerts: dict[str, Any]) -> str:
        body = accepted("feishu", render(amtool, folder, "feishu", message(*alerts)))
        found: str = body["card"]["header"]["template"]
        return found

    critical, warning, info = (alert(severity=severity) for severity in ("critical", "warning", "info"))
    assert colour(warning, critical, info) == "red"
    assert colour(critical, warning) == "red"
    assert colour(info, warning) == "orange"
    assert colour(info) == "blue"
    assert colour(info, alert(severity="page")) == "orange"
    assert colour(alert(severity="critical", resolved=True), warning) == "orange"
    assert colour(alert(severity="critical", resolved=True)) == "green"


@pytest.mark.parametrize("robot", ROBOTS)
def test_what_fires_comes_before_what_is_resolved(amtool: Path, folder: Path, language: str, robot: str) -> None:
    """A group of both shows what fires first, and counts only that in its title."""
    group = [
        alert(summary="gone", resolved=True, labels={"pod": "gone-1"}),
        alert(summary="there", labels={"pod": "there-1"}),
    ]
    said = "\n".join(texts(accepted(robot, render(amtool, folder, robot, message(*group)))))
    assert f"{KEYWORD[language]} (1)" in said
    assert said.index("there-1") < said.index("gone-1")


@pytest.mark.parametrize("robot", ROBOTS)
def test_times_are_those_of_the_reader(amtool: Path, folder: Path, language: str, robot: str) -> None:
    """UTC, said to be so, in English; the time of Beijing in Chinese."""
    said = "\n".join(texts(accepted(robot, render(amtool, folder, robot, message(alert())))))
    assert {"en": "2026-01-01 12:00:00 UTC", "zh": "2026-01-01 20:00:00"}[language] in said


def test_links_are_there_where_they_are_links(amtool: Path, folder: Path, design: str) -> None:
    """A runbook becomes a button of a card; what is no URL of http makes none, rather than a refused message."""
    sound = accepted("slack", render(amtool, folder, "slack", message(alert())))
    odd = accepted(
        "slack", render(amtool, folder, "slack", message(alert(annotations={"runbook_url": "javascript:alert(1)"})))
    )
    assert ("https://runbooks.test/KubePodCrashLooping" in texts(sound)) == (design == "card")
    assert not any("javascript" in text for text in texts(odd))


def test_a_mail_shows_texts_as_they_are(amtool: Path, folder: Path, language: str) -> None:
    """In HTML no text of an alert is markup, and a link of another kind than http is none."""
    for text in NASTY.values():
        html = render(amtool, folder, "mail", message(nasty(text)), html=True)
        assert KEYWORD[language] in html
        assert "<script" not in html
        assert "<at" not in html
    html = render(amtool, folder, "mail", message(alert(), alert(resolved=True)), html=True)
    assert html.count("<h3>") == 2
    assert '<a href="https://runbooks.test/KubePodCrashLooping">' in html


@pytest.mark.parametrize("what", NASTY)
def test_the_subject_of_a_mail_is_one_line(amtool: Path, folder: Path, language: str, what: str) -> None:
    """No text of an alert can add a header to a mail."""
    subject = render(amtool, folder, "mail.subject", message(nasty(NASTY[what])))
    assert subject.startswith(KEYWORD[language])
    assert not re.search(r"[\r\n]", subject)
