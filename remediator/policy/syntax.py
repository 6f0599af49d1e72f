"""What is wrong with a file before it has a structure: no text, or no YAML, said so that one can mend it."""

from __future__ import annotations

import codecs
import re

import yaml

from remediator.errors import PolicyError, Problem

_LINE_END = re.compile(r"\r\n?|\n")
# YAML 1.2's printable characters, less the three that some editors show as a line's end and others don't.
_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_DIRECTIVE = re.compile(r"^%", re.MULTILINE)

_QUOTE_FIRST = "text that begins with {0} must stand in quotes"
_SENTENCES = {
    "mapping values are not allowed in this context": (
        "a second ': ' on one line, or a line too far to the right; put text that holds ': ' in quotes"
    ),
    "could not find expected ':'": "a key without a colon after it; write `key: value`",
    "did not find expected key": (
        "this line is not in step with the lines above it, or follows an unclosed quote; "
        "indent the keys of one mapping alike"
    ),
    "did not find expected '-' indicator": (
        "this line belongs to no item of the list above it; begin it with `- `, or indent it as the list is"
    ),
    "block sequence entries are not allowed in this context": (
        "a list item can't begin here; put it on a line of its own"
    ),
    "did not find expected ',' or ']'": "a list that was opened with [ is not closed; write ] at its end",
    "did not find expected ',' or '}'": "a mapping that was opened with { is not closed; write } at its end",
    "found unexpected end of stream": "a text is not closed; write the same quote at its end",
    "found unknown escape character": (
        "\\ begins an escape in double quotes; use single quotes for regular expressions"
    ),
    "did not find expected node content": "a value is missing, or a bracket is closed that was never opened",
    "exceeded maximum nesting depth": "values are nested too deeply; remove what surrounds them",
    "did not find expected <document start>": "text after the end of the document; remove the `...` above it",
    "found a tab character where an indentation space is expected": "a tab indents this line; use spaces",
    "did not find expected alphabetic or numeric character": _QUOTE_FIRST.format("* or &"),
    "found undefined tag handle": _QUOTE_FIRST.format("!"),
}


def check_text(content: bytes | str, *, file: str, at_most: int) -> str:
    """Give the file as text that holds nothing but what can be seen.

    Raises PolicyError for more than ``at_most`` bytes, for anything but UTF-8, for control characters, and
    for YAML directives, which no policy file needs and which cost the parser quadratic time.
    """
    if len(content) > at_most:
        message = f"the file is larger than {at_most >> 10} KiB; check that it is a policy file, and split it if so"
        raise PolicyError([Problem(file, 1, 1, "", message)])
    text = content if isinstance(content, str) else _decode(content, file=file)
    text = text.removeprefix("\ufeff")
    if odd := _NOT_TEXT.search(text):
        code = ord(odd.group())
        what = "the file is binary; save it" if code == 0 else f"an invisible character (U+{code:04X}); save the file"
        raise PolicyError([_at(text, odd.start(), f"{what} as plain UTF-8 text without it", file=file)])
    if directive := _DIRECTIVE.search(text):
        message = "a YAML directive, which a policy file has no use for; remove the line, or put the text in quotes"
        raise PolicyError([_at(text, directive.start(), message, file=file)])
    return text


def explain(error: yaml.YAMLError, *, text: str, file: str) -> Problem:
    """Say what the YAML parser stumbled over, where, and what to do about it."""
    opened = getattr(error, "context_mark", None)
    mark = getattr(error, "problem_mark", None) or opened
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    problem = str(getattr(error, "problem", None) or "it can't be read at all")
    message = _SENTENCES.get(problem)
    if "cannot start any token" in problem:
        character = _character(text, line, column)
        message = "a tab indents this line; use spaces" if character == "\t" else _QUOTE_FIRST.format(character)
    if message is None:
        message = f"this is not valid YAML ({problem}); put text with special characters in quotes"
    if opened and opened.line + 1 < line and _is_about_an_opening(problem):
        message += f" (opened on line {opened.line + 1})"
    return Problem(file, line, column, "", message)


def _decode(content: bytes, *, file: str) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise PolicyError([Problem(file, 1, 1, "", "the file is UTF-16; save it as UTF-8")])
    try:
        return content.decode()
    except UnicodeDecodeError as exc:
        before = content[: exc.start].decode()
        what = "the file is binary" if b"\0" in content else f"the byte 0x{content[exc.start]:02x} is not UTF-8"
        message = f"{what}; save the policy as plain UTF-8 text"
        raise PolicyError([_at(before, len(before), message, file=file)]) from exc


def _at(text: str, offset: int, message: str, *, file: str) -> Problem:
    lines = _LINE_END.split(text[:offset])
    return Problem(file, len(lines), len(lines[-1]) + 1, "", message)


def _character(text: str, line: int, column: int) -> str:
    lines = _LINE_END.split(text)
    found = lines[line - 1][column - 1 : column] if line <= len(lines) else ""
    return found or "such a character"


def _is_about_an_opening(problem: str) -> bool:
    return problem.startswith("did not find expected ','") or problem == "found unexpected end of stream"
