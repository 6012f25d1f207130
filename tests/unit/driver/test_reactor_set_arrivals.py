"""Switches between an open and a closed loop while operations are in flight."""

from __future__ import annotations

import socket

from engines.driver.open_loop import ArrivalSchedule
from engines.driver.reactor import Reactor
from engines.driver.session import Session
from engines.wire.dialect import REDIS


def test_an_operation_of_the_closed_loop_has_no_due_time() -> None:
    reactor = Reactor(lambda _: (REDIS, socket.socket))
    session = Session()
    session.in_operation = True
    reactor.sessions.append(session)

    reactor.set_arrivals(ArrivalSchedule(10.0, 0))
    session.due_ns = 1_000
    reactor.set_arrivals(ArrivalSchedule(20.0, 0))
    assert session.due_ns == 1_000  # It is answered as late as it is, whatever the rate is now.
    reactor.set_arrivals(None)
    assert session.due_ns == 0
    session.due_ns = 2_000
    reactor.set_arrivals(ArrivalSchedule(10.0, 0))
    assert session.due_ns == 0
    reactor.sessions.clear()
    reactor.close()
