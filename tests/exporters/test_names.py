"""The series that the chart's alerts ask for, against what the real exporters give."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.exporters import speakers
from tests.exporters.blackbox import Blackbox, metrics
from tests.exporters.mariadb import MariaDB
from tests.exporters.mysqld import MysqldExporter
from tests.exporters.servers import grant, my_cnf, replica_of
from tests.exporters.test_modules import API_SERVER
from tests.exporters.test_ping import pinged, pod
from tests.rig.certificates import Authority
from tests.rig.helm import Helm
from tests.rig.servers import HOST
from tests.rules.names import Asked, Exposed, asked, missing, patterns

# One worker, so that the servers are started once.
pytestmark = pytest.mark.xdist_group("mariadb")

SERIES_OF_MYSQL_8_4 = frozenset(
    f"mysql_slave_status_{column.lower()}"
    for column in ("Replica_IO_Running", "Replica_SQL_Running", "Seconds_Behind_Source", "SQL_Delay")
)
"""What the exporter makes of a replica of MySQL from 8.4 on, which no package brings here.

It lower-cases the columns of `SHOW REPLICA STATUS` (its collector/slave_status.go, 0.19):
https://dev.mysql.com/doc/refman/8.4/en/show-replica-status.html
"""

SERIES_BEFORE_0_15 = {"mysql_exporter_scrape_errors_total": {("collector", "collect.slave_status")}}
"""What older exporters gave and newer ones don't.

Of the alerts' series 0.14.0 (Debian's package, against MariaDB 10.11) has all but mysql_exporter_collector_success, in
whose place this one is: https://github.com/prometheus/mysqld_exporter/releases/tag/v0.15.0
"""


@pytest.fixture(scope="module")
def probed(blackbox: Blackbox, authority: Authority, helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Exposed:
    """All that probes of every kind give: HTTP, TCP by TLS, DNS, ping."""
    logs = [pinged(helm, tmp_path_factory.mktemp("ping"), pod(helm))["answered"]]
    credential = authority.serving("names", hosts=(HOST,))
    with (
        speakers.http(get=200) as web,
        speakers.tcp(speakers.saying(b"+OK"), credential=credential) as mail,
        speakers.resolver({(API_SERVER, "A"): "10.96.0.1"}) as dns,
    ):
        for module, target in (("http_2xx", web), ("pop3s_banner", mail), ("dns", dns)):
            result = blackbox.probe(module, target)
            assert result.succeeded, result.log
            logs.append(result.log)
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for log in logs:
        for series in metrics(log):
            name, _, labels = series.partition("{")
            found[name] |= set(re.findall(r'(\w+)="([^"]*)"', labels))
    return found


@pytest.fixture(scope="module")
def scraped(helm: Helm) -> Iterator[Exposed]:
    """All that the exporter gives of a replica, as the chart runs it."""
    with MariaDB(1) as primary, replica_of(primary) as replica:
        grant(replica)
        with MysqldExporter(helm, replica.address, my_cnf()) as exporter:
            found: dict[str, set[tuple[str, str]]] = defaultdict(set)
            for family in exporter.scrape().values():
                for sample in family.samples:
                    found[sample.name] |= set(sample.labels.items())
            yield found


def test_blackbox_exporter_gives_what_its_alerts_ask_for(probed: Exposed) -> None:
    """Every name and every label in an expression stands in the answer to some real probe."""
    assert missing(asked("blackbox"), probed) == []


def test_mysqld_exporter_gives_what_its_alerts_ask_for(scraped: Exposed) -> None:
    """Every name and every label in an expression stands in a real scrape of a replica, or has to do with old ones."""
    assert missing(asked("mysql"), {**scraped, **SERIES_BEFORE_0_15}) == []
    assert not SERIES_BEFORE_0_15.keys() & scraped.keys()


def test_the_names_of_replication_are_met_on_every_server(scraped: Exposed) -> None:
    """Each pattern finds a series of MariaDB's, which says slave and master, and one of MySQL's, which does not."""
    assert patterns("mysql")
    for pattern in patterns("mysql"):
        for names in (scraped.keys(), SERIES_OF_MYSQL_8_4):
            assert [name for name in names if re.fullmatch(pattern, name)], pattern


def test_a_name_that_nobody_has_would_be_found(probed: Exposed) -> None:
    """What the tests above look for can be missing: a name, or the value of a label."""
    wrong = [
        Asked("A", "probe_succes", is_pattern=False, matchers=frozenset()),
        Asked("B", "probe_icmp_duration_seconds", is_pattern=False, matchers=frozenset({("phase", "=", "trip")})),
        Asked("C", "probe_icmp_duration_seconds", is_pattern=False, matchers=frozenset({("phase", "=", "rtt")})),
    ]
    assert missing(wrong, probed) == ["A: probe_succes", "B: probe_icmp_duration_seconds{phase='trip'}"]


def test_certificates_are_known_by_chain_and_by_first_expiry(probed: Exposed) -> None:
    """Of a trusted certificate both are there, so that the alert can prefer the chain's."""
    assert {"probe_ssl_last_chain_expiry_timestamp_seconds", "probe_ssl_earliest_cert_expiry"} <= probed.keys()
