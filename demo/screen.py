"""The terminal's screen, taken over for the live view and given back as it was."""

from rich.console import Console
from rich.live import Live

from demo.scene import Scene
from demo.view import View


class Screen:
    """Draws one scene over the other; a terminal that is resized is drawn anew with the next one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    @property
    def open(self) -> bool:
        """Whether it has been taken over."""
        return self._live is not None

    def take(self) -> None:
        """Takes it over: what was on it comes back in the end."""
        # Without a thread of its own: it is drawn when there is something new, and only then.
        self._live = Live(
            console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._live.start()

    def draw(self, scene: Scene) -> None:
        """Shows a scene."""
        if self._live is not None:
            self._live.update(View(scene), refresh=True)

    def give_back(self) -> None:
        """Gives it back; nothing to do where it is not taken."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()
