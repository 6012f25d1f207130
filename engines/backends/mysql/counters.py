"""Status counters of a MySQL or MariaDB server."""

from __future__ import annotations

from pymysql.connections import Connection
from pymysql.cursors import Cursor
from pymysql.err import NotSupportedError

from engines.backends.counter_reading import CounterReading
from engines.backends.mysql import optional
from engines.backends.mysql.client import IDENTITY_VARIABLES, connect, read_session_variables
from engines.endpoints.endpoint import MySQLEndpoint
from engines.model.server_facts import (
    BINLOG_TRANSACTIONS,
    LOG_BIN,
    SQL_LOG_BIN,
    TRANSACTION_IDS,
)

COUNTERS = (
    "Com_commit",
    "Com_insert",
    "Com_select",
    "Handler_commit",
    "Handler_update",
    "Handler_write",
    TRANSACTION_IDS,
    BINLOG_TRANSACTIONS,
)
"""Counters that a race is reconciled with.

They are statements by kind, the ends of statements and transactions in the storage engine (Handler_commit), rows of
attempted inserts (Handler_write), rows updated instead (Handler_update), and transactions that wrote. See MySQL manual,
Server Status Variables. Handler_commit is no proof of a commit: both products count the end of a statement that stays
uncommitted too (tried with MariaDB 10.11 and 11.8, MySQL 9.7).
"""


SOME = frozenset({TRANSACTION_IDS, BINLOG_TRANSACTIONS})
"""Counters that only one of the products has."""

UPTIME = "Uptime"
"""Status variable with the server's uptime in seconds."""


VERSION = "version"
"""System variable with the server's version, which names MariaDB but no other product."""


class MySQLCounters:
    """Reader of a server's counters over its own connection, which is reopened after an error."""

    caveat = ""
    """Always empty: MySQL's counters need no caveat."""

    aliased = False
    """Always false: a server is read at one address."""

    def __init__(self, endpoint: MySQLEndpoint) -> None:
        self._endpoint = endpoint
        self._connection: Connection[Cursor] | None = None
        self._server = ""
        self._logged = False
        """Whether what telemon writes is in the server's binary log."""
        self._counts_itself = False
        """Whether the server counts the rows of a SHOW among those that it writes. Oracle's MySQL does."""
        self._own_rows = 0
        """Rows of the SHOWs before the current one, since the server started."""
        self._up_s = 0
        """Uptime of the server in s at the last reading."""
        self.missing: tuple[str, ...] = ()
        """Counters that the server does not show."""

    def read(self) -> dict[str, CounterReading]:
        """Return the current values of `COUNTERS` by the endpoint's address. Blocks. Raises one of FAILURES."""
        newly_opened, own_rows = self._connection is None, 0
        connection = self._connection or connect(self._endpoint, autocommit=True)
        self._connection = connection
        try:
            with connection.cursor() as cursor:
                if newly_opened:
                    # Do not use SELECT here: SELECTs are counted.
                    names = (*IDENTITY_VARIABLES, VERSION, LOG_BIN, SQL_LOG_BIN)
                    values = read_session_variables(cursor, names)
                    self._server = repr([values.get(name) for name in IDENTITY_VARIABLES])
                    self._logged = values.get(LOG_BIN) == values.get(SQL_LOG_BIN) == "ON"
                    self._counts_itself = "mariadb" not in values.get(VERSION, "").lower()
                    own_rows = len(values)
                cursor.execute(f"SHOW GLOBAL STATUS WHERE Variable_name IN {(*COUNTERS, UPTIME)!r}")
                shown = cursor.fetchall()
                counts = optional.numbers(shown)
        except Exception:
            # The rows of the statement before the one that failed were counted all the same.
            self._own_rows += own_rows
            self.close()
            raise
        own_rows += 0 if counts.get(UPTIME, 0) < self._up_s else self._own_rows
        self._own_rows = own_rows + len(shown)
        if self._counts_itself and "Handler_write" in counts:
            counts["Handler_write"] -= own_rows
        self._up_s = up_s = counts.pop(UPTIME, 0)
        if TRANSACTION_IDS in counts or not self._logged:
            counts.pop(BINLOG_TRANSACTIONS, None)
        self.missing = tuple(name for name in COUNTERS if name not in counts and name not in SOME)
        if not counts:
            raise NotSupportedError(0, "SHOW GLOBAL STATUS shows none of what telemon counts")
        address = f"{self._endpoint.host}:{self._endpoint.port}"
        persistent = frozenset({TRANSACTION_IDS})
        return {address: CounterReading(self._server, up_s, counts, persistent=persistent)}

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.open:
            connection.close()
