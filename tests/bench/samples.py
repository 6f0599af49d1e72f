"""Reading a `/metrics` page: the few families that a figure is made of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page:
    """The samples of some names, by name and labels."""

    values: dict[tuple[str, Labels], float]

    def total(self, name: str, **labels: str) -> float:
        """The sum of all samples of a name that have these labels; 0 where there are none."""
        wanted = set(labels.items())
        return sum(value for (found, have), value in self.values.items() if found == name and wanted <= have)

    def items(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        """The labels and value of each sample of a name."""
        for (found, labels), value in self.values.items():
            if found == name:
                yield dict(labels), value


def read_page(text: str, names: Iterable[str]) -> Page:
    """The samples of these names in a page of Prometheus' text format.

    An API server's page has megabytes, so lines of other names are not parsed.
    """
    wanted = tuple(f"{name}{after}" for name in names for after in ("{", " "))
    lines = "".join(f"{line}\n" for line in text.splitlines() if line.startswith(wanted))
    return Page(
        {
            (sample.name, frozenset(sample.labels.items())): float(sample.value)
            for family in text_string_to_metric_families(lines)
            for sample in family.samples
        }
    )
