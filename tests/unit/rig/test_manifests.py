"""Manifests are read as Kubernetes reads them, not as PyYAML would."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.rig.manifests import read, write


def test_what_is_text_to_kubernetes_stays_text() -> None:
    """A date and a lone `=` are strings; numbers and switches are not."""
    (found,) = read("{date: 2026-11-26, time: 2026-11-26T08:00:00Z, operators: [=, '!=', =~], number: 1, on: yes}")
    assert found == {
        "date": "2026-11-26",
        "time": "2026-11-26T08:00:00Z",
        "operators": ["=", "!=", "=~"],
        "number": 1,
        True: True,
    }


def test_empty_documents_are_none() -> None:
    """Helm separates what it renders by more lines than there are objects."""
    assert read("---\n# Source: a\n---\nkind: A\n---\n\n---\nkind: B\n") == [{"kind": "A"}, {"kind": "B"}]


@pytest.mark.parametrize("text", ["{a: 1, b: 2, a: 3}", "a: {b: 1}\na: {b: 1}", "x:\n  - {y: 1, y: 2}"])
def test_a_key_that_stands_twice_is_refused(text: str) -> None:
    """Of two fields with one name, the first would be lost without a word."""
    with pytest.raises(yaml.YAMLError, match="stands twice"):
        read(text)


def test_what_is_written_is_read_again() -> None:
    """Objects come back as they were, in their order."""
    objects: list[dict[str, Any]] = [{"kind": "B", "text": "雪 $x {{ y }}\n"}, {"kind": "A", "list": [1, None, "1"]}]
    assert read(write(objects)) == objects
