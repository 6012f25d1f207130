"""What a MySQL server counts of being asked for its counters, and which counters say something of commits."""

from __future__ import annotations

from typing import Any, Self

import pytest
from pymysql.err import OperationalError

from engines.backends.mysql import counters
from engines.backends.mysql.counters import MySQLCounters
from engines.endpoints.endpoint import MySQLEndpoint
from engines.model.server_facts import BINLOG_TRANSACTIONS, TRANSACTION_IDS

ENDPOINT = MySQLEndpoint("127.0.0.1", 3306, "u", "p", "d")


class Server:
    """A server that counts. Oracle's MySQL counts the rows of a SHOW among those that it writes."""

    open = True

    def __init__(self, version: str, *, logged: bool) -> None:
        self.variables = {
            "hostname": "h",
            "port": "3306",
            "datadir": "/d/",
            "version": version,
            "log_bin": "ON" if logged else "OFF",
            "sql_log_bin": "ON",
        }
        self.mariadb = "MariaDB" in version
        self.up_s, self.written, self.ids = 100, 1_000, 50
        self.breaks = False
        """Whether the connection breaks before the counters are shown."""
        self._rows: list[tuple[str, object]] = []

    def cursor(self) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None: ...

    def execute(self, statement: str) -> None:
        if self.breaks and "STATUS" in statement:
            raise OperationalError(2013, "Lost connection to MySQL server during query")
        self._rows = list(self.variables.items())
        if "STATUS" in statement:
            counts = {"Handler_write": self.written, BINLOG_TRANSACTIONS: 7, "Uptime": self.up_s}
            if self.mariadb:
                counts[TRANSACTION_IDS] = self.ids
            self._rows = list(counts.items())
        if not self.mariadb:
            self.written += len(self._rows)

    def fetchall(self) -> list[tuple[str, object]]:
        return self._rows

    def restart(self) -> None:
        self.up_s, self.written = 1, 0


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> list[Server]:
    """The servers that answer, the last one first."""
    servers: list[Server] = []
    monkeypatch.setattr(counters, "connect", lambda *_, **__: servers[-1])
    return servers


def rows(source: MySQLCounters) -> int:
    (reading,) = source.read().values()
    return reading.counts["Handler_write"]


@pytest.mark.parametrize("version", ["9.7.4", "11.8.9-MariaDB"])
def test_the_rows_of_a_reading_are_not_counted_as_written(
    answering: list[Any], version: str
) -> None:
    server = Server(version, logged=False)
    answering.append(server)
    source = MySQLCounters(ENDPOINT)
    began = rows(source)
    server.written += 300
    assert rows(source) - began == 300
    source.close()  # and opened again: the variables are read once more
    assert rows(source) - began == 300
    server.restart()
    source.close()
    server.written += 20
    assert rows(source) == 20


@pytest.mark.parametrize("version", ["9.7.4", "8.4.6", "11.8.9-MariaDB"])
def test_the_rows_of_a_reading_that_broke_off_are_not_counted_either(
    answering: list[Any], version: str
) -> None:
    server = Server(version, logged=False)
    answering.append(server)
    source = MySQLCounters(ENDPOINT)
    began = rows(source)
    source.close()
    server.breaks = True
    for _ in range(3):
        with pytest.raises(OperationalError):
            source.read()
    server.breaks = False
    server.written += 300
    assert rows(source) - began == 300


@pytest.mark.parametrize(
    ("version", "logged", "counted"),
    [
        ("9.7.4", True, {BINLOG_TRANSACTIONS}),
        ("9.7.4", False, set()),
        ("11.8.9-MariaDB", True, {TRANSACTION_IDS}),
        ("11.8.9-MariaDB", False, {TRANSACTION_IDS}),
    ],
)
def test_the_counter_of_commits_is_the_product_s(
    answering: list[Any], version: str, logged: bool, counted: set[str]
) -> None:
    answering.append(Server(version, logged=logged))
    (reading,) = MySQLCounters(ENDPOINT).read().values()
    assert {BINLOG_TRANSACTIONS, TRANSACTION_IDS} & reading.counts.keys() == counted
    assert reading.persistent == {TRANSACTION_IDS}
