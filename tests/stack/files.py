"""The files of values as they are in the repository, and the paths in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kube-prometheus-stack"
BASE = "values.yaml"
FILES = tuple(sorted(path.name for path in FOLDER.glob("*.yaml")))
"""All of them; those but the base go over it."""

CHANNELS = ("mail", "feishu", "dingtalk", "wecom", "slack", "relay")
"""The ways out of Alertmanager, each a file."""
ROBOTS = ("feishu", "dingtalk", "wecom", "slack")

UNDER: Mapping[str, tuple[str, ...]] = {"grafana-shared-database.yaml": ("grafana.yaml",)}
"""What a file expects below it, beside the base."""

Keys = tuple[str, ...]


@cache
def read(name: str) -> dict[str, Any]:
    """A file's values. Nobody but this module may change them."""
    values: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text("utf-8"))
    return values


def leaves(values: object, above: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Each key with none below it, as the keys that lead there, and its value. A list is one value, as to Helm."""
    if isinstance(values, Mapping) and values:
        for key, value in values.items():
            yield from leaves(value, (*above, key))
    else:
        yield above, values


def without(values: Mapping[str, Any], path: Keys) -> dict[str, Any]:
    """A copy of the values that lacks this key."""
    head, *rest = path
    if not rest:
        return {key: value for key, value in values.items() if key != head}
    return {key: without(value, tuple(rest)) if key == head else value for key, value in values.items()}


def spelt(path: Keys) -> str:
    """A path as `helm --set` takes it: a dot in a key is escaped."""
    return ".".join(key.replace(".", "\\.") for key in path)


def with_addresses(values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in which the examples are addresses that somebody chose, which the base insists on."""
    text = yaml.safe_dump(dict(values), allow_unicode=True).replace("example.com", "site.test")
    chosen: dict[str, Any] = yaml.safe_load(text)
    return chosen
