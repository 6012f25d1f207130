"""Status counters of a MySQL or MariaDB server."""

from __future__ import annotations

from pymysql.connections import Connection
from pymysql.cursors import Cursor
from pymysql.err import NotSupportedError

from engines.backends.counter_reading import CounterReading
from engines.backends.mysql import optional
from engines.backends.mysql.client import connect
from engines.endpoints.endpoint import MySQLEndpoint

COUNTERS = (
    "Com_commit",
    "Com_insert",
    "Com_select",
    "Handler_commit",
    "Handler_update",
    "Handler_write",
)
"""Counters that a race is reconciled with.

They are statements by kind, commits (Handler_commit includes implicit ones), rows of attempted inserts (Handler_write)
and rows updated instead (Handler_update). See MySQL manual, Server Status Variables.
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
        self.missing: tuple[str, ...] = ()
        """Counters that the server does not show."""

    def read(self) -> dict[str, CounterReading]:
        """Return the current values of `COUNTERS` by the endpoint's address. Blocks. Raises one of FAILURES."""
        newly_opened = self._connection is None
        connection = self._connection or connect(self._endpoint, autocommit=True)
        self._connection = connection
        try:
            with connection.cursor() as cursor:
                if newly_opened:
                    # Do not use SELECT here: SELECTs are counted.
                    identity = optional.rows(
                        cursor,
                        f"SHOW GLOBAL VARIABLES WHERE Variable_name IN {IDENTITY_VARIABLES!r}",
                    )
                    self._server = repr(sorted(identity))
                cursor.execute(f"SHOW GLOBAL STATUS WHERE Variable_name IN {(*COUNTERS, UPTIME)!r}")
                counts = optional.numbers(cursor.fetchall())
        except Exception:
            self.close()
            raise
        up_s = counts.pop(UPTIME, 0)
        self.missing = tuple(name for name in COUNTERS if name not in counts)
        if not counts:
            raise NotSupportedError(0, "SHOW GLOBAL STATUS shows none of what telemon counts")
        address = f"{self._endpoint.host}:{self._endpoint.port}"
        return {address: CounterReading(self._server, up_s, counts)}

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.open:
            connection.close()
