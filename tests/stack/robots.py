"""Chat robots on loopback that take and refuse messages as Feishu's, DingTalk's, WeCom's and Slack's do.

The first three refuse with HTTP 200 and a code in the body. What they refuse is what their makers document:
https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot and …/feishu-cards/card-json-v2-structure
https://open.dingtalk.com/document/robots/custom-robot-access
https://developer.work.weixin.qq.com/document/path/91770
https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import orjson

from tests.rig.servers import Handler, LocalServer

Body = Mapping[str, Any]


class Refusal(Exception):
    """Why a robot does not take a message."""


def _refuse(why: str) -> NoReturn:
    raise Refusal(why)


def _need(condition: object, why: str) -> None:
    if not condition:
        raise Refusal(why)


def _exactly(part: Body, *required: str, optional: tuple[str, ...] = ()) -> None:
    _need(set(required) <= part.keys() <= {*required, *optional}, f"keys {sorted(part)}, wanted {sorted(required)}")


def _text(value: object, most: int = 20_000) -> None:
    _need(isinstance(value, str) and 0 < len(value) <= most, f"no text of 1 to {most} characters: {value!r}")


def _url(value: object) -> None:
    _need(isinstance(value, str) and value.startswith(("https://", "http://")) and len(value) <= 3000, f"URL {value!r}")


def _plain(part: Body) -> None:
    _exactly(part, "tag", "content", optional=("text_size",))
    _need(part["tag"] == "plain_text", f"tag {part['tag']}")
    _text(part["content"])


def _feishu(body: Body) -> None:
    """A card of JSON 2.0, which refuses what it does not know."""
    _exactly(body, "msg_type", "card")
    _need(body["msg_type"] == "interactive", "msg_type")
    card = body["card"]
    _exactly(card, "schema", "header", "body")
    _need(card["schema"] == "2.0", "schema")
    _exactly(card["header"], "template", "title")
    _need(card["header"]["template"] in {"red", "orange", "blue", "green"}, "template")
    _plain(card["header"]["title"])
    _exactly(card["body"], "elements")
    _need(card["body"]["elements"], "no elements")
    for element in card["body"]["elements"]:
        match element["tag"]:
            case "hr":
                _exactly(element, "tag")
            case "div":
                _exactly(element, "tag", "text")
                _plain(element["text"])
            case "button":
                _exactly(element, "tag", "text", "behaviors", optional=("type",))
                _plain(element["text"])
                (behavior,) = element["behaviors"]
                _need(behavior["type"] == "open_url", "behavior")
                _url(behavior["default_url"])
            case "table":
                _exactly(element, "tag", "page_size", "columns", "rows")
                _need(1 <= element["page_size"] <= 10, "page_size")
                names = [column["name"] for column in element["columns"] if column["data_type"] == "text"]
                _need(len(set(names)) == len(element["columns"]), "columns")
                for row in element["rows"]:
                    _exactly(row, *names)
                    _need(all(isinstance(value, str) for value in row.values()), "cells")
            case tag:
                _refuse(f"unknown tag {tag}")


def _dingtalk(body: Body) -> None:
    kind = body["msgtype"]
    _exactly(body, "msgtype", kind)
    match kind:
        case "actionCard":
            _exactly(body[kind], "title", "text", "btnOrientation", "btns")
            for button in body[kind]["btns"]:
                _exactly(button, "title", "actionURL")
                _text(button["title"])
                _url(button["actionURL"])
        case "markdown":
            _exactly(body[kind], "title", "text")
        case "text":
            _exactly(body[kind], "content")
        case _:
            _refuse(f"msgtype {kind}")
    for name in {"title", "text", "content"} & body[kind].keys():
        _text(body[kind][name])


def _wecom(body: Body) -> None:
    kind = body["msgtype"]
    _exactly(body, "msgtype", kind)
    part = body[kind]
    if kind in {"markdown", "text"}:
        _exactly(part, "content")
        _text(part["content"])
        most = {"markdown": 4096, "text": 2048}[kind]
        _need(len(part["content"].encode()) <= most, f"{len(part['content'].encode())} bytes of content")
        return
    _need(kind == "template_card" and part["card_type"] == "text_notice", "card_type")
    _text(part["main_title"]["title"])
    _text(part["sub_title_text"])
    _need(part["source"]["desc_color"] in {0, 1, 2, 3}, "desc_color")
    _need(1 <= len(part["horizontal_content_list"]) <= 6, "horizontal_content_list")
    for row in part["horizontal_content_list"]:
        _exactly(row, "keyname", "value")
        _text(row["keyname"])
    _need(len(part["jump_list"]) <= 3, "jump_list")
    for jump in (*part["jump_list"], part["card_action"]):
        _need(jump["type"] == 1, "type")
        _url(jump["url"])


def _slack(body: Body) -> None:
    _text(body["text"], 40_000)
    for attachment in body.get("attachments", ()):
        _need(len(attachment["blocks"]) <= 50, "blocks")
        for block in attachment["blocks"]:
            match block["type"]:
                case "header":
                    _text(block["text"]["text"], 150)
                case "section":
                    _text(block["text"]["text"], 3000)
                case "divider" | "context" | "actions":
                    pass
                case kind:
                    _refuse(f"block {kind}")
            parts = [*block.get("elements", ()), *([block["accessory"]] if "accessory" in block else [])]
            for text in (block.get("text"), *parts, *(part.get("text") for part in parts)):
                if isinstance(text, Mapping) and "type" in text:
                    _need(text["type"] in {"plain_text", "button"}, f"type {text['type']}")
            for part in parts:
                if part["type"] == "button":
                    _text(part["text"]["text"], 75)
                    _url(part["url"])


_TAKES: Mapping[str, tuple[Callable[[Body], None], int]] = {
    "feishu": (_feishu, 20_000),
    "dingtalk": (_dingtalk, 20_000),
    "wecom": (_wecom, 20_000),
    "slack": (_slack, 100_000),
}
"""What looks at a message, and the most bytes that it may have."""

_TAKEN = {
    "feishu": b'{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}',
    "dingtalk": b'{"errcode":0,"errmsg":"ok"}',
    "wecom": b'{"errcode":0,"errmsg":"ok"}',
    "slack": b"ok",
}


def accepted(robot: str, text: str | bytes, *, keyword: str = "") -> dict[str, Any]:
    """The message that a robot takes, read. Raises Refusal."""
    look, most = _TAKES[robot]
    raw = text.encode() if isinstance(text, str) else text
    _need(len(raw) <= most, f"{len(raw)} bytes, {most} are the most")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        msg = f"no JSON: {error}"
        raise Refusal(msg) from error
    _need(isinstance(body, dict), f"no object: {body!r}")
    _need(keyword in raw.decode(), f"keyword {keyword} is not in it")
    try:
        look(body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"{type(error).__name__}: {error}"
        raise Refusal(msg) from error
    found: dict[str, Any] = body
    return found


def texts(value: object) -> Iterator[str]:
    """Every text in a message, keys left out."""
    match value:
        case str():
            yield value
        case Mapping():
            for inner in value.values():
                yield from texts(inner)
        case list():
            for inner in value:
                yield from texts(inner)


class Robots(LocalServer):
    """All four, each on its own path `/ROBOT`, and what they took and refused."""

    def __init__(self, *, keyword: str) -> None:
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.refused: list[tuple[str, str, bytes]] = []
        robots = self

        class Answer(Handler):
            def do_POST(self) -> None:  # noqa: N802  http.server's name
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                robot = self.path.removeprefix("/")
                try:
                    body = accepted(robot, raw, keyword=keyword)
                except Refusal as refusal:
                    robots.refused.append((robot, str(refusal), raw))
                    self._refuse(robot, str(refusal))
                else:
                    robots.taken.append((robot, body))
                    self.answer(_TAKEN[robot], "application/json")

            def _refuse(self, robot: str, why: str) -> None:
                if robot == "slack":
                    self.send_error(400, "invalid_payload")
                    return
                key, text = ("code", "msg") if robot == "feishu" else ("errcode", "errmsg")
                self.answer(orjson.dumps({key: 310000, text: why}), "application/json")

        super().__init__(Answer)

    def url(self, robot: str) -> str:
        """The address of that robot."""
        return f"http://127.0.0.1:{self.port}/{robot}"

    def of(self, robot: str) -> list[dict[str, Any]]:
        """What a robot took, in order."""
        return [body for name, body in self.taken if name == robot]
