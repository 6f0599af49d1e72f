"""kubeconform on rendered manifests, with the schemas of the Kubernetes and the operator that the tests run."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from tests.rig import tools
from tests.rig.api import Json
from tests.rig.errors import ToolError
from tests.rig.manifests import write
from tests.rig.schemas import schemas

# Seconds; a rendering takes well below one.
_DEADLINE = 120.0


def kubeconform(files: Mapping[str, Sequence[Json] | str]) -> list[str]:
    """What is wrong with the objects of each file, one line a finding; an object without a schema is wrong as well.

    A file is given by its name and its objects, or its text. Raises `ToolError` where kubeconform did not judge.
    """
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            text = content if isinstance(content, str) else write(list(content))
            (Path(folder) / f"{name}.yaml").write_text(text, "utf-8")
        command = [
            str(tools.ensure("kubeconform")["kubeconform"]), "-strict", "-output", "json", "-summary",
            "-kubernetes-version", tools.program("kubernetes").version, "-schema-location", str(schemas()), folder,
        ]  # fmt: skip
        ran = subprocess.run(command, capture_output=True, check=False, timeout=_DEADLINE)
    # 1 is what it ends with after findings too; without any, its answer alone is worth something.
    try:
        report = orjson.loads(ran.stdout)
    except orjson.JSONDecodeError as error:
        msg = f"kubeconform ended with {ran.returncode}: {ran.stderr.decode(errors='replace').strip()}"
        raise ToolError(msg) from error
    if not sum(report["summary"].values()):
        msg = f"kubeconform found no object in {', '.join(files)}"
        raise ToolError(msg)
    return [_line(found) for found in report.get("resources") or ()]


def _line(found: Json) -> str:
    where = f"{Path(found['filename']).stem}: {found['kind'] or 'an object without a kind'} {found['name']}"
    # The places follow the address of the schema, one a line; the field for them has the outermost alone.
    said = " ".join(found["msg"].rpartition(".json#'")[2].split())
    return f"{where}: {said.removeprefix('- ').replace(' - at ', '; at ')}"
