"""Kubernetes manifests out of YAML, read as Kubernetes reads them."""

from typing import Any

import yaml

from tests.rig.api import Json

# libyaml's loader where PyYAML came with it: a chart's manifests are read in a tenth of the time.
_Fast: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Fast):  # type: ignore[misc]  # a class that is chosen at run time
    """What PyYAML makes a date of, and the lone `=` that it can't read, are strings to Kubernetes.

    A key that stands twice in one mapping is an error, as it is to the API server.
    """

    def construct_mapping(self, node: yaml.MappingNode, *, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node. Raises `ConstructorError` where a key stands in it twice."""
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in {"timestamp", "value"}]
    for first, resolvers in _Fast.yaml_implicit_resolvers.items()
}


def read(text: str) -> list[Json]:
    """The objects of a file of manifests in its order; empty documents are none. Raises `yaml.YAMLError`."""
    return [found for found in yaml.load_all(text, _Loader) if found is not None]


def write(objects: list[Json]) -> str:
    """A file of manifests with these objects."""
    return yaml.safe_dump_all(objects, sort_keys=False, allow_unicode=True)
