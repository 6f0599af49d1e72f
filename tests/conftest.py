"""The cluster that the tests share, and the fixtures that hand it out.

One process owns the shared cluster: the one that pytest was started in. With pytest-xdist that is the
controller, which starts it before the workers and gives each of them its description; without, it is started
by the first test that asks. It is stopped when pytest ends, however it ends.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.rig.claim import sweep
from tests.rig.cluster import Cluster

_HERE = Path(__file__).resolve().parent

# The tiers that need no cluster; a run of only these starts none.
_WITHOUT = ("unit", "rules", "chart")

_OWNED = pytest.StashKey[Cluster]()


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker, and makes SIGTERM an orderly end."""
    config.addinivalue_line("markers", "cluster: needs the control plane; set for all of tests/cluster and tests/chaos")
    # So that what SIGTERM ends is ended like Ctrl-C: with fixtures torn down and the cluster stopped.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stops the shared cluster, in the process that owns it, and tidies up after workers that were killed."""
    if (cluster := config.stash.get(_OWNED, None)) is not None:
        cluster.stop()
        sweep()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 (a class that pytest-xdist does not export)
    """Gives a worker of pytest-xdist the shared cluster; runs in the controller, for each worker."""
    if _wants_cluster(node.config):
        node.workerinput["rig"] = _owned(node.config).describe()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what needs the control plane, and keeps the tests of one `own_cluster` in one worker (loadgroup)."""
    for item in items:
        if item.path.is_relative_to(_HERE / "cluster") or item.path.is_relative_to(_HERE / "chaos"):
            item.add_marker("cluster")
        if "own_cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(_HERE))))


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """The shared cluster. Its components are nobody's to stop; each test has namespaces of its own."""
    worker = getattr(request.config, "workerinput", None)
    if worker is None:
        return _owned(request.config)
    if "rig" not in worker:
        pytest.fail(
            f"this test needs the cluster, which is started neither for runs of only {', '.join(_WITHOUT)} "
            "nor with -m 'not cluster'; run it without -n"
        )
    return Cluster.from_description(worker["rig"])


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of this test alone, which is deleted after it."""
    name = cluster.namespace()
    yield name
    cluster.api.delete("namespaces", None, name)


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A cluster of this module alone, whose components its tests may stop, pause and start again."""
    with Cluster.start() as cluster:
        yield cluster


def _owned(config: pytest.Config) -> Cluster:
    """The shared cluster, in the process that owns it; starts it when first asked."""
    if config.stash.get(_OWNED, None) is None:
        capture = config.pluginmanager.getplugin("capturemanager")
        # Building takes minutes the first time: whoever waits has to see why.
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            config.stash[_OWNED] = Cluster.start()
    return config.stash[_OWNED]


def _wants_cluster(config: pytest.Config) -> bool:
    """Whether tests that were asked for may need the cluster; the controller collects nothing itself."""
    if "not cluster" in config.option.markexpr:
        return False
    places = [(config.invocation_params.dir / argument.split("::")[0]).resolve() for argument in config.args]
    return not places or any(not any(place.is_relative_to(_HERE / tier) for tier in _WITHOUT) for place in places)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt
