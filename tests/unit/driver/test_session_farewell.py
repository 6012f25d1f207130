"""What a server is told before its connection is closed: at once, or not at all."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any

import pytest

from engines.driver.connections import ConnectionManager
from engines.driver.session import Connection, Session, discard
from engines.driver.timers import Timers
from engines.wire.dialect import MYSQL, REDIS, Dialect

QUIT = b"\x01\0\0\0\x01"
"""COM_QUIT: one byte of length 1, packet number 0 (MySQL Internals, COM_QUIT)."""


def attached(dialect: Dialect) -> tuple[Connection, socket.socket]:
    near, far = socket.socketpair()
    far.settimeout(5)
    connection = Connection(Session(), "a:1", dialect, lambda: near)
    connection.attach(near)
    return connection, far


def all_of(far: socket.socket) -> bytes:
    with far:
        heard = b""
        while data := far.recv(65_536):
            heard += data
        return heard


@pytest.mark.parametrize(("dialect", "heard"), [(MYSQL, QUIT), (REDIS, b"")])
def test_mysql_is_told_and_redis_is_not(dialect: Dialect, heard: bytes) -> None:
    connection, far = attached(dialect)
    connection.detach()
    assert all_of(far) == heard
    connection.detach()  # it is closed already


def test_it_follows_a_request_that_is_in_flight() -> None:
    connection, far = attached(MYSQL)
    connection.send(b"request")
    connection.wanted = 1
    connection.detach()
    assert all_of(far) == b"request" + QUIT


def test_it_does_not_become_a_part_of_a_request_that_is_not_sent_whole() -> None:
    connection, far = attached(MYSQL)
    connection.send(b"requ")
    connection.unsent = memoryview(b"est")
    connection.detach()
    assert all_of(far) == b"requ"


def test_a_server_that_takes_nothing_is_not_waited_for() -> None:
    connection, far = attached(MYSQL)
    with suppress(BlockingIOError):
        while True:
            connection.send(b"x" * 65_536)
    connection.detach()
    assert QUIT not in all_of(far)


def test_a_connection_that_is_broken_already_is_just_closed() -> None:
    connection, far = attached(MYSQL)
    far.close()
    connection.detach()
    assert connection.socket is None


def test_a_socket_that_was_opened_for_nothing_is_closed_the_same_way() -> None:
    near, far = socket.socketpair()
    far.settimeout(5)
    discard(near, MYSQL)
    assert all_of(far) == QUIT


def test_a_socket_that_stands_when_everything_is_closed_is_told_too() -> None:
    """A thread has opened it, and the loop has not taken it yet."""
    near, far = socket.socketpair()
    far.settimeout(5)

    def plan(_: str) -> tuple[Dialect, Any]:
        return MYSQL, lambda: near

    manager = ConnectionManager(plan, Timers(), lambda *_: None, None)
    session = Session()
    manager.connection(session, "a:1")
    until_s = time.monotonic() + 10
    while not manager._opened and time.monotonic() < until_s:
        time.sleep(0.001)
    manager.close_all()
    assert all_of(far) == QUIT
