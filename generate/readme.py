"""Each chart's README.md, by helm-docs, from its README.md.gotmpl and the comments in its values.yaml."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from generate.errors import GenerateError
from tests.rig.tools import ensure

TEMPLATE = "README.md.gotmpl"


def files(root: Path) -> Mapping[str, str]:
    """Gives the texts. Raises `GenerateError` with what helm-docs says where it makes none."""
    binary = ensure("helm-docs")["helm-docs"]
    return {
        str(template.with_name("README.md").relative_to(root)): _made(binary, template.parent)
        for template in sorted(root.glob(f"charts/*/{TEMPLATE}"))
    }


def _made(binary: Path, chart: Path) -> str:
    command = [str(binary), "--chart-search-root", ".", "--template-files", TEMPLATE, "--dry-run"]
    command += ["--sort-values-order", "file", "--log-level", "warning"]
    run = subprocess.run(command, cwd=chart, capture_output=True, text=True, check=False)
    if run.returncode or not run.stdout.strip():
        message = f"helm-docs made no README of {chart.name}: {run.stderr.strip()}"
        raise GenerateError(message)
    return run.stdout.strip() + "\n"
