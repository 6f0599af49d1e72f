"""What each key of ours changes in what the real kube-prometheus-stack renders.

The chart drops a misspelt key without a word, and some that are spelt well, such as the files of a TLS client without
`scheme: https`. So each key is taken away in turn, and something must change; `known.yaml` has what. It is written
by `python -m tests.stack FOLDER` from a copy of the chart that is no part of this repository; the tests hold our files
to it.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from tests.rig.api import Json
from tests.rig.helm import Helm, HelmError, Values
from tests.rig.manifests import read as read_manifests
from tests.stack.files import BASE, CHANNELS, FILES, FOLDER, UNDER, leaves, read, spelt, with_addresses, without

KNOWN = Path(__file__).with_name("known.yaml")
README = FOLDER / "README.md"

SAME = "as the chart has it"
"""The effect of a key that is written out although its value is the chart's own."""

COMMANDED = (BASE, "storage.yaml", "grafana.yaml", *(f"{channel}.yaml" for channel in CHANNELS))
"""The files that the settings in the README go over."""

_RELEASE = "kube-prometheus-stack"


class NoEffect(Exception):
    """A key that changes nothing: misspelt, or of no use beside the others."""


def settings(readme: str) -> list[str]:
    """The arguments of `--set`, `--set-literal` and the like in a document's commands."""
    words = shlex.split(readme.replace("'", "").replace('"', "").replace("`", " ").replace("\\\n", " "), comments=False)
    return [after for word, after in pairwise(words) if word.startswith("--set")]


class Stack:
    """The chart in a folder, and what it renders with which values."""

    def __init__(self, helm: Helm, chart: Path) -> None:
        self._helm = helm
        self._chart = chart
        self.version: str = yaml.safe_load((chart / "Chart.yaml").read_text("utf-8"))["version"]
        plain = self._fields([])
        again = self._fields([])
        # Passwords that the chart makes up, and what is derived from them.
        self._random = {place for place in plain.keys() | again.keys() if plain.get(place) != again.get(place)}

    def effects(self, name: str) -> dict[str, str]:
        """For each key of the file, a place that it changes. Raises NoEffect for the first that changes none."""
        below: list[Values] = [
            with_addresses(read(one)) for one in ((BASE,) if name != BASE else ()) + UNDER.get(name, ())
        ]
        values = with_addresses(read(name))
        whole = self._fields([*below, values])
        found = {}
        for path, value in leaves(values):
            place = self._differs(whole, [*below, without(values, path)])
            if place is None and not self._default(path, value):
                msg = f"{name}: {spelt(path)} changes nothing"
                raise NoEffect(msg)
            found[spelt(path)] = place or SAME
        return found

    def effect(self, setting: str) -> str:
        """The place that a `--set` over the files of the README's commands changes. Raises NoEffect."""
        values: list[Values] = [with_addresses(read(name)) for name in COMMANDED]
        place = self._differs(self._fields(values), values, "--set", setting)
        if place is None:
            msg = f"--set {setting} changes nothing"
            raise NoEffect(msg)
        return place

    def _differs(self, whole: Mapping[str, Any], values: Sequence[Values], *more: str) -> str | None:
        try:
            fields = self._fields(values, *more)
        except HelmError as error:
            # A key that the rest can't do without.
            return f"else: {error.said.splitlines()[0].rpartition(': ')[2]}"
        places = sorted(place for place in whole.keys() | fields.keys() if whole.get(place) != fields.get(place))
        return next((place for place in places if place not in self._random), None)

    def _default(self, path: tuple[str, ...], value: object) -> bool:
        """Whether the chart, or the part of it that it names by this key, has this value by itself."""
        inner = self._chart / "charts" / path[0] / "values.yaml"
        for file, keys in ((self._chart / "values.yaml", path), (inner, path[1:])):
            found: Any = yaml.safe_load(file.read_text("utf-8")) if file.exists() else None
            for key in keys:
                found = found.get(key) if isinstance(found, Mapping) else None
            if found == value and found is not None:
                return True
        return False

    def _fields(self, values: Sequence[Values], *more: str) -> dict[str, Any]:
        """Every field of every object, by `Kind/name: path`."""
        text = self._helm.render(self._chart, values=values, name=_RELEASE, namespace="monitoring", more=more)
        return dict(self._flat(read_manifests(text)))

    def _flat(self, objects: list[Json]) -> Iterator[tuple[str, Any]]:
        for one in objects:
            for path, value in leaves(_opened(one)):
                yield f"{one['kind']}/{one['metadata']['name']}: {spelt(path)}", value


def _opened(one: Json) -> Json:
    """An object with the data of a Secret in clear, and Alertmanager's configuration as fields."""
    if one["kind"] != "Secret":
        return one
    data = {key: base64.b64decode(value).decode() for key, value in (one.get("data") or {}).items()}
    if "alertmanager.yaml" in data:
        data |= {"alertmanager.yaml": yaml.safe_load(data["alertmanager.yaml"])}
    return {**one, "data": data}


def known() -> dict[str, Any]:
    """What was written last."""
    found: dict[str, Any] = yaml.safe_load(KNOWN.read_text("utf-8"))
    return found


def write(helm: Helm, chart: Path) -> None:
    """Writes known.yaml from this copy of the chart. Raises NoEffect."""
    stack = Stack(helm, chart)
    found = {
        "chart": f"kube-prometheus-stack {stack.version}",
        "files": {name: stack.effects(name) for name in FILES},
        "commands": {setting: stack.effect(setting) for setting in settings(README.read_text("utf-8"))},
    }
    head = (
        "# Each key of deploy/kube-prometheus-stack, and each --set of its README, with one of the fields that it\n"
        "# changes in what the chart renders. Written by `python -m tests.stack FOLDER`, FOLDER being the chart as\n"
        "# `helm pull prometheus-community/kube-prometheus-stack --untar` lays it down.\n"
    )
    KNOWN.write_text(head + yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=200), "utf-8")
