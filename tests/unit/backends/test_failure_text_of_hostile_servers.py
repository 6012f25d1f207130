"""Signing in to a server that sends anything at all raises the errors that every caller knows, and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.backends.failure_text import error_text
from engines.backends.mysql import client as mysql
from engines.backends.mysql.counters import MySQLCounters
from engines.backends.redis import client as redis
from engines.backends.redis.counters import RedisCounters
from engines.backends.server_facts import read_server_facts
from engines.doctor.check import Status
from engines.doctor.mysql.checks import check_mysql
from engines.doctor.redis.checks import check_redis
from engines.doctor.target import Target
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.workload.namespace import DEFAULT
from tests.support.hostile_server import (
    FULL,
    GREETING,
    HTTP,
    OK,
    SHORT_GREETING,
    SSH,
    WELCOMED,
    X_PROTOCOL,
    hostile_server,
    packet,
)

EOF = b"\xfe\0\0\2\0"


def mysql_at(port: int) -> MySQLEndpoint:
    return MySQLEndpoint("127.0.0.1", port, "telemon", "secret", "telemon")


def redis_at(port: int) -> RedisEndpoint:
    return RedisEndpoint("127.0.0.1", port, "secret")


def ask_mysql(endpoint: MySQLEndpoint) -> None:
    """Everything that a race, `prepare` and the counters ask before the race, as far as it goes."""
    with suppress(*mysql.FAILURES):
        mysql.open_socket(endpoint, autocommit=True).close()
    with suppress(*mysql.FAILURES), mysql.cursor(endpoint) as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchall()
        cursor.connection.ping(reconnect=False)


def ask_redis(endpoint: RedisEndpoint) -> None:
    with suppress(*redis.FAILURES):
        redis.open_socket(f"127.0.0.1:{endpoint.port}", endpoint).close()
    with suppress(*redis.FAILURES):
        redis.slot_map(endpoint)
    for ask in ("info", "ping", "scan", "time", "config_get"):
        with suppress(*redis.FAILURES), redis.client(redis.address_of(endpoint), endpoint) as node:
            getattr(node, ask)(*(["x"] if ask == "config_get" else []))
    with suppress(*redis.FAILURES), redis.client(redis.address_of(endpoint), endpoint) as node:
        node.pipeline(transaction=False).info().get("x").execute()


def diagnosed(checks: Iterator[Any]) -> Any:
    """The check that failed."""
    (failed,) = [check for check in checks if check.status is Status.FAIL]
    return failed


def doctor_mysql(port: int) -> Any:
    return diagnosed(check_mysql(Target(mysql_at(port), ("mysql",), 1, 1)))


def doctor_redis(port: int, password: str = "secret") -> Any:
    endpoint = RedisEndpoint("127.0.0.1", port, password)
    return diagnosed(check_redis(Target(endpoint, ("cached",), 1, 1, True)))


# ---------------------------------------------------------------- named cases

COLUMN = b"\x03def\0\0\0\x01a\0\x0c\x3f\0\x0b\0\0\0\x08\0\0\0\0\0"
SIGNED_IN = packet(2, OK)

MYSQL_CASES: dict[str, tuple[bytes, ...]] = {
    "short greeting": (SHORT_GREETING,),
    "X protocol": (X_PROTOCOL,),
    "SSH": (SSH,),
    "empty packet": (packet(0, b""),),
    "number 9": (packet(9, GREETING[4:]),),
    "number 9 at sign-in": (GREETING, packet(9, OK)),
    "error without a number": (packet(0, b"\xff\x10"),),
    "greeting of nothing": (packet(0, b"\x0a" + b"x" * 80),),
    "huge packet": (GREETING, b"\xff\xff\xff\x02abc"),
    "switch to nothing": (GREETING, packet(2, b"\xfe")),
    "sign-in cut off": (GREETING, packet(2, b"\0")),
}


@pytest.mark.parametrize("name", MYSQL_CASES)
def test_a_server_that_is_no_mysql_is_named_with_its_bytes(name: str) -> None:
    greeting, *answers = MYSQL_CASES[name]
    with hostile_server(greeting, *answers) as port, pytest.raises(mysql.FAILURES) as raised:
        mysql.open_socket(mysql_at(port), autocommit=True)
    text = error_text(raised.value, DEFAULT)
    assert text.isprintable()
    assert "secret" not in text
    if name not in ("switch to nothing", "sign-in cut off", "error without a number"):
        assert "(error 2027, malformed packet)" in text
        assert "got b'" in text


FULL_TEXT = "Too many connections (error 1040, too many connections)"


@pytest.mark.parametrize("number", [0, 1, 2, 255])
def test_an_error_before_the_greeting_is_read_whatever_its_number(number: int) -> None:
    with hostile_server(packet(number, FULL)) as port:
        with pytest.raises(mysql.FAILURES) as raised:
            mysql.open_socket(mysql_at(port), autocommit=True)
        assert error_text(raised.value, DEFAULT).startswith(f"{FULL_TEXT}: end connect")
        failed = doctor_mysql(port)
    assert (failed.problem, failed.finding) == (
        "too_many_connections",
        FULL_TEXT,
    )
    assert "raise max_connections" in failed.next_step


@pytest.mark.parametrize("number", [0, 1, 7])
def test_an_error_in_the_middle_of_the_sign_in_is_read_too(number: int) -> None:
    shutdown = packet(number, b"\xff\x1d\x04#08S01Server shutdown in progress")
    with (
        hostile_server(GREETING, shutdown) as port,
        pytest.raises(mysql.FAILURES, match="shutdown in progress"),
    ):
        mysql.open_socket(mysql_at(port), autocommit=True)


@pytest.mark.parametrize("greeting", [SHORT_GREETING, X_PROTOCOL, SSH, packet(9, GREETING[4:])])
def test_the_doctor_names_what_is_no_mysql(greeting: bytes) -> None:
    with hostile_server(greeting) as port:
        failed = doctor_mysql(port)
    assert failed.problem == "not_mysql"
    assert "got b'" in failed.finding
    assert "33060" in failed.next_step


REDIS_CASES = {
    "HTTP": HTTP,
    "unhashable key": b"%1\r\n*0\r\n+x\r\n",
    "endless list": b"*4294967295\r\n",
    "deep nesting": b"*1\r\n" * 10_000,
    "endless string": b"$4294967295\r\n",
    "MySQL": GREETING,
    "SSH": SSH,
    "no type": b"hello\r\n",
}


@pytest.mark.parametrize("name", REDIS_CASES)
def test_a_server_that_is_no_redis_is_named_with_its_bytes(name: str) -> None:
    with hostile_server(b"", *[REDIS_CASES[name]] * 3) as port:
        endpoint = redis_at(port)
        for ask in (redis.slot_map, redis.read_facts):
            with pytest.raises(redis.FAILURES) as raised:
                ask(endpoint)
            text = error_text(raised.value, DEFAULT)
            assert "expected a reply of Redis, got b'" in text
            assert text.isprintable()
            assert len(text) < 400


def test_the_doctor_names_what_is_no_redis() -> None:
    with hostile_server(b"", HTTP) as port:
        failed = doctor_redis(port)
    assert failed.problem == "not_redis"
    assert "got b'HTTP/1.1 400 Bad Request'" in failed.finding
    with hostile_server(b"", b"+PONG\r\n" * 3, REDIS_CASES["unhashable key"]) as port:
        failed = doctor_redis(port, "")
    assert failed.problem == "not_redis"
    assert "a key of a map is a list" in failed.finding


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (b"*%d\r\n" % 200_000 + b"*3\r\n:0\r\n:0\r\n*2\r\n+a\r\n:1\r\n" * 200_000, "elements"),
        (b"*%d\r\n" % 16_385 + b"*3\r\n:0\r\n:0\r\n*2\r\n+a\r\n:1\r\n" * 16_385, "16,384 slots"),
        (b"*2\r\n" + b"*3\r\n:0\r\n:16383\r\n*2\r\n+a\r\n:1\r\n" * 2, "slots 0 to 16383"),
        (b"*1\r\n*3\r\n:5\r\n:4\r\n*2\r\n+a\r\n:1\r\n", "slots 5 to 4"),
        (b"*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n+a\r\n:1\r\n", "slots 0 to 16384"),
        (b"*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n+a\r\n:70000\r\n", "70000 is no port"),
        (b"*1\r\n*2\r\n:0\r\n:1\r\n", ""),
        (b"*1\r\n:1\r\n", ""),
        (b"+OK\r\n", ""),
        (b":1\r\n", ""),
        (b"$-1\r\n", ""),
        (
            b"*1001\r\n"
            + b"".join(
                b"*3\r\n:%d\r\n:%d\r\n*2\r\n+h%d\r\n:1\r\n" % (n, n, n) for n in range(1_001)
            ),
            "more than 1,000 nodes",
        ),
    ],
    ids=lambda value: str(value)[:12],
)
def test_the_slots_of_a_cluster_are_bounded(reply: bytes, why: str) -> None:
    with hostile_server(b"", WELCOMED, reply) as port, pytest.raises(redis.FAILURES) as raised:
        redis.slot_map(redis_at(port))
    assert "got" in str(raised.value)
    assert why in str(raised.value)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    "reply",
    [
        b"-NOAUTH Authentication required.\r\n",
        b"-WRONGPASS invalid username-password pair or user is disabled.\r\n",
        b"-NOPERM this user has no permissions\r\n",
        b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        b"-READONLY You can't write against a read only replica.\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-MISCONF Redis is configured to save RDB snapshots\r\n",
        b"-CLUSTERDOWN The cluster is down\r\n",
        b"-MASTERDOWN Link with MASTER is down\r\n",
        b"-BUSY Redis is busy running a script\r\n",
        b"-ERR max number of clients reached\r\n",
        b"-MOVED 1 nowhere\r\n",
        b"-ASK\r\n",
        b"-SOMETHING new\r\n",
    ],
)
def test_the_first_word_of_an_error_of_redis_is_kept(reply: bytes) -> None:
    with hostile_server(b"", reply) as port, pytest.raises(redis.FAILURES) as raised:
        redis.open_socket(f"127.0.0.1:{port}", redis_at(port))
    assert error_text(raised.value, DEFAULT).startswith(reply[1:-2].decode())


# ---------------------------------------------------------------- any bytes

conversation = (
    GREETING,
    SIGNED_IN,
    packet(1, OK),
    packet(1, OK),
    packet(1, b"\x01") + packet(2, COLUMN) + packet(3, EOF) + packet(4, b"\x011") + packet(5, EOF),
    packet(1, OK),
)
"""What a MariaDB says to a client that signs in and reads one number."""


@st.composite
def mutated(draw: st.DrawFn, parts: tuple[bytes, ...]) -> list[bytes]:
    """The same conversation with some bytes changed, put in or left out, or with an answer replaced."""
    made = [bytearray(part) for part in parts]
    for _ in range(draw(st.integers(0, 3))):
        part = made[draw(st.integers(0, len(made) - 1))]
        at = draw(st.integers(0, max(0, len(part) - 1)))
        part[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    if draw(st.booleans()):
        made[draw(st.integers(0, len(made) - 1))][:] = draw(st.binary(max_size=60))
    return [bytes(part) for part in made]


@settings(max_examples=80)
@given(mutated(conversation))
@example(list(conversation))
def test_no_bytes_of_a_mysql_raise_anything_else(parts: list[bytes]) -> None:
    with hostile_server(b"".join(parts) or b"x") as port:
        ask_mysql(mysql_at(port))


def test_the_conversation_that_is_mutated_succeeds() -> None:
    """After as many statements as telemon sends before its own."""
    found = []
    for statements in range(4):
        parts = (*conversation[:2], *[packet(1, OK)] * statements, conversation[4])
        with (
            hostile_server(b"".join(parts)) as port,
            suppress(*mysql.FAILURES),
            mysql.cursor(mysql_at(port)) as cursor,
        ):
            cursor.execute("SELECT 1")
            found.append(cursor.fetchall())
    assert ((1,),) in found


redis_replies = (
    b"+OK\r\n",
    b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\na\r\n:6379\r\n",
    b"$26\r\nredis_version:7.0.15\r\na:b=c\r\n",
    b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nx\r\n",
)


@settings(max_examples=80)
@given(st.one_of(st.binary(min_size=1, max_size=60), mutated(redis_replies).map(b"".join)))
@example(b"-MOVED x\r\n")
@example(b"%1\r\n*0\r\n+x\r\n")
@example(b"*1\r\n-LOADING\r\n")
def test_no_bytes_of_a_redis_raise_anything_else(reply: bytes) -> None:
    for answers in (reply or b"x", WELCOMED + reply):
        with hostile_server(answers) as port:
            ask_redis(redis_at(port))


HOSTILE: dict[str, Callable[[int], object]] = {
    "mysql counters": lambda port: MySQLCounters(mysql_at(port)).read(),
    "mysql facts": lambda port: read_server_facts(
        LaneEndpoints("mysql", mysql=mysql_at(port), redis=None)
    ),
}


@pytest.mark.parametrize("ask", HOSTILE)
def test_facts_and_counters_of_what_is_no_mysql_fail_as_their_callers_expect(ask: str) -> None:
    for greeting in (SHORT_GREETING, X_PROTOCOL, packet(9, b"x")):
        with hostile_server(greeting) as port, pytest.raises(mysql.FAILURES):
            HOSTILE[ask](port)


@pytest.mark.parametrize("reply", [HTTP, b"%1\r\n*0\r\n+x\r\n", b"*4294967295\r\n", b"*0\r\n"])
def test_counters_of_what_is_no_redis_fail_as_their_callers_expect(reply: bytes) -> None:
    with hostile_server(b"", WELCOMED, reply) as port, pytest.raises(redis.FAILURES):
        RedisCounters(redis_at(port)).read()
