"""What a command writes: for people, with colour on a terminal only, or one JSON document."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

VERSION = 1
"""Of the JSON documents: it rises when a field changes its meaning or goes; new fields may come at any time."""
_WIDTH_OF_PIPES = 100_000


class Form(StrEnum):
    """How the result is written."""

    TEXT = "text"
    JSON = "json"


Output = Annotated[Form, typer.Option("--output", "-o", help="text, or json: docs/commands.md has its fields.")]


def console() -> Console:
    """Standard output: as wide as the terminal, and plain lines of any length where there is none."""
    plain = not sys.stdout.isatty()
    return Console(
        file=sys.stdout,
        width=_WIDTH_OF_PIPES if plain else None,
        no_color=plain or None,
        force_terminal=False if plain else None,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=plain,
    )


def indented(out: Console, words: str, *, by: int = 4) -> None:
    """Write a paragraph, all of its lines indented; in a pipe it is one line."""
    space = " " * by
    for line in textwrap.wrap(words, out.width, initial_indent=space, subsequent_indent=space, break_on_hyphens=False):
        out.print(line, soft_wrap=True)


def write_json(command: str, document: Mapping[str, Any]) -> None:
    """Write the one document of a command."""
    whole = {"command": command, "version": VERSION, **document}
    sys.stdout.write(orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode() + "\n")
