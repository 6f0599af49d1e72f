"""mysqld_exporter as the chart runs it, against real MariaDB servers, with grant and my.cnf of the documents."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from tests.exporters.alerts import firing, impatient, watching
from tests.exporters.chart import CHART
from tests.exporters.mariadb import MariaDB
from tests.exporters.mysqld import MysqldExporter, collectors, failed_collectors, value
from tests.exporters.servers import SLAVE_MONITOR, grant, my_cnf, replica_of, replicates
from tests.rig.helm import Helm
from tests.rig.prometheus import query
from tests.rig.waiting import until

# One worker, so that the servers are started once.
pytestmark = pytest.mark.xdist_group("mariadb")

CONNECTED = "SELECT id FROM information_schema.processlist WHERE user = 'exporter'"


@pytest.fixture(scope="module")
def primary() -> Iterator[MariaDB]:
    """A server."""
    with MariaDB(1) as server:
        yield server


@pytest.fixture(scope="module")
def replica(primary: MariaDB) -> Iterator[MariaDB]:
    """A server that replicates from the primary."""
    with replica_of(primary) as server:
        yield server


def test_every_collector_succeeds_with_the_documented_grant(helm: Helm, replica: MariaDB) -> None:
    """Grant, my.cnf and arguments as documented and rendered: the server is up and no collector fails."""
    grant(replica)
    with MysqldExporter(helm, replica.address, my_cnf()) as exporter:
        scraped = exporter.scrape()
        assert value(scraped, "mysql_up") == 1, exporter.log()
        assert collectors(scraped) == set(yaml.safe_load((CHART / "values.yaml").read_text())["mysqld"]["collectors"])
        assert failed_collectors(scraped) == set(), exporter.log()
        assert value(scraped, "mysql_slave_status_slave_sql_running") == 1


def test_without_slave_monitor_replication_is_not_seen(helm: Helm, replica: MariaDB) -> None:
    """MariaDB's own right is needed: without it no metric of replication is there, and one collector says why."""
    grant(replica, without=SLAVE_MONITOR)
    with MysqldExporter(helm, replica.address, my_cnf()) as exporter:
        scraped = exporter.scrape()
        assert failed_collectors(scraped) == {"slave_status"}
        assert not [name for name in scraped if name.startswith("mysql_slave_status_")]
        assert "SLAVE MONITOR privilege" in exporter.log()


@pytest.mark.parametrize(
    "password",
    [
        "plain",
        "a#b;c d",
        "back\\slash",
        "quo\"te's",
        "per%cent{brace}",
        "\u96ea",
    ],
)  # fmt: skip
def test_passwords_arrive_as_they_are(helm: Helm, primary: MariaDB, password: str) -> None:
    """What is a comment, a quote or an escape elsewhere is part of the password in my.cnf."""
    grant(primary, password)
    with MysqldExporter(helm, primary.address, my_cnf(password)) as exporter:
        assert value(exporter.scrape(), "mysql_up") == 1, exporter.log()


def test_a_dollar_is_written_as_a_variable(helm: Helm, primary: MariaDB) -> None:
    """The exporter takes `$name` for a variable; `${DOLLAR}`, which the chart's pod has, is a dollar."""
    grant(primary, "pa$word")
    with MysqldExporter(helm, primary.address, my_cnf("pa$word")) as exporter:
        assert value(exporter.scrape(), "mysql_up") == 0
    with MysqldExporter(helm, primary.address, my_cnf("pa${DOLLAR}word")) as exporter:
        assert value(exporter.scrape(), "mysql_up") == 1, exporter.log()


def test_a_scrape_is_one_connection(helm: Helm, primary: MariaDB) -> None:
    """A user that may have one connection is enough for a scrape, so two replicas of Prometheus need two at most."""
    grant(primary)
    primary.run("ALTER USER 'exporter'@'%' WITH MAX_USER_CONNECTIONS 1")
    with MysqldExporter(helm, primary.address, my_cnf()) as exporter:
        for _ in range(3):
            # The server counts a connection until it has noticed that the other side has closed it.
            until(lambda: not primary.run(CONNECTED), "the connection before is over")
            scraped = exporter.scrape()
            assert value(scraped, "mysql_up") == 1, exporter.log()
            assert failed_collectors(scraped) == set(), exporter.log()


def test_a_server_that_is_away_is_a_metric(helm: Helm) -> None:
    """`mysql_up` is 0, the exporter stays, and sees the server again when it is back."""
    with MariaDB(3) as server:
        grant(server)
        with MysqldExporter(helm, server.address, my_cnf()) as exporter:
            server.stop()
            assert value(exporter.scrape(), "mysql_up") == 0
            server.start()
            assert value(exporter.scrape(), "mysql_up") == 1, exporter.log()


# Replication that is broken, and its alerts


@pytest.fixture
def watched(helm: Helm, replica: MariaDB) -> Iterator[tuple[MysqldExporter, str]]:
    """The replica's exporter, and the URL of a Prometheus that scrapes it and has the chart's alerts."""
    alerts = impatient("MysqlReplicationStopped") | impatient("MysqlReplicaStatusUnreadable")
    grant(replica)
    with MysqldExporter(helm, replica.address, my_cnf()) as exporter:
        # What the ServiceMonitor makes of the target.
        labels = {"instance": "shop", "namespace": "monitoring"}
        job = {"job_name": "mysqld-exporter", "static_configs": [{"targets": [exporter.address], "labels": labels}]}
        with watching("mysql", alerts, [job]) as url:
            until(lambda: query(url, "mysql_slave_status_slave_sql_running == 1"), "a first scrape of the replica")
            yield exporter, url


def mend(primary: MariaDB, replica: MariaDB) -> None:
    """Has replication go on from where the primary is now."""
    ((position,),) = primary.run("SELECT @@gtid_binlog_pos")
    replica.run(f"STOP SLAVE; SET GLOBAL gtid_slave_pos='{position}'; START SLAVE")
    until(lambda: replicates(replica), "replication runs again")


def test_the_alert_fires_when_replication_stops_on_a_conflict(
    primary: MariaDB, replica: MariaDB, watched: tuple[MysqldExporter, str]
) -> None:
    """What the replica can't carry out stops its SQL thread: the alert fires for that server, until it is mended."""
    _, url = watched
    primary.run("CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY)")
    until(lambda: replica.run("SELECT 1 FROM information_schema.tables WHERE table_name='orders'"), "it is replicated")
    assert firing(url, "MysqlReplicationStopped") == []
    for server in (replica, primary):
        server.run("INSERT INTO shop.orders VALUES (1)")
    (alert,) = until(lambda: firing(url, "MysqlReplicationStopped"), "the alert fires")
    labels = alert.labels
    assert (labels["instance"], labels["namespace"], labels["severity"]) == ("shop", "monitoring", "critical")
    until(lambda: query(url, "mysql_slave_status_slave_io_running == 1"), "the other thread is seen to run")
    mend(primary, replica)
    until(lambda: not firing(url, "MysqlReplicationStopped"), "the alert ends")


def test_the_alert_fires_when_the_replica_may_not_log_in(
    primary: MariaDB, replica: MariaDB, watched: tuple[MysqldExporter, str]
) -> None:
    """A changed password stops the I/O thread, and the alert fires though nothing of the primary is known any more."""
    _, url = watched
    primary.run("ALTER USER 'replica'@'%' IDENTIFIED BY 'another'")
    replica.run("STOP SLAVE; START SLAVE")
    until(lambda: firing(url, "MysqlReplicationStopped"), "the alert fires")
    until(lambda: query(url, "mysql_slave_status_slave_sql_running == 1"), "the other thread is seen to run")
    primary.run("ALTER USER 'replica'@'%' IDENTIFIED BY 'secret'")
    mend(primary, replica)
    until(lambda: not firing(url, "MysqlReplicationStopped"), "the alert ends")


def test_an_alert_of_its_own_says_that_replication_can_not_be_seen(
    replica: MariaDB, watched: tuple[MysqldExporter, str]
) -> None:
    """Without the grant the alert about replication is silent, and the one about the exporter's right is not."""
    _, url = watched
    replica.run("REVOKE SLAVE MONITOR ON *.* FROM 'exporter'@'%'")
    until(lambda: firing(url, "MysqlReplicaStatusUnreadable"), "the alert fires")
    assert firing(url, "MysqlReplicationStopped") == []
