"""What telemon itself costs: the lane's own program, driven by the same reactor, against a server that answers at
once."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace

from engines.lanes import MYSQL
from engines.link import MYSQL as MYSQL_DIALECT
from engines.link import REDIS as REDIS_DIALECT
from engines.link import Dialect
from engines.message import Spec
from engines.programs import Programs
from engines.reactor import Reactor
from engines.topology import SLOTS, SlotRange, Topology

WARM_S = 0.02
"""The first operations build their requests' tables and are not counted."""

MEASURED_S = 0.08


def measure_floor_us(spec: Spec, mysql_port: int, redis_port: int) -> float:
    """The median service time in us of an operation of `spec` over one connection to a null server; 0.0 where it does
    not answer. Takes `WARM_S` + `MEASURED_S`."""

    def connect(port: int) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", port), timeout=1.0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def plan(address: str) -> tuple[Dialect, Callable[[], socket.socket]]:
        if address == MYSQL:
            return MYSQL_DIALECT, lambda: connect(mysql_port)
        return REDIS_DIALECT, lambda: connect(redis_port)

    reactor = Reactor(plan)
    reactor.measure_from_ns = 0
    reactor.apart = spec.role == "write"
    programs = Programs(
        replace(spec, process=0, processes=1, ledger=False),
        flowing=lambda: reactor.flowing,
        redirected=lambda: None,
    )
    programs.topologies = [Topology([SlotRange(0, SLOTS - 1, "null:0")], refresh=lambda: None)]
    (program,) = programs.deal(1)
    session = reactor.add(program)

    def begin() -> None:
        if reactor.wiring.unopened():
            reactor.after_ns(1_000_000, begin)
        else:
            reactor.begin_all()
            reactor.after_ns(int(WARM_S * 1e9), forget)
            reactor.after_ns(int((WARM_S + MEASURED_S) * 1e9), end)

    def forget() -> None:
        reactor.measured.service.take()

    def end() -> None:
        reactor.running = False

    reactor.after_ns(1_000_000_000, end)
    session.links["null:0" if spec.lane == "durable" else MYSQL]
    reactor.after_ns(0, begin)
    reactor.run()
    floor_us = reactor.measured.service.take().percentile_us(50)
    reactor.close()
    return floor_us
