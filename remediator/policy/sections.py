"""One section of the file against its model: what is right is kept, every problem gets its place and fix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from remediator.errors import PolicyError, Problem
from remediator.policy import unsupported
from remediator.policy.fields import (
    BudgetFields,
    DefaultFields,
    ExecFields,
    Fields,
    FileFields,
    HookFields,
    HttpFields,
    MatchFields,
    NamespaceFields,
    PerWorkloadFields,
    PolicyFields,
    SafetyFields,
    WindowFields,
)
from remediator.policy.nodes import Listing, Mapping, Node, Place, locate, plain
from remediator.policy.notations import SENTENCE
from remediator.policy.words import describe, nearest, sentence

Model = TypeVar("Model", bound=Fields)

_NESTED: dict[str, type[Fields]] = {
    "match": MatchFields,
    "maxPerWorkload": PerWorkloadFields,
    "windows": WindowFields,
    "namespaces": NamespaceFields,
    "budget": BudgetFields,
    "before": HookFields,
    "http": HttpFields,
    "exec": ExecFields,
}
_HOMES: dict[str, type[Fields]] = {
    "in each policy": PolicyFields,
    "under `match`": MatchFields,
    "under `safety`": SafetyFields,
    "under `maxPerWorkload` or `safety.budget`": BudgetFields,
    "under `safety.namespaces`": NamespaceFields,
    "in a hook of `before`": HookFields,
    "under `http` in a hook": HttpFields,
    "under `exec` in a hook": ExecFields,
    "in each of `windows`": WindowFields,
    "at the top level, not indented": FileFields,
}
_GUESSES = 200
"""After so many problems no more nearest words are looked for: they take time, and nobody reads them."""

_SHOWN = 500
"""More problems than this mean that the file is not a policy file, and would flood the log."""


class Problems(list[Problem]):
    """The problems of one file, collected while we read on."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file = file
        self._noted: set[Problem] = set()

    def add(self, place: Place, message: str, *, path: str | None = None) -> None:
        """Note a problem once, however many policies share its cause."""
        where = place.path if path is None else path
        problem = Problem(self.file, place.line, place.column, where, sentence(message))
        if problem not in self._noted:
            self._noted.add(problem)
            self.append(problem)

    def raise_if_any(self) -> None:
        """Raise PolicyError with the problems in the order of the file, if there are any."""
        if not self:
            return
        ordered = sorted(self, key=lambda problem: (problem.line, problem.column))
        shown = ordered[:_SHOWN]
        if len(ordered) > _SHOWN:
            next_one = ordered[_SHOWN]
            message = f"{len(ordered) - _SHOWN} more problems from here on; mend those above first"
            shown.append(Problem(self.file, next_one.line, next_one.column, "", message))
        raise PolicyError(shown)


@dataclass(frozen=True, slots=True)
class Section(Generic[Model]):
    """A section as far as it could be read; ``broken`` are the keys that are there and have problems."""

    fields: Model
    node: Mapping
    broken: frozenset[str]

    def place(self, key: str) -> Place:
        """Where the value of a key stands."""
        return locate(self.node, (key,)).place


def read_section(model: type[Model], node: Node | None, *, name: str, problems: Problems) -> Section[Model]:
    """Read a section called ``defaults``, ``policies`` or ``safety``; ``None`` for one that was left out."""
    known = keys(model)
    if node is None:
        return Section(model(), Mapping(Place(1, 1)), frozenset())
    if not isinstance(node, Mapping):
        problems.add(node.place, _not_a_mapping(node))
        return Section(model(), Mapping(node.place), frozenset(known))
    broken = set(node.unusable)
    # An unknown key without a usable value is unknown all the same.
    data: dict[str, Any] = {key: None for key in node.unusable if key not in known}
    data |= {key: plain(value) for key, value in node.entries.items()}
    while True:
        try:
            return Section(model.model_validate(data), node, frozenset(broken))
        except ValidationError as exc:
            errors = exc.errors(include_url=False, include_input=False)
        # Somebody who wrote `Name` has not forgotten the name, so what was meant counts as broken too.
        broken |= {_report(error, model, node, name=name, problems=problems) for error in errors}
        bad = {str(error["loc"][0]) for error in errors}
        broken |= bad
        data = {key: value for key, value in data.items() if key not in bad}


def keys(model: type[Fields]) -> tuple[str, ...]:
    """Give the keys that a section takes."""
    return tuple(model.key(attribute) for attribute in model.model_fields)


def report_unknown(place: Place, key: str, *, known: Iterable[str], later: Iterable[str], problems: Problems) -> str:
    """Say that there is no such key, and give the one that may be meant; empty where there is none.

    ``later`` are keys that this version does not support.
    """
    if len(problems) >= _GUESSES:
        problems.add(place, "there is no such key here; remove it")
        return ""
    home = next((home for home, model in _HOMES.items() if key in keys(model)), None)
    guess = "" if home else nearest(key, (*known, *later)) or ""
    if home:
        fix = f"it belongs {home}"
    elif guess in later:
        fix = f"{unsupported.not_yet(f'`{guess}`')}; remove it"
    else:
        fix = f"write {guess}" if guess else f"the keys here are {', '.join(sorted(known))}"
    problems.add(place, f"there is no such key here; {fix}")
    return guess


def _report(error: ErrorDetails, model: type[Fields], node: Mapping, *, name: str, problems: Problems) -> str:
    loc = error["loc"]
    if error["type"] == "extra_forbidden":
        holder = locate(node, loc[:-1])
        key = str(loc[-1])
        place = holder.keys.get(key, holder.place) if isinstance(holder, Mapping) else holder.place
        if len(loc) == 1 and key in unsupported.FIELDS.get(name, ()):
            problems.add(place, f"{unsupported.not_yet(f'`{key}`')}; remove it")
        elif model is DefaultFields and key in keys(PolicyFields):
            problems.add(place, f"`{key}` can't be a default; write it in each policy")
        else:
            # Of an item of a list the key before its number says what it is.
            inside = [step for step in loc[:-1] if isinstance(step, str)]
            known = keys(_NESTED[inside[-1]] if inside else model)
            later = unsupported.FIELDS.get(name, frozenset()) if len(loc) == 1 else ()
            meant = report_unknown(place, key, known=known, later=later, problems=problems)
            return meant if len(loc) == 1 else ""
        return ""
    found = locate(node, loc)
    if error["type"] == SENTENCE:
        message = error["ctx"][SENTENCE]
    elif error["type"] in {"model_type", "dict_type", "model_attributes_type"}:
        message = _not_a_mapping(found)
    else:
        message = "this value can't be read here; compare it with an example of a policy file"
    problems.add(found.place, message)
    return ""


def _not_a_mapping(node: Node) -> str:
    what = "this is a list" if isinstance(node, Listing) else f"{describe(plain(node))} is one value"
    return f"{what} and must be a mapping; write `key: value` lines, indented below it"
