"""Which tests are run once more: never what a daemon did to pods."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import conftest
from tests.rig import audit

TESTS = Path(conftest.__file__).parent


def marks(where: str) -> list[pytest.MarkDecorator]:
    """What a test in that file is marked with for a second try."""
    given: list[Any] = []
    item = SimpleNamespace(path=TESTS / where, add_marker=given.append, fixturenames=())
    conftest.pytest_collection_modifyitems([item])  # type: ignore[list-item]
    return [mark for mark in given if getattr(mark, "name", "") == "flaky"]


@pytest.mark.parametrize("where", ["unit/act/test_x.py", "model/test_x.py", "rules/test_x.py", "chaos/test_x.py"])
def test_a_race_has_no_second_try(where: str) -> None:
    """Where faults are what is looked for, and where nothing can be late."""
    assert marks(where) == []


@pytest.mark.parametrize("where", ["cluster/test_x.py", "exporters/test_x.py", "stack/test_x.py", "image/test_x.py"])
def test_a_late_program_has_one(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the audit log was read: from there on it is a matter of what was done."""
    (mark,) = marks(where)
    assert mark.kwargs["reruns"] == 1
    may_be = mark.kwargs["condition"]
    monkeypatch.setattr(audit, "READ", type(audit.READ)())
    assert may_be()
    audit.READ.set()
    assert not may_be()
