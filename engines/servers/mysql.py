"""A MySQL or MariaDB server: connections to it, telemon's table on it, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socket import IPPROTO_TCP, TCP_NODELAY, socket

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from engines.endpoint import MySQLEndpoint
from engines.servers.statements import UPSERT_HEAD, UPSERT_TAIL
from engines.workload import Cars, Readings

TABLE = "cars"
MARK = "made by telemon"
"""The comment on telemon's own table. A table without it is somebody else's and is left alone."""

CONNECT_TIMEOUT_S = 3.0
IO_TIMEOUT_S = 5.0
SEED_ROWS = 500
"""Rows in one statement while seeding: some 30 kB, far below any max_allowed_packet."""

COUNTERS = (
    "Com_commit",
    "Com_insert",
    "Com_select",
    "Handler_commit",
    "Handler_update",
    "Handler_write",
)
"""What a race reconciles with: statements by kind, commits (Handler_commit has the implicit ones), rows tried to be
inserted (Handler_write) and rows updated instead (Handler_update). MySQL manual, Server Status Variables."""


class ForeignTableError(Exception):
    """The table that telemon would write to was not made by telemon."""


@dataclass(frozen=True, slots=True)
class MySQLFacts:
    """What a server says of itself."""

    product: str
    version: str
    durability: str


def _connect(endpoint: MySQLEndpoint, *, autocommit: bool) -> Connection[Cursor]:
    return pymysql.connect(
        host=endpoint.host,
        port=endpoint.port,
        user=endpoint.user,
        password=endpoint.password,
        database=endpoint.database,
        autocommit=autocommit,
        connect_timeout=CONNECT_TIMEOUT_S,
        # One value for both, or PyMySQL sets the socket's timeout anew with each turn.
        read_timeout=IO_TIMEOUT_S,
        write_timeout=IO_TIMEOUT_S,
        ssl_disabled=True,
    )


def open_socket(endpoint: MySQLEndpoint, *, autocommit: bool) -> socket:
    """An authenticated connection, taken off PyMySQL once it stands: the reactor speaks on it from then on.

    Raises pymysql.MySQLError or OSError.
    """
    connection = _connect(endpoint, autocommit=autocommit)
    sock: socket = connection._sock  # type: ignore[attr-defined]
    connection._rfile.close()  # type: ignore[attr-defined]
    connection._rfile = None  # type: ignore[attr-defined]
    connection._sock = None  # type: ignore[attr-defined]
    sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    return sock


@contextmanager
def session(endpoint: MySQLEndpoint) -> Iterator[Cursor]:
    """A cursor for a few statements, each its own transaction. Raises pymysql.MySQLError or OSError."""
    connection = _connect(endpoint, autocommit=True)
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def make_table(cursor: Cursor) -> None:
    """Make telemon's table where there is none. Raises ForeignTableError when there is one that it did not make."""
    cursor.execute(
        "SELECT table_comment FROM information_schema.tables "
        "WHERE table_schema = DATABASE() AND table_name = %s",
        (TABLE,),
    )
    found = cursor.fetchone()
    if found is not None:
        if found[0] != MARK:
            raise ForeignTableError(
                f"table {TABLE!r} exists and was not made by telemon (its comment is {found[0]!r}, "
                f"not {MARK!r}); name another database"
            )
        return
    cursor.execute(
        f"CREATE TABLE {TABLE} ("
        "car_id INT UNSIGNED NOT NULL PRIMARY KEY, rpm INT NOT NULL, water_temp INT NOT NULL, "
        "oil_temp INT NOT NULL, oil_pressure INT NOT NULL, version BIGINT NOT NULL"
        f") ENGINE=InnoDB COMMENT='{MARK}'"
    )


def seed(cursor: Cursor, cars: Cars, readings: Readings, version: int) -> None:
    """Give each of `cars` a row with that version."""
    rows = [
        b"(%d,%b,%d)" % (car_id, readings.sql[row % len(readings.sql)], version)
        for row, car_id in enumerate(range(cars.first, cars.last + 1))
    ]
    for start in range(0, len(rows), SEED_ROWS):
        statement = UPSERT_HEAD + b",".join(rows[start : start + SEED_ROWS]) + UPSERT_TAIL
        cursor.execute(statement.decode())


def facts(cursor: Cursor) -> MySQLFacts:
    """The server's product, version and durability, as it states them."""
    cursor.execute(
        "SELECT @@version, @@version_comment, @@innodb_flush_log_at_trx_commit, @@log_bin, @@sync_binlog"
    )
    row = cursor.fetchone()
    assert row is not None
    version, comment, flush, log_bin, sync_binlog = row
    product = "MariaDB" if "mariadb" in f"{version} {comment}".lower() else "MySQL"
    at_commit = {
        0: "log flushed about once a second, not at commit",
        1: "log flushed to disk at every commit",
        2: "log written at every commit, flushed about once a second",
    }
    binlog = f", binary log synced every {sync_binlog} commits" if int(log_bin) else ""
    durability = at_commit.get(int(flush), f"innodb_flush_log_at_trx_commit={flush}") + binlog
    return MySQLFacts(product, str(version).split("-")[0], durability)


class MySQLCounters:
    """Reads a server's own counters over one connection of its own, opened again when it broke."""

    def __init__(self, endpoint: MySQLEndpoint) -> None:
        self._endpoint = endpoint
        self._connection: Connection[Cursor] | None = None

    def read(self) -> dict[str, int]:
        """The values of `COUNTERS` now. Raises pymysql.MySQLError or OSError."""
        if self._connection is None:
            self._connection = _connect(self._endpoint, autocommit=True)
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(f"SHOW GLOBAL STATUS WHERE Variable_name IN {COUNTERS!r}")
                return {str(name): int(value) for name, value in cursor.fetchall()}
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and connection.open:
            connection.close()
