"""Metrics and health over HTTP, from the real server."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from remediator.errors import SettingsError
from remediator.observe.http import HttpServer, application
from remediator.observe.metrics import Metrics
from remediator.observe.state import State
from remediator.policy import Policy
from remediator.pulse import LONGEST, Pulse
from tests.unit.cluster.leases import Clock
from tests.unit.make import NOW, policy

__all__ = ["Policy"]


class Daemon:
    """What is shown, and where."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.pulse = Pulse(monotonic=self.clock)
        self.state = State(clock=lambda: NOW)
        self.metrics = Metrics(self.state)
        self.server = HttpServer("127.0.0.1:0", application(self.state, self.metrics, self.pulse))
        self.address = self.server.start()

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
        """Status, content type and text of an answer."""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.getheader("content-type") or "", response.read().decode()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Daemon]:
    """One server for all tests."""
    daemon = Daemon()
    yield daemon
    daemon.server.stop()


@pytest.fixture
def daemon(running: Daemon) -> Daemon:
    """It, with nothing known yet."""
    running.state.__init__(clock=lambda: NOW)  # type: ignore[misc]
    return running


DEPENDENCIES = ("policy", "kubernetes", "prometheus", "leader")


def test_metrics_are_what_prometheus_reads(daemon: Daemon) -> None:
    """In its text format, with our prefix and the process' own."""
    status, kind, text = daemon.ask("/metrics")
    assert status == 200
    assert kind.startswith("text/plain; version=")
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"remediator_leader", "remediator_build_info", "process_resident_memory_bytes"} <= names


def test_openmetrics_are_given_to_who_asks_for_them(daemon: Daemon) -> None:
    """As Prometheus does."""
    status, kind, text = daemon.ask("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert status == 200
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metricsx", "/healthz/x", "/api/v1/query", "/../etc/passwd", "//"])
def test_no_other_path_is_answered(daemon: Daemon, path: str) -> None:
    """In particular not with the metrics."""
    status, _, text = daemon.ask(path)
    assert status in {404, 307}
    assert "remediator_leader" not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
def test_nothing_can_be_changed(daemon: Daemon, path: str, method: str) -> None:
    """Read-only: what changes something goes through Kubernetes' own objects."""
    assert daemon.ask(path, method)[0] == 405


def test_it_is_alive_while_the_scheduler_moves(daemon: Daemon) -> None:
    """Two minutes without a heartbeat are too long."""
    daemon.pulse.recurred("the scheduler")
    assert daemon.ask("/healthz")[0] == 200
    daemon.clock.now += LONGEST - 1
    assert daemon.ask("/healthz")[0] == 200
    daemon.clock.now += 1
    status, _, text = daemon.ask("/healthz")
    assert (status, text) == (503, "the scheduler has not moved for 120 s\n")
    daemon.pulse.recurred("the scheduler")
    assert daemon.ask("/healthz")[0] == 200


def test_it_says_what_it_waits_for(daemon: Daemon) -> None:
    """Each dependency with its own sentence; ready when all have answered."""
    status, _, text = daemon.ask("/readyz")
    assert status == 503
    assert text.splitlines() == [
        "policy: not read yet",
        "kubernetes: not asked yet",
        "prometheus: not asked yet",
        "leader: not decided yet",
    ]
    for name in DEPENDENCIES:
        assert daemon.ask("/readyz")[0] == 503
        daemon.state.depends(name, "")
    status, _, text = daemon.ask("/readyz")
    assert status == 200
    assert text.splitlines() == [f"{name}: ok" for name in DEPENDENCIES]
    daemon.state.depends("prometheus", "Prometheus at http://p can't be reached: refused")
    status, _, text = daemon.ask("/readyz")
    assert status == 503
    assert "prometheus: Prometheus at http://p can't be reached: refused" in text


def test_a_standby_is_ready_and_names_who_leads(daemon: Daemon) -> None:
    """It does what it is there for: a Deployment of two is available, and can be rolled out."""
    for name in DEPENDENCIES:
        daemon.state.depends(name, "")
    daemon.state.led(leading=False, standby="the lease remediator is held by other")
    status, _, text = daemon.ask("/readyz")
    assert status == 200
    assert text.splitlines()[-1] == "standby: the lease remediator is held by other"
    daemon.state.led(leading=True)
    assert "standby" not in daemon.ask("/readyz")[2]


def test_series_of_what_is_gone_disappear(daemon: Daemon) -> None:
    """From one scrape to the next."""
    from remediator.observe.state import PolicyState  # noqa: PLC0415

    daemon.state.led(leading=True)
    daemon.state.policies(("a", "b"))
    for name in ("a", "b"):
        daemon.state.term().evaluated(name, PolicyState(NOW, 2, 0.5))
    assert 'breaching_pods{policy="b"} 2.0' in daemon.ask("/metrics")[2]
    daemon.state.policies((policy(name="a").name,))
    text = daemon.ask("/metrics")[2]
    assert 'policy="a"' in text
    assert 'policy="b"' not in text


# The address


@pytest.mark.parametrize(
    "address", ["", "8080", "localhost", ":8080", "a:b", "a:", "a:-1", "a:1.5", "a:\u00b2", "a:99999"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """One sentence, with an example."""
    with pytest.raises(SettingsError, match=r"is no host:port; write 0\.0\.0\.0:8080"):
        HttpServer(address, application(State(clock=lambda: NOW), Metrics(State(clock=lambda: NOW)), Pulse()))


def serve(address: str) -> HttpServer:
    """A server that has not been started."""
    state = State(clock=lambda: NOW)
    return HttpServer(address, application(state, Metrics(state), Pulse()))


@pytest.mark.parametrize("address", ["no-such-host.invalid:0", "300.1.1.1:0", "192.0.2.1:0"])
def test_an_address_that_is_not_ours_is_one_sentence(address: str) -> None:
    """It can't be listened on, and the setting is named."""
    with pytest.raises(SettingsError, match="change REMEDIATOR_HTTP_ADDRESS"):
        serve(address).start()


def test_a_port_that_is_taken_is_one_sentence() -> None:
    """Another daemon listens there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"can't listen on 127\.0\.0\.1:{port}: .*in use"):
            serve(f"127.0.0.1:{port}").start()


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0"])
def test_when_it_has_stopped_nobody_answers(address: str) -> None:
    """And the port is free again."""
    server = serve(address)
    bound = server.start()
    host, _, port = bound.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()
    server.stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, int(port)), timeout=2)
