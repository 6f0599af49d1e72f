"""checkov on rendered manifests, without a word to anybody: no API key, no download, no telemetry."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from tests.rig.environments import environment
from tests.rig.errors import ToolError

# Seconds; it takes most of its three to start.
_DEADLINE = 240.0


@dataclass(frozen=True, order=True)
class Finding:
    """One check that one object fails."""

    check: str
    """Its identity, for example `CKV_K8S_11`; https://www.checkov.io/5.Policy%20Index/kubernetes.html lists all."""
    resource: str
    """`Kind.namespace.name`."""
    file: str
    title: str

    def __str__(self) -> str:
        return f"{self.file}: {self.resource}: {self.check} {self.title}"


def checkov(files: Mapping[str, str]) -> list[Finding]:
    """What checkov finds in files of manifests, given by name and text; all are judged in one run.

    Raises `ToolError` where there is one of which it has judged nothing.
    """
    with TemporaryDirectory() as home:
        folder = Path(home) / "manifests"
        folder.mkdir()
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(text, "utf-8")
        command = [
            str(environment("checkov")), "-m", "checkov.main", "--directory", str(folder),
            "--framework", "kubernetes", "--skip-download", "--compact", "--output", "json",
        ]  # fmt: skip
        # It reads .checkov.yaml where it runs and at home, keys from the home, and options from variables.
        own = {name: value for name, value in os.environ.items() if not name.startswith(("CKV_", "BC_", "PRISMA_"))}
        ran = subprocess.run(
            command, cwd=home, env={**own, "HOME": home}, capture_output=True, check=False, timeout=_DEADLINE
        )
    said = (ran.stderr or ran.stdout).decode(errors="replace").strip()
    try:
        # Without any object there is a summary alone.
        results = orjson.loads(ran.stdout).get("results", {"passed_checks": [], "failed_checks": []})
    except orjson.JSONDecodeError as error:
        msg = f"checkov ended with {ran.returncode}: {said}"
        raise ToolError(msg) from error
    # What it can't read it passes over, and counts it nowhere.
    judged = {Path(found["file_path"]).stem for key in ("passed_checks", "failed_checks") for found in results[key]}
    if passed_over := set(files) - judged:
        msg = f"checkov has judged nothing in {', '.join(sorted(passed_over))}: {said}"
        raise ToolError(msg)
    return sorted(
        Finding(
            check=found["check_id"],
            resource=found["resource"],
            file=Path(found["file_path"]).stem,
            title=found["check_name"],
        )
        for found in results["failed_checks"]
    )
