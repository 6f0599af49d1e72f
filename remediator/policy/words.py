"""How the policy package speaks: values, keys and paths as they appear in a sentence for a person."""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 60
"""A longer value is cut in a message, in characters."""

LONGEST_SENTENCE = 500

BLANK = " \t\r\n"
"""What may stand between words. A no-break space, as web pages have it, is none: other programs that read the file,
and Go's expressions in the chart's schema, take it for a letter."""


def quote(text: str) -> str:
    """Put text between quotes, cut where it is long; control characters are escaped, not passed on."""
    return repr(text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}...")


def sentence(text: str) -> str:
    """Make a message fit for a terminal and a log: one line, nothing invisible, and no longer than 500 characters.

    The fix that a message offers may hold what somebody wrote, without the quotes that escape it.
    """
    shown = text if len(text) <= LONGEST_SENTENCE else f"{text[: LONGEST_SENTENCE - 3]}..."
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in shown)


def describe(value: object) -> str:
    """Name a value as the file has it: text in quotes, numbers plain, a list or mapping by its kind."""
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.10g}" if math.isfinite(value) else f".{value}".replace(".-", "-.")
    if isinstance(value, int):
        return str(value)
    return "a list" if isinstance(value, list | tuple) else "a mapping"


def step(path: str, key: str) -> str:
    """Extend a path such as ``policies[1]`` by a key; an odd key is quoted."""
    name = key if key.isidentifier() and key.isascii() and len(key) <= LONGEST else quote(key)
    return f"{path}.{name}" if path else name


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Give the known word that somebody most likely meant, or None."""
    if len(word) > LONGEST:
        return None
    plain = {_plain(name): name for name in known}
    found = get_close_matches(_plain(word), plain, n=1, cutoff=0.75)
    return plain[found[0]] if found else None


def one_of(words: Iterable[str]) -> str:
    """List words with an "or" before the last one."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _plain(word: str) -> str:
    return word.replace("_", "").replace("-", "").lower()
