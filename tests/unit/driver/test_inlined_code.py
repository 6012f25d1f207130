"""Code inlined on the hot path of the reactor does the same as the functions that it replaces."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from time import perf_counter_ns
from typing import Any

import pytest

from engines.driver.outcome import completed
from engines.driver.reactor import Reactor
from engines.driver.session import Connection, Program, Session
from engines.driver.timers import NEVER_NS
from engines.wire.dialect import REDIS

ADDRESS = "a:1"
REQUEST = b"PING\r\n"
REPLY = b"+x\r\n"


def program(session: Session) -> Program:
    """Send the same request in each operation, without an extra step between two operations."""
    connection = session.connections[ADDRESS]
    yield connection, REQUEST, 1
    while True:
        yield connection, REQUEST, 1, completed(rows=3, hits=1)


class Bench:
    """A reactor with one session, whose connection uses one end of a socket pair."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.far.settimeout(5)
        self.reactor = Reactor(lambda _: (REDIS, lambda: self.near))
        self.reactor.measure_from_ns = 0
        self.session = self.reactor.add(program)
        self.connection = self.session.connections[ADDRESS]
        self.turn_until_open()

    def turn_until_open(self) -> None:
        """Run the loop until the connection is open."""

        def look() -> None:
            if self.connection.socket is None:
                self.reactor.after_ns(200_000, look)
            else:
                self.reactor.running = False

        look()
        self.reactor.run()
        self.reactor.running = True

    def close(self) -> None:
        """Close both ends."""
        self.reactor.close()
        self.far.close()


@pytest.fixture
def benches() -> Iterator[list[Bench]]:
    """Two equal benches: one for the function, one for the inlined code."""
    made = [Bench(), Bench()]
    yield made
    for bench in made:
        bench.close()


def send_with_the_function(reactor: Reactor, connection: Connection) -> None:
    reactor.connections.send(connection, REQUEST, 1)


def send_inlined(reactor: Reactor, connection: Connection) -> None:
    connection.outbox.append((connection, REQUEST, 1, completed()))
    reactor._send_next()
    assert not connection.outbox


@pytest.mark.parametrize("kernel", ["all", "part", "none", "interrupted", "broken", "closed"])
def test_the_inlined_send_does_what_send_does(
    benches: list[Bench], kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = {
        "none": BlockingIOError(),
        "interrupted": InterruptedError(),
        "broken": BrokenPipeError(),
    }
    results: list[tuple[Any, ...]] = []
    for bench, send in zip(benches, (send_with_the_function, send_inlined), strict=True):
        connection = bench.connection
        calls: list[tuple[Any, ...]] = []

        def kernel_send(data: bytes, calls: list[tuple[Any, ...]] = calls) -> int:
            calls.append(("send", data))
            if kernel in errors:
                raise errors[kernel]
            return len(data) - 2 * (kernel == "part")

        connection.send = kernel_send  # type: ignore[assignment]
        if kernel == "closed":
            monkeypatch.setattr(connection, "socket", None)
        for name in ("keep_unsent", "on_send_failed", "_send_when_open"):
            monkeypatch.setattr(
                bench.reactor.connections,
                name,
                lambda _, *rest, name=name, calls=calls: calls.append((name, *rest)),
            )
        send(bench.reactor, connection)
        results.append((calls, connection.wanted))
        monkeypatch.undo()
    assert results[0] == results[1]
    assert results[0][0]


def complete_with_the_function(bench: Bench) -> None:
    """Complete the operation in flight without a reply from the socket."""
    bench.connection.wanted = 0
    step = bench.session.resume(b"x")
    bench.reactor._step(bench.session, step, perf_counter_ns())


def complete_inlined(bench: Bench) -> None:
    """Complete the operation in flight with a reply that the closed loop reads."""
    bench.far.sendall(REPLY)
    session, last_ns = bench.session, bench.session.began_ns

    def look() -> None:
        if session.began_ns == last_ns:
            bench.reactor.after_ns(200_000, look)
        else:
            bench.reactor.running = False

    look()
    bench.reactor.run()


@pytest.mark.parametrize("measure_from_ns", [0, NEVER_NS])
def test_the_inlined_completion_does_what_the_function_does(
    benches: list[Bench], measure_from_ns: int
) -> None:
    results = []
    for bench, complete in zip(
        benches, (complete_with_the_function, complete_inlined), strict=True
    ):
        reactor, session = bench.reactor, bench.session
        reactor.measure_from_ns = measure_from_ns
        reactor.begin_all()
        assert bench.far.recv(4096) == REQUEST
        session.failures = 2
        began_ns = session.began_ns
        complete(bench)
        assert session.began_ns > began_ns
        measured, warm = reactor.measured.take(1.0).work, reactor.warm.take(1.0).work
        results.append(
            [
                (stats.operations, stats.rows, stats.service.count, stats.failures.count)
                for stats in (measured, warm)
            ]
            + [
                (session.failures, session.in_operation, session.first, session.due_ns),
                (bench.connection.wanted, bench.far.recv(4096)),
            ]
        )
    assert results[0] == results[1]
    assert results[0][measure_from_ns > 0] == (1, 3, 1, 0)
