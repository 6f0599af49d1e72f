"""A chart's values.schema.json, from its values.yaml and the comments in it.

What stands right above a key is what it is for:

    # @schema minimum: 0, maximum: 10
    # -- How many daemons.
    replicas: 1

`# @schema` lines hold keywords of JSON Schema as the inside of a YAML flow mapping, and several add up. A `$ref` in
them names one of `FORMS`, which is put in its place, because what stands beside a reference is ignored in draft 7, and
because a complaint of Helm's then has one line. `# --` and what follows it is the description, for helm-docs as well,
which wants it to stand last.

The type is that of the value, and a mapping is closed; what its value does not tell (the items of a list, what an
empty mapping may hold, what null stands for) has to be said. A value that its own schema refuses is an error.

What is not empty as it comes, and each mapping that has keys, has to be there. Helm takes a key away that nothing
stands behind (null), and a template would go on without it: with no admission policy, or a rule that lets everything
out. A form says itself what it needs.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator
from jsonschema.exceptions import SchemaError

from generate.errors import GenerateError
from generate.forms import FORMS
from remediator.policy.schema import DIALECT

CHARTS = "charts"

_KEYWORDS = frozenset(Draft7Validator.META_SCHEMA["properties"])
_COMMENT = re.compile(r"^\s*#\s?(.*)$")
_TYPE_OF_HELM_DOCS = re.compile(r"^\([a-z/]+\) ")
_SAYS_THE_TYPE = frozenset({"type", "enum", "const", "oneOf", "anyOf", "allOf"})
_TYPES = {
    "tag:yaml.org,2002:str": "string",
    "tag:yaml.org,2002:int": "integer",
    "tag:yaml.org,2002:float": "number",
    "tag:yaml.org,2002:bool": "boolean",
}
_FROM_OUTSIDE = {
    "global": {"type": "object", "description": "Values that an umbrella chart shares among its charts."},
    "enabled": {"type": "boolean", "description": "What an umbrella chart's condition asks; this one does not look."},
}
"""What Helm or an umbrella chart puts at the root, without the chart's doing."""


def files(root: Path) -> Mapping[str, str]:
    """Gives the schema of each chart under charts/. Raises `GenerateError`, with file and line."""
    made = {}
    for values in sorted(root.glob(f"{CHARTS}/*/values.yaml")):
        shown = str(values.relative_to(root))
        text = json.dumps(
            schema(values.read_text("utf-8"), file=shown, chart=values.parent.name), indent=2, ensure_ascii=False
        )
        made[str(values.with_name("values.schema.json").relative_to(root))] = text + "\n"
    return made


def schema(text: str, *, file: str, chart: str) -> dict[str, Any]:
    """Gives the schema of a values.yaml with this text. Raises `GenerateError` with every fault in its comments."""
    reader = _Reader(text, file)
    root = yaml.compose(text)
    if not isinstance(root, yaml.MappingNode):
        message = f"{file}: values are a mapping"
        raise GenerateError(message)
    made = reader.mapping(root, {})
    made["properties"] |= _FROM_OUTSIDE
    if reader.faults:
        raise GenerateError("\n".join(reader.faults))
    return {"$schema": DIALECT, "title": f"Values of the chart {chart}", **made}


@dataclass
class _Said:
    """What the comments above one key say."""

    keywords: dict[str, Any] = field(default_factory=dict)
    description: list[str] = field(default_factory=list)


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self._lines = text.splitlines()
        self._file = file
        self.faults: list[str] = []

    def mapping(self, node: yaml.MappingNode, said: Mapping[str, Any]) -> dict[str, Any]:
        """Gives the schema of a mapping with these values in it."""
        properties, required = {}, []
        for key, value in node.value:
            properties[key.value], is_needed = self._property(key, value)
            required += [key.value] if is_needed else []
        closed = {"type": "object", "additionalProperties": False, "properties": properties}
        return {**closed, **({"required": required} if required else {}), **said}

    def _property(self, key: yaml.Node, value: yaml.Node) -> tuple[dict[str, Any], bool]:
        """The schema of one value, and whether there has to be one."""
        line = key.start_mark.line
        said = self._above(line)
        is_whole = "$ref" in said.keywords
        keywords = self._resolved(said.keywords, line)
        if isinstance(value, yaml.MappingNode) and value.value and not is_whole:
            # Its values have been tried one by one; what is said of it as a whole has not.
            made = self.mapping(value, keywords)
            is_needed = True
            self._try(keywords, value, key.value, line)
        else:
            made = {**self._typed(value, keywords, line), **keywords}
            is_needed = not isinstance(value, yaml.MappingNode) and _plain(value) not in (None, "", [])
            self._try(made, value, key.value, line)
            if not said.description:
                self._fault(line, f"{key.value} has no description; write `# -- What it is for.` above it")
        if said.description:
            made["description"] = " ".join(said.description)
        return made, is_needed

    def _typed(self, value: yaml.Node, keywords: Mapping[str, Any], line: int) -> dict[str, Any]:
        """What a value itself says of its type."""
        if isinstance(value, yaml.ScalarNode) and value.tag in _TYPES:
            plain = _plain(value)
            known = {} if keywords.keys() & _SAYS_THE_TYPE - {"enum"} else {"type": _TYPES[value.tag]}
            return known if plain == "" else {**known, "default": plain}
        if isinstance(value, yaml.SequenceNode):
            if "items" not in keywords:
                self._fault(line, "a list does not say what its items are; write `# @schema items: {type: …}`")
            return {"type": "array"}
        if isinstance(value, yaml.MappingNode):
            if not keywords.keys() & {"properties", "additionalProperties", "$ref", "type"}:
                self._fault(line, "an empty mapping does not say what it may hold; write `# @schema $ref: …`")
            return {"type": "object"}
        if not keywords.keys() & _SAYS_THE_TYPE:
            self._fault(line, 'null does not say what else it may be; write `# @schema type: [string, "null"]`')
        return {}

    def _above(self, line: int) -> _Said:
        """What the comments say that stand right above a line, in order."""
        said = _Said()
        for number, comment in self._comments(line):
            if comment.startswith("@schema"):
                if said.description:
                    self._fault(number, "`# @schema` has to stand above `# --`, or helm-docs takes it for text")
                said.keywords |= self._keywords(comment.removeprefix("@schema"), number)
            elif comment.startswith("-- "):
                said.description = [_TYPE_OF_HELM_DOCS.sub("", comment.removeprefix("-- ")).strip()]
            elif said.description and not comment.startswith("@"):
                said.description.append(comment.strip())
        return said

    def _comments(self, line: int) -> Iterator[tuple[int, str]]:
        first = line
        while first and _COMMENT.match(self._lines[first - 1]):
            first -= 1
        for number in range(first, line):
            if found := _COMMENT.match(self._lines[number]):
                yield number, found[1]

    def _keywords(self, text: str, line: int) -> dict[str, Any]:
        try:
            found = yaml.safe_load(f"{{{text}}}")
        except yaml.YAMLError:
            self._fault(line, f"`{text.strip()}` can't be read; write such as `# @schema minimum: 1, maximum: 10`")
            return {}
        if unknown := found.keys() - _KEYWORDS:
            self._fault(line, f"JSON Schema has no keyword {', '.join(sorted(unknown))}")
        return dict(found)

    def _resolved(self, node: Any, line: int) -> Any:  # noqa: ANN401 (a schema holds anything)
        """Puts forms in the place of references."""
        if isinstance(node, list):
            return [self._resolved(item, line) for item in node]
        if not isinstance(node, dict):
            return node
        own = {key: self._resolved(value, line) for key, value in node.items() if key != "$ref"}
        if "$ref" not in node:
            return own
        if node["$ref"] not in FORMS:
            self._fault(line, f"there is no form {node['$ref']}; there are {', '.join(sorted(FORMS))}")
            return own
        return {**FORMS[node["$ref"]], **own}

    def _try(self, made: Mapping[str, Any], value: yaml.Node, key: str, line: int) -> None:
        """Complains where it is no schema, or refuses the default itself."""
        try:
            Draft7Validator.check_schema(made)
        except SchemaError as exc:
            self._fault(line, f"what is said of {key} is no JSON Schema: {exc.message}")
            return
        for error in Draft7Validator(made).iter_errors(_plain(value)):
            self._fault(line, f"{key}: its own schema refuses the default: {error.message}")

    def _fault(self, line: int, what: str) -> None:
        fault = f"{self._file}:{line + 1}: {what}"
        if fault not in self.faults:
            self.faults.append(fault)


def _plain(node: yaml.Node) -> Any:  # noqa: ANN401 (YAML holds anything)
    """What a node is as plain values."""
    return yaml.SafeLoader("").construct_document(node)
