"""Lease on a MySQL server: a named lock of a connection of its own, which the server drops with the connection."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from time import monotonic, sleep

from pymysql.connections import Connection
from pymysql.cursors import Cursor
from pymysql.err import MySQLError

from engines.backends.lease import LeaseHeldError, LeaseLostError, LeaseRefusedError
from engines.backends.mysql.client import FAILURES, connect, error_text
from engines.endpoints.endpoint import MySQLEndpoint

WAIT_S = 1
"""Seconds to wait for the lock. A connection of a telemon that has just been killed may not have been missed yet."""

RETRY_S = 0.1
"""Seconds between two attempts to take it."""

LOCK = "%s"
"""Place of the lock's name in an expression."""

NAME_LENGTH = 64
"""Maximum length of a lock's name; MySQL refuses a longer one."""


def lock_name(endpoint: MySQLEndpoint) -> str:
    """Return the name of the lock of a table. Locks are server-wide, so it names the database too."""
    name = f"telemon:{endpoint.database}.{endpoint.namespace.table}"
    if len(name) <= NAME_LENGTH:
        return name
    return f"telemon:{sha256(name.encode()).hexdigest()[:32]}"


class MySQLLease:
    """The lease of an endpoint's table."""

    def __init__(self, endpoint: MySQLEndpoint) -> None:
        # Whether there is such a database is for others to say.
        self._endpoint = replace(endpoint, database="")
        self._name = lock_name(endpoint)
        self._connection: Connection[Cursor] | None = None

    def take(self) -> None:
        """Take the lock. Raises LeaseHeldError, LeaseRefusedError, or one of mysql.FAILURES."""
        connection = self._connection = connect(self._endpoint, autocommit=True)
        until_s = monotonic() + WAIT_S
        try:
            with connection.cursor() as cursor:
                while not _is_true(cursor, f"GET_LOCK({LOCK}, 0)", self._name):
                    if not _is_true(cursor, f"IS_USED_LOCK({LOCK}) IS NOT NULL", self._name):
                        raise LeaseRefusedError("GET_LOCK gives no lock")
                    if monotonic() > until_s:
                        raise LeaseHeldError(_holder_text(self._name))
                    sleep(RETRY_S)
        except MySQLError as error:
            raise LeaseRefusedError(error_text(error, self._endpoint.namespace)) from error

    def renew(self) -> None:
        """Keep the connection from being idle for too long.

        Raises LeaseLostError if the connection broke: the lock is gone then.
        """
        try:
            if self._connection is not None:
                self._connection.ping(reconnect=False)
                return
        except FAILURES:
            self._close()
        raise LeaseLostError

    def confirm(self) -> None:
        """Look whether the connection is still open. Raises LeaseLostError."""
        self.renew()

    def release(self) -> None:
        """Release the lock and close the connection. Raises nothing."""
        if self._connection is not None:
            with suppress(*FAILURES), self._connection.cursor() as cursor:
                cursor.execute("DO RELEASE_LOCK(%s)", (self._name,))
        self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*FAILURES):
                connection.close()


def holder(cursor: Cursor, endpoint: MySQLEndpoint) -> str | None:
    """Return who holds the lease of the endpoint's table, in words; None if nobody does. Raises pymysql.MySQLError."""
    name = lock_name(endpoint)
    used = _is_true(cursor, f"IS_USED_LOCK({LOCK}) IS NOT NULL", name)
    return _holder_text(name) if used else None


def _holder_text(name: str) -> str:
    return f"it holds the server's lock {name}"


def _is_true(cursor: Cursor, expression: str, name: str) -> bool:
    """Return whether an expression on the lock `name` is true.

    SHOW evaluates it, once, because the server would count a SELECT (Com_select): the telemon that races compares that
    counter with its own count of reads.
    """
    cursor.execute(f"SHOW STATUS WHERE IF(Variable_name = 'Uptime', {expression}, 0) = 1", (name,))
    return bool(cursor.fetchall())
