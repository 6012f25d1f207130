"""Access to a MySQL or MariaDB server: connections, telemon's table, and facts about the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from socket import socket

from pymysql.connections import Connection
from pymysql.cursors import Cursor
from pymysql.err import MySQLError, OperationalError

from engines.backends.dialer import CONNECT_TIMEOUT_S, IO_TIMEOUT_S, OPEN_LIMIT_S, dial
from engines.backends.mysql import optional
from engines.endpoints.credential_sources import Credential, SecretError
from engines.endpoints.credentials import with_credential
from engines.endpoints.deadline import Deadline, note_step, watch
from engines.endpoints.endpoint import MySQLEndpoint
from engines.endpoints.tls import ssl_context
from engines.model.server_facts import UNREADABLE
from engines.workload.dataset import KeyRange, TelemetryPool
from engines.workload.statements import UPSERT_HEAD, UPSERT_TAIL

TABLE = "cars"
"""Name of telemon's table."""
TABLE_COMMENT = "made by telemon"
"""Comment on telemon's own table. A table without it belongs to somebody else and is not touched."""

COMMENT = 17
"""Number of the column with the comment in SHOW TABLE STATUS. MariaDB has two more after it."""

REFUSED = ((1045,), (1698,))
"""Arguments of errors with which a server rejects the password."""

AUTHENTICATION_PLUGIN = 2059
"""PyMySQL's own error number for an unsupported authentication plugin."""

FAILURES = (MySQLError, OSError, SecretError)
"""Exceptions raised for a server that cannot be used."""

SEED_ROWS = 500
"""Rows per statement while seeding: about 30 kB, far below any max_allowed_packet."""


def error_text(error: Exception) -> str:
    """Return the message of a client library's exception in one line."""
    text = error.args[1] if isinstance(error, MySQLError) and len(error.args) > 1 else error
    return " ".join(str(text).split())


class ForeignTableError(Exception):
    """The table that telemon would write to was not created by telemon."""


@dataclass(frozen=True, slots=True)
class MySQLFacts:
    """Facts that a server reports about itself."""

    product: str
    version: str
    durability: str


def connect(endpoint: MySQLEndpoint, *, autocommit: bool) -> Connection[Cursor]:
    """Return a PyMySQL connection that is signed in. Blocks. Raises one of FAILURES."""
    return with_credential(
        endpoint.secret,
        Credential(endpoint.password),
        lambda credential: _connect(endpoint, credential, autocommit),
        lambda error: isinstance(error, MySQLError) and error.args[:1] in REFUSED,
    )


def _connect(
    endpoint: MySQLEndpoint, credential: Credential, autocommit: bool
) -> Connection[Cursor]:
    tls = endpoint.tls
    connection: Connection[Cursor] = Connection(
        # Host name to compare the certificate with. The TCP connection is opened below.
        host=(tls.server_name if tls else None) or endpoint.host,
        port=endpoint.port,
        user=credential.user or endpoint.user,
        # PyMySQL would encode text as Latin-1.
        password=credential.password.encode(),
        database=endpoint.database,
        autocommit=autocommit,
        connect_timeout=CONNECT_TIMEOUT_S,
        # Use one value for both: otherwise PyMySQL sets the socket's timeout before each read and
        # write.
        read_timeout=IO_TIMEOUT_S,
        write_timeout=IO_TIMEOUT_S,
        # An explicit context makes TLS mandatory: otherwise PyMySQL continues without it if the
        # server has none.
        ssl=ssl_context(tls) if tls else None,
        ssl_disabled=tls is None,
        defer_connect=True,
    )
    address = f"{endpoint.host}:{endpoint.port}"
    try:
        with Deadline("connecting", OPEN_LIMIT_S, server=f"MySQL at {address}"):
            watch(lambda: connection._sock)  # type: ignore[attr-defined]
            sock = dial(address, endpoint.address_map)
            note_step("sign-in" if tls is None else "TLS handshake and sign-in")
            connection.connect(sock)
    except RuntimeError as error:
        # Without TLS some authentication plugins need an extra package.
        raise OperationalError(
            AUTHENTICATION_PLUGIN, f"{error}, or an encrypted connection: tls = true"
        ) from error
    return connection


def open_socket(endpoint: MySQLEndpoint, *, autocommit: bool) -> socket:
    """Return an authenticated socket, detached from PyMySQL, for the reactor to use.

    With TLS it is an `ssl.SSLSocket`. Blocks. Raises one of FAILURES.
    """
    connection = connect(endpoint, autocommit=autocommit)
    sock: socket = connection._sock  # type: ignore[attr-defined]
    connection._rfile.close()  # type: ignore[attr-defined]
    connection._rfile = None  # type: ignore[attr-defined]
    connection._sock = None  # type: ignore[attr-defined]
    return sock


@contextmanager
def cursor(endpoint: MySQLEndpoint) -> Iterator[Cursor]:
    """Open a cursor for a few statements, each in its own transaction. Raises one of FAILURES."""
    connection = connect(endpoint, autocommit=True)
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def read_table_comment(cursor: Cursor) -> str | None:
    """Return the comment on the table named `TABLE`; None if the user can see no such table."""
    query = "SELECT table_comment FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name"
    found = optional.rows(cursor, f"{query} = '{TABLE}'")
    if found and found[0][0] is not None:
        return str(found[0][0])
    # Some proxies have no information_schema, or another one.
    cursor.execute(f"SHOW TABLE STATUS LIKE '{TABLE}'")
    status = cursor.fetchone()
    return (
        None if status is None else str(status[-1] if len(status) <= COMMENT else status[COMMENT])
    )


def foreign_table_text(found_comment: str | None) -> str:
    """Return the text about a table with the comment `found_comment`, which telemon did not create."""
    return f"was not made by telemon (its comment is {found_comment!r}, not {TABLE_COMMENT!r})"


def make_table(cursor: Cursor) -> None:
    """Create telemon's table if there is none. Raises ForeignTableError if a table of that name is not telemon's."""
    found_comment = read_table_comment(cursor)
    if found_comment is not None:
        if found_comment != TABLE_COMMENT:
            raise ForeignTableError(
                f"table {TABLE!r} exists and {foreign_table_text(found_comment)}; name another database"
            )
        return
    cursor.execute(
        f"CREATE TABLE {TABLE} ("
        "car_id INT UNSIGNED NOT NULL PRIMARY KEY, rpm INT NOT NULL, water_temp INT NOT NULL, "
        "oil_temp INT NOT NULL, oil_pressure INT NOT NULL, version BIGINT NOT NULL"
        f") ENGINE=InnoDB COMMENT='{TABLE_COMMENT}'"
    )


def seed(cursor: Cursor, keys: KeyRange, telemetry: TelemetryPool, version: int) -> None:
    """Write a row with the given version for each of `keys`."""
    rows = [
        b"(%d,%b,%d)" % (car_id, telemetry.sql[row % len(telemetry.sql)], version)
        for row, car_id in enumerate(range(keys.first, keys.last + 1))
    ]
    for start in range(0, len(rows), SEED_ROWS):
        statement = UPSERT_HEAD + b",".join(rows[start : start + SEED_ROWS]) + UPSERT_TAIL
        cursor.execute(statement.decode())


def read_facts(cursor: Cursor) -> MySQLFacts:
    """Return product, version and durability as the server reports them."""
    names = (
        *("version", "version_comment", "innodb_flush_log_at_trx_commit"),
        *("log_bin", "sync_binlog", "basedir"),
    )
    version, comment, flush, log_bin, sync_binlog, home = optional.variables(cursor, names)
    product = "MariaDB" if "mariadb" in f"{version} {comment}".lower() else "MySQL"
    at_commit = {
        0: "log flushed about once a second, not at commit",
        1: "log flushed to disk at every commit",
        2: "log written at every commit, flushed about once a second",
    }
    on = str(log_bin) in ("1", "ON")
    binlog = f", binary log synced every {sync_binlog} commits" if on else ""
    durability = UNREADABLE
    if flush is not None:
        at_commit_text = at_commit.get(_number(flush), f"innodb_flush_log_at_trx_commit={flush}")
        durability = at_commit_text + binlog
    aurora = _aurora_version(cursor)
    if aurora:
        # Aurora does not store on a local disk, and does not report how many copies a commit waits
        # for.
        product, durability = "Aurora MySQL", f"Aurora storage; {durability}"
    elif "/rdsdb" in str(home):
        product = f"RDS {product}"
    return MySQLFacts(product, str(version or UNREADABLE).split("-")[0], durability)


def read_variables(cursor: Cursor, names: Sequence[str]) -> dict[str, str]:
    """Return those of the global system variables `names` that the server has."""
    listed = ", ".join(f"'{name}'" for name in names)
    shown = optional.rows(cursor, f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({listed})")
    return {str(row[0]): str(row[1]) for row in shown if len(row) > 1}


def _aurora_version(cursor: Cursor) -> str | None:
    shown = optional.rows(cursor, "SHOW VARIABLES LIKE 'aurora_version'")
    return str(shown[0][1]) if shown and len(shown[0]) > 1 else None


def identity(cursor: Cursor) -> tuple[str, ...]:
    """Return values that distinguish this server from every other, whatever address was used.

    A server that tells nothing of itself is known by the address that was used.
    """
    values = optional.variables(cursor, ("hostname", "port", "datadir"))
    if values == [None, None, None]:
        connection = cursor.connection
        values = [connection.host, connection.port]
    return tuple(map(str, values))


def _number(value: object) -> int:
    """Return a value as a number, -1 if it is none."""
    text = str(value)
    return int(text) if text.isdecimal() else -1
