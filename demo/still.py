"""A still of the live view as plain text: the moment at which most was going on."""

from pathlib import Path

from demo.bar import UNICODE
from demo.scene import Scene
from demo.view import lines

_WIDTH, _HEIGHT = 80, 24
# How many of each are enough: the picture is to show the middle, not the end.
_REPLACED, _IN_FLIGHT = 2, 1


class Still:
    """Keeps the best scene that it is offered."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._best: Scene | None = None

    def offer(self, scene: Scene) -> None:
        """Takes this one, where it shows more than the best until now."""
        if self._best is None or _worth(scene) > _worth(self._best):
            self._best = scene

    def save(self) -> None:
        """Writes the best one, if there was any."""
        if self._best is not None:
            self.file.write_text(f"{still(self._best)}\n", "utf-8")


def still(scene: Scene) -> str:
    """The view of a terminal of the usual size, without colours."""
    return "\n".join(line.plain.rstrip() for line in lines(scene, width=_WIDTH, height=_HEIGHT, glyphs=UNICODE))


def _worth(scene: Scene) -> tuple[int, int, int]:
    return min(scene.replaced, _REPLACED), min(scene.in_flight, _IN_FLIGHT), len(scene.left_alone)
