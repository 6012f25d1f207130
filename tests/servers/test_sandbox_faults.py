"""Servers that die, and are started again, and a supervisor that is killed."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from signal import SIGCONT, SIGSTOP, SIGTERM

import psutil
import pymysql
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from engines.model.deaths import DeathCause
from engines.sandbox.sandbox import Sandbox, SandboxError
from tests.servers.conftest import make_whole
from tests.servers.test_sandbox import mysql_at, node, redis_at, signed_in
from tests.support.leftovers import assert_gone, inhabitants
from tests.support.server_product import redis_product

NODES = ("durable-1", "durable-2", "durable-3")


def eventually(holds: object, within_s: float = 2.0) -> None:
    """Fail unless `holds()` becomes true in time."""
    assert callable(holds)
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.01)


@pytest.mark.parametrize(("name", "lane"), [("mysql", "mysql"), ("cached-mysql", "cached")])
def test_a_killed_mariadb_comes_back_with_what_it_acknowledged(
    breakable: Sandbox, name: str, lane: str
) -> None:
    at = mysql_at(breakable, lane)
    with signed_in(at) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE sandbox_kept (id INT PRIMARY KEY)")
        cursor.execute("INSERT INTO sandbox_kept VALUES (7)")
        connection.commit()
    before = breakable.servers[name].pid
    breakable.kill(name)
    assert name in breakable.down()
    assert not psutil.pid_exists(before)
    with pytest.raises(pymysql.OperationalError):
        signed_in(at)
    breakable.start_server(name)
    assert breakable.servers[name].pid != before
    assert breakable.down() == frozenset()
    # Where it was and with the same password: whoever knew the endpoint finds it again.
    with signed_in(at) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM sandbox_kept")
        assert cursor.fetchall() == ((7,),)
        cursor.execute("DROP TABLE sandbox_kept")


def test_a_killed_cache_comes_back_empty(breakable: Sandbox) -> None:
    node(breakable, "cache").set("sandbox:lost", "1")
    breakable.kill("cache")
    breakable.start_server("cache")
    assert node(breakable, "cache").dbsize() == 0


def test_killed_nodes_come_back_with_what_they_acknowledged(breakable: Sandbox) -> None:
    at = redis_at(breakable, "durable")
    keys = {f"sandbox:kept:{at}": str(at).encode() for at in range(60)}
    with redis.RedisCluster(at.host, at.port, password=at.password, protocol=2) as client:
        for key, value in keys.items():
            client.set(key, value, ex=600)
    for name in NODES:
        breakable.kill(name)
    assert breakable.down() == frozenset(NODES)
    for name in NODES:
        breakable.start_server(name)
    make_whole(breakable)
    with redis.RedisCluster(at.host, at.port, password=at.password, protocol=2) as client:
        assert {key: client.get(key) for key in keys} == keys


def test_the_other_shards_go_on_without_a_killed_node(breakable: Sandbox) -> None:
    def knows_of_the_loss() -> bool:
        told = node(breakable, "durable-1").cluster("INFO")
        return bool(int(told["cluster_slots_fail"]) > 5_000)

    # Slots 0 to 5460 are the first node's: "b" has slot 3300 (CLUSTER KEYSLOT b).
    assert node(breakable, "durable-1").cluster("KEYSLOT", "b") == 3300
    breakable.kill("durable-2")
    eventually(knows_of_the_loss, within_s=10.0)
    assert node(breakable, "durable-1").set("b", "1", ex=60)


def test_a_server_that_dies_by_itself_is_told(breakable: Sandbox) -> None:
    before = len(breakable.deaths)
    # Not through the sandbox: as if it had crashed.
    os.kill(breakable.servers["cache"].pid, signal.SIGKILL)
    eventually(lambda: "cache" in breakable.down())
    (death,) = breakable.deaths[before:]
    assert (death.server, death.lane, death.cause) == ("cache", "cached", None)
    assert death.end.signal_name == "SIGKILL"
    assert any("Ready to accept connections" in line for line in death.last_lines)
    assert breakable.down() == frozenset({"cache"})
    breakable.start_server("cache")
    assert breakable.down() == frozenset()
    # What has happened stays known.
    assert breakable.deaths[before:] == (death,)


def test_a_server_killed_on_purpose_is_not_told(breakable: Sandbox) -> None:
    before = breakable.deaths
    breakable.kill("cache")
    # Whatever the supervisor has to say about it has come before its next answer.
    breakable.start_server("cache")
    breakable.kill("cache", SIGTERM)
    eventually(lambda: "cache" in breakable.down())
    assert breakable.deaths == before


def test_a_stopped_server_is_neither_dead_nor_answering(breakable: Sandbox) -> None:
    breakable.kill("cache", SIGSTOP)
    server = psutil.Process(breakable.servers["cache"].pid)
    eventually(lambda: server.status() == psutil.STATUS_STOPPED)
    at = redis_at(breakable, "cached")
    client = redis.Redis(
        at.host,
        at.port,
        password=at.password,
        protocol=2,
        socket_timeout=0.2,
        retry=Retry(NoBackoff(), 0),
    )
    with client, pytest.raises(redis.TimeoutError):
        client.ping()
    assert breakable.down() == frozenset()
    breakable.kill("cache", SIGCONT)
    assert node(breakable, "cache").ping()


def test_what_cannot_be_done_to_a_server_is_refused(breakable: Sandbox) -> None:
    with pytest.raises(SandboxError, match="no server other"):
        breakable.kill("other")
    with pytest.raises(SandboxError, match="cache is running already"):
        breakable.start_server("cache")
    breakable.kill("cache")
    with pytest.raises(SandboxError, match="cache is not running"):
        breakable.kill("cache")


def test_a_server_that_cannot_start_again_says_why(breakable: Sandbox) -> None:
    port = breakable.servers["cache"].port
    breakable.kill("cache")
    with socket.socket() as foreign:
        foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        foreign.bind(("127.0.0.1", port))
        foreign.listen()
        with pytest.raises(SandboxError, match=f"{redis_product()} cache .* port {port}"):
            breakable.start_server("cache")
    assert "cache" in breakable.down()


def test_killing_the_supervisor_ends_everything(tmp_path: Path) -> None:
    with Sandbox(["cached"], directory=tmp_path) as servers:
        processes = [psutil.Process(server.pid) for server in servers.servers.values()]
        cache = node(servers, "cache")
        for key in range(64):
            cache.set(f"sandbox:{key}", "1")
        # A fork that writes for a minute, and that no death of its parent's parent ends.
        cache.config_set("rdb-key-save-delay", 1_000_000)
        cache.bgsave()
        eventually(lambda: processes[1].children())
        processes += processes[1].children()
        supervisor = processes[0].parent()
        assert supervisor is not None
        supervisor.kill()
        assert_gone(tmp_path, [*processes, supervisor])
        assert sorted(death.server for death in servers.deaths) == ["cache", "cached-mysql"]
        assert {death.cause for death in servers.deaths} == {DeathCause.SUPERVISOR_DIED}
        with pytest.raises(SandboxError, match="the sandbox is gone"):
            servers.kill("cache")
    assert inhabitants(tmp_path) == []


def test_the_supervisor_heeds_no_signal(tmp_path: Path) -> None:
    with Sandbox(["mysql"], directory=tmp_path) as servers:
        server = psutil.Process(servers.servers["mysql"].pid)
        supervisor = server.parent()
        assert supervisor is not None
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            supervisor.send_signal(number)
        # Whatever a signal began, this waits for it: the supervisor answers only after it.
        servers.kill("mysql")
        servers.start_server("mysql")
        assert supervisor.is_running()
        with signed_in(mysql_at(servers, "mysql")) as connection:
            connection.ping()
    assert_gone(tmp_path, [server, supervisor])
