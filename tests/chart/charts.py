"""The chart and the values that it is rendered with in the tests."""

from __future__ import annotations

from pathlib import Path

CHART = Path(__file__).resolve().parents[2] / "charts" / "remediator"

VALUES = {path.name.removesuffix("-values.yaml"): path for path in sorted(CHART.glob("ci/*-values.yaml"))}
"""The files of values that stand for what people install, by their names."""
