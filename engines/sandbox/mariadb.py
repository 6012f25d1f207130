"""A private MariaDB: how its data directory is made, its options, and who may sign in."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from engines.model.lanes import LANE_OF
from engines.sandbox.binaries import MySQLBinary
from engines.sandbox.directory import PROGRAMS, SandboxDirectory, write
from engines.sandbox.ports import HOST
from engines.sandbox.spec import ServerSpec

DATABASE = "telemon"

USER = "telemon"

HANDSHAKE_WAIT_S = 1.0


def server_spec(
    binary: MySQLBinary, sandbox: SandboxDirectory, name: str, port: int, password: str
) -> ServerSpec:
    """The MySQL server `name`; writes its files but its data directory."""
    lane = LANE_OF[name]
    directory = sandbox.root / name
    socket = sandbox.sockets / f"{name}.sock"
    accounts = sandbox.root / f"{name}.sql"
    write(accounts, _accounts(binary, password))
    temporary = _temporary(directory)
    temporary.mkdir()
    program = sandbox.root / PROGRAMS / binary.server.name
    if not program.is_symlink():
        program.symlink_to(binary.server)
    return ServerSpec(
        name=name,
        lane=lane,
        title=f"{'MariaDB' if binary.installer else 'MySQL'} for lane {lane}",
        program=program,
        # Not a word of these is secret: anybody can read them in the process list.
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
            "--max-connections=1000",
            "--skip-name-resolve",
            "--skip-log-bin",
            # MariaDB from 11.4 on makes a certificate by itself, and clients then encrypt even this loopback.
            "--loose-skip-ssl",
            # A commit is on disk before it is acknowledged, as in lane `durable`.
            "--innodb-flush-log-at-trx-commit=1",
            "--innodb-buffer-pool-size=256M",
            # With less, a race measures checkpoints.
            *_redo_log(binary),
        ),
        directory=directory,
        log=sandbox.root / f"{name}.log",
        port=port,
        password=password,
        socket=socket,
    )


def install(binary: MySQLBinary, directory: Path) -> tuple[str, ...]:
    """The command that makes a data directory with only the system tables in it, to be run in its parent."""
    if binary.installer is None:
        return (
            str(binary.server),
            "--no-defaults",
            *_as_root(),
            f"--datadir={directory}",
            f"--tmpdir={_temporary(directory)}",
            "--initialize-insecure",
        )
    return (
        str(binary.installer),
        "--no-defaults",
        # The installer is a shell script that lets the spaces in a path fall apart, so the paths are short ones.
        f"--datadir=./{directory.name}",
        # In /tmp any other MariaDB that starts would delete this one's temporary tables under its feet.
        f"--tmpdir=../{_temporary(directory).name}",
        *_base_directory(binary),
        # Under the name --user the script would take it as leave to change owners and modes in /usr/lib.
        *(option.replace("--", "--loose-", 1) for option in _as_root()),
        # Root has no password, and its socket lies in a directory closed to others; see _accounts.
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        # Looking up this machine's own name may take seconds.
        "--skip-name-resolve",
        # Small, since it is copied; the server makes its own at its first start.
        "--innodb-log-file-size=16M",
        # A thousand syncs that protect nothing yet: the race has not begun.
        "--loose-debug-no-sync",
    )


def copy(installed: Path, directory: Path) -> None:
    """A second data directory, in a tenth of the time that making one takes."""
    shutil.copytree(installed, directory)


async def version(spec: ServerSpec) -> str | None:
    """The version in the server's greeting, or None as long as it does not greet.

    It greets once it takes connections, and its accounts are made before. Asked on its own socket: a stranger may
    hold the port. The greeting is Protocol::HandshakeV10 of MySQL's client/server protocol.
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
    # MariaDB before 11 pretends to be 5.5.5, for the sake of old replicas.
    return version_text.removeprefix("5.5.5-").split("-", 1)[0]


def _accounts(binary: MySQLBinary, password: str) -> str:
    """The statements run at every start, one to a line as the server wants them in an init file.

    The installer makes roots without a password that may come over TCP, and users without a name: these go, or any
    user of the machine could sign in.
    """
    # Oracle's default would need TLS or a further package in PyMySQL.
    method = "BY" if binary.installer else "WITH mysql_native_password BY"
    account = f"'{USER}'@'{HOST}'"
    return (
        f"CREATE DATABASE IF NOT EXISTS {DATABASE};\n"
        f"CREATE USER IF NOT EXISTS {account} IDENTIFIED {method} '{password}';\n"
        f"GRANT ALL ON {DATABASE}.* TO {account};\n"
        f"GRANT PROCESS ON *.* TO {account};\n"
        "DROP USER IF EXISTS 'root'@'127.0.0.1', 'root'@'::1', ''@'localhost', ''@'127.0.0.1';\n"
    )


def _as_root() -> tuple[str, ...]:
    # The server refuses to run as root unless it is told to.
    return ("--user=root",) if os.geteuid() == 0 else ()


def _base_directory(binary: MySQLBinary) -> tuple[str, ...]:
    """Only an unpacked archive must be told where it is; a package knows."""
    prefix = binary.server.resolve().parent.parent
    unpacked = prefix.is_relative_to("/opt") and not prefix.is_relative_to("/opt/homebrew")
    return (f"--basedir={prefix}",) if unpacked else ()


def _temporary(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.tmp")


def _redo_log(binary: MySQLBinary) -> tuple[str, ...]:
    if binary.installer is not None:
        return ("--innodb-log-file-size=128M",)
    return (
        "--loose-innodb-redo-log-capacity=128M",
        "--loose-mysqlx=OFF",
        "--loose-mysql-native-password=ON",
    )
