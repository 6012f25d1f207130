"""What the administrator of a server sees of telemon: who it is, and that it says goodbye."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from engines import __version__
from engines.backends.mysql import client as mysql
from engines.backends.mysql.counters import MySQLCounters
from engines.backends.mysql.lease import MySQLLease
from engines.backends.redis.client import client, nodes
from engines.driver.session import Connection, Session
from engines.metrics.frame import Frame
from engines.model.controls import Connections
from engines.race.race import Race
from engines.sandbox.sandbox import Sandbox
from engines.wire.dialect import MYSQL
from tests.support.race_run import SHORT, run_race
from tests.support.tls_servers import Certificates, SealedMySQL, sealed_mysql
from tests.support.user_servers import OwnServers, as_root

WAIT_S = 10.0

NAME = re.compile(r"telemon-[0-9.]+")


@pytest.fixture
def own(sandbox: Sandbox, tmp_path: Path) -> OwnServers:
    return OwnServers.of(sandbox, tmp_path).only("mysql", "cached.mysql", "cached.redis")


def aborted(sandbox: Sandbox) -> list[int]:
    """How many clients of each MySQL server went without a word, once all have gone."""
    return [_aborted(lambda text, at=server: as_root(sandbox, at, text)) for server in SERVERS]  # type: ignore[misc]


SERVERS = ("mysql", "cached-mysql")


def _aborted(ask: Callable[[str], list[tuple[object, ...]]]) -> int:
    until_s = time.monotonic() + WAIT_S
    # Another's connections end a moment after its process.
    clients = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'telemon'"
    while ask(clients) != [(0,)] and time.monotonic() < until_s:
        time.sleep(0.05)
    ((_, count),) = ask("SHOW GLOBAL STATUS LIKE 'Aborted_clients'")
    return int(str(count))


def test_no_command_goes_without_a_word(own: OwnServers) -> None:
    before = aborted(own.sandbox)
    lanes = ("--lanes", "mysql,cached")
    race = ("run", "--duration", "0.5s", "--warmup", "0s", *lanes)
    for argv in (
        ("prepare", "--yes", *lanes),
        ("doctor", *lanes),
        race,
        (*race, "--preset", "deck", "--batch", "5"),
    ):
        done = own.telemon(*argv)
        assert done.code == 0, (argv, done.err, done.out)
        assert aborted(own.sandbox) == before, argv
    # A race that is ended by a signal.
    with own.started("run", "--duration", "60s", "--warmup", "0s", *lanes) as process:
        try:
            _await_load(own.sandbox)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 143
    assert aborted(own.sandbox) == before
    assert own.telemon("clean", "--yes", *lanes).code == 0
    assert aborted(own.sandbox) == before


def _await_load(sandbox: Sandbox) -> None:
    """Wait until a race reads from and writes to both servers."""
    for server in SERVERS:
        # Behind a cache that is filled nobody selects.
        for counter in ("Com_insert", "Com_select") if server == "mysql" else ("Com_insert",):
            began, until_s = _count(sandbox, server, counter), time.monotonic() + 30
            while _count(sandbox, server, counter) < began + 50:
                assert time.monotonic() < until_s
                time.sleep(0.05)


def _count(sandbox: Sandbox, server: str, counter: str) -> int:
    ((_, value),) = as_root(sandbox, server, f"SHOW GLOBAL STATUS LIKE '{counter}'")
    return int(str(value))


def test_connections_that_are_given_up_during_a_race_say_goodbye(sandbox: Sandbox) -> None:
    before = aborted(sandbox)
    asked: list[int] = []

    def fewer(race: Race, _: Frame) -> None:
        asked.append(0)
        if len(asked) == 2:
            race.send(Connections("write", 1))
            race.send(Connections("read", 2))

    ran = run_race(sandbox, replace(SHORT, lanes=("mysql",), duration_s=1.5), on_frame=fewer)
    assert ran.lanes["mysql"].write.rows > 0
    assert aborted(sandbox) == before


def test_a_race_whose_engine_processes_are_left_alone_says_goodbye(sandbox: Sandbox) -> None:
    """As when telemon itself is killed: the engine processes see that the race is gone."""
    before = aborted(sandbox)
    with Race(replace(SHORT, lanes=("mysql",), duration_s=30.0), sandbox=sandbox) as race:
        next(race.frames())
    assert aborted(sandbox) == before


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SealedMySQL]:
    """A MariaDB with TLS that shows who is connected."""
    certificates = Certificates(tmp_path_factory.mktemp("certificates"))
    with sealed_mysql(
        certificates, tmp_path_factory.mktemp("mysql"), more=("--performance-schema=ON",)
    ) as server:
        yield server


def attributes(server: SealedMySQL) -> list[str]:
    return [str(value) for (value,) in _asked(server)(
        "SELECT attr_value FROM performance_schema.session_connect_attrs WHERE attr_name = 'program_name'"
    )]  # fmt: skip


def _asked(server: SealedMySQL) -> Callable[[str], list[tuple[object, ...]]]:
    def ask(statement: str) -> list[tuple[object, ...]]:
        with server.admin() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    return ask


def test_mysql_shows_who_is_connected(sealed: SealedMySQL) -> None:
    lease, counters = MySQLLease(sealed.endpoint), MySQLCounters(sealed.endpoint)
    with (
        mysql.cursor(sealed.endpoint),
        mysql.open_socket(sealed.endpoint, autocommit=True),
    ):
        lease.take()
        counters.read()
        assert attributes(sealed) == [f"telemon {__version__}"] * 4
        lease.release()
        counters.close()


def test_over_tls_it_says_goodbye_too(sealed: SealedMySQL) -> None:
    before = _aborted(_asked(sealed))
    with mysql.cursor(sealed.endpoint) as cursor:
        cursor.execute("SELECT 1")
    for _ in range(3):
        connection = Connection(
            Session(),
            "mysql",
            MYSQL,
            lambda: mysql.open_socket(sealed.endpoint, autocommit=True),
        )
        connection.attach(connection.open_socket())
        connection.detach()
    assert _aborted(_asked(sealed)) == before


def test_redis_shows_who_is_connected(sandbox: Sandbox) -> None:
    """Every connection of a race has a name, those of the driver among them."""
    at = sandbox.endpoints["durable"].redis
    assert at is not None
    (first, *_) = nodes(at)
    names: list[list[str]] = []

    def look(_: Race, __: Frame) -> None:
        with client(first, at) as node:
            names.append(_names(node))

    ran = run_race(sandbox, replace(SHORT, lanes=("durable",)), on_frame=look)
    wanted = SHORT.writers + SHORT.readers
    assert max(map(len, names)) > wanted
    assert all(NAME.fullmatch(name) for shown in names for name in shown), names
    lane = ran.lanes["durable"]
    # They are no operations, and no difference to what the server has counted.
    assert lane.write.errors == lane.read.errors == {}
    assert lane.server["set_calls"] == lane.write.rows
    assert lane.server["get_calls"] == lane.read.operations


def _names(node: Redis) -> list[str]:
    """The names of the clients that are no other nodes."""
    clients = node.client_list(_type="normal")
    return [str(each["name"]) for each in clients]
