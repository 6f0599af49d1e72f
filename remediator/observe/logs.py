"""One JSON object a line, or coloured lines on a terminal; the libraries' logs come through the same pipe."""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.typing import Processor

LogFormat = Literal["auto", "json", "text"]

_LARGEST = 63
"""Bits of the largest number that the serializer writes."""


def configure(*, form: LogFormat, level: str, stream: TextIO | None = None) -> None:
    """Set up structlog and the root logger; ``auto`` is text on a terminal and JSON elsewhere."""
    out = stream or sys.stderr
    text = form == "text" or (form == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *(_text(out) if text else _json())],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # A skipped run is counted and logged by ourselves; apscheduler says it with the name of a Python object.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    # urllib3 and requests log each request with its URL at debug level.
    for chatty in ("urllib3", "uvicorn", "kubernetes"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    threading.excepthook = _log_thread


def _json() -> list[Processor]:
    # ``show_locals`` would print local variables, credentials among them.
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer(serializer=_line)]


def _line(fields: dict[str, Any], **_: object) -> str:
    """One line, with what a person looks for first in front."""
    first: dict[str, Any] = {key: fields.pop(key) for key in ("time", "level", "event") if key in fields}
    fields.pop("color_message", None)
    line: dict[str, Any] = {**first, **fields}
    try:
        return orjson.dumps(line, default=str).decode()
    except TypeError:
        # A line that can't be written would be lost with what it tells of.
        return orjson.dumps(_plain(line), default=str).decode()


def _plain(value: object) -> object:
    """The same with nothing in it that JSON has no place for: surrogates, huge numbers, keys that are no texts."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case int() if value.bit_length() >= _LARGEST:
            return str(value)
        case dict():
            return {str(key): _plain(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(one) for one in value]
        case _:
            return value


def _text(out: TextIO) -> list[Processor]:
    return [
        structlog.dev.ConsoleRenderer(
            colors=out.isatty(), timestamp_key="time", exception_formatter=structlog.dev.plain_traceback
        )
    ]


def _log_thread(args: threading.ExceptHookArgs) -> None:
    error: tuple[type[BaseException], BaseException, TracebackType | None] | None = None
    if args.exc_value is not None:
        error = (args.exc_type, args.exc_value, args.exc_traceback)
    name = args.thread.name if args.thread else "?"
    structlog.get_logger("remediator").error("a thread died", thread=name, exc_info=error)


def logger() -> Any:  # noqa: ANN401  structlog's own type is a lazy proxy
    """The program's logger."""
    return structlog.get_logger("remediator")
