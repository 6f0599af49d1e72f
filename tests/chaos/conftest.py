"""The chaos tier uses the cluster tier's daemon and its breakable servers."""

from tests.cluster.conftest import home, start_daemon
from tests.cluster.test_faults import api, kubeconfig, prometheus

__all__ = ["api", "home", "kubeconfig", "prometheus", "start_daemon"]
