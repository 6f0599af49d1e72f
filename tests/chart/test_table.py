"""The table of what the chart makes, in install.md, against what it renders: objects by kind and by name."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from tests.chart.charts import CHART, VALUES
from tests.rig.helm import Helm, Values

DOCUMENT = CHART.parents[1] / "docs" / "install.md"


@dataclass(frozen=True)
class Row:
    """One row: what it says of kinds, and one of its names."""

    text: str
    name: str

    def has(self, kind: str, name: str) -> bool:
        """Whether an object is one of these. Words in capitals stand for anything; a binding is named with its role."""
        pattern = re.sub(r"[A-Z]{2,}", ".+", re.escape(self.name))
        one = kind.removesuffix("Binding")
        said = re.search(rf"\b({one}|{one}s|{re.sub('y$', 'ies', one)})\b", self.text)
        return bool(said and re.fullmatch(pattern, name))


def table() -> list[Row]:
    """The rows, one for each name. `…` is what the names before it begin with; an empty cell is that above."""
    section = DOCUMENT.read_text("utf-8").partition("\n## What the chart makes\n")[2].partition("\n## ")[0]
    found, kinds = [], ""
    for line in [line for line in section.splitlines() if line.startswith("|")][2:]:
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        kinds = cells[0] or kinds
        names = [name.replace("…", "remediator.NAMESPACE") for name in re.findall(r"`([^`]+)`", cells[1])]
        found += [Row(f"{kinds} {cells[2]}", name) for name in names]
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """Kind and name of all that is rendered with the files of values in `ci`, and with rules as ConfigMaps."""
    helm = Helm(4, tmp_path_factory.mktemp("helm"))
    values: list[tuple[Values, ...]] = [(path,) for path in VALUES.values()]
    values.append((VALUES["minimal"], {"rules": {"enabled": True, "kind": "ConfigMap"}}))
    renderings = [helm.template(CHART, values=given) for given in values]
    return {(one["kind"], one["metadata"]["name"]) for objects in renderings for one in objects}


def test_every_object_is_in_the_table(made: set[tuple[str, str]]) -> None:
    """Nothing is installed that install.md does not speak of by its kind and its name."""
    rows = table()
    assert {one for one in made if not any(row.has(*one) for row in rows)} == set()


@pytest.mark.parametrize("row", table(), ids=lambda row: str(row.name))
def test_every_name_in_the_table_is_that_of_an_object(made: set[tuple[str, str]], row: Row) -> None:
    """What install.md names is there, so that one finds it with `kubectl get`."""
    assert any(row.has(*one) for one in made)
