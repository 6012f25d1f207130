"""Loop lag, and the part of it that is the loop's own CPU time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from engines.driver.outcome import Completed, completed
from engines.driver.poller import READ
from engines.driver.reactor import Reactor
from engines.driver.session import Connection, Program, Session, SessionConnections
from engines.metrics.histogram import LatencyDistribution
from engines.wire.dialect import REDIS

WORK_NS = 4_000_000


def work() -> None:
    """Use the CPU for `WORK_NS` of CPU time, however often the thread is preempted."""
    until_ns = time.thread_time_ns() + WORK_NS
    while time.thread_time_ns() < until_ns:
        pass


def sleep() -> None:
    """Sleep for `WORK_NS`, without using the CPU."""
    time.sleep(WORK_NS / 1e9)


class Answering:
    """Socket that answers every request at once."""

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number

    def setblocking(self, flag: bool) -> None:
        pass

    def close(self) -> None:
        pass


class Polls:
    """Replacement for the poller: at each of `turns` polls it has a reply for every session, after `wait`."""

    def __init__(self, reactor: Reactor, turns: int, wait: Callable[[], None]) -> None:
        self._reactor = reactor
        self._left = turns
        self._wait = wait
        self.sessions: list[int] = []
        self.log: list[str] = []

    def poll(self, _: float) -> list[tuple[int, int]]:
        self.log.append("poll")
        self._left -= 1
        self._reactor.running = self._left > 0
        self._wait()
        # A session whose next operation is still to be built has sent nothing and has no reply.
        return [
            (number, READ)
            for number in self.sessions
            if self._reactor.connections.open_by_descriptor[number].wanted
        ]

    poll_precisely = poll

    def register(self, *_: Any) -> None:
        pass


def race(
    make_up: Callable[[], None],
    *,
    sessions: int = 2,
    turns: int = 12,
    apart: bool = False,
    wait: Callable[[], None] = lambda: None,
) -> tuple[Reactor, Polls]:
    """Run a loop with that poller and sessions that call `make_up` to build an operation."""
    reactor = Reactor(lambda _: (REDIS, Answering))  # type: ignore[arg-type,return-value]
    reactor.connections.poller.close()
    polls = Polls(reactor, turns, wait)
    reactor.connections.poller = polls  # type: ignore[assignment]

    def program(connection: Connection) -> Program:
        ok = completed(rows=1)
        ended: Completed | None = None
        while True:
            polls.log.append("made up")
            make_up()
            yield (connection, b"PING", 1) if ended is None else (connection, b"PING", 1, ended)
            if apart:
                yield ok
            else:
                ended = ok

    for number in range(1000, 1000 + sessions):
        session = Session()
        session.connections = SessionConnections(lambda _: connection)  # noqa: B023 - never asked
        connection = Connection(session, "null:1", REDIS, lambda: None)  # type: ignore[arg-type,return-value]
        connection.attach(Answering(number))  # type: ignore[arg-type]
        connection.send, connection.receive = len, lambda _: b"+OK\r\n"
        connection.outbox = reactor.connections.outboxes.setdefault("null:1", [])
        generator = program(connection)
        session.resume, session.first = generator.send, next(generator)
        reactor.sessions.append(session)
        reactor.connections.open_by_descriptor[number] = connection
        polls.sessions.append(number)
    polls.log.clear()
    reactor.begin_all()
    reactor.run()
    return reactor, polls


def taken(reactor: Reactor) -> tuple[LatencyDistribution, LatencyDistribution]:
    return reactor.loop_lag.take(), reactor.cpu_loop_lag.take()


def test_work_that_keeps_replies_waiting_is_also_cpu_only_loop_lag() -> None:
    lag, cpu_lag = taken(race(work)[0])
    # Two operations are built in one iteration, and then two replies are there.
    assert lag.max_ns >= 2 * WORK_NS
    assert cpu_lag.max_ns >= 2 * WORK_NS
    assert cpu_lag.percentile_us(50) >= WORK_NS / 1000


def test_time_without_a_cpu_is_loop_lag_and_not_cpu_only_loop_lag() -> None:
    lag, cpu_lag = taken(race(sleep)[0])
    assert lag.max_ns >= 2 * WORK_NS
    assert cpu_lag.count > 0
    assert cpu_lag.max_ns < WORK_NS


def test_a_loop_that_waits_for_its_replies_has_no_lag() -> None:
    """However long it was at work before."""
    lag, cpu_lag = taken(race(work, wait=lambda: time.sleep(0.001))[0])
    assert lag.count > 5
    assert lag.max_ns == cpu_lag.max_ns == 0


@pytest.mark.parametrize(("apart", "most"), [(True, 1), (False, 3)])
def test_sockets_are_polled_between_operations_that_are_built_separately(
    apart: bool, most: int
) -> None:
    reactor, polls = race(lambda: None, sessions=3, apart=apart)
    rows = "".join("." if word == "poll" else "m" for word in polls.log).split(".")
    assert max(map(len, rows)) == most
    # The loop stopped between two steps; a session whose operation is still to be built starts it
    # in the next run.
    reactor.issuing = False
    waiting = len(reactor._ended)
    reactor.fail_in_flight("unfinished", final=True)
    assert waiting == (2 if apart else 0)
    assert sum(session.first is not None for session in reactor.sessions) == waiting
