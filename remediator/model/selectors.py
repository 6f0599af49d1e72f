"""Kubernetes label selectors: parsed from their text or object form, and matched against labels.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_PREFIX = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
_KEY = re.compile(rf"(?:{_PREFIX}/)?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")
_SET = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUALS = re.compile(r"(?P<key>[^\s=!]+)\s*(?P<operator>==|!=|=)\s*(?P<values>\S*)")
_PART = re.compile(r"(?:^|(?<=,))(?:[^,(]|\([^)]*\)?)*")
_EXISTS = re.compile(r"(?P<no>!\s*)?(?P<key>[^\s=!]+)")


class Operator(StrEnum):
    """How a requirement compares, in the words of the Kubernetes API."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels meet it; an absent label meets ``NotIn``, as in Kubernetes."""
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values
            case Operator.NOT_IN:
                return self.key not in labels or labels[self.key] not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels

    def __str__(self) -> str:
        match self.operator:
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"
            case Operator.IN | Operator.NOT_IN:
                word = "in" if self.operator is Operator.IN else "notin"
                return f"{self.key} {word} ({','.join(sorted(self.values))})"


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All of its requirements have to be met; without any it matches everything."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The selector that ``kubectl -l`` would make of the text.

        Raises ValueError with a sentence that names the part that can't be read.
        """
        parts = [part.strip() for part in _PART.findall(text)]
        if parts == [""]:
            return cls()
        return cls(tuple(_requirement(part) for part in parts))

    @classmethod
    def from_object(cls, selector: Mapping[str, Any] | None) -> Self:
        """The selector of an API object (``matchLabels`` and ``matchExpressions``)."""
        selector = selector or {}
        equal = [
            Requirement(key, Operator.IN, frozenset({value}))
            for key, value in (selector.get("matchLabels") or {}).items()
        ]
        expressions = [
            Requirement(e["key"], Operator(e["operator"]), frozenset(e.get("values") or ()))
            for e in selector.get("matchExpressions") or ()
        ]
        return cls((*equal, *expressions))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels meet every requirement."""
        return all(requirement.matches(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


def _requirement(text: str) -> Requirement:
    if match := _SET.fullmatch(text):
        operator = Operator.IN if match["operator"] == "in" else Operator.NOT_IN
        values = frozenset(value.strip() for value in match["values"].split(","))
        return _checked(Requirement(match["key"], operator, values), text)
    if match := _EQUALS.fullmatch(text):
        operator = Operator.NOT_IN if match["operator"] == "!=" else Operator.IN
        return _checked(Requirement(match["key"], operator, frozenset({match["values"]})), text)
    if match := _EXISTS.fullmatch(text):
        return _checked(Requirement(match["key"], Operator.DOES_NOT_EXIST if match["no"] else Operator.EXISTS), text)
    message = f"{text!r} is not a label requirement; write tier=web, tier in (web, worker), tier or !tier"
    raise ValueError(message)


def _checked(requirement: Requirement, text: str) -> Requirement:
    if not _KEY.fullmatch(requirement.key):
        message = f"{requirement.key!r} in {text!r} is not a label name"
        raise ValueError(message)
    for value in requirement.values:
        if not _VALUE.fullmatch(value):
            message = f"{value!r} in {text!r} is not a label value"
            raise ValueError(message)
    return requirement
