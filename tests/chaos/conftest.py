"""The chaos tier uses the cluster tier's daemon and its breakable servers."""

from pathlib import Path

import pytest

from tests.cluster.conftest import api, home, kubeconfig, prometheus, start_daemon

__all__ = ["api", "home", "kubeconfig", "prometheus", "start_daemon"]

_HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives these tests longer than the others: leases, late requests and hung work have minutes of their own."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.timeout(900))
