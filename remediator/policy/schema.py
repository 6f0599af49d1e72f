"""The JSON Schema of the policy file, made from the same models that read it.

It is looser than the loader, because it can't know the sample interval or RE2; what it refuses, the loader
refuses as well.
"""

from __future__ import annotations

from typing import Any

from remediator.policy.fields import FileFields

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The newest that Helm reads in all of its versions, and editors in full."""


def json_schema() -> dict[str, Any]:
    """Give the schema as plain JSON values, without ``$schema`` so that it can be embedded anywhere."""
    schema = FileFields.model_json_schema(by_alias=True)
    inlined = _inline(schema, schema.pop("$defs"))
    if not isinstance(inlined, dict):
        message = "a schema is an object"
        raise TypeError(message)
    return inlined


def _inline(node: object, definitions: dict[str, Any]) -> object:
    """Put definitions where they are used: references break when the schema is embedded in another one."""
    if isinstance(node, list):
        return [_inline(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        said = {key: value for key, value in node.items() if key != "$ref"}
        return _inline({**definitions[node["$ref"].rpartition("/")[2]], **said}, definitions)
    if "anyOf" in node:
        # A field that was left out is None to us; in the file, null is an error.
        (written,) = [choice for choice in node["anyOf"] if choice != {"type": "null"}]
        return _inline({**written, **{key: value for key, value in node.items() if key != "anyOf"}}, definitions)
    return {key: _inline(value, definitions) for key, value in node.items() if not _of_pydantic(key, value)}


def _of_pydantic(key: str, value: object) -> bool:
    return key == "title" or (key == "default" and value is None)
