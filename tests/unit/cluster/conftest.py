"""An API server on loopback, and a client of it by a kubeconfig like everybody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from remediator.cluster.api import ApiServer, Connection, connect
from tests.unit.cluster.objects import list_of
from tests.unit.servers import Server, always, http, serving

TOKEN = "s3cr3t-t0ken"
_NOTHING = always(http(200, list_of()))


class Told:
    """What the observer was told: verb, outcome, words."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []

    def __call__(self, verb: str, outcome: str, seconds: float, words: str) -> None:
        """One request has ended."""
        assert seconds >= 0
        self.seen.append((verb, outcome, words))


@pytest.fixture
def told() -> Told:
    """The observer of the fixture ``api``."""
    return Told()


@pytest.fixture(scope="session")
def _shared() -> Iterator[Server]:
    """One server for all tests that don't leave anything behind which still asks."""
    with serving(_NOTHING) as running:
        yield running


@pytest.fixture(scope="session")
def _connection(_shared: Server, tmp_path_factory: pytest.TempPathFactory) -> Connection:
    """A connection to it; reading a kubeconfig takes longer than a test."""
    return connect(written(_shared.url, tmp_path_factory.mktemp("kube")))


@pytest.fixture
def server(_shared: Server) -> Server:
    """An API server that has nothing until it is told otherwise."""
    _shared.answer, _shared.connections = _NOTHING, 0
    _shared.requests = []
    return _shared


@pytest.fixture
def own_server() -> Iterator[Server]:
    """One of the test's own, with which everything that asks it ends."""
    with serving(_NOTHING) as running:
        yield running


@pytest.fixture
def kubeconfig(server: Server, tmp_path: Path) -> Path:
    """How to reach the server, with a token."""
    return written(server.url, tmp_path)


def written(url: str, folder: Path) -> Path:
    """A kubeconfig for that address."""
    file = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": url}}],
        "users": [{"name": "me", "user": {"token": TOKEN}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me", "namespace": "ops"}}],
    }
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.fixture
def api(server: Server, _connection: Connection, told: Told) -> ApiServer:
    """A client of the server."""
    return ApiServer(_connection, observe=told)
