"""From the text of a policy file to a positioned tree, without believing the text anything.

We read YAML's events with a stack of our own instead of letting a loader build objects, for three reasons:
every value keeps its line and column; what could surprise is refused by name (anchors, tags, duplicate keys,
a second document); and size, depth and number of values are bounded, so that no file, however hostile, takes
long. Values without quotes mean what YAML 1.2 says: ``on``, ``no`` and ``01:00`` are text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import yaml

from remediator.errors import PolicyError, Problem
from remediator.policy.nodes import Listing, Mapping, Node, Place, Scalar, plain
from remediator.policy.syntax import check_text, explain
from remediator.policy.words import describe, quote, sentence, step

MAX_BYTES = 1 << 20
"""The largest file that is read; a ConfigMap can't hold more."""

MAX_DEPTH = 32
MAX_VALUES = 20_000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LONGEST_NUMBER = 30
_STANDARD_TAG = "tag:yaml.org,2002:"


def read(content: bytes | str, *, file: str) -> tuple[Mapping, list[Problem]]:
    """Give the file's tree, and the problems that did not keep us from reading on.

    Raises PolicyError where there is no tree to speak of: not text, not YAML, too large, or not a mapping.
    """
    text = check_text(content, file=file, at_most=MAX_BYTES)
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
            if builder.finished:
                break
    except yaml.YAMLError as exc:
        raise PolicyError([*builder.problems, explain(exc, text=text, file=file)]) from exc
    if isinstance(builder.root, Mapping):
        return builder.root, builder.problems
    if not builder.problems:
        what = f"{describe(plain(builder.root))} is no policy file" if builder.root else "the file is empty"
        place = builder.root.place if builder.root else Place(1, 1)
        builder.refuse(place, f"{what}; write `policies:` and a list of policies below it")
    raise PolicyError(builder.problems)


def resolve(text: str) -> str | float | bool | None:
    """Give what a value without quotes means in YAML 1.2's core schema."""
    if len(text) > _LONGEST_NUMBER:
        return text
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if _NOT_FINITE.fullmatch(text) else text


@dataclass(slots=True)
class _Key:
    """A key whose value comes next; ``name`` is None where it can't be used, and its value goes nowhere."""

    name: str | None
    place: Place


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is still open."""

    place: Place
    is_mapping: bool
    is_key: bool
    problems_before: int
    items: list[Node] = field(default_factory=list)
    count: int = 0
    entries: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)
    unusable: set[str] = field(default_factory=set)
    pending: _Key | None = None

    def next_path(self) -> str:
        """Where the value that comes next stands."""
        if not self.is_mapping:
            return f"{self.place.path}[{self.count}]"
        return self.pending.place.path if self.pending else self.place.path

    def put(self, node: Node | None) -> None:
        """Take the value that was awaited; None for one that can't be used."""
        self.count += 1
        if not self.is_mapping:
            self.items.extend([node] if node else [])
        elif self.pending and self.pending.name is not None:
            if node is None:
                self.unusable.add(self.pending.name)
            else:
                self.entries[self.pending.name] = node
        self.pending = None

    def close(self) -> Node | None:
        """Give the finished node; None for one of which nothing could be used, which is not an empty one."""
        if self.count and not (self.items or self.keys):
            return None
        if self.is_mapping:
            return Mapping(self.place, self.entries, self.keys, frozenset(self.unusable))
        return Listing(self.place, tuple(self.items))


class _Builder:
    """Takes events one by one; what it can't use becomes a problem, and the rest is still read."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.root: Node | None = None
        self.finished = False
        self._stack: list[_Frame] = []
        self._values = 0

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.NodeEvent):
            self._take_node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            frame = self._stack.pop()
            if frame.is_key:
                # What is wrong inside such a key would only hide what is wrong with it.
                del self.problems[frame.problems_before :]
                message = "a list or mapping can't be a key; if this file is a template, render it first"
                self._set_key(None, frame.place, refused=message)
            else:
                self._put(frame.close())
        elif isinstance(event, yaml.DocumentEndEvent):
            # A document of one unusable value has no root, and is not an empty file either.
            self._values = max(self._values, 1)
        elif isinstance(event, yaml.DocumentStartEvent) and self._values:
            self.refuse(_place(event, ""), "a second document begins here; put all policies into one list")
            self.finished = True

    def refuse(self, place: Place, message: str) -> None:
        self.problems.append(Problem(self.file, place.line, place.column, place.path, sentence(message)))

    def _take_node(self, event: yaml.NodeEvent) -> None:
        self._values += 1
        frame = self._stack[-1] if self._stack else None
        is_key = frame is not None and frame.is_mapping and frame.pending is None
        place = _place(event, frame.next_path() if frame else "")
        if self._values > MAX_VALUES:
            self._give_up(place, f"more than {MAX_VALUES} values, which no policy file needs; split it or shorten it")
        if isinstance(event, yaml.CollectionStartEvent):
            self._refuse_extras(event, place)
            if len(self._stack) == MAX_DEPTH:
                self._give_up(place, f"values are nested deeper than {MAX_DEPTH} levels; remove what surrounds them")
            self._stack.append(_Frame(place, isinstance(event, yaml.MappingStartEvent), is_key, len(self.problems)))
        elif isinstance(event, yaml.ScalarEvent) and is_key:
            self._take_key(event, place)
        elif isinstance(event, yaml.ScalarEvent):
            self._put(self._scalar(event, place))
        else:
            self._take_alias(event, place, is_key=is_key)

    def _take_alias(self, event: yaml.NodeEvent, place: Place, *, is_key: bool) -> None:
        self.refuse(place, f"*{event.anchor} is a YAML alias; write the value out, or put text with a * in quotes")
        if is_key:
            self._set_key(None, place)
        else:
            self._put(None)

    def _take_key(self, event: yaml.ScalarEvent, mapping: Place) -> None:
        if self._refuse_extras(event, mapping):
            self._set_key(None, mapping)
            return
        name = resolve(event.value) if event.implicit[0] else event.value
        place = Place(mapping.line, mapping.column, step(mapping.path, str(event.value)))
        refused = None
        if not isinstance(name, str):
            refused = f"a key must be text, not {describe(name) if name is not None else 'nothing'}"
            refused += "; remove it" if name is None else "; put it in quotes if it is meant"
        elif name == "<<" and event.implicit[0]:
            refused = "merge keys are not read; what policies have in common belongs in `defaults`"
        elif name in self._stack[-1].keys:
            line = self._stack[-1].keys[name].line
            refused = f"the key {quote(name)} is here twice (first on line {line}); remove one of them"
        self._set_key(name if isinstance(name, str) else None, place, refused=refused)

    def _set_key(self, name: str | None, place: Place, *, refused: str | None = None) -> None:
        frame = self._stack[-1]
        if refused:
            self.refuse(place, refused)
            name = None
        if name is not None:
            frame.keys[name] = place
        frame.pending = _Key(name, place)

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> Scalar | None:
        if self._refuse_extras(event, place):
            return None
        value = resolve(event.value) if event.implicit[0] else event.value
        if value is not None:
            return Scalar(place, value)
        pending = self._stack[-1].pending if self._stack else None
        if self._stack and (pending is None or pending.name is not None):
            self.refuse(place, "there is no value here; write one, or remove the line")
        return None

    def _refuse_extras(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, place: Place) -> bool:
        """Refuse anchors and tags, and say whether there were any."""
        if event.anchor is not None:
            self.refuse(place, f"&{event.anchor} is a YAML anchor; remove it, or put text with an & in quotes")
        if event.tag is not None:
            tag = quote(event.tag.replace(_STANDARD_TAG, "!!"))
            self.refuse(place, f"{tag} is a YAML tag; remove it, or put text with a ! in quotes")
        return event.anchor is not None or event.tag is not None

    def _put(self, node: Node | None) -> None:
        if self._stack:
            self._stack[-1].put(node)
        else:
            self.root = node

    def _give_up(self, place: Place, message: str) -> None:
        self.refuse(place, message)
        raise PolicyError(self.problems)


def _place(event: yaml.Event, path: str) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1, path) if mark else Place(1, 1, path)
