"""The robots of these tests refuse what the real ones refuse."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.rig.loopback import ask
from tests.stack.robots import Refusal, Robots, accepted

TITLE = {"tag": "plain_text", "content": "Alert"}
CARD: dict[str, Any] = {
    "msg_type": "interactive",
    "card": {"schema": "2.0", "header": {"template": "red", "title": TITLE}, "body": {"elements": [{"tag": "hr"}]}},
}
GOOD: dict[str, dict[str, Any]] = {
    "feishu": CARD,
    "dingtalk": {"msgtype": "markdown", "markdown": {"title": "Alert", "text": "x"}},
    "wecom": {"msgtype": "markdown", "markdown": {"content": "Alert"}},
    "slack": {"text": "Alert"},
}


def feishu(**card: object) -> dict[str, Any]:
    """The good card, changed."""
    return {**CARD, "card": {**CARD["card"], **card}}


@pytest.mark.parametrize("robot", GOOD)
def test_what_is_good_is_taken(robot: str) -> None:
    """A sound message with the keyword."""
    assert accepted(robot, orjson.dumps(GOOD[robot]), keyword="Alert") == GOOD[robot]


@pytest.mark.parametrize(
    ("robot", "body", "why"),
    [
        ("feishu", feishu(schema=2.0), "schema"),
        ("feishu", feishu(body={"elements": [{"tag": "note"}]}), "unknown tag note"),
        ("feishu", feishu(body={"elements": [{"tag": "hr", "color": "red"}]}), "keys"),
        ("feishu", feishu(body={"elements": []}), "no elements"),
        ("feishu", feishu(header={"template": "red", "title": {"demo/web": "92%"}}), "keys"),
        ("feishu", feishu(header={"template": "red", "title": {**TITLE, "content": "x" * 25_000}}), "bytes"),
        ("feishu", orjson.dumps(CARD).decode(), "no object"),
        ("dingtalk", {"msgtype": "markdown", "markdown": {"title": "Alert", "text": "x" * 20_000}}, "bytes"),
        ("dingtalk", {"msgtype": "card", "card": {}}, "msgtype card"),
        ("wecom", {"msgtype": "markdown", "markdown": {"content": "\u96ea" * 1366}}, "4098 bytes"),
        ("wecom", {"msgtype": "template_card", "template_card": {"card_type": "text_notice"}}, "main_title"),
        ("slack", {"text": ""}, "no text"),
        ("slack", {"text": "a", "attachments": [{"blocks": [{"type": "header", "text": {"text": "x" * 151}}]}]}, "150"),
    ],
)
def test_what_is_bad_is_refused(robot: str, body: object, why: str) -> None:
    """Each kind of fault, by its name."""
    with pytest.raises(Refusal, match=why):
        accepted(robot, orjson.dumps(body))


@pytest.mark.parametrize(("robot", "status"), [("feishu", 200), ("dingtalk", 200), ("wecom", 200), ("slack", 400)])
def test_a_refusal_looks_like_theirs(robot: str, status: int) -> None:
    """Inside a 200 for all but Slack, and nothing was taken."""
    with Robots(keyword="elsewhere") as robots:
        answer = ask("POST", robots.url(robot), json=GOOD[robot])
    assert answer.status_code == status
    assert robots.taken == []
    if status == 200:
        assert 310000 in answer.json().values()
