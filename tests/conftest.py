"""The cluster that the tests share, and the fixtures that hand it out.

One process owns the shared cluster: the one that pytest was started in. With pytest-xdist that is the
controller, which starts it before the workers and gives each of them its description; without, it is started
by the first test that asks. It is stopped when pytest ends, however it ends.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.rig import audit, rights
from tests.rig.claim import sweep
from tests.rig.cluster import Cluster

_HERE = Path(__file__).resolve().parent

# The tiers that need no cluster; a run of only these starts none.
_WITHOUT = ("unit", "model", "rules", "chart", "image", "exporters", "stack")

# What has no second try: what waits for no other program, and where races and faults are what is looked for.
_ONCE = ("unit", "model", "rules", "chaos")

_OWNED = pytest.StashKey[Cluster]()
_RIGHTS = pytest.StashKey[list[str]]()


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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run in which a daemon asked for more than deploy/ allows has failed; a whole run also for what none used."""
    cluster = session.config.stash.get(_OWNED, None)
    if cluster is None:
        return
    events = cluster.audit()
    wrong = [f"asked for, and not in deploy/: {_right(right)}" for right in sorted(rights.outside(events))]
    if _is_whole(session.config):
        wrong += [f"in deploy/, and never asked for: {_right(right)}" for right in sorted(rights.unused(events))]
    session.config.stash[_RIGHTS] = wrong
    if wrong:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says which rights the daemons of this run had too many of, or too few."""
    for line in config.stash.get(_RIGHTS, []):
        terminalreporter.write_line(f"RIGHTS {line}", red=True)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 (a class that pytest-xdist does not export)
    """Gives a worker of pytest-xdist the shared cluster; runs in the controller, for each worker."""
    if _wants_cluster(node.config):
        node.workerinput["rig"] = _owned(node.config).describe()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what needs the control plane and what is run again, and keeps the tests of one `own_cluster` together."""
    for item in items:
        if item.path.is_relative_to(_HERE / "cluster") or item.path.is_relative_to(_HERE / "chaos"):
            item.add_marker("cluster")
        if "own_cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(_HERE))))
        if item.path.relative_to(_HERE).parts[0] not in _ONCE:
            item.add_marker(pytest.mark.flaky(reruns=1, condition=_may_be_run_again))


def _may_be_run_again() -> bool:
    """Whether the test that failed has one more try, shown with the traceback of the first; a run has a few of them.

    Real programs and downloads share a machine, and any of them may be late for no fault of its own. None has it that
    has read the audit log: what the daemon did is right at any pace, or a bug.
    """
    return not audit.READ.is_set()


def pytest_runtest_setup() -> None:
    """A test has read nothing yet."""
    audit.READ.clear()


class _ByStage(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Keeps the tests of a module that share a stage in one worker, and gives out all others one by one.

    What ``--dist loadgroup`` is for; but pytest-xdist 3.8 writes groups into names that pytest 9.2 does not read.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if _shares_a_stage(self.config.rootpath / file) else nodeid


@cache
def _shares_a_stage(file: Path) -> bool:
    text = file.read_text("utf-8")
    return "xdist_group" in text or "own_cluster" in text


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _ByStage | None:
    """Who gives out the tests where they are grouped."""
    return _ByStage(config, log) if config.option.dist == "loadgroup" else None


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


def _is_whole(config: pytest.Config) -> bool:
    """Whether nobody has chosen some of the tests."""
    chosen = config.option.keyword or config.option.markexpr or getattr(config.option, "lf", False)
    return config.args_source is not pytest.Config.ArgsSource.ARGS and not chosen


def _right(right: rights.Right) -> str:
    group, resource, verb = right
    return f"{verb} {resource}{f'.{group}' if group else ''}"


def _wants_cluster(config: pytest.Config) -> bool:
    """Whether tests that were asked for may need the cluster; the controller collects nothing itself."""
    if "not cluster" in config.option.markexpr:
        return False
    places = [(config.invocation_params.dir / argument.split("::")[0]).resolve() for argument in config.args]
    return not places or any(not any(place.is_relative_to(_HERE / tier) for tier in _WITHOUT) for place in places)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt
