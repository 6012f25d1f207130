"""Whatever a server sends: a connection is closed with an error kind of its own, and the loop goes on."""

from __future__ import annotations

import socket
from collections.abc import Callable
from itertools import pairwise
from time import perf_counter_ns
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engines.driver.reactor import Reactor
from engines.driver.session import Program, Session
from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.lanes.cached import read_cached
from engines.lanes.context import MYSQL_ADDRESS
from engines.lanes.durable import read_durable, write_durable
from engines.lanes.mysql import read_mysql, write_mysql
from engines.wire.dialect import MYSQL, REDIS
from engines.wire.error_kinds import ERROR_KINDS
from engines.wire.reply import MAX_REPLY_BYTES, PROTOCOL, REPLY_TOO_LARGE, ProtocolError
from engines.wire.resp import RespReplyParser
from engines.workload.dataset import ALL_KEYS, TelemetryPool
from engines.workload.streams import BatchStream, Partition
from tests.support.lane_context import lane_context
from tests.unit.wire.test_mysql import FROM_MARIADB, SAMPLES
from tests.unit.wire.test_resp import RESP3
from tests.unit.wire.test_resp import SAMPLES as REDIS_SAMPLES

CAR = 50_000_123


def batches() -> BatchStream:
    return BatchStream(1, Partition(), ALL_KEYS, 3, iter(range(1, 10**9)))


PROGRAMS: dict[str, Callable[[Session, Any], Program]] = {
    "mysql read": lambda session, lane: read_mysql(session, lambda: CAR, lane),
    "mysql write": lambda session, lane: write_mysql(session, batches(), lane),
    "cached read": lambda session, lane: read_cached(session, lambda: CAR, lane),
    "durable read": lambda session, lane: read_durable(session, lambda: CAR, lane),
    "durable write": lambda session, lane: write_durable(session, batches(), lane),
}


class Link:
    """One session of a reactor, whose servers are the far ends of socket pairs."""

    def __init__(self, program: str) -> None:
        self.far: dict[str, socket.socket] = {}
        self.opened: set[str] = set()
        self.reactor = Reactor(self.plan)
        self.reactor.measure_from_ns = 0
        slot_map = SlotMap([SlotRange(0, 16_383, "a:1")], lambda: None)
        lane = lane_context(slot_map, TelemetryPool(1))
        self.session = self.reactor.add(lambda session: PROGRAMS[program](session, lane))
        self.reactor.begin_all()
        self.turn_until(lambda: not any(each.opening for each in self.connections))

    @property
    def connections(self) -> list[Any]:
        return list(self.session.connections.values())

    def plan(self, address: str) -> Any:
        def open_socket() -> socket.socket:
            if address in self.opened:
                raise ConnectionRefusedError("only once")
            self.opened.add(address)
            near, self.far[address] = socket.socketpair()
            return near

        return MYSQL if address == MYSQL_ADDRESS else REDIS, open_socket

    def turn_until(self, condition: Callable[[], bool], at_most_s: float = 10.0) -> None:
        deadline_ns = perf_counter_ns() + int(at_most_s * 1e9)

        def look() -> None:
            if condition() or perf_counter_ns() >= deadline_ns:
                self.reactor.running = False
            else:
                self.reactor.after_ns(50_000, look)

        self.reactor.running = True
        look()
        self.reactor.run()
        assert condition()

    def feed(self, address: str, parts: list[bytes]) -> None:
        """Send `parts` one by one, as long as they are read, then hang up, and wait until that is noticed."""
        far = self.far[address]
        connection = self.session.connections[address]
        for part in parts:
            far.setblocking(False)
            try:
                far.sendall(part)
            except OSError:
                break
            if connection.socket is None:
                break
            self.turn_until(lambda: not has_unread(connection))
        far.close()
        self.turn_until(lambda: connection.socket is None)

    def close(self) -> None:
        self.reactor.close()
        for far in self.far.values():
            far.close()


def has_unread(connection: Any) -> bool:
    """Whether the loop has not read all bytes that were sent."""
    if connection.socket is None:
        return False
    try:
        return bool(connection.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:
        return False


def errors_after(program: str, parts: list[bytes]) -> dict[str, int]:
    """Feed `parts` to the first connection that a program asks; return the errors by kind."""
    link = Link(program)
    try:
        address = "a:1" if "a:1" in link.far else MYSQL_ADDRESS
        link.feed(address, parts)
        link.turn_until(lambda: not any(each.request for each in link.connections))
        return link.reactor.measured.errors
    finally:
        link.close()


LISTS = b"*1\r\n" * 100_000
NAMED = {
    "unhashable key": (b"%1\r\n*0\r\n+x\r\n", PROTOCOL),
    "unhashable key in a set": (b"*1\r\n%1\r\n~0\r\n+x\r\n", PROTOCOL),
    "endless list": (b"*4294967295\r\n", REPLY_TOO_LARGE),
    "endless map": (b"%4294967295\r\n", REPLY_TOO_LARGE),
    "endless string": (b"$4294967295\r\n", REPLY_TOO_LARGE),
    "endless line": (b"+" + b"x" * 100_000, REPLY_TOO_LARGE),
    "deep nesting": (LISTS, REPLY_TOO_LARGE),
    "many elements": (b"*4096\r\n" + b"*4096\r\n" * 3, REPLY_TOO_LARGE),
    "HTTP": (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", PROTOCOL),
    "push": (b">2\r\n+message\r\n+x\r\n", PROTOCOL),
    "two replies": (b"$-1\r\n$-1\r\n$-1\r\n$-1\r\n", PROTOCOL),
    "MySQL": (b"J\0\0\0\n5.5.5-10.11.6-MariaDB\0", PROTOCOL),
}
NAMED_MYSQL = {
    "number 9": (b"\x01\0\0\x01\x05" + b"\x07\0\0\x09\0\0\0\2\0\0\0", PROTOCOL),
    "X protocol": (b"\x05\0\0\0\x0b\x08\x05\x1a\0", PROTOCOL),
    "error without a number": (b"\x01\0\0\x01\xff", PROTOCOL),
    "Redis": (b"-ERR unknown command\r\n", REPLY_TOO_LARGE),
    "HTTP": (b"HTTP/1.1 400 Bad Request\r\n\r\n", REPLY_TOO_LARGE),
    "endless packet": (b"\xff\xff\xff\x01" + b"\x01" * 300, REPLY_TOO_LARGE),
    "many columns": (b"\x03\0\0\x01\xfc\xff\xff", REPLY_TOO_LARGE),
    "no columns": (b"\x03\0\0\x01\xfc\0\0", PROTOCOL),
}


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("program", ["durable read", "durable write", "cached read"])
def test_what_is_no_reply_of_redis_has_its_kind(program: str, name: str) -> None:
    wire, kind = NAMED[name]
    assert kind in errors_after(program, [wire])
    assert kind in ERROR_KINDS


@pytest.mark.parametrize("name", NAMED_MYSQL)
@pytest.mark.parametrize("program", ["mysql read", "mysql write"])
def test_what_is_no_reply_of_mysql_has_its_kind(program: str, name: str) -> None:
    wire, kind = NAMED_MYSQL[name]
    assert kind in errors_after(program, [wire])


def test_a_violation_names_what_was_expected_and_what_came() -> None:
    link = Link("durable read")
    link.feed("a:1", [b"HTTP/1.1 400 Bad Request\r\n" + b"\x1b[31m" * 100])
    (why,) = link.reactor.connections.violations.values()
    assert why.startswith(
        "expected a reply of Redis, got b'HTTP/1.1 400 Bad Request\\r\\n\\x1b[31m"
    )
    assert why.isprintable()
    assert len(why) < 300
    link.close()


def test_bytes_that_nobody_asked_for_are_named_too() -> None:
    """As a MySQL server greets on what was taken for a port of Redis."""
    link = Link("durable read")
    link.reactor.issuing = False
    link.far["a:1"].sendall(b"$-1\r\n")
    connection = link.session.connections["a:1"]
    link.turn_until(lambda: not connection.wanted)
    link.turn_until(lambda: not has_unread(connection))
    link.feed("a:1", [NAMED["MySQL"][0]])
    assert "no request was in flight" in link.reactor.connections.violations["a:1"]
    assert link.reactor.measured.errors == {}
    link.close()


def test_a_reply_of_many_pieces_is_bounded() -> None:
    """No announced length is too large; what comes is."""
    piece = b"$1000\r\n" + b"x" * 1_000 + b"\r\n"
    parts = [b"*4000\r\n"] + [piece * 30] * 80
    assert len(b"".join(parts)) > MAX_REPLY_BYTES
    assert REPLY_TOO_LARGE in errors_after("durable read", parts)


def mutated(samples: list[bytes]) -> st.SearchStrategy[bytes]:
    """Valid replies one after the other, with some bytes changed, put in or left out."""

    @st.composite
    def draw_mutated(draw: st.DrawFn) -> bytes:
        wire = bytearray(b"".join(draw(st.lists(st.sampled_from(samples), min_size=1, max_size=5))))
        for _ in range(draw(st.integers(0, 4))):
            at = draw(st.integers(0, max(0, len(wire) - 1)))
            wire[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
        return bytes(wire[: draw(st.integers(0, len(wire)))])

    return draw_mutated()


def cut(wire: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted({each % max(1, len(wire)) for each in at} - {0}), len(wire)]
    return [wire[begin:end] for begin, end in pairwise(edges) if begin < end]


cuts = st.lists(st.integers(0, 10_000), max_size=4)
redis_wire = st.binary(max_size=200) | mutated(
    [sent.wire for sent in (*REDIS_SAMPLES, *RESP3)] + [wire for wire, _ in NAMED.values() if len(wire) < 99]
)  # fmt: skip
mysql_wire = st.binary(max_size=200) | mutated(
    [sent.wire for sent in SAMPLES] + [wire for wire, _ in NAMED_MYSQL.values()]
)


def check(program: str, wire: bytes, at: list[int]) -> None:
    for kind in errors_after(program, cut(wire, at)):
        assert kind in ERROR_KINDS or kind.startswith(("mysql_", "redis_"))


@pytest.mark.parametrize("program", ["durable read", "durable write", "cached read"])
def test_any_bytes_in_place_of_a_reply_of_redis(program: str) -> None:
    @settings(max_examples=60)
    @given(redis_wire, cuts)
    @example(b"*1\r\n%1\r\n*0\r\n+x\r\n", [5])
    @example(b"-MOVED 1 a:99999999\r\n", [])
    def run(wire: bytes, at: list[int]) -> None:
        check(program, wire, at)

    run()


@pytest.mark.parametrize("program", ["mysql read", "mysql write"])
def test_any_bytes_in_place_of_a_reply_of_mysql(program: str) -> None:
    @settings(max_examples=60)
    @given(mysql_wire, cuts)
    @example(FROM_MARIADB.wire[:-20], [3])
    def run(wire: bytes, at: list[int]) -> None:
        check(program, wire, at)

    run()


LONG_NUMBERS = {"list": b"*" + b"0" * 5_000 + b"1\r\n+x\r\n", "map": b"%" + b"9" * 4_301 + b"\r\n"}
LONG_NUMBERS["string"] = b"$" + b"9" * 4_301 + b"\r\n"
"""Lengths of more digits than Python reads as a number, which are 4,300."""


@pytest.mark.parametrize("kind", LONG_NUMBERS)
def test_a_length_of_thousands_of_digits_is_a_protocol_error(kind: str) -> None:
    with pytest.raises(ProtocolError):
        RespReplyParser().feed_one(LONG_NUMBERS[kind])
    with pytest.raises(ProtocolError):
        RespReplyParser().feed_many(LONG_NUMBERS[kind], 2)
