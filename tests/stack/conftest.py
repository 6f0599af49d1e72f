"""What the tests of the stack share: Helm, which makes the files, and the programs that judge them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rig.helm import Helm
from tests.rig.tools import ensure


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm 4."""
    return Helm(4, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def amtool() -> Path:
    """Alertmanager's own checker."""
    return ensure("alertmanager")["amtool"]
