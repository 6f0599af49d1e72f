"""How soon a changed policy file is in force: from the swap of the ConfigMap's volume to the daemon's line in the log.

The test swaps as a kubelet does; how long that one takes until it swaps is not in it.
"""

import random
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import yaml

from tests.bench.figures import Figure, Target, Unit, median, percentile
from tests.bench.stage import Json, Say, daemon, policy_file, settle_in
from tests.rig import volumes
from tests.rig.cluster import Cluster
from tests.rig.daemon import Daemon

PART = "reload"
EXPECT = "4 min"

SWAPS = 200
"""With fewer, the 99th percentile would be the worst one."""
_LIMIT = 1 << 20
"""The largest file that is read, and the largest ConfigMap, in bytes."""
_MANY, _FEW = 100, 5
_PATIENCE = 120


def measure(say: Say) -> Iterator[Figure]:
    """The figures of this part."""
    with Cluster.start(scrape_interval=2, progress=say) as cluster, tempfile.TemporaryDirectory() as folder:
        settle_in(cluster, [])
        volume = Path(folder) / "volume"
        _swap(volume, file(0, _FEW))
        environment = {"REMEDIATOR_POLICY": str(volume / "policy.yaml")}
        with daemon(cluster, policy_file(), interval=2, environment=environment) as running:
            running.wait_for("evaluation", timeout=_PATIENCE)
            for what, policies, size in ((f"{_FEW} policies", _FEW, 0), (f"{_MANY} policies, 1 MiB", _MANY, _LIMIT)):
                say(f"{SWAPS} swaps of a file with {what}, while policies are evaluated each second")
                delays = list(_swapped(running, volume, policies, size))
                note = f"{len(delays)} swaps"
                yield Figure(PART, f"swap to in force, {what}: median", median(delays), Unit.SECONDS, None, note)
                worst = (("p99", percentile(delays, 0.99)), ("worst", max(delays)))
                for name, value in worst:
                    target = Target(1, below=True)
                    yield Figure(PART, f"swap to in force, {what}: {name}", value, Unit.SECONDS, target, note)


def _swapped(running: Daemon, volume: Path, policies: int, size: int) -> Iterator[float]:
    """Seconds from each of the swaps to its line in the log."""
    chance = random.Random(policies)
    for number in range(1, SWAPS + 1):
        # At any moment between two looks.
        time.sleep(chance.uniform(0, 0.3))
        text = file(number, policies, size=size)
        begun = time.time()
        _swap(volume, text)
        first = f"swap-{policies}-{number}"

        def read(first: str = first) -> Json | None:
            lines = running.events("policy file read")
            return next((line for line in reversed(lines) if line["policies"][0] == first), None)

        line: Json = running.until(read, what=f"{first} is in force", timeout=_PATIENCE)
        yield datetime.fromisoformat(line["time"]).timestamp() - begun


def file(number: int, policies: int, *, size: int = 0) -> str:
    """A policy file whose first policy is named by a number, filled up with comments to a size in bytes."""
    some = [
        {**policy_file([f"team-{one}", "x-.*"], every="1s" if one < _FEW else "1m")["policies"][0], "name": f"p{one}"}
        for one in range(policies - 1)
    ]
    first = {**policy_file(["nobody"])["policies"][0], "name": f"swap-{policies}-{number}"}
    text = yaml.safe_dump({"policies": [first, *some]}, sort_keys=False)
    line = "# " + "x" * 97 + "\n"
    return text + line * ((size - len(text)) // len(line))


def _swap(volume: Path, text: str) -> None:
    volumes.swap(volume, {"policy.yaml": volumes.File(text.encode(), 0o644)})
