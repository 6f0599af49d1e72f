"""What a query may look at: the settings of the process that every policy's query shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_SELECTOR = 'container!="",container!="POD",image!=""'


@dataclass(frozen=True, slots=True)
class Scope:
    """The scrape selector and extra matchers (PromQL text), and the interval of samples in seconds.

    ``limits_labels`` maps ``namespace``, ``pod`` and ``container`` to the names that the series of limits use for
    them (``exported_pod`` and so on, where kube-state-metrics is scraped without ``honor_labels``).
    """

    sample_interval: int
    selector: str = DEFAULT_SELECTOR
    matchers: str = ""
    limits_labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def range_margin(self) -> int:
        """Seconds that a range is asked for beyond ``for``, so that a sample at or before its start is in it."""
        return 2 * self.sample_interval

    @property
    def largest_gap(self) -> int:
        """Seconds between two neighbouring samples above which the window is not whole."""
        return 2 * self.sample_interval + 5
