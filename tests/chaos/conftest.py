"""The chaos tier uses the cluster tier's daemon and its breakable servers."""

from tests.cluster.conftest import api, home, kubeconfig, prometheus, start_daemon

__all__ = ["api", "home", "kubeconfig", "prometheus", "start_daemon"]
