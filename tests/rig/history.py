"""A Prometheus without a cluster: it holds just the samples that it is given, at the times that they have.

For what has to be exact, and for labels that no kubelet of the rig would write. `promtool` makes a block of the
samples, and a real Prometheus answers from it.
"""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.rig import tools
from tests.rig.api import Json
from tests.rig.claim import Claim
from tests.rig.errors import RigError
from tests.rig.loopback import answers
from tests.rig.processes import Component

# Seconds in which it has to answer, on a machine that does much else.
_START = 60.0


@dataclass(frozen=True)
class Stored:
    """One series: its labels, `__name__` among them, and (Unix seconds, value) in order of time."""

    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]]


@contextmanager
def history(
    series: Iterable[Stored] = (), *, scrape_configs: Sequence[Json] = (), rules: Sequence[Json] = ()
) -> Iterator[str]:
    """The URL of a Prometheus that has these series and no others, but what it scrapes and its rules give each second.

    It ends with the context. Raises `RigError` where they can't be stored, or where one is there twice.
    """
    binaries = tools.ensure("prometheus")
    claim = Claim()
    try:
        folder, (port,) = claim.folder, claim.ports(1)
        (folder / "samples.txt").write_text(_openmetrics(series))
        command = [str(binaries["promtool"]), "tsdb", "create-blocks-from", "openmetrics", "samples.txt", "data"]
        made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if made.returncode:
            msg = f"promtool could not store the samples: {made.stdout}{made.stderr}"
            raise RigError(msg)
        timing = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        (folder / "rules.json").write_text(json.dumps({"groups": [{"name": "rules", "rules": list(rules)}]}))
        (folder / "prometheus.json").write_text(
            json.dumps({"global": timing, "scrape_configs": list(scrape_configs), "rule_files": ["rules.json"]})
        )
        prometheus = Component(
            name="prometheus",
            command=[
                str(binaries["prometheus"]),
                "--config.file=prometheus.json",
                "--storage.tsdb.path=data",
                # The samples may be of any year.
                "--storage.tsdb.retention.time=100y",
                "--storage.tsdb.no-lockfile",
                "--scrape.discovery-reload-interval=200ms",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            ],
            log=folder / "prometheus.log",
            healthy=lambda: answers(f"http://127.0.0.1:{port}/-/ready"),
        )
        prometheus.start()
        try:
            prometheus.wait_healthy(_START)
            yield f"http://127.0.0.1:{port}"
        finally:
            prometheus.stop(grace=0)
    finally:
        claim.release()


def _openmetrics(series: Iterable[Stored]) -> str:
    """The series in OpenMetrics' text format, in which the samples of one metric stand together."""
    families: dict[str, list[str]] = {}
    seen: set[frozenset[tuple[str, str]]] = set()
    for one in series:
        identity = frozenset(one.labels.items())
        if identity in seen:
            msg = f"a series is there twice: {dict(one.labels)}"
            raise RigError(msg)
        seen.add(identity)
        name = one.labels["__name__"]
        labels = ",".join(
            f"{key}={json.dumps(value)}" for key, value in sorted(one.labels.items()) if key != "__name__"
        )
        lines = families.setdefault(name, [f"# TYPE {name} gauge"])
        lines += [f"{name}{{{labels}}} {value!r} {time!r}" for time, value in one.samples]
    return "\n".join([line for lines in families.values() for line in lines] + ["# EOF\n"])
