"""What the tests on the control plane share: a daemon with the rights that deploy/ gives it, and the way to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from tests.cluster.releases import ChartRelease, chart_releases
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon, create_account
from tests.rig.helm import VERSIONS, Helm, Version
from tests.rig.kubeconfig import by_way_of
from tests.rig.proxy import Proxy

Json = dict[str, Any]
StartDaemon = Callable[..., Daemon]
NewRelease = Callable[..., ChartRelease]


def policy_file(namespace: str, *, safety: Json | None = None, for_: str = "5s", **fields: object) -> Json:
    """A policy for one namespace with the pace of a test: samples each second, a breach after 5."""
    policy: Json = {
        "name": "leaky",
        "match": {"namespaces": [namespace]},
        "threshold": "80% of limit",
        "for": for_,
        "every": "1s",
        "jitter": "0s",
        "cooldown": "1s",
        "maxPerWorkload": {"actions": 1000, "per": "1h"},
        "minAge": "0s",
        "readyTimeout": "60s",
        **fields,
    }
    return {"safety": safety or {}, "policies": [policy]}


# For ``policy_file`` and ``start_daemon`` where a test tells how an act ends: a scrape or two that are late are then no
# gap, for which a second look calls it off.
STEADY_FOR = "9s"
STEADY = 3
"""Seconds between two samples, as the daemon is told."""


def policies(*namespaces: str, **each: Any) -> Json:  # noqa: ANN401 (fields of any kind)
    """A policy file with one policy a namespace; more arguments are those of `policy_file`."""
    files = {namespace: policy_file(namespace, **each) for namespace in namespaces}
    found = [{**policy, "name": f"in-{name}"} for name, file in files.items() for policy in file["policies"]]
    return {"safety": next(iter(files.values()))["safety"], "policies": found}


@pytest.fixture
def home(cluster: Cluster) -> Iterator[str]:
    """The daemon's own namespace, with a service account that may do what deploy/rbac.yaml allows."""
    name = cluster.namespace("home")
    create_account(cluster, name)
    yield name
    cluster.api.delete("namespaces", None, name)


@pytest.fixture
def start_daemon(cluster: Cluster, home: str, tmp_path: Path) -> Iterator[StartDaemon]:
    """Starts a daemon with a policy; more arguments are those of ``Daemon``. All end with the test."""
    with ExitStack() as ends:

        def start(policy: Json | str, **more: Any) -> Daemon:  # noqa: ANN401
            arguments = {
                "kubeconfig": cluster.kubeconfig_for(home, "remediator"),
                "prometheus_url": cluster.prometheus_url,
                "namespace": home,
                "folder": tmp_path,
                **more,
            }
            return ends.enter_context(Daemon(policy=policy, **arguments))

        yield start


@pytest.fixture
def prometheus(cluster: Cluster) -> Iterator[Proxy]:
    """A Prometheus that can be broken."""
    with Proxy(cluster.prometheus_url) as proxy:
        yield proxy


@pytest.fixture
def api(cluster: Cluster) -> Iterator[Proxy]:
    """An API server that can be broken."""
    with Proxy(cluster.api_url, ca_file=cluster.ca_file) as proxy:
        yield proxy


@pytest.fixture
def kubeconfig(cluster: Cluster, home: str, api: Proxy, tmp_path: Path) -> Path:
    """The daemon's kubeconfig, by way of the breakable API server."""
    return by_way_of(api.url, cluster.kubeconfig_for(home, "remediator"), path=tmp_path / "proxied.kubeconfig")


@pytest.fixture(scope="session")
def helm4(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm 4."""
    return Helm(4, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session", params=VERSIONS, ids=[f"helm{version}" for version in VERSIONS])
def each_helm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Each version of Helm in turn."""
    return Helm(cast("Version", request.param), tmp_path_factory.mktemp("helm"))


@pytest.fixture
def new_release(cluster: Cluster, helm4: Helm, tmp_path: Path) -> Iterator[NewRelease]:
    """Gives a release of the chart to install, in a namespace of its own; see `chart_releases`."""
    with chart_releases(cluster, helm4, tmp_path) as new:
        yield new
