"""Status counters of a MySQL or MariaDB server."""

from __future__ import annotations

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from engines.backends.counter_reading import CounterReading
from engines.backends.mysql.client import connect
from engines.endpoints.endpoint import MySQLEndpoint
from engines.model.server_facts import TRANSACTION_IDS

COUNTERS = (
    "Com_commit",
    "Com_insert",
    "Com_select",
    "Handler_commit",
    "Handler_update",
    "Handler_write",
    TRANSACTION_IDS,
)
"""Counters that a race is reconciled with.

They are statements by kind, the ends of statements and transactions in the storage engine (Handler_commit), rows of
attempted inserts (Handler_write), rows updated instead (Handler_update), and transactions that wrote. See MySQL manual,
Server Status Variables. Handler_commit is no proof of a commit: both products count the end of a statement that stays
uncommitted too.
"""


UPTIME = "Uptime"
"""Status variable with the server's uptime in seconds."""


IDENTITY_VARIABLES = ("hostname", "port", "datadir")
"""System variables that distinguish a server from every other, whatever address was used."""


class MySQLCounters:
    """Reader of a server's counters over its own connection, which is reopened after an error."""

    caveat = ""
    """Always empty: MySQL's counters need no caveat."""

    def __init__(self, endpoint: MySQLEndpoint) -> None:
        self._endpoint = endpoint
        self._connection: Connection[Cursor] | None = None
        self._server = ""

    def read(self) -> dict[str, CounterReading]:
        """Return the current values of `COUNTERS` by the endpoint's address. Blocks. Raises one of FAILURES."""
        newly_opened = self._connection is None
        connection = self._connection or connect(self._endpoint, autocommit=True)
        self._connection = connection
        try:
            with connection.cursor() as cursor:
                if newly_opened:
                    # Do not use SELECT here: SELECTs are counted.
                    cursor.execute(
                        f"SHOW GLOBAL VARIABLES WHERE Variable_name IN {IDENTITY_VARIABLES!r}"
                    )
                    self._server = repr(sorted(cursor.fetchall()))
                cursor.execute(f"SHOW GLOBAL STATUS WHERE Variable_name IN {(*COUNTERS, UPTIME)!r}")
                counts = {str(name): int(value) for name, value in cursor.fetchall()}
        except Exception:
            self.close()
            raise
        up_s = counts.pop(UPTIME, 0)
        address = f"{self._endpoint.host}:{self._endpoint.port}"
        persistent = frozenset({TRANSACTION_IDS})
        return {address: CounterReading(self._server, up_s, counts, persistent=persistent)}

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.open:
            connection.close()
