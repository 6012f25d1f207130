"""Private MariaDB or MySQL server: data directory, options and accounts."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from pathlib import Path

from engines.config.memory_need import SIZES_BYTES
from engines.config.settings import MOST_CONNECTIONS
from engines.model.lanes import LANE_OF
from engines.sandbox.binaries import MySQLBinary
from engines.sandbox.directory import PROGRAMS, SandboxDirectory, write
from engines.sandbox.ports import HOST
from engines.sandbox.spec import ServerSpec

DATABASE = "telemon"
"""Name of the database that `USER` owns."""

USER = "telemon"
"""Account with which lanes sign in. It has rights on `DATABASE` only."""

MOST_CLIENTS = 2 * MOST_CONNECTIONS + 64
"""Clients that a server takes: all writers and readers that a lane can have, and what reads counters, holds leases and
opens a connection again before the server has noticed the end of the old one."""

NO_FILE_ACCESS = "--secure-file-priv=NULL"
"""Option for Oracle's mysqld, which ends where its own directory for this does not exist: a package of its own makes
it. MariaDB takes NULL for a path."""

SIGN_IN_WAIT_S = 2.0
"""Timeout in seconds for each step of the sign-in that follows a start of Oracle's MySQL."""

HANDSHAKE_WAIT_S = 1.0
"""Timeout in seconds for the initial handshake packet of one readiness check."""


def server_spec(
    binary: MySQLBinary,
    sandbox: SandboxDirectory,
    name: str,
    port: int,
    password: str,
    pool_bytes: int = SIZES_BYTES[0],
) -> ServerSpec:
    """Return the spec of the MySQL server `name` and write its files, except its data directory.

    `pool_bytes` is the size of its buffer pool.
    """
    lane = LANE_OF[name]
    directory = sandbox.root / name
    socket = sandbox.sockets / f"{name}.sock"
    accounts = sandbox.root / f"{name}.sql"
    write(accounts, _accounts(password))
    temporary = _temporary(directory)
    temporary.mkdir()
    program = sandbox.root / PROGRAMS / binary.server.name
    if not program.is_symlink():
        program.symlink_to(binary.server)
    return ServerSpec(
        name=name,
        lane=lane,
        title=f"{binary.product} for lane {lane}",
        program=program,
        # Arguments must contain no secret: every user can read them in the process list.
        arguments=(
            "--no-defaults",
            *_as_root(),
            *_base_directory(binary),
            f"--datadir={directory}",
            f"--tmpdir={temporary}",
            f"--socket={socket}",
            f"--pid-file={sandbox.root / name}.pid",
            f"--init-file={accounts}",
            f"--bind-address={HOST}",
            f"--port={port}",
            f"--max-connections={MOST_CLIENTS}",
            "--skip-name-resolve",
            "--skip-log-bin",
            # A commit is on disk before it is acknowledged, as in lane `durable`.
            "--innodb-flush-log-at-trx-commit=1",
            f"--innodb-buffer-pool-size={pool_bytes}",
            *_product_options(binary),
        ),
        directory=directory,
        log=sandbox.root / f"{name}.log",
        port=port,
        password=password,
        socket=socket,
        authority=directory / "ca.pem" if binary.installer is None else None,
    )


def install(binary: MySQLBinary, directory: Path) -> tuple[str, ...]:
    """Return the command that creates a data directory with only the system tables.

    Run it in the parent of `directory`.
    """
    if binary.installer is None:
        return (
            str(binary.server),
            "--no-defaults",
            *_as_root(),
            f"--datadir={directory}",
            f"--tmpdir={_temporary(directory)}",
            NO_FILE_ACCESS,
            "--initialize-insecure",
        )
    return (
        str(binary.installer),
        "--no-defaults",
        # The installer is a shell script that splits paths at spaces, so use short relative paths.
        f"--datadir=./{directory.name}",
        # In /tmp, any other MariaDB that starts would delete this server's temporary tables while
        # in use.
        f"--tmpdir=../{_temporary(directory).name}",
        *_base_directory(binary),
        # With the plain option --user, the script would change owners and modes in /usr/lib.
        *(option.replace("--", "--loose-", 1) for option in _as_root()),
        # Root has no password, but its socket is in a directory closed to other users; see
        # _accounts.
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        # Resolving this machine's own host name may take seconds.
        "--skip-name-resolve",
        # Keep it small because it is copied. The server creates its own log at its first start.
        "--innodb-log-file-size=16M",
        # Skip about a thousand syncs: there is no data to protect before the race begins.
        "--loose-debug-no-sync",
    )


def copy(installed: Path, directory: Path) -> None:
    """Copy an installed data directory. Performance: takes a tenth of the time of creating one."""
    shutil.copytree(installed, directory)


async def version(spec: ServerSpec) -> str | None:
    """Return the server version from its initial handshake packet, or None while it sends none.

    The server sends it when it accepts connections, and its accounts exist by then. The check uses the server's own
    Unix socket, because a foreign process may hold the port. The packet is Protocol::HandshakeV10 of MySQL's
    client/server protocol.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(str(spec.socket))
    except OSError:
        return None
    try:
        async with asyncio.timeout(HANDSHAKE_WAIT_S):
            header = await reader.readexactly(4)
            handshake = await reader.readexactly(int.from_bytes(header[:3], "little"))
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return None
    finally:
        writer.close()
    if handshake[:1] != b"\x0a":
        return None
    version_text = handshake[1:].split(b"\0", 1)[0].decode("ascii", "replace")
    # MariaDB before 11 reports 5.5.5 first, for compatibility with old replicas.
    return version_text.removeprefix("5.5.5-").split("-", 1)[0]


async def remember_account(spec: ServerSpec) -> bool | None:
    """Sign in to Oracle's MySQL over TLS, and return whether that succeeded; None if it did not.

    Its accounts sign in by caching_sha2_password. Without TLS, PyMySQL does so only to a server that remembers the
    account, which it does from a sign-in over TLS until it ends (MySQL manual, "Caching SHA-2 Pluggable
    Authentication"). Blocks the event loop for some 20 ms, and for at most `SIGN_IN_WAIT_S` a step: a thread would not
    be safe where processes are forked.

    The port may be a foreign process's: only a certificate by the authority in the server's own directory is trusted.
    """
    # Imported here: the other products need no client library in the supervisor.
    import pymysql

    assert spec.authority is not None
    try:
        context = ssl.create_default_context(cafile=str(spec.authority))
        # The server made its certificate itself, for no host name and not by every rule.
        context.check_hostname = False
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        connection = pymysql.connect(
            host=HOST,
            port=spec.port,
            user=USER,
            password=spec.password,
            database=DATABASE,
            ssl=context,
            connect_timeout=SIGN_IN_WAIT_S,
            read_timeout=SIGN_IN_WAIT_S,
            write_timeout=SIGN_IN_WAIT_S,
        )
    except (OSError, pymysql.MySQLError):
        return None
    connection.close()
    return True


def _accounts(password: str) -> str:
    """Return the SQL that runs at every start, one statement per line as required in an init file.

    The installer creates root accounts without a password that can sign in over TCP, and anonymous accounts. They are
    dropped, because otherwise any user of the machine could sign in.
    """
    account = f"'{USER}'@'{HOST}'"
    return (
        f"CREATE DATABASE IF NOT EXISTS {DATABASE};\n"
        f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{password}';\n"
        f"GRANT ALL ON {DATABASE}.* TO {account};\n"
        f"GRANT PROCESS ON *.* TO {account};\n"
        "DROP USER IF EXISTS 'root'@'127.0.0.1', 'root'@'::1', ''@'localhost', ''@'127.0.0.1';\n"
    )


def _as_root() -> tuple[str, ...]:
    # The server refuses to run as root unless this option allows it.
    return ("--user=root",) if os.geteuid() == 0 else ()


def _base_directory(binary: MySQLBinary) -> tuple[str, ...]:
    """Return the option for the installation directory. Only an unpacked archive needs it; packages know theirs."""
    prefix = binary.server.resolve().parent.parent
    unpacked = prefix.is_relative_to("/opt") and not prefix.is_relative_to("/opt/homebrew")
    return (f"--basedir={prefix}",) if unpacked else ()


def _temporary(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.tmp")


def _product_options(binary: MySQLBinary) -> tuple[str, ...]:
    """Return what only one of the products needs, or calls by another name."""
    if binary.installer is not None:
        return (
            # MariaDB 11.4 and later creates a certificate by itself, and clients then encrypt even on loopback.
            "--loose-skip-ssl",
            # With a smaller log, a race measures checkpoints.
            "--innodb-log-file-size=128M",
        )
    return (
        NO_FILE_ACCESS,
        "--loose-innodb-redo-log-capacity=128M",
        # Off by default in MariaDB. Performance: 300 MB of memory for each server.
        "--performance-schema=OFF",
        # A second protocol, on a port of its own.
        "--loose-mysqlx=OFF",
    )
