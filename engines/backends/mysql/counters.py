"""MySQL's own status counters."""

from __future__ import annotations

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from engines.backends.counter_reading import CounterReading
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
"""What a race reconciles with: statements by kind, commits (Handler_commit has the implicit ones), rows tried to be
inserted (Handler_write) and rows updated instead (Handler_update). MySQL manual, Server Status Variables."""


UPTIME = "Uptime"


IDENTITY_VARIABLES = ("hostname", "port", "datadir")
"""The settings that tell a server from every other, by whatever name it was reached."""


class MySQLCounters:
    """Reads a server's own counters over one connection of its own, opened again when it broke."""

    caveat = ""

    def __init__(self, endpoint: MySQLEndpoint) -> None:
        self._endpoint = endpoint
        self._connection: Connection[Cursor] | None = None
        self._server = ""

    def read(self) -> dict[str, CounterReading]:
        """The values of `COUNTERS` now, by the endpoint's address. Raises one of FAILURES."""
        newly_opened = self._connection is None
        connection = self._connection or connect(self._endpoint, autocommit=True)
        self._connection = connection
        try:
            with connection.cursor() as cursor:
                if newly_opened:
                    # As a statement that is no SELECT: those are counted.
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
        return {address: CounterReading(self._server, up_s, counts)}

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and connection.open:
            connection.close()
