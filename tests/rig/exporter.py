"""A page to scrape that a test has written."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.rig.servers import HOST, METRICS, Handler, LocalServer


@contextmanager
def exporter(page: Callable[[], str]) -> Iterator[str]:
    """Serves what the function gives at that moment, in Prometheus's text format; gives host and port."""

    class Page(Handler):
        def do_GET(self) -> None:  # noqa: N802  http.server's name
            self.answer(page().encode(), METRICS)

    with LocalServer(Page) as server:
        yield f"{HOST}:{server.port}"
