"""What the servers themselves heard over a full race, doctor, prepare and clean: nothing outside of this list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import redis

from engines.sandbox.sandbox import Sandbox
from engines.servers.redis import client, nodes

from .own_servers import OwnServers, as_root, checksums, plant, redis_endpoints, uproot

NUMBER = r"[0-9]+"
ROW = r"\([0-9]+(,[0-9]+){5}\)"

STATEMENTS = tuple(
    re.compile(pattern)
    for pattern in (
        # Signing in, and looking.
        r"SET AUTOCOMMIT = [01]",
        r"SET NAMES utf8mb4",
        r"SELECT CURRENT_USER\(\)",
        r"SELECT UTC_TIMESTAMP\(6\)",
        r"SELECT @@[a-z_]+(, @@[a-z_]+)*",
        r"SHOW GLOBAL (STATUS|VARIABLES) WHERE Variable_name IN \([A-Za-z_', ]+\)",
        r"SHOW (GLOBAL STATUS LIKE 'Threads_connected'|VARIABLES LIKE 'aurora_version')",
        r"SELECT table_comment FROM information_schema\.tables WHERE table_schema = DATABASE\(\) "
        r"AND table_name = '(cars|telemon_made_this_database)'",
        r"SELECT table_name, table_comment FROM information_schema\.tables WHERE table_schema = DATABASE\(\)",
        r"SELECT (routine|trigger|event)_name FROM information_schema\.\1s WHERE \1_schema = DATABASE\(\)",
        # Reading and writing rows of table cars, and of no other.
        rf"SELECT COUNT\(\*\) FROM cars WHERE car_id BETWEEN {NUMBER} AND {NUMBER}",
        r"SELECT avg\(rpm\) rpm, avg\(water_temp\) water_temp, avg\(oil_temp\) oil_temp, "
        rf"avg\(oil_pressure\) oil_pressure, max\(version\) version FROM cars WHERE car_id = {NUMBER}",
        r"INSERT INTO cars\(car_id,rpm,water_temp,oil_temp,oil_pressure,version\) "
        rf"VALUES {ROW}(,{ROW})* ON DUPLICATE KEY UPDATE [a-z_=VALUES(),]+",
        r"START TRANSACTION",
        r"COMMIT",
        r"ROLLBACK",
        # Making and removing table cars, and the database that telemon itself makes.
        r"CREATE TABLE cars \([A-Za-z_, ]+\) ENGINE=InnoDB COMMENT='made by telemon'",
        r"DROP TABLE cars",
        r"CREATE DATABASE `fresh-2`",
        r"CREATE TABLE telemon_made_this_database \(nothing INT PRIMARY KEY\) ENGINE=InnoDB COMMENT='made by telemon'",
        r"DROP DATABASE `fresh-2`",
    )
)
"""All that telemon may say to a MySQL server."""

KINDS = {"Connect", "Query", "Quit", "Ping"}
"""The rest of MySQL's protocol that it may use."""

KEY = r"telemon:([0-9]+|doctor:[0-9a-f]+:[0-9]+)"

COMMANDS = tuple(
    re.compile(pattern)
    for pattern in (
        r"AUTH \(redacted\)",
        rf"GET {KEY}",
        rf"SET {KEY} [0-9:]+( PX {NUMBER})?",
        rf"SET {KEY} telemon PX 10000",
        rf"UNLINK {KEY}",
        rf"SCAN {NUMBER} MATCH telemon:\*( COUNT {NUMBER})?",
        rf"SCAN {NUMBER} MATCH telemon:doctor:\* COUNT 1",
        r"PING",
        r"INFO [a-z]+",
        r"CLUSTER SLOTS",
        r"ASKING",
        r"READONLY",
        r"ACL WHOAMI",
    )
)
"""All that telemon may say to a Redis server, as MONITOR shows it."""

COUNTED = {
    "get", "set", "unlink", "scan", "ping", "info", "auth", "asking", "readonly",
    "cluster|slots", "acl|whoami", "acl|dryrun", "config|get",
}  # fmt: skip
"""The same as the server counts it: MONITOR keeps silent about what administers, CONFIG SET and ACL among it."""

OURS = {"monitor", "config|resetstat", "client|kill", "client|id", "client|list", "quit"}
"""What this test itself says."""


@contextmanager
def general_log(sandbox: Sandbox, server: str, heard: list[tuple[str, str]]) -> Iterator[None]:
    """Have the server write down all that it is told, into a table of its own; `heard` gets it in the end."""
    as_root(
        sandbox,
        server,
        "SET GLOBAL log_output = 'TABLE'",
        "TRUNCATE TABLE mysql.general_log",
        "SET GLOBAL general_log = ON",
    )
    try:
        yield
    finally:
        as_root(sandbox, server, "SET GLOBAL general_log = OFF")
        rows = as_root(
            sandbox,
            server,
            "SELECT command_type, argument FROM mysql.general_log WHERE user_host NOT LIKE '%root%'",
        )
        as_root(sandbox, server, "TRUNCATE TABLE mysql.general_log")
        heard += [(str(kind), _text(argument)) for kind, argument in rows]


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class Listener:
    """MONITOR on one node, and what the node has counted in the end."""

    def __init__(self, node: redis.Redis, address: str) -> None:
        self.heard: list[str] = []
        self.counted: set[str] = set()
        self._node = node
        host, _, port = address.rpartition(":")
        password = node.connection_pool.connection_kwargs["endpoint"].password
        self._monitor = redis.Redis(
            host, int(port), password=password, protocol=2, driver_info=None, socket_timeout=None
        ).monitor()  # type: ignore[no-untyped-call]

    @contextmanager
    def listening(self) -> Iterator[None]:
        self._node.config_resetstat()
        with self._monitor as monitor:
            thread = Thread(target=self._listen, args=(monitor,), daemon=True)
            thread.start()
            yield
            self.counted = {
                name.removeprefix("cmdstat_") for name in self._node.info("commandstats")
            }
            # A word of ours, after which nothing is to be waited for.
            self._node.echo("that is all")
            thread.join(10)
            assert not thread.is_alive()

    def _listen(self, monitor: Any) -> None:
        for told in monitor.listen():
            if told["command"] == "ECHO that is all":
                return
            self.heard.append(told["command"])


@pytest.fixture
def own(sandbox: Sandbox, tmp_path: Path) -> Iterator[OwnServers]:
    for server in ("mysql", "cached-mysql"):
        as_root(sandbox, server, "DROP TABLE IF EXISTS telemon.cars")
    grant = "GRANT ALL ON `fresh-2`.* TO telemon@'127.0.0.1'"
    as_root(sandbox, "mysql", "DROP DATABASE IF EXISTS `fresh-2`", grant)
    plant(sandbox)
    yield OwnServers.of(sandbox, tmp_path).with_table("mysql", database="fresh-2")
    uproot(sandbox)
    revoke = grant.replace("GRANT", "REVOKE").replace(" TO ", " FROM ")
    as_root(sandbox, "mysql", "DROP DATABASE IF EXISTS `fresh-2`", revoke)


def test_the_servers_hear_nothing_outside_of_the_list(own: OwnServers) -> None:
    sandbox = own.sandbox
    before = checksums(sandbox)
    statements: list[tuple[str, str]] = []
    with ExitStack() as stack:
        for server in ("mysql", "cached-mysql"):
            stack.enter_context(general_log(sandbox, server, statements))
        listeners = []
        for at in redis_endpoints(sandbox):
            for address in nodes(at):
                node = stack.enter_context(client(address, at))
                listeners.append(Listener(node, address))
                stack.enter_context(listeners[-1].listening())
        race = ("run", "--duration", "0.5s", "--warmup", "0s", "--ttl", "200ms")
        for command, code in (
            (("doctor",), 1),
            (("run",), 1),
            (("prepare", "--yes"), 0),
            (("doctor",), 0),
            (race, 0),
            ((*race, "--preset", "deck", "--batch", "5"), 0),
            (("clean", "--yes"), 0),
        ):
            done = own.telemon(*command)
            assert done.code == code, (command, done.err, done.out)
    assert checksums(sandbox) == before

    kinds = {kind for kind, _ in statements}
    assert kinds <= KINDS
    said = {text for kind, text in statements if kind == "Query"}
    assert len(said) > 100, "the log was not on"
    foreign = [text for text in said if not any(p.fullmatch(text) for p in STATEMENTS)]
    assert not foreign, foreign[:5]
    for pattern in STATEMENTS:
        assert any(pattern.fullmatch(text) for text in said) or pattern.pattern in RARE, pattern

    heard = {command for listener in listeners for command in listener.heard}
    assert len(heard) > 100, "nobody listened"
    foreign = [text for text in heard if not any(p.fullmatch(text) for p in COMMANDS)]
    assert not foreign, foreign[:5]
    counted = {name for listener in listeners for name in listener.counted}
    assert counted <= COUNTED | OURS, counted - COUNTED - OURS
    assert {"get", "set", "unlink", "scan"} <= counted


RARE = {"ROLLBACK", "SET NAMES utf8mb4"}
"""Statements that are allowed, and that this race may do without."""
