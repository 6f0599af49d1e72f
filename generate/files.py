"""The generated files on disk: written where they differ, or complained of."""

from collections.abc import Callable, Mapping
from pathlib import Path

from generate import manifests, policy, readme, stack, values

ROOT = Path(__file__).resolve().parent.parent

Maker = Callable[[Path], Mapping[str, str]]
"""Gives the texts of some files by their path in the repository, whose root it is given."""

MAKERS: Mapping[str, Maker] = {
    "policy": policy.files,
    "values": values.files,
    "stack": stack.files,
    "readme": readme.files,
    "manifests": manifests.files,
}
NEED_PROGRAMS = frozenset({"readme", "manifests"})
"""Those that run programs which are built from Go modules the first time."""


def made(*names: str, root: Path = ROOT) -> dict[Path, str]:
    """Gives what these makers would write, by absolute path. Raises `GenerateError` where one can't."""
    return {root / path: text for name in names for path, text in MAKERS[name](root).items()}


def write(*names: str, root: Path = ROOT) -> list[Path]:
    """Writes the files that are not what they should be, and gives their paths."""
    written: list[Path] = []
    # One maker after the other: Helm renders the manifests with the schema that is there by then.
    for name in names:
        stale = {path: text for path, text in made(name, root=root).items() if _there(path) != text}
        for path, text in stale.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        written += stale
    return written


def differing(*names: str, root: Path = ROOT) -> list[str]:
    """Gives a sentence for each file that is not what it should be."""
    found = {path.relative_to(root): (text, _there(path)) for path, text in made(*names, root=root).items()}
    return [
        f"{path} {'is missing' if there is None else 'is not what its source gives'}; run make generate"
        for path, (text, there) in found.items()
        if there != text
    ]


def _there(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None
