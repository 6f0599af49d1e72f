"""Kubernetes quantities (``20Gi``, ``1.5G``, ``128974848000m``), read exactly and written for people.

The grammar is the one of ``k8s.io/apimachinery/pkg/api/resource/quantity.go``. We read it ourselves because a
threshold that is off by a rounding error, or a NaN that compares false with everything, would decide about a
pod: numbers are whole or exact fractions here, and what is negative, infinite or above 2^63 - 1 is refused.
"""

from __future__ import annotations

import re
from fractions import Fraction

MAX_BYTES = 2**63 - 1
"""The largest value that a Kubernetes quantity keeps exactly, and the largest that we take, in bytes."""

_BINARY = {suffix: 1024**power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_DECIMAL = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 10**3),
    "": Fraction(1),
    **{suffix: Fraction(1000**power) for power, suffix in enumerate("kMGTPE", start=1)},
}
_SCALES = {**_DECIMAL, **{suffix: Fraction(scale) for suffix, scale in _BINARY.items()}}

_QUANTITY = re.compile(
    r"(?P<number>\+?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))"
    r"(?:[eE](?P<exponent>[+-]?[0-9]{1,3})|(?P<suffix>[A-Za-z]{0,2}))"
)
_ALMOST = re.compile(r"\s*(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<letter>[kKmMgGtTpPeE])\s*(?P<binary>[iI]?)[bB]?\s*")
_LONGEST = 64


def parse_quantity(text: str) -> Fraction:
    """Give the exact value of a Kubernetes quantity: bytes for memory, cores for CPU.

    Raises ValueError with one sentence for a person, which names what to write instead where that can be
    guessed.
    """
    matched = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    scale = _scale(matched) if matched else None
    if matched is None or scale is None:
        message = f"{_shown(text)} is not a memory quantity; write {suggestion(text)}"
        raise ValueError(message)
    value = Fraction(matched["number"].rstrip(".")) * scale
    if value > MAX_BYTES:
        message = f"{_shown(text)} is more than a memory quantity can hold (2^63 - 1)"
        raise ValueError(message)
    return value


def parse_bytes(text: str) -> int:
    """Give a memory quantity in whole bytes, a fraction of a byte rounded up as Kubernetes does.

    Raises ValueError as :func:`parse_quantity` does.
    """
    return -(-parse_quantity(text) // 1)


def format_quantity(value: int) -> str:
    """Write bytes as the shortest exact quantity: ``20Gi`` for 21474836480, ``1000`` for 1000."""
    for suffix, scale in reversed(_BINARY.items()):
        if value and value % scale == 0:
            return f"{value // scale}{suffix}"
    return str(value)


def format_bytes(value: float) -> str:
    """Write bytes for people, to three digits: ``1.4 GiB``, ``20 GiB``, ``512 B``; not to be parsed again."""
    size, unit = float(value), "B"
    for suffix in _BINARY:
        # 1023.95 would be printed as 1024.0, which belongs to the next unit.
        if abs(size) < 1023.5:  # noqa: PLR2004
            break
        size, unit = size / 1024, f"{suffix}B"
    digits = 1 if unit != "B" and abs(size) < 99.95 else 0  # noqa: PLR2004
    return f"{size:.{digits}f}".removesuffix(".0") + f" {unit}"


def suggestion(text: str) -> str:
    """Guess which quantity was meant by ``20 gib`` or ``20GB``; an example where nothing can be guessed."""
    almost = _ALMOST.fullmatch(text) if len(text) <= _LONGEST else None
    if almost is None:
        return "20Gi"
    letter = almost["letter"].upper()
    if almost["binary"]:
        return f"{almost['number']}{letter}i"
    return f"{almost['number']}{'k' if letter == 'K' else letter} or {almost['number']}{letter}i"


def _scale(matched: re.Match[str]) -> Fraction | None:
    if matched["exponent"] is not None:
        return Fraction(10) ** int(matched["exponent"])
    return _SCALES.get(matched["suffix"])


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}...")
