"""The positioned tree that a policy file becomes: plain values that remember where they were written."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the file; line and column count from 1, the path is empty for the whole document."""

    line: int
    column: int
    path: str = ""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value: text, a number, or true or false."""

    place: Place
    value: str | float | bool


@dataclass(frozen=True, slots=True)
class Listing:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order of the file; ``keys`` says where each key stands.

    ``unusable`` names the keys whose value already has a problem of its own, so that nobody calls them
    missing.
    """

    place: Place
    entries: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)
    unusable: frozenset[str] = frozenset()


Node = Scalar | Listing | Mapping


def plain(node: Node) -> object:
    """Give the tree's values without their places: str, int, float, bool, list, dict."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Listing):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node.entries.items()}


def locate(node: Node, steps: tuple[int | str, ...]) -> Node:
    """Give the node at the end of these steps, or the nearest one on the way to it."""
    for step in steps:
        if isinstance(node, Mapping) and step in node.entries:
            node = node.entries[str(step)]
        elif isinstance(node, Listing) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            break
    return node
