"""Each module of the chart, run by a real blackbox_exporter: it succeeds against what is well, and only then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.exporters import speakers
from tests.exporters.blackbox import Blackbox
from tests.exporters.chart import default_modules, modules
from tests.rig.certificates import Authority
from tests.rig.helm import Helm
from tests.rig.servers import HOST
from tests.rig.waiting import until

Server = AbstractContextManager[str]


@contextmanager
def _url(server: Server) -> Iterator[str]:
    with server as address:
        yield f"http://{address}"


API_SERVER = "kubernetes.default.svc.cluster.local."

WELL: list[tuple[str, str, Callable[[], Server]]] = [
    ("http_2xx", "200", lambda: speakers.http(get=200)),
    ("http_2xx", "204", lambda: speakers.http(get=204)),
    ("http_post_2xx", "201", lambda: speakers.http(post=201)),
    ("tcp_connect", "a listener", lambda: speakers.tcp(speakers.saying(b""))),
    ("ssh_banner", "OpenSSH", lambda: speakers.tcp(speakers.saying(b"SSH-2.0-OpenSSH_9.2p1"))),
    ("irc_banner", "a welcome", lambda: speakers.tcp(speakers.irc(b"001"))),
    ("dns", "an address", lambda: speakers.resolver({(API_SERVER, "A"): "10.96.0.1"})),
]

ILL: list[tuple[str, str, Callable[[], Server]]] = [
    ("http_2xx", "500", lambda: speakers.http(get=500)),
    ("http_2xx", "nobody there", lambda: _url(speakers.closed_port())),
    ("http_post_2xx", "GET alone", lambda: speakers.http(get=200)),
    ("http_post_json", "200 without the words", lambda: speakers.http(post=200)),
    ("tcp_connect", "nobody there", speakers.closed_port),
    ("ssh_banner", "another protocol", lambda: speakers.tcp(speakers.saying(b"220 mail.test ESMTP"))),
    ("irc_banner", "a refusal", lambda: speakers.tcp(speakers.irc(b"433"))),
    ("dns", "no such name", lambda: speakers.resolver({})),
    ("dns", "the name without an address", lambda: speakers.resolver({(API_SERVER, "TXT"): '"text"'})),
    ("dns", "an alias alone", lambda: speakers.resolver({(API_SERVER, "CNAME"): "elsewhere.test."})),
]

ELSEWHERE = {"ping": "test_ping.py", "pop3s_banner": "below", "http_post_json": "test_post_probe.py"}
"""Modules that are shown to succeed, or to do both, in tests of their own."""


def _named(cases: list[tuple[str, str, Callable[[], Server]]]) -> list[Any]:
    return [pytest.param(module, server, id=f"{module}: {what}") for module, what, server in cases]


@pytest.mark.parametrize(("module", "server"), _named(WELL))
def test_a_module_succeeds_against_what_is_well(blackbox: Blackbox, module: str, server: Callable[[], Server]) -> None:
    """The probe of a server that speaks as it should says 1."""
    with server() as target:
        probed = blackbox.probe(module, target)
    assert probed.succeeded, probed.log


@pytest.mark.parametrize(("module", "server"), _named(ILL))
def test_a_module_fails_against_what_is_not(blackbox: Blackbox, module: str, server: Callable[[], Server]) -> None:
    """The probe of a server that is away, refuses, or says something else says 0 within its time."""
    with server() as target:
        probed = blackbox.probe(module, target, patience=3)
    assert not probed.succeeded, probed.log


def test_no_module_is_left_out() -> None:
    """Each module of the chart is among those that were seen to succeed and those that were seen to fail."""
    for cases in (WELL, ILL):
        assert {module for module, *_ in cases} | set(ELSEWHERE) == set(default_modules())


def test_a_mail_server_by_tls(blackbox: Blackbox, authority: Authority) -> None:
    """POP3S by a certificate that is trusted succeeds, and its expiry is told; a refusal is a failure."""
    credential = authority.serving("pop3s", hosts=(HOST,))
    with speakers.tcp(speakers.saying(b"+OK ready"), credential=credential) as target:
        probed = blackbox.probe("pop3s_banner", target)
    assert probed.succeeded, probed.log
    assert probed.metrics["probe_ssl_earliest_cert_expiry"] > time.time()
    with speakers.tcp(speakers.saying(b"-ERR busy"), credential=credential) as target:
        assert not blackbox.probe("pop3s_banner", target, patience=3).succeeded


def test_a_certificate_that_nobody_vouches_for_is_a_failure(blackbox: Blackbox, tmp_path: Path) -> None:
    """It is verified, not merely encrypted."""
    stranger = Authority(tmp_path).serving("stranger", hosts=(HOST,))
    with speakers.tcp(speakers.saying(b"+OK ready"), credential=stranger) as target:
        probed = blackbox.probe("pop3s_banner", target)
    assert not probed.succeeded
    assert "unknown authority" in probed.log


def test_ip4_is_tried_first(blackbox: Blackbox) -> None:
    """A name with addresses of both protocols is called at that of IPv4."""
    with speakers.http(get=200) as url:
        probed = blackbox.probe("http_2xx", url.replace(HOST, "localhost"))
    assert probed.succeeded, probed.log
    assert probed.metrics["probe_ip_protocol"] == 4


@pytest.mark.parametrize("protocol", ["ip4", "ip6"])
def test_every_module_prefers_the_protocol_that_the_values_say(helm: Helm, protocol: str) -> None:
    """It stands in each module, those of the values' own included, but where one says otherwise itself."""
    own = {
        "grpc": {"prober": "grpc", "grpc": {"tls": True}},
        "six": {"prober": "http", "http": {"preferred_ip_protocol": "ip6"}},
    }
    text = modules(helm, {"preferredIpProtocol": protocol, "modules": own})
    found = yaml.safe_load(text)["modules"]
    assert set(found) == set(default_modules()) | set(own)
    for name, module in found.items():
        assert module[module["prober"]]["preferred_ip_protocol"] == ("ip6" if name == "six" else protocol)
    assert found["grpc"]["grpc"]["tls"] is True
    with Blackbox(text):
        """The exporter takes the file."""


def test_modules_arrive_byte_for_byte(helm: Helm) -> None:
    """Regular expressions, quotes, dollars and braces of a module are what the exporter sends and looks for."""
    nasty = "${HOME} $1 {{ .x }} \"quoted\" \\d 'single' # \u96ea"
    own = {"nasty": {"prober": "tcp", "tcp": {"query_response": [{"send": nasty}, {"expect": "^ok$"}]}}}
    heard: list[bytes] = []

    def talk(connection: Any) -> None:  # noqa: ANN401 (a socket, or one by TLS)
        with connection.makefile("rb") as lines:
            heard.append(lines.readline())
            connection.sendall(b"ok\n")

    with Blackbox(modules(helm, {"modules": own})) as running, speakers.tcp(talk) as target:
        # A dollar would be that of a template, which only an `expect` before it fills.
        probed = running.probe("nasty", target)
    assert probed.succeeded, probed.log
    assert heard == [nasty.encode() + b"\n"]


def test_a_module_is_changed_added_or_taken_away_by_key(helm: Helm) -> None:
    """What the values say of one module leaves the rest of it, and the other modules, as they are."""
    own = {
        "http_2xx": {"timeout": "3s", "http": {"headers": {"Host": "shop.example.com"}}},
        "mail": {"prober": "tcp", "tcp": {"starttls": True}},
        "irc_banner": None,
    }
    found = yaml.safe_load(modules(helm, {"modules": own}))["modules"]
    assert found["http_2xx"] == {
        "prober": "http",
        "timeout": "3s",
        "http": {"headers": {"Host": "shop.example.com"}, "preferred_ip_protocol": "ip4"},
    }
    assert set(found) == set(default_modules()) - {"irc_banner"} | {"mail"}


def test_a_changed_file_takes_effect_without_a_restart(helm: Helm) -> None:
    """The exporter reads its file again by itself; a new module works, whereas a file that is wrong changes nothing."""
    changed = modules(helm, {"modules": {"added": {"prober": "tcp"}}})
    with Blackbox(modules(helm)) as running, speakers.tcp(speakers.saying(b"")) as target:
        running.file.write_text("modules: {tcp_connect: {prober: tcp, timout: 1s}}")
        until(
            lambda: "blackbox_exporter_config_last_reload_successful 0" in running.get("/metrics").text, "it is refused"
        )
        assert running.probe("tcp_connect", target).succeeded
        running.file.write_text(changed)
        until(lambda: "added" in running.get("/config").text, "the new module is there")
        assert running.probe("added", target).succeeded


def test_the_page_shows_the_last_probes(blackbox: Blackbox) -> None:
    """What the Ingress lets through, `/` and `/logs`, tells of each probe whether it went well, and its log."""
    with speakers.closed_port() as target:
        blackbox.probe("tcp_connect", target)
    page = blackbox.get("/").text
    assert target in page
    assert "Failure" in page
    log = blackbox.get(f"/logs?target={target}&module=tcp_connect").text
    assert "connection refused" in log
