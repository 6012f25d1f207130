"""Measurement of the client overhead: the lane's own program and reactor, against a server that answers at once."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace

from engines.driver.reactor import Reactor
from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.ipc.messages import EngineSpec
from engines.lanes.context import MYSQL_ADDRESS
from engines.model.lanes import LANES, SQL_PATHS
from engines.process.programs import ProgramFactory
from engines.wire.dialect import MYSQL as MYSQL_DIALECT
from engines.wire.dialect import REDIS as REDIS_DIALECT
from engines.wire.dialect import Dialect
from engines.wire.resp import SLOTS

WARM_S = 0.02
"""The first operations build the request caches and are not counted."""

SLICE_S = 0.02
"""Length of one measurement, in seconds."""

SLICES = 5
"""Number of measurements, of which the lowest median counts. The overhead is the time that an operation cannot avoid.
On a busy machine each round trip includes scheduling delay, sometimes longer than the round trip itself; the
quietest slice is nearest to the true value."""


def measure_client_overhead_us(spec: EngineSpec, mysql_port: int, redis_port: int) -> float:
    """Return the median service time of an operation against a null server, in us.

    The operation is that of `spec`, over one connection. Of `SLICES` slices of `SLICE_S` the lowest median counts.
    Returns 0.0 if the server does not answer. Blocks for `WARM_S` plus all slices, for at most about one second.
    """

    def connect(port: int) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", port), timeout=1.0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def plan(address: str) -> tuple[Dialect, Callable[[], socket.socket]]:
        if address == MYSQL_ADDRESS:
            return MYSQL_DIALECT, lambda: connect(mysql_port)
        return REDIS_DIALECT, lambda: connect(redis_port)

    reactor = Reactor(plan)
    reactor.measure_from_ns = 0
    programs = ProgramFactory(
        replace(spec, process=0, processes=1, keep_versions=False),
        issuing=lambda: reactor.issuing,
        redirected=lambda: None,
    )
    programs.topologies = [SlotMap([SlotRange(0, SLOTS - 1, "null:0")], refresh=lambda: None)]
    (program,) = programs.partition(1)
    session = reactor.add(program)
    medians_us: list[float] = []

    def begin() -> None:
        if reactor.connections.unopened():
            reactor.after_ns(1_000_000, begin)
        else:
            reactor.begin_all()
            reactor.after_ns(int(WARM_S * 1e9), discard_warm_up)
            for number in range(1, SLICES + 1):
                reactor.after_ns(int((WARM_S + number * SLICE_S) * 1e9), end_slice)
            reactor.after_ns(int((WARM_S + SLICES * SLICE_S) * 1e9) + 1, end)

    def discard_warm_up() -> None:
        reactor.measured.service.take()

    def end_slice() -> None:
        service = reactor.measured.service.take()
        if service.count:
            medians_us.append(service.percentile_us(50))

    def end() -> None:
        reactor.running = False

    reactor.after_ns(1_000_000_000, end)
    path = LANES[spec.lane].path(spec.role)
    session.connections[MYSQL_ADDRESS if path in SQL_PATHS else "null:0"]
    reactor.after_ns(0, begin)
    reactor.run()
    end_slice()
    reactor.close()
    return min(medians_us, default=0.0)
