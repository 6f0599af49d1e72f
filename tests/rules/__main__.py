"""Writes the alert rules as plain rule files, for a Prometheus without the operator: ``make rules OUT=FOLDER``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

from tests.rig.errors import ToolError
from tests.rules import chart


def main(arguments: list[str]) -> int:
    """Write a file for each group and say so; gives the exit code."""
    parser = argparse.ArgumentParser(prog="make rules", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files go")
    parser.add_argument("--language", choices=chart.LANGUAGES, default="en")
    parser.add_argument("--values", type=Path, help="values of the chart; without them every group is written")
    options = parser.parse_args(arguments)
    values = yaml.safe_load(options.values.read_text("utf-8")) if options.values else chart.every_group()
    try:
        made = chart.render("--set", f"rules.kind=ConfigMap,rules.language={options.language}", values=values)
    except (chart.Refused, ToolError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, text in (item for one in made for item in one["data"].items()):
        (options.folder / name).write_text(text, "utf-8")
        print(options.folder / name)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
