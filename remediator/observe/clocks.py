"""What was last heard of other clocks."""

from __future__ import annotations

from collections.abc import Mapping

from remediator.model.clocks import Heard, Reading

PROMETHEUS, API_SERVER = "Prometheus", "the API server"


class Clocks:
    """The newest reading of each server's clock. Safe to use from several threads."""

    def __init__(self) -> None:
        self._readings: dict[str, Reading] = {}

    @property
    def readings(self) -> Mapping[str, Reading]:
        """By server; those that have not told the time are not there."""
        return dict(self._readings)

    def of(self, server: str) -> Heard:
        """Where the readings of one server go."""

        def heard(reading: Reading) -> None:
            self._readings[server] = reading

        return heard
