"""JSON Schemas of Kubernetes' kinds and of the Prometheus operator's, in the layout that kubeconform reads.

kubeconform's own are downloaded from a repository that is made from the same sources as these: the OpenAPI document in
the source of the API server that the tests run, and the operator's CustomResourceDefinitions. They are strict: a field
that a kind does not have is wrong. So is `null`, which the API server would drop without a word, as it does to an
`emptyDir:` that lacks its `{}`.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from tests.rig import tools
from tests.rig.api import Json
from tests.rig.cache import cache_folder, keep
from tests.rig.manifests import read

_DEFINITIONS = "#/definitions/"
_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

_INT_OR_STRING: Json = {"anyOf": [{"type": "integer"}, {"type": "string"}]}

# What the OpenAPI document calls a string, and the API server reads from a number as well.
# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_QUANTITY: Json = {"anyOf": [{"type": "number"}, {"type": "string"}]}

# The keywords that JSON Schema (draft 4) and OpenAPI share, and whose values are no schemas.
_PLAIN = (
    "$ref", "type", "format", "required", "enum", "pattern", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties",
    "maxProperties",
)  # fmt: skip


def schemas() -> Path:
    """The folder that `kubeconform -strict -schema-location` takes; made once, in about 10 s."""
    key = hashlib.sha256()
    kubernetes, operator = (tools.program(name) for name in ("kubernetes", "prometheus-operator"))
    for part in (kubernetes.key, operator.key, Path(__file__).read_text("utf-8")):
        key.update(hashlib.sha256(part.encode()).digest())
    folder = cache_folder() / "schemas" / key.hexdigest()[:16]
    return keep(folder, _write, what="converting the schemas of Kubernetes and the Prometheus operator", expect="10 s")


def _write(folder: Path) -> None:
    inner = folder / f"v{tools.program('kubernetes').version}-standalone-strict"
    inner.mkdir()
    definitions = orjson.loads((tools.source("kubernetes", "api/openapi-spec") / "swagger.json").read_bytes())
    strict = {name: _strict(schema) for name, schema in definitions["definitions"].items()}
    strict["io.k8s.apimachinery.pkg.api.resource.Quantity"] = _QUANTITY
    for group, version, kind, schema in (
        *_built_in(definitions["definitions"]),
        *_custom(tools.source("prometheus-operator", "example/prometheus-operator-crd")),
    ):
        document = {**schema, "definitions": _closure(schema, strict)}
        # kubeconform knows a group by its first part alone: deployment-apps-v1, probe-monitoring-v1, pod-v1.
        parts = [kind.lower(), *([group.partition(".")[0]] if group else []), version]
        with (inner / f"{'-'.join(parts)}.json").open("xb") as file:
            file.write(orjson.dumps(document))


def _built_in(definitions: Json) -> Iterator[tuple[str, str, str, Json]]:
    """Group, version, kind and schema of everything that has a kind of its own."""
    for name, schema in definitions.items():
        # Those with more than one are what is sent beside objects: DeleteOptions and WatchEvent.
        match schema.get("x-kubernetes-group-version-kind"):
            case [one]:
                yield one["group"], one["version"], one["kind"], {"$ref": _DEFINITIONS + name}


def _custom(folder: Path) -> Iterator[tuple[str, str, str, Json]]:
    """Group, version, kind and schema of each version of the CustomResourceDefinitions in a folder."""
    for file in sorted(folder.glob("*.yaml")):
        for definition in read(file.read_text("utf-8")):
            spec = definition["spec"]
            for version in spec["versions"]:
                schema = _strict(version["schema"]["openAPIV3Schema"])
                # A CustomResourceDefinition leaves what it does not own to Kubernetes.
                schema["properties"]["metadata"] = {"$ref": _DEFINITIONS + _METADATA}
                yield spec["group"], version["name"], spec["names"]["kind"], schema


def _strict(schema: Json, *, whole: bool = True) -> Json:
    """An OpenAPI schema (2 or 3) as a JSON Schema that allows no field that it does not name.

    `whole` is false within `allOf` and the like: what stands there says more of fields that are named elsewhere.
    """
    if schema.get("format") == "int-or-string":
        return _INT_OR_STRING
    made: dict[str, Any] = {key: schema[key] for key in _PLAIN if key in schema}
    if schema.get("nullable") and "type" in made:
        made["type"] = [made["type"], "null"]
    if "properties" in schema:
        made["properties"] = {name: _strict(inner, whole=whole) for name, inner in schema["properties"].items()}
        if whole and not schema.get("x-kubernetes-preserve-unknown-fields"):
            made["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if key in schema:
            inner = schema[key]
            made[key] = _strict(inner, whole=whole) if isinstance(inner, dict) else inner
    for key in ("allOf", "anyOf", "oneOf"):
        if key in schema:
            made[key] = [_strict(inner, whole=False) for inner in schema[key]]
    if "not" in schema:
        made["not"] = _strict(schema["not"], whole=False)
    return made


def _closure(schema: Any, definitions: Json) -> Json:  # noqa: ANN401 (any part of a schema)
    """The definitions that a schema refers to, and those that they refer to."""
    found: Json = {}
    waiting = list(_references(schema))
    while waiting:
        if (name := waiting.pop()) not in found:
            found[name] = definitions[name]
            waiting += _references(definitions[name])
    return found


def _references(part: Any) -> Iterator[str]:  # noqa: ANN401 (any part of a schema)
    if isinstance(part, dict):
        for key, inner in part.items():
            if key == "$ref" and isinstance(inner, str):
                yield inner.removeprefix(_DEFINITIONS)
            else:
                yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)
