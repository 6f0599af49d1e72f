"""The series of many pods, for Prometheus to scrape: `python -m tests.bench.exporter PORT`.

KWOK computes each sample with an expression, a millisecond for four of them; 100,000 are out of its reach. Here the
labels are rendered once, and each scrape only puts new values behind them. Nobody of these pods is ever over, so the
daemon asks neither Prometheus nor the API server about any of them, and whether they exist there is of no account.

`/cadvisor/NAMESPACE/PREFIX/COUNT` is what kubelets serve of their containers, and `/state/NAMESPACE/PREFIX/COUNT` what
kube-state-metrics says of the pods.
"""

import hashlib
import itertools
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer

from tests.rig.servers import METRICS, Handler

LIMIT = 512 << 20
"""Bytes; every container's limit."""
LEAST, MOST = 20 << 20, 200 << 20
"""Bytes that a container uses, in between."""
_SWING = 4 << 20
"""Bytes by which it changes from one scrape to another."""
_PRIME, _OTHER_PRIME = 2654435761, 40503


def pod_name(prefix: str, number: int) -> str:
    """The name of one of the pods."""
    return f"{prefix}-{number:05}"


@dataclass
class Series:
    """The series of the pods of one namespace: the part before the value, and the value at the n-th scrape."""

    starts: tuple[bytes, ...]
    value: Callable[[int, int], int]
    """Of the pod's number and the scrape's."""
    _scrapes: "itertools.count[int]" = field(default_factory=itertools.count)

    def page(self) -> bytes:
        """What the next scrape gets."""
        scrape = next(self._scrapes)
        value = self.value
        return b"".join(b"%s%d\n" % (start, value(number, scrape)) for number, start in enumerate(self.starts))


def memory(number: int, scrape: int) -> int:
    """Bytes that a pod uses: another base for each, and another value at each scrape."""
    base = LEAST + number * _PRIME % (MOST - LEAST - _SWING)
    return base + (number + scrape) * _OTHER_PRIME % _SWING


def cadvisor(namespace: str, prefix: str, count: int) -> Series:
    """The working set of each pod's container, with cAdvisor's labels under containerd and the systemd driver."""

    def start(number: int) -> bytes:
        pod = pod_name(prefix, number)
        container = hashlib.sha256(f"{namespace}/{pod}".encode()).hexdigest()
        uid = f"{container[:8]}_{container[8:12]}_{container[12:16]}_{container[16:20]}_{container[20:32]}"
        slice_ = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid}.slice"
        return (
            f'container_memory_working_set_bytes{{container="app",id="{slice_}/cri-containerd-{container}.scope",'
            f'image="registry.example/app:1.0",name="{container}",namespace="{namespace}",pod="{pod}"}} '
        ).encode()

    return Series(tuple(map(start, range(count))), memory)


def state(namespace: str, prefix: str, count: int) -> Series:
    """That each pod runs, and the limit of its container."""
    starts = []
    for number in range(count):
        of = f'namespace="{namespace}",pod="{pod_name(prefix, number)}"'
        starts.append(f'kube_pod_status_phase{{{of},phase="Running"}} '.encode())
        limit = f'kube_pod_container_resource_limits{{{of},container="app",resource="memory",unit="byte"}} '
        starts.append(limit.encode())
    return Series(tuple(starts), lambda place, _: LIMIT if place % 2 else 1)


class Exporter(ThreadingHTTPServer):
    """Serves the series that a path names, rendered when they are first asked for."""

    daemon_threads = True
    _kinds: dict[str, Callable[[str, str, int], Series]] = {"cadvisor": cadvisor, "state": state}  # noqa: RUF012

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self._series: dict[str, Series] = {}
        self._lock = threading.Lock()

    def page(self, path: str) -> bytes | None:
        """The page of a path; None where it names none."""
        kind, *of = path.strip("/").split("/")
        if kind not in self._kinds or len(of) != 3 or not of[2].isdecimal():
            return None
        with self._lock:
            if path not in self._series:
                self._series[path] = self._kinds[kind](of[0], of[1], int(of[2]))
            series = self._series[path]
        return series.page()


class _Handler(Handler):
    server: Exporter

    def do_GET(self) -> None:  # noqa: N802  http.server's name
        page = b"ok\n" if self.path == "/healthz" else self.server.page(self.path)
        if page is None:
            self.send_error(404)
            return
        self.answer(page, METRICS)


if __name__ == "__main__":
    Exporter(int(sys.argv[1])).serve_forever()
