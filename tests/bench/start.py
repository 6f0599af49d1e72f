"""How soon it works after its start, from an environment as the image has it."""

import ctypes
import os
import signal
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.bench import environment, process
from tests.bench.figures import Figure, Target, Unit, median
from tests.bench.stage import HOME, Json, Say, policy_file, settle_in
from tests.rig import workloads
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon

PART = "start"
EXPECT = "2 min"

_WARM, _COLD = 7, 3
_PATIENCE = 120.0
_PR_SET_PDEATHSIG = 1


class Installed(Daemon):
    """The daemon from an environment of its own.

    It is started without the rig's tether, which is a Python that would bring some of the files into the cache.
    """

    python = Path()
    started = 0.0
    """Unix seconds at which it was begun to be started."""

    def start(self) -> "Installed":
        """Start the process; it dies with the thread that starts it."""
        libc = ctypes.CDLL(None)
        self.started = time.time()
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self.python), "-m", "remediator", "run"],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A call of libc and nothing else, so what threads hold at the moment of the fork is of no account.
                preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509
            )
        return self


def measure(say: Say) -> Iterator[Figure]:
    """The figures of this part."""
    with Cluster.start(progress=say) as cluster:
        settle_in(cluster, ["shop"])
        cluster.api.create(workloads.deployment("web", "shop", replicas=10, memory="50Mi"))
        cluster.ready_pods("shop", 10)
        cluster.wait(lambda: cluster.query('container_memory_working_set_bytes{namespace="shop"}'), 30, "samples")
        folder = Path(cluster.description.folder) / "installed"
        say("installing it as the image has it")
        python = environment.install(folder)
        standard = Path(sysconfig.get_path("stdlib"))
        _start(cluster, python)
        say(f"starting it {_WARM} times")
        warm = [_start(cluster, python) for _ in range(_WARM)]
        yield _figure("start to first evaluation, warm", [one.seconds for one in warm], 1.5)
        yield Figure(PART, "  processor time", median([one.processor for one in warm]), Unit.SECONDS)
        say(f"starting it {_COLD} times with its files dropped from the cache")
        cold = []
        for _ in range(_COLD):
            environment.forget(folder, standard)
            cold.append(_start(cluster, python).seconds)
        yield _figure("start to first evaluation, cold", cold, 2.0)
        nothing = Path(cluster.description.folder) / "no-bytecode"
        without = _start(cluster, python, PYTHONPYCACHEPREFIX=str(nothing)).seconds
        yield Figure(PART, "  without bytecode", without, Unit.SECONDS)
        yield Figure(PART, "  memory after the first evaluation", median([one.resident for one in warm]), Unit.BYTES)


def _figure(what: str, seconds: list[float], bound: float) -> Figure:
    note = f"median of {len(seconds)}, worst {max(seconds):.2f} s"
    return Figure(PART, what, median(seconds), Unit.SECONDS, Target(bound), note)


@dataclass(frozen=True)
class _Started:
    """From the start of the process to the end of its first evaluation."""

    seconds: float
    processor: float
    resident: int


def _start(cluster: Cluster, python: Path, **more: str) -> _Started:
    with _daemon(cluster, python, more) as running:
        (line, *_) = running.wait_for("evaluation", outcome="ok", timeout=_PATIENCE)
        processor, resident = process.processor_seconds(running.pid), process.resident(running.pid)
        # In order, so that it hands its lease back and the next one does not have to wait.
        assert running.stop() == 0, running.tail()
        seconds = datetime.fromisoformat(line["time"]).timestamp() - running.started
        return _Started(seconds, processor, resident)


def _daemon(cluster: Cluster, python: Path, more: Mapping[str, str]) -> Installed:
    policy: Json = policy_file(["shop"])
    made = Installed(
        kubeconfig=cluster.kubeconfig_for(HOME, HOME),
        prometheus_url=cluster.prometheus_url,
        namespace=HOME,
        policy=policy,
        # As the image has it.
        environment={
            "REMEDIATOR_LEASE_DURATION": "30s",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": "",
            "PATH": os.defpath,
            **more,
        },
        name=HOME,
    )
    made.python = python
    return made
