"""What a pod is measured against: bytes, or a share of the memory limit or request in force."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from remediator.policy.quantities import parse_bytes, parse_quantity, suggestion
from remediator.policy.unsupported import PLAIN_NUMBER, not_yet
from remediator.policy.words import BLANK, describe, quote

FULL = 100
"""Percent; no container gets beyond its limit alive, and any may use more than it has requested."""

_SHARE = re.compile(r"(?P<percent>[0-9]{1,9}(?:\.[0-9]{1,9})?) ?% ?of (?P<base>limit|request)")
_BLANKS = re.compile(f"[{BLANK}]+")
_PERCENT = re.compile(r"(?P<percent>[0-9]{1,9}(?:\.[0-9]{1,9})?)\s*%.*", re.DOTALL)
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Quantity:
    """Over when the pod's containers together use more than ``bytes``; ``text`` is what was written."""

    bytes: int
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class _Percentage:
    """A share in percent, above 0; ``text`` is what was written."""

    percent: Fraction
    text: str

    @property
    def ratio(self) -> Fraction:
        """The share as a number, 1 for the whole."""
        return self.percent / FULL

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class ShareOfLimit(_Percentage):
    """Over when a container, or a pod with a limit, uses more of the limit in force; at most 100."""


@dataclass(frozen=True, slots=True)
class ShareOfRequest(_Percentage):
    """Over when a container uses more of the request in force; above 100 as well."""


Share = ShareOfLimit | ShareOfRequest
Threshold = Quantity | Share


def height(threshold: Threshold) -> Fraction:
    """How high it is, to be compared with others of its kind: in bytes, or in percent."""
    return Fraction(threshold.bytes) if isinstance(threshold, Quantity) else threshold.percent


def parse_threshold(value: object) -> Threshold:
    """Read a threshold as it stands in the file: ``20Gi``, ``90% of limit`` or ``150% of request``.

    Raises ValueError with one sentence for a person.
    """
    plain_number = isinstance(value, int | float) and not isinstance(value, bool)
    if plain_number or (isinstance(value, str) and _PLAIN_NUMBER.fullmatch(value)):
        message = f"{describe(value)} has no unit, and {not_yet(PLAIN_NUMBER)}; write 20Gi or 90% of limit"
        raise ValueError(message)
    if not isinstance(value, str):
        message = f"{describe(value)} is not a threshold; write 20Gi or 90% of limit"
        raise ValueError(message)  # noqa: TRY004  (a person wrote it, not a programmer)
    text = " ".join(_BLANKS.split(value.strip(BLANK)))
    if share := _SHARE.fullmatch(text):
        return _share(share, text)
    if percent := _PERCENT.fullmatch(text):
        fault = "does not say of what" if text.endswith("%") else "is not a share that we know"
        above = Fraction(percent["percent"]) > FULL and "lim" not in text.lower()
        of_request = "req" in text.lower() or above
        message = f"{quote(value)} {fault}; write {percent['percent']}% of {'request' if of_request else 'limit'}"
        raise ValueError(message)
    return _quantity(value)


def _share(matched: re.Match[str], text: str) -> Share:
    percent = Fraction(matched["percent"])
    of_limit = matched["base"] == "limit"
    if percent > FULL and of_limit:
        message = f"{quote(text)} is never reached: the kernel kills at 100%; write such as 90% of limit"
        raise ValueError(message)
    if percent == 0:
        message = (
            f"{quote(text)} is true of every pod; write such as {'90% of limit' if of_limit else '150% of request'}"
        )
        raise ValueError(message)
    written = f"{matched['percent']}% of {matched['base']}"
    return ShareOfLimit(percent, written) if of_limit else ShareOfRequest(percent, written)


def _quantity(text: str) -> Quantity:
    try:
        exact = parse_quantity(text)
    except ValueError as exc:
        if "is not a memory quantity" not in str(exc):
            raise
        message = f"{quote(text)} is not a memory quantity; write {suggestion(text)} or 90% of limit"
        raise ValueError(message) from exc
    if exact == 0:
        message = f"{quote(text)} is true of every pod; write such as 20Gi"
        raise ValueError(message)
    if text[-1] in "mun":
        message = f"{quote(text)} is in fractions of a byte; write {text[:-1]}M or {text[:-1]}Mi"
        raise ValueError(message)
    return Quantity(parse_bytes(text), text)
