"""Access to a MySQL or MariaDB server: connections, telemon's table, and facts about the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from socket import socket
from ssl import SSLSocket

from pymysql.connections import Connection
from pymysql.cursors import Cursor
from pymysql.err import MySQLError, OperationalError

from engines.backends.dialer import CONNECT_TIMEOUT_S, IO_TIMEOUT_S, OPEN_LIMIT_S, dial
from engines.backends.failure_text import error_text as error_text
from engines.backends.mysql import optional
from engines.backends.mysql.session import SessionConnection
from engines.endpoints.credential_sources import Credential, SecretError
from engines.endpoints.credentials import with_credential
from engines.endpoints.deadline import Deadline, note_step, watch
from engines.endpoints.endpoint import MySQLEndpoint
from engines.endpoints.redaction import foreign_text
from engines.endpoints.tls import ssl_context
from engines.model.server_facts import UNREADABLE
from engines.text import foreign_number
from engines.workload.dataset import KeyRange, TelemetryPool
from engines.workload.statements import UPSERT_TAIL, upsert_head

TABLE_COMMENT = "made by telemon"
"""Comment on telemon's own table. A table without it belongs to somebody else and is not touched."""

COMMENT = 17
"""Number of the column with the comment in SHOW TABLE STATUS. MariaDB has two more after it."""

STATUS_ENGINE = 1
"""Number of the column with the storage engine there."""

REFUSED = ((1045,), (1698,))
"""Arguments of errors with which a server rejects the password."""

TLS_ERROR = 2026
"""MySQL's client error number for a failure of TLS."""

AUTHENTICATION_PLUGIN = 2059
"""PyMySQL's own error number for an unsupported authentication plugin."""

FAILURES = (MySQLError, OSError, SecretError)
"""Exceptions raised for a server that cannot be used."""

IDENTITY_VARIABLES = ("hostname", "port", "datadir")
"""System variables that distinguish a server from every other, whatever address was used."""

SEED_ROWS = 500
"""Rows per statement while seeding: about 30 kB, far below any max_allowed_packet."""


class ForeignTableError(Exception):
    """The table that telemon would write to was not created by telemon."""


@dataclass(frozen=True, slots=True)
class MySQLFacts:
    """Facts that a server reports about itself."""

    product: str
    version: str
    durability: str
    takes_settings: bool = True
    """Whether a session has the isolation level, SQL mode and row limit that telemon sets."""


def connect(
    endpoint: MySQLEndpoint, *, autocommit: bool, accept_unverified: bool = True
) -> Connection[Cursor]:
    """Return a PyMySQL connection that is signed in. Blocks. Raises one of FAILURES.

    With `accept_unverified`, a server whose certificate is not verified because the settings say so may have the
    password by `sha256_password` and `caching_sha2_password`. Otherwise it gets answers to a challenge only.
    """
    return with_credential(
        endpoint.secret,
        Credential(endpoint.password),
        lambda credential: _connect(endpoint, credential, autocommit, accept_unverified),
        lambda error: isinstance(error, MySQLError) and error.args[:1] in REFUSED,
    )


def _connect(
    endpoint: MySQLEndpoint, credential: Credential, autocommit: bool, accept_unverified: bool
) -> Connection[Cursor]:
    tls = endpoint.tls
    connection = SessionConnection(
        verified=tls is not None and tls.verified,
        accept_unverified=accept_unverified,
        server_key=_server_key(endpoint),
        # Host name to compare the certificate with. The TCP connection is opened below.
        host=(tls.server_name if tls else None) or endpoint.host,
        port=endpoint.port,
        user=credential.user or endpoint.user,
        # PyMySQL would encode text as Latin-1.
        password=credential.password.encode(),
        database=endpoint.database,
        committing=autocommit,
        connect_timeout=CONNECT_TIMEOUT_S,
        # Use one value for both: otherwise PyMySQL sets the socket's timeout before each read and
        # write.
        read_timeout=IO_TIMEOUT_S,
        write_timeout=IO_TIMEOUT_S,
        # An explicit context makes TLS mandatory: otherwise PyMySQL continues without it if the
        # server has none.
        ssl=ssl_context(tls) if tls else None,
        ssl_disabled=tls is None,
    )
    address = f"{endpoint.host}:{endpoint.port}"
    try:
        with Deadline("connecting", OPEN_LIMIT_S, server=f"MySQL at {address}"):
            watch(lambda: connection._sock)  # type: ignore[attr-defined]
            sock = dial(address, endpoint.address_map)
            note_step("sign-in" if tls is None else "TLS handshake and sign-in")
            connection.connect(sock)
    except (RuntimeError, ValueError) as error:
        # Without TLS some authentication plugins need an extra package, and a key that is long enough.
        raise OperationalError(
            AUTHENTICATION_PLUGIN, f"{error}, or an encrypted connection: tls = true"
        ) from error
    if isinstance(connection._sock, SSLSocket) != (tls is not None):  # type: ignore[attr-defined]
        # The fairness sheet states what the settings ask for.
        connection.close()
        raise OperationalError(TLS_ERROR, "the connection is not encrypted as the settings ask for")
    return connection


def _server_key(endpoint: MySQLEndpoint) -> bytes | None:
    """Return the server's RSA key if the settings name its file. Raises OSError."""
    if endpoint.server_key_file is None:
        return None
    key = endpoint.server_key_file.read_bytes()
    if b"PUBLIC KEY" not in key:
        raise OSError(f"{endpoint.server_key_file} (server_public_key) holds no public key in PEM")
    return key


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
def cursor(endpoint: MySQLEndpoint, *, accept_unverified: bool = True) -> Iterator[Cursor]:
    """Open a cursor for a few statements, each in its own transaction. Raises one of FAILURES.

    `accept_unverified` is that of `connect`.
    """
    connection = connect(endpoint, autocommit=True, accept_unverified=accept_unverified)
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def read_table_comment(cursor: Cursor, table: str) -> str | None:
    """Return the comment on the table named `table`; None if the user can see no such table."""
    query = "SELECT table_comment FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name"
    found = optional.rows(cursor, f"{query} = '{table}'")
    if found and found[0][0] is not None:
        return str(found[0][0])
    # Some proxies have no information_schema, or another one.
    cursor.execute(f"SHOW TABLE STATUS WHERE Name = '{table}'")
    status = cursor.fetchone()
    return (
        None if status is None else str(status[-1] if len(status) <= COMMENT else status[COMMENT])
    )


def read_table_engine(cursor: Cursor, table: str) -> str | None:
    """Return the storage engine of `table`; None if the server does not show it."""
    query = "SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name"
    found = optional.rows(cursor, f"{query} = '{table}'")
    if not found:
        # Some proxies have no information_schema.
        status = optional.rows(cursor, f"SHOW TABLE STATUS WHERE Name = '{table}'")
        found = [row[STATUS_ENGINE:] for row in status if len(row) > STATUS_ENGINE]
    return None if not found or found[0][0] is None else str(found[0][0])


def foreign_table_text(found_comment: str | None) -> str:
    """Return the text about a table with the comment `found_comment`, which telemon did not create."""
    comment = foreign_text(found_comment)
    return f"was not made by telemon (its comment is {comment!r}, not {TABLE_COMMENT!r})"


def make_table(cursor: Cursor, table: str) -> None:
    """Create telemon's table if there is none. Raises ForeignTableError if a table of that name is not telemon's."""
    found_comment = read_table_comment(cursor, table)
    if found_comment is not None:
        if found_comment != TABLE_COMMENT:
            raise ForeignTableError(
                f"table {table!r} exists and {foreign_table_text(found_comment)}; name another database"
            )
        return
    cursor.execute(
        f"CREATE TABLE {table} ("
        "car_id INT UNSIGNED NOT NULL PRIMARY KEY, rpm INT NOT NULL, water_temp INT NOT NULL, "
        "oil_temp INT NOT NULL, oil_pressure INT NOT NULL, version BIGINT NOT NULL"
        f") ENGINE=InnoDB COMMENT='{TABLE_COMMENT}'"
    )


def seed(
    cursor: Cursor, table: str, keys: KeyRange, telemetry: TelemetryPool, version: int
) -> None:
    """Write a row with the given version for each of `keys`."""
    head = upsert_head(table)
    rows = [
        b"(%d,%b,%d)" % (car_id, telemetry.sql[row % len(telemetry.sql)], version)
        for row, car_id in enumerate(range(keys.first, keys.last + 1))
    ]
    for start in range(0, len(rows), SEED_ROWS):
        statement = head + b",".join(rows[start : start + SEED_ROWS]) + UPSERT_TAIL
        cursor.execute(statement.decode())


def read_facts(cursor: Cursor) -> MySQLFacts:
    """Return product, version and durability as the server reports them."""
    names = (
        *("version", "version_comment", "innodb_flush_log_at_trx_commit"),
        *("log_bin", "sync_binlog", "sql_log_bin", "basedir"),
    )
    version, comment, flush, log_bin, sync_binlog, logged, home = optional.variables(cursor, names)
    product = "MariaDB" if "mariadb" in f"{version} {comment}".lower() else "MySQL"
    at_commit = {
        0: "log flushed about once a second, not at commit",
        1: "log flushed to disk at every commit",
        2: "log written at every commit, flushed about once a second",
    }
    on = str(log_bin) in ("1", "ON")
    binlog = f", binary log synced every {sync_binlog} commits" if on else ""
    if on and str(logged) in ("0", "OFF"):
        binlog = ", binary log off for this account"
    durability = UNREADABLE
    if flush is not None:
        number = foreign_number(flush)
        at_commit_text = f"innodb_flush_log_at_trx_commit={flush}"
        if number is not None:
            at_commit_text = at_commit.get(number, at_commit_text)
        durability = at_commit_text + binlog
    aurora = _aurora_version(cursor)
    if aurora:
        # Aurora does not store on a local disk, and does not report how many copies a commit waits
        # for.
        product, durability = "Aurora MySQL", f"Aurora storage; {durability}"
    elif "/rdsdb" in str(home):
        product = f"RDS {product}"
    known = foreign_text(str(version or UNREADABLE).split("-")[0])
    connection = cursor.connection
    takes_settings = not isinstance(connection, SessionConnection) or connection.takes_settings
    return MySQLFacts(product, known, foreign_text(durability), takes_settings)


def read_variables(cursor: Cursor, names: Sequence[str]) -> dict[str, str]:
    """Return those of the global system variables `names` that the server has."""
    listed = ", ".join(f"'{name}'" for name in names)
    shown = optional.rows(cursor, f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({listed})")
    return {str(row[0]): str(row[1]) for row in shown if len(row) > 1}


def read_session_variables(cursor: Cursor, names: Sequence[str]) -> dict[str, str]:
    """Return those of the session's system variables `names` that the server has."""
    listed = ", ".join(f"'{name}'" for name in names)
    shown = optional.rows(cursor, f"SHOW SESSION VARIABLES WHERE Variable_name IN ({listed})")
    return {str(row[0]): str(row[1]) for row in shown if len(row) > 1}


def _aurora_version(cursor: Cursor) -> str | None:
    shown = optional.rows(cursor, "SHOW VARIABLES LIKE 'aurora_version'")
    return str(shown[0][1]) if shown and len(shown[0]) > 1 else None


def identity(cursor: Cursor) -> tuple[str, ...]:
    """Return values that distinguish this server from every other, whatever address was used.

    A server that tells nothing of itself is known by the address that was used.
    """
    # Not a SELECT: another telemon that races there compares the server's count of these with its own.
    found = read_variables(cursor, IDENTITY_VARIABLES)
    if not found:
        connection = cursor.connection
        return (str(connection.host), str(connection.port))
    return tuple(found.get(name, "") for name in IDENTITY_VARIABLES)
