"""`python -m tests.stack FOLDER`: writes known.yaml from the chart kube-prometheus-stack in that folder."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.rig.helm import Helm, HelmError
from tests.stack.effects import KNOWN, NoEffect, write


def main(arguments: list[str]) -> int:
    """Gives the exit code: 0, or 1 where a key of ours has no effect or the chart does not render."""
    if len(arguments) != 1 or not (Path(arguments[0]) / "Chart.yaml").is_file():
        print(f"usage: python -m tests.stack FOLDER, a chart's. {__doc__}", file=sys.stderr)  # noqa: T201
        return 1
    with TemporaryDirectory() as home:
        try:
            write(Helm(4, Path(home)), Path(arguments[0]).resolve())
        except (NoEffect, HelmError) as error:
            print(f"error: {error}", file=sys.stderr)  # noqa: T201
            return 1
    print(f"wrote {KNOWN}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
