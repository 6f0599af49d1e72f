"""The chart's values without Helm: what users write over the defaults, against the schema."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "remediator"
DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text("utf-8"))


def merged(base: Any, over: Any) -> Any:  # noqa: ANN401 (values are anything)
    """What Helm makes of a user's values: maps are merged, null removes, everything else is replaced."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    both = {key: merged(base.get(key), value) for key, value in over.items() if not (value is None and key in base)}
    return {**{key: value for key, value in base.items() if key not in over}, **both}


def complaints(over: object) -> list[str]:
    """What the schema says against these values on top of the chart's own."""
    whole = merged(copy.deepcopy(DEFAULTS), over)
    return [f"{error.json_path}: {error.message}" for error in Draft7Validator(SCHEMA).iter_errors(whole)]
