"""Errors that real servers can be brought to say: their number or word, their message and the advice reach the user."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pymysql
import pytest
import redis

from engines.backends.failure_text import error_text, known_step
from engines.backends.mysql import client as mysql
from engines.backends.redis.client import FAILURES, address_of, client
from engines.endpoints.endpoint import MySQLEndpoint, RedisEndpoint, TlsOptions
from engines.process.connect import _open_mysql
from engines.sandbox.sandbox import Sandbox
from engines.wire.error_kinds import MYSQL_ERRORS, REDIS_ERRORS, describe_mysql_error
from engines.workload.namespace import DEFAULT
from tests.support.certificates import Authority
from tests.support.hostile_mysql import hostile_mysql
from tests.support.hostile_server import (
    FULL,
    HTTP,
    SHORT_GREETING,
    X_PROTOCOL,
    hostile_server,
    packet,
)
from tests.support.mysql_accounts import make_account, saying
from tests.support.user_servers import CODE, ROOT, as_root

USER, PASSWORD = "known-errors", "of-known-errors"


# ---------------------------------------------------------------- MySQL


@pytest.fixture
def database(sandbox: Sandbox) -> MySQLEndpoint:
    at = sandbox.endpoints["mysql"].mysql
    assert at is not None
    return at


@contextmanager
def user(sandbox: Sandbox, at: MySQLEndpoint, *grants: str) -> Iterator[MySQLEndpoint]:
    """The same server, seen by a user of its own."""
    own = replace(at, user=USER, password=PASSWORD)
    who = make_account(sandbox, "mysql", own, *grants)
    try:
        yield own
    finally:
        as_root(sandbox, "mysql", f"DROP USER {who}")


@contextmanager
def setting(sandbox: Sandbox, name: str, value: str) -> Iterator[None]:
    ((before,),) = as_root(sandbox, "mysql", f"SELECT @@GLOBAL.{name}")
    as_root(sandbox, "mysql", f"SET GLOBAL {name} = {value}")
    try:
        yield
    finally:
        as_root(sandbox, "mysql", f"SET GLOBAL {name} = {before}")


def said(endpoint: MySQLEndpoint, statement: str = "SELECT 1") -> str:
    """What is shown of the error of a sign-in, or of a statement after it."""
    with pytest.raises(mysql.FAILURES) as raised, mysql.cursor(endpoint) as cursor:
        cursor.execute(statement)
    return error_text(raised.value, DEFAULT)


def check(text: str, code: int) -> None:
    known = MYSQL_ERRORS[code]
    assert f" ({describe_mysql_error(code)}): {known.next_step}" in text
    assert not text.startswith(" ")


def test_1040(sandbox: Sandbox, database: MySQLEndpoint) -> None:
    with setting(sandbox, "max_connections", "10"), ExitStack() as stack:
        with suppress(pymysql.OperationalError):
            for _ in range(11):
                stack.enter_context(mysql.connect(database, autocommit=True))
        check(said(database), 1040)
        full = r"Too many connections \(error 1040, too many connections\): end conn"
        with pytest.raises(ConnectionError, match=full):
            _open_mysql(database, autocommit=True)


def test_1044_1045_1049_and_1142(sandbox: Sandbox, database: MySQLEndpoint) -> None:
    check(said(replace(saying(sandbox, database), password="not it")), 1045)
    with user(sandbox, database) as at:
        check(said(at), 1044)
    with user(sandbox, database, "SELECT ON *.*") as at:
        check(said(replace(at, database="nowhere")), 1049)
        check(said(at, "CREATE TABLE other (a INT)"), 1142)


def test_1130(database: MySQLEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """From another address of this machine, for which there is no account."""

    def connect(
        _name: str, addresses: Sequence[tuple[int, tuple[Any, ...]]], _within_s: float
    ) -> socket.socket:
        return socket.create_connection(addresses[0][1], 3.0, source_address=("127.0.0.2", 0))

    monkeypatch.setattr("engines.backends.dialer.connect_first", connect)
    text = said(database)
    assert "'127.0.0.2' is not allowed to connect" in text
    check(text, 1130)


def test_3159(sandbox: Sandbox, database: MySQLEndpoint) -> None:
    with setting(sandbox, "require_secure_transport", "ON"):
        text = said(database)
    # MariaDB before 11 says that the password is wrong.
    check(text, 3159 if "3159" in text else 1045)


@pytest.mark.parametrize("code", [1129, 1203, 1524, 3032, 3159])
def test_what_no_server_here_can_be_brought_to_say(code: int) -> None:
    payload = b"\xff" + code.to_bytes(2, "little") + b"#HY000a message"
    with hostile_server(packet(1, payload)) as port:
        at = MySQLEndpoint("127.0.0.1", port, USER, PASSWORD, "telemon")
        text = said(at)
    assert text.startswith("a message")
    check(text, code)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("method", [b"auth_gssapi_client", b"authentication_ldap_sasl_client"])
def test_2059(method: bytes, tls: bool, tmp_path: Path) -> None:
    """An account whose way to sign in the client has not."""
    authority = Authority(tmp_path, "authority")
    pair = authority.pair("server", of=("127.0.0.1",)) if tls else None
    with hostile_mysql(b"mysql_native_password", method, pair=pair) as server:
        at = MySQLEndpoint("127.0.0.1", server.port, USER, PASSWORD, "telemon")
        text = said(replace(at, tls=TlsOptions(authority.file) if tls else None))
    assert method.decode() in text
    assert "error 2059" in text
    assert "without TLS set tls = true" in text
    assert "make an account that signs in by" in text
    check(text, 2059)
    assert PASSWORD.encode() not in b"".join(server.received)


# ---------------------------------------------------------------- Redis


@pytest.fixture
def cache(sandbox: Sandbox) -> RedisEndpoint:
    at = sandbox.endpoints["cached"].redis
    assert at is not None
    return at


@contextmanager
def as_replica(admin: redis.Redis) -> Iterator[None]:
    """A replica of a primary that does not exist."""
    admin.replicaof("127.0.0.1", "1")
    try:
        yield
    finally:
        admin.replicaof("NO", "ONE")


@contextmanager
def configured(admin: redis.Redis, **values: str) -> Iterator[None]:
    before = {
        name: admin.config_get(name)[name] for name in (key.replace("_", "-") for key in values)
    }
    for name, value in values.items():
        admin.config_set(name.replace("_", "-"), value)
    try:
        yield
    finally:
        for name, earlier in before.items():
            admin.config_set(name, str(earlier))


def test_words_of_redis(cache: RedisEndpoint) -> None:
    found: dict[str, str] = {}

    def ask(at: RedisEndpoint, *command: Any) -> None:
        with pytest.raises(FAILURES) as raised, client(address_of(at), at) as node:
            node.execute_command(*command)
        text = error_text(raised.value, DEFAULT)
        found[text.partition(" ")[0]] = text

    with client(address_of(cache), cache) as admin:
        ask(replace(cache, password=""), "PING")
        ask(replace(cache, password="not it"), "PING")
        admin.execute_command("ACL", "SETUSER", USER, "reset", "on", f">{PASSWORD}", "+ping")
        ask(replace(cache, user=USER, password=PASSWORD), "GET", "x")
        admin.execute_command("ACL", "DELUSER", USER)
        admin.lpush("known-errors", "x")
        ask(cache, "GET", "known-errors")
        admin.delete("known-errors")
        with configured(admin, maxmemory="1", maxmemory_policy="noeviction"):
            ask(cache, "SET", "x", "y")
        with configured(admin, min_replicas_to_write="1"):
            ask(cache, "SET", "x", "y")
        with as_replica(admin):
            ask(cache, "SET", "x", "y")
            with configured(admin, replica_serve_stale_data="no"):
                ask(cache, "GET", "x")
    assert set(found) == {
        *("NOAUTH", "WRONGPASS", "NOPERM", "WRONGTYPE", "OOM", "NOREPLICAS", "READONLY"),
        "MASTERDOWN",
    }
    for word, text in found.items():
        assert text.endswith(f": {known_step(REDIS_ERRORS[word], DEFAULT)}")


# ---------------------------------------------------------------- every command

SERVERS = {
    "X protocol": ("mysql", X_PROTOCOL, (), "X"),
    "short greeting": ("mysql", SHORT_GREETING, (), "got b'"),
    "full": (
        "mysql",
        packet(1, FULL),
        (),
        "Too many connections (error 1040, too many connections)",
    ),
    "HTTP": ("durable", b"", (HTTP,), "got b'HTTP/1.1 400 Bad Request"),
    "unhashable": ("durable", b"", (b"%1\r\n*0\r\n+x\r\n",), "got b'%1"),
}


@pytest.mark.parametrize("name", SERVERS)
def test_no_command_ends_with_an_internal_error(name: str, tmp_path: Path) -> None:
    table, greeting, answers, what = SERVERS[name]
    config = tmp_path / "config.toml"
    with hostile_server(greeting, *answers) as port:
        keys = f'host = "127.0.0.1"\nport = {port}\ntls = false\npassword_env = "HOSTILE"\n'
        if table == "mysql":
            keys += 'user = "telemon"\ndatabase = "telemon"\n'
        config.write_text(f"[{table}]\n{keys}")
        for command in (
            ["run", "--duration", "1s"],
            ["prepare", "--yes"],
            ["clean", "--yes"],
            ["doctor"],
        ):
            done = subprocess.run(
                [sys.executable, "-c", CODE, *command, "--lanes", table, "--config", str(config)],
                cwd=ROOT,
                env={**os.environ, "HOSTILE": "of-nobody"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
            )
            text = done.stdout + done.stderr
            assert done.returncode == 1, (command, text)
            assert what in text, (command, text)
            for forbidden in ("internal error", "Traceback", "struct.error", "of-nobody"):
                assert forbidden not in text, (command, text)
