"""MySQL servers as the exporter needs them: its user as the documents say, and a replica that replicates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.exporters.mariadb import MariaDB
from tests.rig.waiting import until

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "monitoring.md"

SLAVE_MONITOR = "SLAVE MONITOR"


def block(language: str) -> str:
    """The one block of that language in docs/monitoring.md."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


def grant(server: MariaDB, password: str = "secret", *, without: str = "") -> None:
    """Makes the exporter's user as the documents say, but for the statement that has that in it."""
    statements = [one for one in re.sub(r"^--.*$", "", block("sql"), flags=re.MULTILINE).split(";") if one.strip()]
    assert sum(SLAVE_MONITOR in one for one in statements) == 1
    kept = [one for one in statements if not without or without not in one]
    quoted = password.replace("\\", "\\\\").replace("'", "''")
    server.run("DROP USER IF EXISTS 'exporter'@'%'; " + ";".join(kept).replace("PASSWORD", quoted))


def my_cnf(password: str = "secret") -> str:
    """The documents' my.cnf with that password."""
    return block("ini").replace("PASSWORD", password)


@contextmanager
def replica_of(primary: MariaDB) -> Iterator[MariaDB]:
    """A server that replicates from the primary, as its user `replica`."""
    with MariaDB(2) as server:
        primary.run("CREATE USER 'replica'@'%' IDENTIFIED BY 'secret'; GRANT REPLICATION SLAVE ON *.* TO 'replica'@'%'")
        host, _, port = primary.address.partition(":")
        server.run(
            f"CHANGE MASTER TO MASTER_HOST='{host}', MASTER_PORT={port}, MASTER_USER='replica', "
            "MASTER_PASSWORD='secret', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1; START SLAVE"
        )
        until(lambda: replicates(server), "replication runs")
        yield server


def replicates(server: MariaDB) -> bool:
    """Whether both threads of its replication run."""
    return server.run("SHOW GLOBAL STATUS LIKE 'Slave_running'") == [["Slave_running", "ON"]]
