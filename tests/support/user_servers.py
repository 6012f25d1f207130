"""The servers of a sandbox as servers of one's own: named in a configuration, and run by somebody else."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pymysql
from redis import Redis

from engines.backends.redis.client import client, nodes, slot_map
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.sandbox.sandbox import Sandbox
from engines.wire.resp import key_slot

ROOT = Path(__file__).parents[2]

CODE = "import sys; from tui.cli.main import run; sys.exit(run())"

FOREIGN_KEYS = ("other:1", "telemon", "telemonster:50000000", "telemon:notes", "xtelemon:50000000")
"""Keys beside telemon's own, some of them nearly so named."""

OWN_NAME = re.compile(rb"telemon:([a-z][a-z0-9_]*:)?([0-9]+|marker|lease)")
"""Names of the keys that telemon may make, in any namespace."""


@dataclass(frozen=True)
class Done:
    """How a telemon ended, and what it said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class OwnServers:
    """`tables` are the tables of the configuration, `environ` the variables with the passwords."""

    sandbox: Sandbox
    directory: Path
    tables: Mapping[str, Mapping[str, object]]
    environ: Mapping[str, str] = field(repr=False)

    @staticmethod
    def of(sandbox: Sandbox, directory: Path) -> OwnServers:
        """All lanes on the sandbox's servers, with passwords from the environment."""
        tables: dict[str, dict[str, object]] = {}
        environ = {}
        for table, at in servers(sandbox.endpoints).items():
            variable = f"PASSWORD_OF_{table.replace('.', '_').upper()}"
            environ[variable] = at.password
            tables[table] = {"host": at.host, "port": at.port, "tls": False}
            tables[table]["password_env"] = variable
            if isinstance(at, MySQLEndpoint):
                tables[table] |= {"user": at.user, "database": at.database}
        return OwnServers(sandbox, directory, tables, environ)

    def with_table(self, table: str, **changes: object) -> OwnServers:
        """The same, with other keys in one table; None takes a key out."""
        keys = {**self.tables[table], **changes}
        kept = {key: value for key, value in keys.items() if value is not None}
        return replace(self, tables={**self.tables, table: kept})

    def only(self, *tables: str) -> OwnServers:
        """The same, without the other tables."""
        return replace(self, tables={table: self.tables[table] for table in tables})

    def write(self, mode: int = 0o600) -> Path:
        """The configuration as a file."""
        lines = []
        for table, keys in self.tables.items():
            lines.append(f"[{table}]")
            lines += [f"{key} = {_toml(value)}" for key, value in keys.items()]
        path = self.directory / "config.toml"
        path.touch()
        path.chmod(mode)
        path.write_text("\n".join(lines) + "\n")
        return path

    def telemon(
        self, *argv: str, environ: Mapping[str, str] | None = None, code: str = CODE
    ) -> Done:
        """Run telemon on them, away from any terminal."""
        with self.started(*argv, environ=environ, code=code) as process:
            try:
                out, err = process.communicate(timeout=60)
            finally:
                process.kill()
        return Done(process.returncode, out, err)

    def started(
        self, *argv: str, environ: Mapping[str, str] | None = None, code: str = CODE
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", code, *argv, "--config", str(self.write())],
            cwd=ROOT,
            env={**os.environ, **self.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def servers(lanes: Mapping[str, LaneEndpoints]) -> dict[str, MySQLEndpoint | RedisEndpoint]:
    """The endpoints by the table of a configuration that names them."""
    found: dict[str, MySQLEndpoint | RedisEndpoint | None] = {
        "mysql": lanes["mysql"].mysql,
        "cached.mysql": lanes["cached"].mysql,
        "cached.redis": lanes["cached"].redis,
        "durable": lanes["durable"].redis,
    }
    return {table: at for table, at in found.items() if at is not None}


def as_root(sandbox: Sandbox, server: str, *statements: str) -> list[tuple[object, ...]]:
    """Run statements as the administrator of a MySQL server; the rows of the last."""
    connection = pymysql.connect(
        unix_socket=str(sandbox.admin_mysql(server)),
        user="root",
        ssl_disabled=True,
        autocommit=True,
    )
    rows: Sequence[tuple[object, ...]] = ()
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
            rows = cursor.fetchall()
    return list(rows)


def plant(sandbox: Sandbox) -> None:
    """Put somebody else's tables and keys beside telemon's."""
    plates = ", ".join(f"({number}, 'P{number}')" for number in range(1, 501))
    for server in ("mysql", "cached-mysql"):
        as_root(
            sandbox,
            server,
            "USE telemon",
            "DROP TABLE IF EXISTS telemon.garage",
            "CREATE TABLE telemon.garage (id INT PRIMARY KEY, plate CHAR(8)) COMMENT='ours'",
            f"INSERT INTO telemon.garage VALUES {plates}",
        )
    for at in redis_endpoints(sandbox):
        for part in slot_map(at):
            with client(part.address, at) as node:
                for number in range(40 * len(FOREIGN_KEYS)):
                    name = FOREIGN_KEYS[number % len(FOREIGN_KEYS)]
                    if number >= len(FOREIGN_KEYS):
                        name = f"{name}{{{number}}}"
                    if part.first <= key_slot(name.encode()) <= part.last:
                        node.set(name, f"somebody's {number}")


def uproot(sandbox: Sandbox) -> None:
    """Take away what `plant` put there."""
    for server in ("mysql", "cached-mysql"):
        as_root(sandbox, server, "DROP TABLE IF EXISTS telemon.garage")
    for at in redis_endpoints(sandbox):
        for address in nodes(at):
            with client(address, at) as node:
                for name in foreign_names(node):
                    node.delete(name)


def checksums(sandbox: Sandbox) -> dict[str, object]:
    """What `plant` put there, as it is now: a checksum of each table, and of all foreign keys of each node."""
    found: dict[str, object] = {}
    for server in ("mysql", "cached-mysql"):
        found[server] = as_root(sandbox, server, "CHECKSUM TABLE telemon.garage")
    for at in redis_endpoints(sandbox):
        for address in nodes(at):
            with client(address, at) as node:
                digest = hashlib.sha256()
                names = foreign_names(node)
                for name in names:
                    digest.update(b"%b %b %d\n" % (name, node.dump(name) or b"", node.pttl(name)))
                found[address] = (len(names), digest.hexdigest())
    return found


def foreign_names(node: Redis) -> list[bytes]:
    """All keys of a node but those of cars, the markers and the leases."""
    return sorted(name for name in set(node.scan_iter(count=5000)) if not OWN_NAME.fullmatch(name))


def redis_endpoints(sandbox: Sandbox) -> list[RedisEndpoint]:
    found = servers(sandbox.endpoints).values()
    return [at for at in found if isinstance(at, RedisEndpoint)]


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
