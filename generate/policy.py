"""The policy file's JSON Schema, for editors and CI, from the models that read the file."""

import json
from collections.abc import Mapping
from pathlib import Path

from remediator.policy import json_schema
from remediator.policy.schema import DIALECT

PATH = "docs/policy.schema.json"
TITLE = "remediator: the policy file"


def files(root: Path) -> Mapping[str, str]:  # noqa: ARG001 (its source is code, which is imported)
    """Gives the file."""
    schema = {"$schema": DIALECT, "title": TITLE, **json_schema()}
    return {PATH: json.dumps(schema, indent=2, ensure_ascii=False) + "\n"}
