"""What the tests of the chart share: both versions of Helm."""

from __future__ import annotations

from typing import cast

import pytest

from tests.rig.helm import VERSIONS, Helm, Version


@pytest.fixture(scope="session", params=VERSIONS, ids=[f"helm{version}" for version in VERSIONS])
def helm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Each version of Helm in turn."""
    return Helm(cast("Version", request.param), tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def helm3(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm 3."""
    return Helm(3, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def helm4(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm 4."""
    return Helm(4, tmp_path_factory.mktemp("helm"))
