"""A program that a test has to itself: with a folder and ports of its own, and an end."""

from types import TracebackType
from typing import Self

from tests.rig.claim import Claim
from tests.rig.processes import Component


class Program:
    """Runs while its context lasts. Whoever inherits sets ``_component``, in the folder and on ports of ``_claim``."""

    _component: Component
    _grace = 5.0
    """Seconds that it has for its end."""

    def __init__(self) -> None:
        self._claim = Claim()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._claim.release()

    def start(self) -> None:
        """Starts it, and waits until it answers. Raises `StartError`."""
        self._component.start()
        self._component.wait_healthy(120)

    def stop(self) -> None:
        """Ends it; what is in its folder stays until the context ends."""
        self._component.stop(grace=self._grace)
