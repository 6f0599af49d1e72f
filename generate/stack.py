"""The chart's copy of the values for kube-prometheus-stack, so that who has the chart alone has them too.

Helm packs what is under the chart's folder; `deploy/kube-prometheus-stack/` is what people edit.
"""

from collections.abc import Mapping
from pathlib import Path

SOURCE = "deploy/kube-prometheus-stack"
COPY = "charts/remediator/files/kube-prometheus-stack"


def files(root: Path) -> Mapping[str, str]:
    """Gives each file of the folder under its place in the chart, with links that lead on from there."""
    return {f"{COPY}/{path.name}": _moved(path) for path in sorted((root / SOURCE).iterdir())}


def _moved(path: Path) -> str:
    text = path.read_text("utf-8")
    up = "../" * (COPY.count("/") - SOURCE.count("/"))
    return text.replace("](../", f"]({up}../") if path.suffix == ".md" else text
