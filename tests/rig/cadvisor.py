"""A kubelet's cAdvisor endpoint with cAdvisor's timestamps, in front of KWOK's.

cAdvisor looks at a container every ten seconds or so, and serves what it has seen with the time at which it
saw it. Such samples are older than the scrape, several scrapes can bring the same one, and Prometheus does
not mark the series of a container that is gone as stale unless `track_timestamps_staleness` is set: it goes
on answering with the last sample for five minutes. KWOK serves the present, without timestamps. This puts
them there: `python -m tests.rig.cadvisor PORT KWOK_URL SECONDS`, where SECONDS is how often it looks.
"""

import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import ThreadingHTTPServer

from tests.rig.servers import METRICS, Handler


class Cadvisor(ThreadingHTTPServer):
    """Serves each path of KWOK as it was up to `every` seconds ago, with the time at which it was."""

    daemon_threads = True

    def __init__(self, port: int, *, kwok_url: str, every: float) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self._kwok_url = kwok_url
        self._every = every
        self._pages: dict[str, tuple[float, bytes]] = {}
        self._lock = threading.Lock()

    def page(self, path: str) -> bytes:
        """The page of a path; looks again when the last look is too old. Raises `OSError` if KWOK fails."""
        with self._lock:
            looked, page = self._pages.get(path, (0.0, b""))
            if time.time() - looked >= self._every:
                looked = time.time()
                with urllib.request.urlopen(self._kwok_url + path, timeout=5) as answer:
                    page = timestamped(answer.read(), milliseconds=round(looked * 1000))
                self._pages[path] = (looked, page)
            return page


def timestamped(page: bytes, *, milliseconds: int) -> bytes:
    """Adds a Unix timestamp to each sample of a page in Prometheus's text format."""
    stamp = f" {milliseconds}".encode()
    lines = page.splitlines()
    return b"\n".join(line if not line or line.startswith(b"#") else line + stamp for line in lines) + b"\n"


class _Handler(Handler):
    server: Cadvisor

    def do_GET(self) -> None:  # noqa: N802  http.server's name
        try:
            page = self.server.page(self.path) if self.path.startswith("/metrics/") else b"ok\n"
        except urllib.error.HTTPError as error:
            self.send_error(error.code)
            return
        except OSError as error:
            self.send_error(502, explain=str(error))
            return
        self.answer(page, METRICS)


if __name__ == "__main__":
    port, kwok_url, every = sys.argv[1:]
    Cadvisor(int(port), kwok_url=kwok_url, every=float(every)).serve_forever()
