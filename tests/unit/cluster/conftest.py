"""An API server on loopback, and a client of it by a kubeconfig like everybody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from remediator.cluster.api import ApiServer, connect
from tests.unit.cluster.objects import list_of
from tests.unit.servers import Server, always, http, serving

TOKEN = "s3cr3t-t0ken"


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


@pytest.fixture
def server() -> Iterator[Server]:
    """An API server that has nothing until it is told otherwise."""
    with serving(always(http(200, list_of()))) as running:
        yield running


@pytest.fixture
def kubeconfig(server: Server, tmp_path: Path) -> Path:
    """How to reach it, with a token."""
    file = tmp_path / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": server.url}}],
        "users": [{"name": "me", "user": {"token": TOKEN}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me", "namespace": "ops"}}],
    }
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.fixture
def api(kubeconfig: Path, told: Told) -> ApiServer:
    """A client of it."""
    return ApiServer(connect(kubeconfig), observe=told)
