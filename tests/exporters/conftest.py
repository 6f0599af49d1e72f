"""What the tests of the exporters share: Helm, and a blackbox_exporter with the chart's modules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.exporters.blackbox import Blackbox
from tests.exporters.chart import modules
from tests.rig.certificates import Authority
from tests.rig.helm import Helm


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm 4."""
    return Helm(4, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The one certificate authority that the exporters trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def blackbox(helm: Helm, authority: Authority) -> Iterator[Blackbox]:
    """A blackbox_exporter with the file of modules that the chart renders."""
    with Blackbox(modules(helm), trusted=authority.certificate) as running:
        yield running
