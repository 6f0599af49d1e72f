"""Anchored RE2 regular expressions: what ``match`` and ``safety.namespaces`` are written in.

RE2, because Prometheus matches with it: the expression that selects a series and the one that is checked on
the live pod must not disagree, and RE2 takes linear time whatever it is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import re2

LONGEST = 1000
"""The most characters that one expression may have."""

_MEMORY = 1 << 17  # a name's expression needs a hundredth; more would let \pL{900} take long to be refused
_ONE_BYTE = re.compile(r"(?:^|[^\\])(?:\\\\)*\\C")
_GLOB_TAIL = re.compile(r"[a-z0-9]-\*$")


class Pattern:
    """One expression, matched against a whole name. Two patterns are equal when their text is."""

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str) -> None:
        """Raises ValueError with one sentence for a person, which holds RE2's own complaint."""
        _refuse_slips(text)
        self.text = text
        self._compiled = _anchored(text)

    def matches(self, name: str) -> bool:
        """Say whether the expression matches the whole of a name."""
        return self._compiled.search(name) is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


def compiled(texts: Iterable[str]) -> tuple[Pattern, ...]:
    """Compile several expressions. Raises ValueError for the first that is not valid."""
    return tuple(Pattern(text) for text in texts)


def any_matches(patterns: tuple[Pattern, ...], name: str) -> bool:
    """Say whether one of the expressions matches the whole of a name."""
    return any(pattern.matches(name) for pattern in patterns)


def _anchored(text: str) -> Any:  # noqa: ANN401  (re2 has no types)
    try:
        # Prometheus wraps an expression in just this way; `a\Qb` is valid alone and swallows the `)` here.
        wrapped = _compile(f"^(?s:{text})$", shown=text)
    except ValueError:
        _compile(text, shown=text)  # its complaint does not speak of what we have put around the text
        raise
    if ")" in text:
        _compile(text, shown=text)  # `a)(b` is valid only with what we have put around it
    if wrapped.groupindex:
        # Two of a list become one expression in the query, where Prometheus refuses the same name twice.
        name = next(iter(wrapped.groupindex))
        written = next(form for form in (f"?P<{name}>", f"?<{name}>") if form in text)
        message = f"{_shown(text)} names a group, which has no use here; remove {written}"
        raise ValueError(message)
    return wrapped


def _compile(text: str, *, shown: str) -> Any:  # noqa: ANN401  (re2 has no types)
    options = re2.Options()
    options.log_errors = False  # or RE2 writes its complaint to the process' stderr, past the log
    options.max_mem = _MEMORY
    options.never_capture = True
    try:
        return re2.compile(text, options)
    except re2.error as exc:
        reason = exc.args[0] if exc.args else "not understood"
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        message = f"{_shown(shown)} is not a regular expression for RE2 ({reason}); {_hint(shown, reason)}"
        raise ValueError(message) from exc


def _refuse_slips(text: str) -> None:
    if not text:
        message = "an empty expression matches no name; write .* for every name"
        raise ValueError(message)
    if len(text) > LONGEST:
        message = f"{_shown(text)} has {len(text)} characters; at most {LONGEST} are taken: write several"
        raise ValueError(message)
    if not text.isprintable():
        message = f"{_shown(text)} holds a character that can't be seen; no name has one, so remove it"
        raise ValueError(message)
    if _ONE_BYTE.search(text):
        message = f"{_shown(text)} uses \\C, which Prometheus refuses; write . for one character"
        raise ValueError(message)
    if _GLOB_TAIL.search(text):
        # Valid, and it would never do what its author wants: `team-*` is "team" and then hyphens.
        message = f"{_shown(text)} is a shell pattern; write {text[:-1]}.* for all names that begin so"
        raise ValueError(message)


def _hint(text: str, reason: str) -> str:
    if "no argument for repetition operator" in reason and text.startswith(("*", "?")):
        return f"write .{text} for all names that end so"
    if "invalid perl operator" in reason:
        return "RE2 can't look ahead or behind; name what shall match instead"
    if "escape" in reason:
        return "remove the backslash, or write \\\\ for a backslash itself"
    if "missing )" in reason or "unexpected )" in reason or "missing ]" in reason:
        return "close every bracket, or write \\( and \\[ for the characters themselves"
    if "repetition size" in reason or "too large" in reason:
        return "write a simpler one"
    return "see https://github.com/google/re2/wiki/Syntax"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")  # noqa: PLR2004
