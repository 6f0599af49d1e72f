"""What the tests on the control plane share: a daemon with the rights that deploy/ gives it, and the way to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon, create_account
from tests.rig.proxy import Proxy

Json = dict[str, Any]
StartDaemon = Callable[..., Daemon]


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
        "readyTimeout": "20s",
        **fields,
    }
    return {"safety": safety or {}, "policies": [policy]}


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
    content = yaml.safe_load(cluster.kubeconfig_for(home, "remediator").read_text())
    content["clusters"][0]["cluster"] = {"server": api.url}
    path = tmp_path / "proxied.kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return path
